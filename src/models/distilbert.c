/* DistilBERT (Sanh et al. 2019), as transformers' DistilBertModel: BERT without token types and
 * pooler. Sinusoidal positions stand in the checkpoint as a table like learned ones. */
#include "models/family.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_POSITIONS, "embeddings.position_embeddings", false},
    {SLOT_EMBED_NORM, "embeddings.LayerNorm", false},
    {SLOT_ATTN_Q, "transformer.layer.%u.attention.q_lin", false},
    {SLOT_ATTN_K, "transformer.layer.%u.attention.k_lin", false},
    {SLOT_ATTN_V, "transformer.layer.%u.attention.v_lin", false},
    {SLOT_ATTN_OUT, "transformer.layer.%u.attention.out_lin", false},
    {SLOT_ATTN_NORM, "transformer.layer.%u.sa_layer_norm", false},
    {SLOT_FFN_UP, "transformer.layer.%u.ffn.lin1", false},
    {SLOT_FFN_DOWN, "transformer.layer.%u.ffn.lin2", false},
    {SLOT_FFN_NORM, "transformer.layer.%u.output_layer_norm", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const uint32_t dim = config_size(c, "dim", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "n_heads", LIMIT_HIDDEN_SIZE);
    arch->prefix = "distilbert.";
    arch->n_stacks = 1;
    arch->stacks[0] = (struct stack_spec){
        .name = "encoder",
        .names = names,
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = dim,
        .intermediate_size = config_size(c, "hidden_dim", 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, "n_layers", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, "n_heads", heads, "dim", dim),
        .max_positions = config_size_or(c, "max_position_embeddings", 512, LIMIT_POSITIONS),
        .positions = POSITIONS_LEARNED,
        .flags = STACK_EMBED_NORM,
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_POST,
        .norm_eps = 1e-12f,
        .activation = config_activation(c, "activation", ACTIVATION_GELU),
    };
    arch->bos = config_token(c, "bos_token_id", -1);
    arch->eos = config_token(c, "eos_token_id", -1);
    arch->pad = config_token(c, "pad_token_id", 0);
}

static void lm_head(struct arch *arch, struct config *c) {
    const struct stack_spec *stack = &arch->stacks[0];
    head_begin(arch, HEAD_LM, ROWS_ALL);
    struct head_step *transform = head_add(arch, "vocab_transform", stack->hidden_size);
    transform->activation = stack->activation;
    transform->norm = "vocab_layer_norm";
    head_add(arch, "vocab_projector", stack->vocab_size)->tied =
        config_bool(c, "tie_word_embeddings", true);
}

static void classifier(struct arch *arch, uint32_t outputs) {
    head_begin(arch, HEAD_SEQUENCE, ROWS_FIRST);
    head_add(arch, "pre_classifier", arch->stacks[0].hidden_size)->activation = ACTIVATION_RELU;
    head_add(arch, "classifier", outputs);
}

static void sequence_head(struct arch *arch, struct config *c) {
    classifier(arch, config_labels(c));
}

static void choice_head(struct arch *arch, struct config *c) {
    (void)c;
    classifier(arch, 1);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {"ForMultipleChoice", choice_head},
    {0},
};

static const struct family_type types[] = {{"distilbert", "DistilBert"}, {0}};

const struct family family_distilbert = {
    .name = "distilbert",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
