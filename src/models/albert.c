/* ALBERT (Lan et al. 2020), as transformers' AlbertModel: BERT with small embeddings that are
 * projected, and layers that share their weights in groups. The head for the order of sentences is
 * left alone. */
#include "models/family.h"

#define LAYER "encoder.albert_layer_groups.%u.albert_layers.0."

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_POSITIONS, "embeddings.position_embeddings", false},
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings", false},
    {SLOT_EMBED_NORM, "embeddings.LayerNorm", false},
    {SLOT_EMBED_PROJECT, "encoder.embedding_hidden_mapping_in", false},
    {SLOT_ATTN_Q, LAYER "attention.query", false},
    {SLOT_ATTN_K, LAYER "attention.key", false},
    {SLOT_ATTN_V, LAYER "attention.value", false},
    {SLOT_ATTN_OUT, LAYER "attention.dense", false},
    {SLOT_ATTN_NORM, LAYER "attention.LayerNorm", false},
    {SLOT_FFN_UP, LAYER "ffn", false},
    {SLOT_FFN_DOWN, LAYER "ffn_output", false},
    {SLOT_FFN_NORM, LAYER "full_layer_layer_norm", false},
    {0},
};

static uint32_t groups_of(struct config *c, uint32_t layers) {
    const uint32_t groups = config_size_or(c, "num_hidden_groups", 1, LIMIT_LAYERS);
    if (groups > layers || layers % groups != 0)
        config_fail(c, "\"num_hidden_groups\" is %u, must divide num_hidden_layers %u", groups,
                    layers);
    if (config_size_or(c, "inner_group_num", 1, LIMIT_LAYERS) != 1)
        config_fail(c, "\"inner_group_num\" is not 1; Brisk runs only groups of one layer");
    return groups;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    config_only(c, "position_embedding_type", "absolute");
    spec.names = names;
    spec.flags &= ~(uint32_t)STACK_CAUSAL; /* AlbertModel knows no is_decoder */
    spec.activation = config_activation(c, "hidden_act", ACTIVATION_GELU_TANH);
    spec.embed_size = config_size_or(c, "embedding_size", 128, LIMIT_HIDDEN_SIZE);
    spec.groups = groups_of(c, spec.layers);
    arch_of_encoder(arch, c, "albert.", &spec);
    arch->bos = config_token(c, "bos_token_id", 2);
    arch->eos = config_token(c, "eos_token_id", 3);
}

static void lm_head(struct arch *arch, struct config *c) {
    head_of_masks(arch, c, "predictions.dense", arch->stacks[0].activation, "predictions.LayerNorm",
                  "predictions.decoder")
        ->bias = "predictions.bias";
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_of_first(arch, "pooler", ACTIVATION_TANH, "classifier", config_labels(c));
}

static void choice_head(struct arch *arch, struct config *c) {
    (void)c;
    head_of_first(arch, "pooler", ACTIVATION_TANH, "classifier", 1);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", lm_head},
    {"ForPreTraining", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {"ForMultipleChoice", choice_head},
    {0},
};

static const struct family_type types[] = {{"albert", "Albert"}, {0}};

const struct family family_albert = {
    .name = "albert",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
