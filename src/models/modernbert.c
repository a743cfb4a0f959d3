/* ModernBERT (Warner et al. 2024), as transformers' ModernBertModel: pre-norm encoder with gated
 * feed-forward and rotary positions; of every few layers one sees the whole text, the others the
 * tokens around, with a base of their own. The first layer's attention reads the normed embeddings
 * themselves. */
#include "models/family.h"

#include <string.h>

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.tok_embeddings", false},
    {SLOT_EMBED_NORM, "embeddings.norm", false},
    {SLOT_FINAL_NORM, "final_norm", false},
    {SLOT_ATTN_NORM, "layers.%u.attn_norm", false},
    {SLOT_ATTN_QKV, "layers.%u.attn.Wqkv", false},
    {SLOT_ATTN_OUT, "layers.%u.attn.Wo", false},
    {SLOT_FFN_NORM, "layers.%u.mlp_norm", false},
    {SLOT_FFN_GATE_UP, "layers.%u.mlp.Wi", false},
    {SLOT_FFN_DOWN, "layers.%u.mlp.Wo", false},
    {0},
};

/* A null base for local layers is the global one. */
static void mark_layers(struct config *c, struct stack_spec *spec) {
    const struct json *scaling = json_get(c->json, "rope_scaling");
    const struct json *local = json_get(c->json, "local_rope_theta");
    const double base = config_number(c, "global_rope_theta", 160000);
    const uint32_t every = config_size_or(c, "global_attn_every_n_layers", 3, LIMIT_LAYERS);
    config_rope(c, spec, 0, base, spec->head_size, scaling);
    config_rope(c, spec, 1,
                local && json_is_null(local) ? base : config_number(c, "local_rope_theta", 10000),
                spec->head_size, scaling);
    spec->window = config_size_or(c, "local_attention", 128, LIMIT_POSITIONS);
    for (uint32_t i = 0; i < spec->layers; i++)
        spec->layer_kinds[i] = i % every == 0 ? 0 : LAYER_LOCAL | LAYER_ROPE_1;
    spec->layer_kinds[0] |= LAYER_NO_ATTN_NORM;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    spec.names = names;
    spec.max_positions = config_size_or(c, "max_position_embeddings", 8192, LIMIT_POSITIONS);
    spec.token_types = 0;
    spec.norm_place = NORM_PRE;
    spec.norm_eps = config_eps(c, "norm_eps", 1e-5f);
    spec.activation = config_activation(c, "hidden_activation", ACTIVATION_GELU);
    spec.flags = STACK_EMBED_NORM | STACK_FINAL_NORM | STACK_GATED;
    mark_layers(c, &spec);
    arch_of_encoder(arch, c, "model.", &spec);
    arch->bos = config_token(c, "bos_token_id", 50281);
    arch->eos = config_token(c, "eos_token_id", 50282);
    arch->pad = config_token(c, "pad_token_id", 50283);
}

/* All heads begin with this step. */
static void begin(struct arch *arch, struct config *c, enum head_kind kind, enum head_rows rows) {
    head_begin(arch, kind, rows);
    struct head_step *step = head_add(arch, "head.dense", arch->stacks[0].hidden_size);
    step->activation = config_activation(c, "classifier_activation", ACTIVATION_GELU);
    step->norm = "head.norm";
}

static void lm_head(struct arch *arch, struct config *c) {
    begin(arch, c, HEAD_LM, ROWS_ALL);
    head_add(arch, "decoder", arch->stacks[0].vocab_size)->tied =
        config_bool(c, "tie_word_embeddings", true);
}

static void sequence_head(struct arch *arch, struct config *c) {
    const char *pooling = json_get_string(c->json, "classifier_pooling", "cls");
    const bool mean = strcmp(pooling, "mean") == 0;
    if (!mean && strcmp(pooling, "cls") != 0)
        config_fail(c, "\"classifier_pooling\" is \"%.40s\", must be \"cls\" or \"mean\"", pooling);
    begin(arch, c, HEAD_SEQUENCE, mean ? ROWS_MEAN : ROWS_FIRST);
    head_add(arch, "classifier", config_labels(c));
}

static void token_head(struct arch *arch, struct config *c) {
    begin(arch, c, HEAD_TOKEN, ROWS_ALL);
    head_add(arch, "classifier", config_labels(c));
}

static void span_head(struct arch *arch, struct config *c) {
    begin(arch, c, HEAD_SPAN, ROWS_ALL);
    head_add(arch, "classifier", 2);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", token_head},
    {"ForQuestionAnswering", span_head},
    {0},
};

static const struct family_type types[] = {{"modernbert", "ModernBert"}, {0}};

const struct family family_modernbert = {
    .name = "modernbert",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
