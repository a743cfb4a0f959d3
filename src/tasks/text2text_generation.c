/* Text-to-text generation: makes a text of another, with an encoder-decoder model. All the
 * work is in seq2seq.c; here is only what the answer is called. */
#include "tasks/seq2seq.h"

static void text2text_generation_write(struct part *part, struct json_out *out) {
    seq2seq_write(part, out, "generated_text");
}

const struct task task_text2text_generation = {
    .name = "text2text-generation",
    .summary = "makes a text of another",
    .write = text2text_generation_write,
    SEQ2SEQ_TASK,
};
