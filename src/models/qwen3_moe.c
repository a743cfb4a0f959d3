/* Qwen 3 with experts, as transformers' Qwen3MoeModel: Qwen 3 whose feed-forwards are experts. A
 * window is all layers'. */
#include "models/family.h"

#include <string.h>

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    const bool named = json_get(c->json, "sliding_window") != NULL;
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, 4, 32768);
    spec.qk_norm = QK_NORM_HEAD;
    config_rope_standard(c, &spec, 10000, 1);
    if (config_bool(c, "use_sliding_window", false))
        spec.window = config_size_or(c, "sliding_window", named ? 0 : 4096, LIMIT_POSITIONS);
    if (spec.window > 0)
        memset(spec.layer_kinds, LAYER_LOCAL, sizeof spec.layer_kinds);
    config_experts(c, &spec, "num_experts", 128, 8,
                   config_size_or(c, "moe_intermediate_size", 768, 8 * LIMIT_HIDDEN_SIZE));
    config_sparse_layers(c, &spec);
    arch_of_decoder(arch, c, &spec);
    if (strcmp(suffix, "ForQuestionAnswering") == 0)
        arch->prefix = "transformer.";
}

static const struct family_type types[] = {{"qwen3_moe", "Qwen3Moe"}, {0}};

const struct family family_qwen3_moe = {
    .name = "qwen3_moe",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
