/* What follows the model in a sentence-transformers folder, read from modules.json. Private to
 * runtime; the pooling itself is the task's. */
#ifndef BRISK_RUNTIME_SENTENCE_H
#define BRISK_RUNTIME_SENTENCE_H

#include "formats/formats.h"
#include "tasks/tasks.h"

/* Fills *out; present stays false where there is no modules.json. Weights and strings live in the
 * repository's arena. MODEL: a module that is not supported or does not fit the one before it. */
enum status sentence_read(struct sentence_modules *out, struct repository *repository,
                          uint32_t hidden_size, struct error *err) MUST_CHECK;
/* Whether sentence_read would do, without taking weights. */
enum status sentence_check(struct repository *repository, uint32_t hidden_size,
                           struct error *err) MUST_CHECK;

#endif
