/* Summarization: makes a short text of a long one, with an encoder-decoder model. All the
 * work is in seq2seq.c; here is only what the answer is called. */
#include "tasks/seq2seq.h"

static void summarization_write(struct part *part, struct json_out *out) {
    seq2seq_write(part, out, "summary_text");
}

const struct task task_summarization = {
    .name = "summarization",
    .summary = "makes a short text of a long one",
    .write = summarization_write,
    SEQ2SEQ_TASK,
};
