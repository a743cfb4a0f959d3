/* Gemma 1 (Gemma Team 2024), as transformers' GemmaModel: Llama with norms that keep their weights
 * minus one and embeddings scaled by the root of their size. */
#include "models/modern.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    spec.head_size = config_size_or(c, "head_dim", 256, LIMIT_HIDDEN_SIZE);
    spec.activation = config_activation(c, "hidden_act", ACTIVATION_GELU_TANH);
    spec.embed_scale = config_root_scale(c, spec.hidden_size);
    spec.flags |= STACK_NORM_PLUS_ONE;
    config_rope_standard(c, &spec, 10000, 1);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 2, 1, 0);
}

static const struct family_type types[] = {{"gemma", "Gemma"}, {0}};

const struct family family_gemma = {
    .name = "gemma",
    .types = types,
    .heads = tied_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
