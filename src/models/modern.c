/* What decoders since Gemma have in common beyond Llama's words. Defaults are those of
 * transformers' configuration classes, where an absent key and null are not the same. */
#include "models/modern.h"

#include <math.h>
#include <string.h>

const struct slot_name sandwich_slots[] = {
    {SLOT_EMBED_TOKENS, "embed_tokens", false},
    {SLOT_FINAL_NORM, "norm", false},
    {SLOT_ATTN_NORM, "layers.%u.input_layernorm", false},
    {SLOT_ATTN_Q, "layers.%u.self_attn.q_proj", false},
    {SLOT_ATTN_K, "layers.%u.self_attn.k_proj", false},
    {SLOT_ATTN_V, "layers.%u.self_attn.v_proj", false},
    {SLOT_ATTN_Q_NORM, "layers.%u.self_attn.q_norm", false},
    {SLOT_ATTN_K_NORM, "layers.%u.self_attn.k_norm", false},
    {SLOT_ATTN_OUT, "layers.%u.self_attn.o_proj", false},
    {SLOT_ATTN_OUT_NORM, "layers.%u.post_attention_layernorm", false},
    {SLOT_FFN_NORM, "layers.%u.pre_feedforward_layernorm", false},
    {SLOT_FFN_GATE, "layers.%u.mlp.gate_proj", false},
    {SLOT_FFN_UP, "layers.%u.mlp.up_proj", false},
    {SLOT_FFN_DOWN, "layers.%u.mlp.down_proj", false},
    {SLOT_FFN_OUT_NORM, "layers.%u.post_feedforward_layernorm", false},
    {0},
};

const struct head_row tied_heads[] = {
    {"Model", NULL},
    {"ForCausalLM", head_of_tied_lm},
    {"ForSequenceClassification", head_of_text_score},
    {"ForTokenClassification", head_of_token_score},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

/* ---- config.json ---- */
float config_scale(struct config *c, const char *key, float otherwise) {
    const float scale = (float)config_number(c, key, otherwise);
    if (scale > 0 && isfinite(scale))
        return scale;
    config_fail(c, "\"%s\" is %g, must be over 0", key, (double)scale);
    return otherwise;
}

float config_amount(struct config *c, const char *key, float otherwise) {
    const struct json *value = json_get(c->json, key);
    if (!value || json_is_null(value))
        return value ? 0 : otherwise;
    return config_scale(c, key, 1);
}

uint32_t config_window(struct config *c, uint32_t otherwise) {
    const bool named = json_get(c->json, "sliding_window") != NULL;
    return config_size_or(c, "sliding_window", named ? 0 : otherwise, LIMIT_POSITIONS);
}

void config_layer_types(struct config *c, struct stack_spec *spec, uint32_t full_every) {
    const struct json *types = json_get(c->json, "layer_types");
    const uint32_t every = config_size_or(c, "sliding_window_pattern", full_every, LIMIT_LAYERS);
    for (uint32_t i = 0; i < spec->layers; i++) {
        const bool local =
            json_is_null(types) ? (i + 1) % every != 0 : config_layer_is_local(c, spec, types, i);
        if (local && spec->window == 0)
            config_fail(c, "layers have \"sliding_attention\", but \"sliding_window\" is null");
        if (local)
            spec->layer_kinds[i] |= LAYER_LOCAL;
    }
}

float config_root_scale(struct config *c, uint32_t hidden) {
    static const struct {
        const char *name;
        int bits; /* of the significand, the one that is not stored among them */
    } rounded[] = {{"bfloat16", 8}, {"float16", 11}};
    const char *dtype = json_get_string(c->json, "dtype", NULL);
    if (!dtype)
        dtype = json_get_string(c->json, "torch_dtype", "float32");
    double root = sqrt(hidden);
    for (size_t i = 0; i < ARRAY_LEN(rounded); i++)
        if (strcmp(rounded[i].name, dtype) == 0) {
            int exponent = 0;
            const double fraction = frexp(root, &exponent);
            root = ldexp(rint(ldexp(fraction, rounded[i].bits)), exponent - rounded[i].bits);
        }
    return (float)root;
}

void arch_default_tokens(struct arch *arch, struct config *c, int32_t bos, int32_t eos,
                         int32_t pad) {
    arch->bos = config_token(c, "bos_token_id", bos);
    arch->eos = config_token(c, "eos_token_id", eos);
    arch->pad = config_token(c, "pad_token_id", pad);
}
