/* Alibaba's mGTE (Zhang et al. 2024: gte-*-v1.5, gte-multilingual-*), whose code is on the hub
 * under the name "new" and not in transformers: BERT with rotary positions and a gated
 * feed-forward. Where its attention is computed (unpad_inputs, use_memory_efficient_attention)
 * changes no answer. */
#include "models/family.h"

#include <math.h>
#include <string.h>

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings", false},
    {SLOT_EMBED_NORM, "embeddings.LayerNorm", false},
    {SLOT_ATTN_QKV, "encoder.layer.%u.attention.qkv_proj", false},
    {SLOT_ATTN_Q, "encoder.layer.%u.attention.q_proj", false},
    {SLOT_ATTN_K, "encoder.layer.%u.attention.k_proj", false},
    {SLOT_ATTN_V, "encoder.layer.%u.attention.v_proj", false},
    {SLOT_ATTN_OUT, "encoder.layer.%u.attention.o_proj", false},
    {SLOT_ATTN_NORM, "encoder.layer.%u.attn_ln", false},
    {SLOT_FFN_GATE_UP, "encoder.layer.%u.mlp.up_gate_proj", false},
    {SLOT_FFN_DOWN, "encoder.layer.%u.mlp.down_proj", false},
    {SLOT_FFN_NORM, "encoder.layer.%u.mlp_ln", false},
    {0},
};

/* NTK-aware scaling, fixed: the base grows by the factor, and all frequencies shrink besides. */
static void read_rope(struct config *c, struct stack_spec *spec) {
    const struct json *scaling = json_get(c->json, "rope_scaling");
    const struct json *factor = json_get(scaling, "factor");
    const double base = config_number(c, "rope_theta", 10000);
    double times = 1;
    if (scaling && !json_is_null(scaling)) {
        const char *type = json_get_string(scaling, "type", "");
        if (strcmp(type, "ntk") != 0 || !json_is_null(json_get(scaling, "mixed_b")))
            config_fail(c,
                        "rope_scaling: \"type\" is \"%.40s\"; of this family Brisk runs only "
                        "\"ntk\" without \"mixed_b\"",
                        type);
        if (!json_is(factor, JSON_NUMBER) || !(factor->number > 0) || !isfinite(factor->number))
            config_fail(c, "rope_scaling: \"factor\" must be a number over 0");
        else if (factor->number > 1)
            times = factor->number;
    }
    config_rope(c, spec, 0, base * times, spec->head_size, NULL);
    const float shrink = (float)pow(times, 2.0 / spec->head_size);
    for (uint32_t i = 0; i < spec->ropes[0].size / 2; i++)
        spec->ropes[0].frequencies[i] /= shrink;
}

/* 0: there are none. */
static uint32_t read_types(struct config *c) {
    const bool none = config_number(c, "type_vocab_size", 1) == 0;
    return none ? 0 : config_size_or(c, "type_vocab_size", 1, LIMIT_VOCAB_SIZE);
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const uint32_t hidden = config_size(c, "hidden_size", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "num_attention_heads", LIMIT_HIDDEN_SIZE);
    struct stack_spec spec = {
        .name = "encoder",
        .names = names,
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = hidden,
        .intermediate_size = config_size(c, "intermediate_size", 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, "num_hidden_layers", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, "num_attention_heads", heads, "hidden_size", hidden),
        .max_positions = config_size_or(c, "max_position_embeddings", 2048, LIMIT_POSITIONS),
        .token_types = read_types(c),
        .flags = STACK_EMBED_NORM | STACK_GATED | STACK_UP_FIRST,
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_POST,
        .norm_eps = config_eps(c, "layer_norm_eps", 1e-12f),
        .activation = config_activation(c, "hidden_act", ACTIVATION_GELU),
    };
    config_only(c, "position_embedding_type", "rope");
    config_only(c, "layer_norm_type", "layer_norm");
    if (config_bool(c, "logn_attention_scale", false))
        config_fail(c, "\"logn_attention_scale\" is true; Brisk runs only false");
    read_rope(c, &spec);
    arch_of_encoder(arch, c, "new.", &spec);
}

static void masks_head(struct arch *arch, struct config *c) {
    head_of_masks(arch, c, "lm_head.dense", arch->stacks[0].activation, "lm_head.norm",
                  "lm_head.decoder");
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", masks_head},
    {"ForSequenceClassification", head_of_pooled_classes},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {"ForMultipleChoice", head_of_pooled_choice},
    {0},
};

/* Snowflake's arctic-embed-m-v2.0 is this model under the second name. */
static const struct family_type types[] = {{"new", "New"}, {"gte", "Gte"}, {0}};

const struct family family_gte = {
    .name = "gte",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
