/* StableLM (Bellagente et al. 2024), as transformers' StableLmModel: Llama with LayerNorm, a part
 * of each head turned, and attention and feed-forward one after the other or side by side. */
#include "models/modern.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embed_tokens", false},
    {SLOT_FINAL_NORM, "norm", false},
    {SLOT_ATTN_NORM, "layers.%u.input_layernorm", false},
    {SLOT_ATTN_Q, "layers.%u.self_attn.q_proj", false},
    {SLOT_ATTN_K, "layers.%u.self_attn.k_proj", false},
    {SLOT_ATTN_V, "layers.%u.self_attn.v_proj", false},
    {SLOT_ATTN_Q_NORM, "layers.%u.self_attn.q_layernorm.norms.%u", false},
    {SLOT_ATTN_K_NORM, "layers.%u.self_attn.k_layernorm.norms.%u", false},
    {SLOT_ATTN_OUT, "layers.%u.self_attn.o_proj", false},
    {SLOT_FFN_NORM, "layers.%u.post_attention_layernorm", false},
    {SLOT_FFN_GATE, "layers.%u.mlp.gate_proj", false},
    {SLOT_FFN_UP, "layers.%u.mlp.up_proj", false},
    {SLOT_FFN_DOWN, "layers.%u.mlp.down_proj", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, spec.heads, 4096);
    spec.names = names;
    spec.norm_kind = NORM_LAYER;
    spec.norm_eps = config_eps(c, "layer_norm_eps", 1e-5f);
    if (config_bool(c, "use_parallel_residual", false))
        spec.norm_place = NORM_PARALLEL;
    if (config_bool(c, "qk_layernorm", false))
        spec.qk_norm = QK_NORM_HEADS;
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
