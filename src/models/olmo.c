/* OLMo 1 (Groeneveld et al. 2024), as transformers' OlmoModel: Llama with LayerNorm that has no
 * weights, and queries, keys and values held to clip_qkv. */
#include "models/modern.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embed_tokens", false},
    {SLOT_ATTN_Q, "layers.%u.self_attn.q_proj", false},
    {SLOT_ATTN_K, "layers.%u.self_attn.k_proj", false},
    {SLOT_ATTN_V, "layers.%u.self_attn.v_proj", false},
    {SLOT_ATTN_OUT, "layers.%u.self_attn.o_proj", false},
    {SLOT_FFN_GATE, "layers.%u.mlp.gate_proj", false},
    {SLOT_FFN_UP, "layers.%u.mlp.up_proj", false},
    {SLOT_FFN_DOWN, "layers.%u.mlp.down_proj", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    spec.names = names;
    spec.norm_kind = NORM_LAYER;
    spec.norm_eps = 1e-5f; /* OlmoLayerNorm's; config.json has no key for it */
    spec.qkv_clamp = config_amount(c, "clip_qkv", 0);
    config_rope_standard(c, &spec, 10000, 1);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, -1, 50279, 1);
}

static const struct family_type types[] = {{"olmo", "Olmo"}, {0}};

const struct family family_olmo = {
    .name = "olmo",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
