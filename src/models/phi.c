/* Phi 1, 1.5 and 2 (Li et al. 2023), as transformers' PhiModel: attention and feed-forward read one
 * norm side by side, a part of each head is turned, everything has biases, the head too. */
#include "models/modern.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embed_tokens", false},
    {SLOT_FINAL_NORM, "final_layernorm", false},
    {SLOT_ATTN_NORM, "layers.%u.input_layernorm", false},
    {SLOT_ATTN_Q, "layers.%u.self_attn.q_proj", false},
    {SLOT_ATTN_K, "layers.%u.self_attn.k_proj", false},
    {SLOT_ATTN_V, "layers.%u.self_attn.v_proj", false},
    {SLOT_ATTN_Q_NORM, "layers.%u.self_attn.q_layernorm", false},
    {SLOT_ATTN_K_NORM, "layers.%u.self_attn.k_layernorm", false},
    {SLOT_ATTN_OUT, "layers.%u.self_attn.dense", false},
    {SLOT_FFN_UP, "layers.%u.mlp.fc1", false},
    {SLOT_FFN_DOWN, "layers.%u.mlp.fc2", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    spec.names = names;
    spec.norm_kind = NORM_LAYER;
    spec.norm_place = NORM_PARALLEL;
    spec.norm_eps = config_eps(c, "layer_norm_eps", 1e-5f);
    spec.activation = config_activation(c, "hidden_act", ACTIVATION_GELU_TANH);
    spec.flags &= ~(uint32_t)STACK_GATED;
    if (config_bool(c, "qk_layernorm", false))
        spec.qk_norm = QK_NORM_HEAD;
    config_rope_standard(c, &spec, 10000, 0.5);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 1, 2, -1);
}

static const struct family_type types[] = {{"phi", "Phi"}, {0}};

const struct family family_phi = {
    .name = "phi",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
