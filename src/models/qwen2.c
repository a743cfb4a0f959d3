/* Qwen 2 and 2.5 (Yang et al. 2024), as transformers' Qwen2Model: Llama with biases of queries,
 * keys and values, and layers that may see a window of the last tokens only. */
#include "models/family.h"

#include <string.h>

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, 32, 32768);
    config_rope_standard(c, &spec, 10000, 1);
    config_windows(c, &spec);
    arch_of_decoder(arch, c, &spec);
    if (strcmp(suffix, "ForQuestionAnswering") == 0)
        arch->prefix = "transformer.";
}

static const struct family_type types[] = {{"qwen2", "Qwen2"}, {0}};

const struct family family_qwen2 = {
    .name = "qwen2",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
