/* Private to tasks: summarization, translation and text2text-generation are one task with different
 * words (`transformers`' Text2TextGenerationPipeline and its children). */
#ifndef BRISK_TASKS_SEQ2SEQ_H
#define BRISK_TASKS_SEQ2SEQ_H

#include <stddef.h>
#include "tasks/task.h"

struct seq2seq_args {
    struct generation_args generation;
    struct arg truncation, src_lang, tgt_lang;
};
/* Rows of seq2seq_params. */
enum {
#undef GENERATION_PARAM
#define GENERATION_PARAM(field, ...) SEQ2SEQ_PARAM_##field,
#include "tasks/generation_params.inc"
#undef GENERATION_PARAM
    SEQ2SEQ_PARAM_truncation,
    SEQ2SEQ_PARAM_src_lang,
    SEQ2SEQ_PARAM_tgt_lang,
    SEQ2SEQ_PARAMS
};
extern const struct param seq2seq_params[SEQ2SEQ_PARAMS];

enum status seq2seq_supports(const struct task_model *model, struct error *err) MUST_CHECK;
enum status seq2seq_open(struct job *job, struct error *err) MUST_CHECK;
enum status seq2seq_begin(struct part *part, struct error *err) MUST_CHECK;
enum status seq2seq_next(struct part *part, struct error *err) MUST_CHECK;
void seq2seq_write(struct part *part, struct json_out *out, const char *key);

/* The languages of the request: *source is what encode_options has, the target's goes into config
 * as the token the answer begins with. INPUT where a code is unknown, or a model of several is to
 * translate and one is not said. */
enum status languages_open(struct job *job, struct generation_config *config, int32_t *source,
                           struct error *err) MUST_CHECK;

/* All of a task's row but its name and how it writes. */
#define SEQ2SEQ_TASK                                                                               \
    .params = seq2seq_params, .n_params = SEQ2SEQ_PARAMS,                                          \
    .args_size = sizeof(struct seq2seq_args), .supports = seq2seq_supports, .open = seq2seq_open,  \
    .begin = seq2seq_begin, .next = seq2seq_next

#endif
