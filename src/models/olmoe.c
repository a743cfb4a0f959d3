/* OLMoE (Muennighoff et al. 2024), as transformers' OlmoeModel: all heads of queries and of keys
 * are normed as one row, feed-forwards are experts. */
#include "models/family.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, spec.heads, 4096);
    spec.norm_eps = config_eps(c, "rms_norm_eps", 1e-5f);
    spec.qk_norm = QK_NORM_WHOLE;
    spec.qkv_clamp = (float)config_number(c, "clip_qkv", 0);
    config_rope_standard(c, &spec, 10000, 1);
    config_experts(c, &spec, "num_experts", 64, 8, spec.intermediate_size);
    config_sparse_layers(c, &spec);
    arch_of_decoder(arch, c, &spec);
    arch->eos = config_token(c, "eos_token_id", 50279);
    arch->pad = config_token(c, "pad_token_id", 1);
}

static const struct family_type types[] = {{"olmoe", "Olmoe"}, {0}};

const struct family family_olmoe = {
    .name = "olmoe",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
