/* The model card's front matter: the YAML block that README.md starts with. Private to this room;
 * callers see its fields in struct repository. */
#ifndef BRISK_FORMATS_CARD_H
#define BRISK_FORMATS_CARD_H

#include "base/base.h"

struct card {
    const char *pipeline_tag; /* NULL: not given */
    const char *library_name; /* likewise */
};

/* Reads text[len], a whole README.md or its beginning; strings live in the arena. No front matter
 * is fine and leaves the fields NULL. MODEL: the YAML is damaged; the text names line and column.
 */
enum status card_parse(struct card *card, struct arena *arena, const char *text, size_t len,
                       struct error *err) MUST_CHECK;

#endif
