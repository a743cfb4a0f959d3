/* Jina's BERT (Günther et al. 2023: jina-embeddings-v2, jina-reranker-v1), whose code is on the hub
 * under BERT's model_type and not in transformers: BERT with ALiBi to both sides instead of a table
 * of positions, and a gated feed-forward. The code model is of a second repository
 * (jina-bert-v2-qk-post-norm), which norms whole queries and keys and names the feed-forward
 * otherwise; config.json says so only by that repository's name. */
#include "models/family.h"

#include <string.h>

/* clang-format off */
#define JINA_SLOTS                                                                                 \
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},                                      \
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings", false},                                 \
    {SLOT_EMBED_NORM, "embeddings.LayerNorm", false},                                              \
    {SLOT_ATTN_Q, "encoder.layer.%u.attention.self.query", false},                                 \
    {SLOT_ATTN_K, "encoder.layer.%u.attention.self.key", false},                                   \
    {SLOT_ATTN_V, "encoder.layer.%u.attention.self.value", false},                                 \
    {SLOT_ATTN_OUT, "encoder.layer.%u.attention.output.dense", false}
/* clang-format on */

static const struct slot_name names[] = {
    JINA_SLOTS,
    {SLOT_ATTN_NORM, "encoder.layer.%u.attention.output.LayerNorm", false},
    {SLOT_FFN_GATE_UP, "encoder.layer.%u.mlp.gated_layers", false},
    {SLOT_FFN_DOWN, "encoder.layer.%u.mlp.wo", false},
    {SLOT_FFN_NORM, "encoder.layer.%u.mlp.layernorm", false},
    {0},
};

static const struct slot_name code_names[] = {
    JINA_SLOTS,
    {SLOT_ATTN_Q_NORM, "encoder.layer.%u.attention.self.layer_norm_q", false},
    {SLOT_ATTN_K_NORM, "encoder.layer.%u.attention.self.layer_norm_k", false},
    {SLOT_ATTN_NORM, "encoder.layer.%u.layer_norm_1", false},
    {SLOT_FFN_GATE_UP, "encoder.layer.%u.mlp.up_gated_layer", false},
    {SLOT_FFN_DOWN, "encoder.layer.%u.mlp.down_layer", false},
    {SLOT_FFN_NORM, "encoder.layer.%u.layer_norm_2", false},
    {0},
};

/* Whether the model's code is that of the second repository. */
static bool norms_queries(const struct json *config) {
    static const char *const keys[] = {"AutoModel", "AutoConfig", "AutoModelForMaskedLM",
                                       "AutoModelForSequenceClassification"};
    const struct json *map = json_get(config, "auto_map");
    bool found = strstr(json_get_string(config, "_name_or_path", ""), "qk-post-norm") != NULL;
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        found |= strstr(json_get_string(map, keys[i], ""), "qk-post-norm") != NULL;
    return found;
}

static enum activation read_gate(struct config *c, const char *otherwise) {
    const char *type = json_get_string(c->json, "feed_forward_type", otherwise);
    if (strcmp(type, "geglu") != 0 && strcmp(type, "reglu") != 0)
        config_fail(c,
                    "\"feed_forward_type\" is \"%.40s\"; of this family Brisk runs geglu and "
                    "reglu",
                    type);
    return strcmp(type, "reglu") == 0 ? ACTIVATION_RELU : ACTIVATION_GELU;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const bool code = norms_queries(c->json);
    struct stack_spec spec = config_encoder(c);
    spec.names = code ? code_names : names;
    spec.positions = POSITIONS_ALIBI;
    spec.activation = read_gate(c, code ? "geglu" : "original");
    spec.qk_norm = code ? QK_NORM_WHOLE : QK_NORM_NONE;
    spec.flags = STACK_EMBED_NORM | STACK_GATED | (code ? STACK_UP_FIRST : 0);
    const char *positions = json_get_string(c->json, "position_embedding_type", "absolute");
    if (strcmp(positions, "alibi") != 0)
        config_fail(c,
                    "\"position_embedding_type\" is \"%.40s\"; of this family Brisk runs only "
                    "\"alibi\"",
                    positions);
    if (config_bool(c, "is_decoder", false))
        config_fail(c, "\"is_decoder\" is true; of this family Brisk runs only encoders");
    arch_of_encoder(arch, c, "bert.", &spec);
}

/* The transform is hidden_act, whatever the gates are. */
static void masks_head(struct arch *arch, struct config *c) {
    head_of_bert_masks(arch, c);
    arch->head.steps[0].activation = config_activation(c, "hidden_act", ACTIVATION_GELU);
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

static const struct family_type types[] = {{"bert", "JinaBert"}, {0}};

const struct family family_jina_bert = {
    .name = "jina_bert",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
