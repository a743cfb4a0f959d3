/* Translation: says a text in another language, with an encoder-decoder model. All the
 * work is in seq2seq.c; here is only what the answer is called. */
#include "tasks/seq2seq.h"

static void translation_write(struct part *part, struct json_out *out) {
    seq2seq_write(part, out, "translation_text");
}

const struct task task_translation = {
    .name = "translation",
    .summary = "says a text in another language",
    .write = translation_write,
    SEQ2SEQ_TASK,
};
