/* The body of a request as the runtime sees it: its options, and what makes two bodies the same
 * question. What the inputs and parameters mean is the task's. Private to runtime. */
#ifndef BRISK_RUNTIME_BODY_H
#define BRISK_RUNTIME_BODY_H

#include "base/base.h"

struct body_options {
    bool no_cache, wait_for_model;
};

/* INPUT: not UTF-8, not JSON, an option of the wrong type; the text names the place. */
enum status body_parse(const struct json **out, struct arena *arena, const char *text, size_t len,
                       struct body_options *options, struct error *err) MUST_CHECK;
/* The body with "zero_shot_form": "list" among its options, unless it says a form itself. */
const struct json *body_with_zero_shot_list(const struct json *body, struct arena *arena);
/* Appends the body without the options that only say how it is served: the same bytes for the same
 * question, however the client spaced it. */
void body_write_question(struct buf *buf, const struct json *body);

#endif
