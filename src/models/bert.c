/* BERT (Devlin et al. 2018), as transformers' BertModel: post-norm encoder with token types.
 * With is_decoder (BertLMHeadModel) the same layers are causal. */
#include "models/family.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_POSITIONS, "embeddings.position_embeddings", false},
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings", false},
    {SLOT_EMBED_NORM, "embeddings.LayerNorm", false},
    {SLOT_ATTN_Q, "encoder.layer.%u.attention.self.query", false},
    {SLOT_ATTN_K, "encoder.layer.%u.attention.self.key", false},
    {SLOT_ATTN_V, "encoder.layer.%u.attention.self.value", false},
    {SLOT_ATTN_OUT, "encoder.layer.%u.attention.output.dense", false},
    {SLOT_ATTN_NORM, "encoder.layer.%u.attention.output.LayerNorm", false},
    {SLOT_FFN_UP, "encoder.layer.%u.intermediate.dense", false},
    {SLOT_FFN_DOWN, "encoder.layer.%u.output.dense", false},
    {SLOT_FFN_NORM, "encoder.layer.%u.output.LayerNorm", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const uint32_t hidden = config_size(c, "hidden_size", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "num_attention_heads", LIMIT_HIDDEN_SIZE);
    config_only(c, "position_embedding_type", "absolute");
    arch->prefix = "bert.";
    arch->n_stacks = 1;
    arch->stacks[0] = (struct stack_spec){
        .name = "encoder",
        .names = names,
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = hidden,
        .intermediate_size = config_size(c, "intermediate_size", 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, "num_hidden_layers", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, "num_attention_heads", heads, "hidden_size", hidden),
        .max_positions = config_size_or(c, "max_position_embeddings", 512, LIMIT_POSITIONS),
        .positions = POSITIONS_LEARNED,
        .token_types = config_size_or(c, "type_vocab_size", 2, LIMIT_VOCAB_SIZE),
        .flags = STACK_EMBED_NORM | (config_bool(c, "is_decoder", false) ? STACK_CAUSAL : 0),
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_POST,
        .norm_eps = config_eps(c, "layer_norm_eps", 1e-12f),
        .activation = config_activation(c, "hidden_act", ACTIVATION_GELU),
    };
    arch->bos = config_token(c, "bos_token_id", -1);
    arch->eos = config_token(c, "eos_token_id", -1);
    arch->pad = config_token(c, "pad_token_id", 0);
}

static void lm_head(struct arch *arch, struct config *c) {
    const struct stack_spec *stack = &arch->stacks[0];
    head_begin(arch, HEAD_LM, stack_has(stack, STACK_CAUSAL) ? ROWS_LAST : ROWS_ALL);
    struct head_step *transform =
        head_add(arch, "cls.predictions.transform.dense", stack->hidden_size);
    transform->activation = stack->activation;
    transform->norm = "cls.predictions.transform.LayerNorm";
    struct head_step *decoder = head_add(arch, "cls.predictions.decoder", stack->vocab_size);
    decoder->tied = config_bool(c, "tie_word_embeddings", true);
    decoder->bias = "cls.predictions.bias";
}

/* tanh(pooler) of the first token, then the classifier. */
static void pooled_head(struct arch *arch, const char *classifier, uint32_t outputs) {
    head_begin(arch, HEAD_SEQUENCE, ROWS_FIRST);
    head_add(arch, "pooler.dense", arch->stacks[0].hidden_size)->activation = ACTIVATION_TANH;
    head_add(arch, classifier, outputs);
}

static void sequence_head(struct arch *arch, struct config *c) {
    pooled_head(arch, "classifier", config_labels(c));
}

static void choice_head(struct arch *arch, struct config *c) {
    (void)c;
    pooled_head(arch, "classifier", 1);
}

static void next_sentence_head(struct arch *arch, struct config *c) {
    (void)c;
    pooled_head(arch, "cls.seq_relationship", 2);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", lm_head},
    {"ForPreTraining", lm_head},
    {"LMHeadModel", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {"ForNextSentencePrediction", next_sentence_head},
    {"ForMultipleChoice", choice_head},
    {0},
};

static const struct family_type types[] = {{"bert", "Bert"}, {0}};

const struct family family_bert = {
    .name = "bert",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
