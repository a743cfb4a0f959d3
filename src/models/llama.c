/* Llama 1 to 3 (Touvron et al. 2023) and what is built like it, SmolLM2 and Yi, as transformers'
 * LlamaModel. LlamaForQuestionAnswering calls its base "transformer". */
#include "models/family.h"

#include <string.h>

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    struct stack_spec spec = config_decoder(c);
    config_rope_standard(c, &spec, 10000, 1);
    arch_of_decoder(arch, c, &spec);
    if (strcmp(suffix, "ForQuestionAnswering") == 0)
        arch->prefix = "transformer.";
}

static const struct family_type types[] = {{"llama", "Llama"}, {0}};

const struct family family_llama = {
    .name = "llama",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
