/* GLM 4 (GLM Team 2024), as transformers' GlmModel, and GLM 4 0414, its Glm4Model: half of each
 * head is turned, in pairs that stand together, the feed-forward's products are fused. The second
 * has norms on both sides of each block. */
#include "models/modern.h"

#define ATTENTION                                                                                  \
    {SLOT_EMBED_TOKENS, "embed_tokens", false}, {SLOT_FINAL_NORM, "norm", false},                  \
        {SLOT_ATTN_NORM, "layers.%u.input_layernorm", false},                                      \
        {SLOT_ATTN_Q, "layers.%u.self_attn.q_proj", false},                                        \
        {SLOT_ATTN_K, "layers.%u.self_attn.k_proj", false},                                        \
        {SLOT_ATTN_V, "layers.%u.self_attn.v_proj", false}, {                                      \
        SLOT_ATTN_OUT, "layers.%u.self_attn.o_proj", false                                         \
    }
#define FEED_FORWARD                                                                               \
    {SLOT_FFN_NORM, "layers.%u.post_attention_layernorm", false},                                  \
        {SLOT_FFN_GATE_UP, "layers.%u.mlp.gate_up_proj", false}, {                                 \
        SLOT_FFN_DOWN, "layers.%u.mlp.down_proj", false                                            \
    }

static const struct slot_name glm_slots[] = {ATTENTION, FEED_FORWARD, {0}};
static const struct slot_name glm4_slots[] = {
    ATTENTION,
    FEED_FORWARD,
    {SLOT_ATTN_OUT_NORM, "layers.%u.post_self_attn_layernorm", false},
    {SLOT_FFN_OUT_NORM, "layers.%u.post_mlp_layernorm", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const bool both_sides = json_equals(json_get(c->json, "model_type"), "glm4");
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, 2, 131072);
    spec.names = both_sides ? glm4_slots : glm_slots;
    spec.norm_place = both_sides ? NORM_SANDWICH : NORM_PRE;
    spec.norm_eps = config_eps(c, "rms_norm_eps", 1.5625e-7f);
    spec.head_size = config_size_or(c, "head_dim", 128, LIMIT_HIDDEN_SIZE);
    config_rope_standard(c, &spec, 10000, 0.5);
    spec.ropes[0].interleaved = true;
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, -1, 151329, 151329);
}

static const struct family_type types[] = {{"glm", "Glm"}, {"glm4", "Glm4"}, {0}};

const struct family family_glm = {
    .name = "glm",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
