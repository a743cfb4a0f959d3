/* Mixtral (Jiang et al. 2024), as transformers' MixtralModel: Mistral whose feed-forwards are
 * experts, of which each token has two. */
#include "models/family.h"

#include <string.h>

static const struct slot_name names[] = {
    DECODER_SLOTS,
    {SLOT_ROUTER, "layers.%u.block_sparse_moe.gate", false},
    {SLOT_EXPERT_GATE, "layers.%u.block_sparse_moe.experts.%u.w1", false},
    {SLOT_EXPERT_UP, "layers.%u.block_sparse_moe.experts.%u.w3", false},
    {SLOT_EXPERT_DOWN, "layers.%u.block_sparse_moe.experts.%u.w2", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, 8, 131072);
    config_rope_standard(c, &spec, 1e6, 1);
    config_experts(c, &spec, "num_local_experts", 8, 2, spec.intermediate_size);
    spec.names = names;
    spec.norm_eps = config_eps(c, "rms_norm_eps", 1e-5f);
    spec.routing.normalized = true;
    spec.window = config_size_or(c, "sliding_window", 0, LIMIT_POSITIONS);
    if (spec.window > 0)
        memset(spec.layer_kinds, LAYER_LOCAL, sizeof spec.layer_kinds);
    arch_of_decoder(arch, c, &spec);
    arch->bos = config_token(c, "bos_token_id", 1);
    arch->eos = config_token(c, "eos_token_id", 2);
}

static const struct family_type types[] = {{"mixtral", "Mixtral"}, {0}};

const struct family family_mixtral = {
    .name = "mixtral",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
