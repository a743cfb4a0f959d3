/* Qwen 1.5 and 2 with experts, as transformers' Qwen2MoeModel: Qwen 2 whose feed-forwards are
 * experts and one that all tokens share, by a weight of their own. A window is all layers'. */
#include "models/family.h"

#include <string.h>

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const bool named = json_get(c->json, "sliding_window") != NULL;
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, 16, 32768);
    config_rope_standard(c, &spec, 10000, 1);
    if (config_bool(c, "use_sliding_window", false))
        spec.window = config_size_or(c, "sliding_window", named ? 0 : 4096, LIMIT_POSITIONS);
    if (spec.window > 0)
        memset(spec.layer_kinds, LAYER_LOCAL, sizeof spec.layer_kinds);
    config_experts(c, &spec, "num_experts", 60, 4,
                   config_size_or(c, "moe_intermediate_size", 1408, 8 * LIMIT_HIDDEN_SIZE));
    config_sparse_layers(c, &spec);
    spec.shared_size =
        config_size_or(c, "shared_expert_intermediate_size", 5632, 8 * LIMIT_HIDDEN_SIZE);
    arch_of_decoder(arch, c, &spec);
}

static const struct family_type types[] = {{"qwen2_moe", "Qwen2Moe"}, {0}};

const struct family family_qwen2_moe = {
    .name = "qwen2_moe",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
