/* GPT-Neo (Black et al. 2021), as transformers' GPTNeoModel: GPT-2 with attention that is not
 * scaled and in some layers sees the last window_size tokens only. */
#include "models/gpt.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "wte", false},
    {SLOT_EMBED_POSITIONS, "wpe", false},
    {SLOT_FINAL_NORM, "ln_f", false},
    {SLOT_ATTN_NORM, "h.%u.ln_1", false},
    {SLOT_ATTN_Q, "h.%u.attn.attention.q_proj", false},
    {SLOT_ATTN_K, "h.%u.attn.attention.k_proj", false},
    {SLOT_ATTN_V, "h.%u.attn.attention.v_proj", false},
    {SLOT_ATTN_OUT, "h.%u.attn.attention.out_proj", false},
    {SLOT_FFN_NORM, "h.%u.ln_2", false},
    {SLOT_FFN_UP, "h.%u.mlp.c_fc", false},
    {SLOT_FFN_DOWN, "h.%u.mlp.c_proj", false},
    {0},
};

static const struct gpt_keys keys = {
    .hidden = "hidden_size",
    .layers = "num_layers",
    .heads = "num_heads",
    .inside = "intermediate_size",
    .positions = "max_position_embeddings",
    .eps = "layer_norm_epsilon",
    .activation = "activation_function",
    .max_positions = 2048,
};

/* Marks the layers from `layer` on that one row [[kind, ...], times] stands for; the next layer. */
static uint32_t mark_row(struct config *c, struct stack_spec *spec, const struct json *row,
                         uint32_t layer) {
    const struct json *kinds = json_at(row, 0);
    int64_t times = 0;
    if (!json_is(kinds, JSON_ARRAY) || !json_to_int(json_at(row, 1), &times) || times < 0 ||
        times > LIMIT_LAYERS)
        config_fail(c, "\"attention_types\" must be a list of [[\"global\", \"local\"], times]");
    for (int64_t t = 0; t < times && !c->failed; t++)
        for (size_t i = 0; i < kinds->len && layer <= spec->layers; i++, layer++) {
            const bool local = json_equals(json_at(kinds, i), "local");
            if (!local && !json_equals(json_at(kinds, i), "global"))
                config_fail(c, "\"attention_types\" may name \"global\" and \"local\" only");
            if (local && layer < spec->layers)
                spec->layer_kinds[layer] |= LAYER_LOCAL;
        }
    return layer;
}

/* The class's default is ["global", "local"] twelve times. */
static void config_kinds(struct config *c, struct stack_spec *spec) {
    const struct json *rows = json_get(c->json, "attention_types");
    uint32_t layer = 0;
    for (size_t i = 0; json_is(rows, JSON_ARRAY) && i < rows->len && !c->failed; i++)
        layer = mark_row(c, spec, json_at(rows, i), layer);
    if (!rows)
        for (; layer < 24; layer++)
            spec->layer_kinds[layer] = layer % 2 ? LAYER_LOCAL : 0;
    if (layer != spec->layers)
        config_fail(c, "\"attention_types\" must name as many layers as \"num_layers\" says, %u",
                    spec->layers);
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_gpt(c, &keys, ACTIVATION_GELU_TANH);
    spec.names = names;
    spec.positions = POSITIONS_LEARNED;
    spec.attention_scale = 1;
    spec.window = config_size_or(c, "window_size", 256, LIMIT_POSITIONS);
    config_kinds(c, &spec);
    arch_of_gpt(arch, c, &spec, "transformer.", (const int32_t[]){50256, 50256, -1});
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForCausalLM", head_of_tied_lm},
    {"ForSequenceClassification", head_of_text_score},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"gpt_neo", "GPTNeo"}, {0}};

const struct family family_gpt_neo = {
    .name = "gpt_neo",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
