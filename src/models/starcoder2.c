/* StarCoder 2 (Lozhkov et al. 2024), as transformers' Starcoder2Model: Llama with LayerNorm,
 * biases, a feed-forward without gate, and a window in all layers. */
#include "models/modern.h"

#include <string.h>

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embed_tokens", false},
    {SLOT_FINAL_NORM, "norm", false},
    {SLOT_ATTN_NORM, "layers.%u.input_layernorm", false},
    {SLOT_ATTN_Q, "layers.%u.self_attn.q_proj", false},
    {SLOT_ATTN_K, "layers.%u.self_attn.k_proj", false},
    {SLOT_ATTN_V, "layers.%u.self_attn.v_proj", false},
    {SLOT_ATTN_OUT, "layers.%u.self_attn.o_proj", false},
    {SLOT_FFN_NORM, "layers.%u.post_attention_layernorm", false},
    {SLOT_FFN_UP, "layers.%u.mlp.c_fc", false},
    {SLOT_FFN_DOWN, "layers.%u.mlp.c_proj", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, spec.heads, 4096);
    spec.names = names;
    spec.norm_kind = NORM_LAYER;
    spec.norm_eps = config_eps(c, "norm_epsilon", 1e-5f);
    spec.activation = config_activation(c, "hidden_act", ACTIVATION_GELU_TANH);
    spec.flags &= ~(uint32_t)STACK_GATED;
    spec.window = config_window(c, 0);
    if (spec.window > 0)
        memset(spec.layer_kinds, LAYER_LOCAL, sizeof spec.layer_kinds);
    config_rope_standard(c, &spec, 10000, 1);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 50256, 50256, -1);
}

static const struct family_type types[] = {{"starcoder2", "Starcoder2"}, {0}};

const struct family family_starcoder2 = {
    .name = "starcoder2",
    .types = types,
    .heads = tied_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
