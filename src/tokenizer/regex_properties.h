/* Gives Oniguruma the Unicode version of the one inside the `tokenizers` library, where the
 * distribution's is older or newer. */
#ifndef BRISK_TOKENIZER_REGEX_PROPERTIES_H
#define BRISK_TOKENIZER_REGEX_PROPERTIES_H

#include "base/base.h"

/* Once, before the first expression; not thread-safe by itself. */
void regex_properties_define(void);
/* The expression with \w and \d written as properties, which can be redefined; in the arena. */
char *regex_rewrite(struct arena *arena, const char *expression, size_t len, size_t *out_len);

#endif
