/* StableLM (Bellagente et al. 2024), as transformers' StableLmModel: Llama with LayerNorm, a part
 * of each head turned, and attention and feed-forward one after the other or side by side. */
#include "models/modern.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    if (!json_get(c->json, "max_position_embeddings"))
        spec.max_positions = 4096;
    spec.norm_kind = NORM_LAYER;
    spec.norm_eps = config_eps(c, "layer_norm_eps", 1e-5f);
    if (config_bool(c, "use_parallel_residual", false))
        spec.norm_place = NORM_PARALLEL;
    if (config_bool(c, "qk_layernorm", false))
        config_fail(c, "\"qk_layernorm\" is true; of StableLM Brisk runs models without it");
    config_rope_standard(c, &spec, 10000, 0.25);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 0, 0, -1);
}

static const struct family_type types[] = {{"stablelm", "StableLm"}, {0}};

const struct family family_stablelm = {
    .name = "stablelm",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
