/* Qwen 3 (Yang et al. 2025), as transformers' Qwen3Model: Qwen 2 whose heads of queries and keys
 * are normed in place of having biases. */
#include "models/family.h"

#include <string.h>

#define DEFAULT_HEAD_SIZE 128

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, 32, 32768);
    if (!json_get(c->json, "head_dim"))
        spec.head_size = DEFAULT_HEAD_SIZE;
    spec.qk_norm = QK_NORM_HEAD;
    config_rope_standard(c, &spec, 10000, 1);
    config_windows(c, &spec);
    arch_of_decoder(arch, c, &spec);
    if (strcmp(suffix, "ForQuestionAnswering") == 0)
        arch->prefix = "transformer.";
}

static const struct family_type types[] = {{"qwen3", "Qwen3"}, {0}};

const struct family family_qwen3 = {
    .name = "qwen3",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
