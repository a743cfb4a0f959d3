/* The response cache: answers of deterministic requests by what was asked, bounded in bytes, the
 * least recently used go first. Private to runtime. Thread-safe. */
#ifndef BRISK_RUNTIME_ANSWERS_H
#define BRISK_RUNTIME_ANSWERS_H

#include "tasks/tasks.h"

struct answers;
struct cached_answer {
    char *body; /* owned by who asked: mem_free */
    size_t body_len;
    struct job_facts facts;
};

struct answers *answers_create(size_t max_bytes);
void answers_destroy(struct answers *answers); /* NULL is fine */
/* A copy of the answer to this key; false: not there. */
bool answers_find(struct answers *answers, const char *key, size_t key_len,
                  struct cached_answer *out);
/* Copies key and answer; too large ones are not kept. */
void answers_put(struct answers *answers, const char *key, size_t key_len,
                 const struct cached_answer *answer);
size_t answers_bytes(struct answers *answers);

#endif
