/* MobileBERT (Sun et al. 2020), as transformers' MobileBertModel: embeddings of three neighbours
 * projected to the stream, layers that work on a narrower one, norms that only scale and shift, and
 * masks told by the embeddings beside a matrix for the rest of the stream's width. */
#include "models/mobilebert.h"

#include <string.h>

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_POSITIONS, "embeddings.position_embeddings", false},
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings", false},
    {SLOT_EMBED_PROJECT, "embeddings.embedding_transformation", false},
    {0},
};

static struct hook read_layer(struct config *c, uint32_t hidden) {
    const bool narrows = config_bool(c, "use_bottleneck", true);
    const bool all = config_bool(c, "use_bottleneck_attention", false);
    const bool shared = config_bool(c, "key_query_shared_bottleneck", true);
    const uint32_t narrow = config_size_or(c, "intra_bottleneck_size", 128, LIMIT_HIDDEN_SIZE);
    struct hook hook = {.table = &mobilebert_layer};
    hook.options[MOBILEBERT_INSIDE] = narrows ? narrow : hidden;
    hook.options[MOBILEBERT_FEED_FORWARDS] =
        config_size_or(c, "num_feedforward_networks", 4, MOBILEBERT_FEED_FORWARDS_MOST);
    if (narrows)
        hook.options[MOBILEBERT_FLAGS] = MOBILEBERT_NARROWS | (all      ? MOBILEBERT_ALL
                                                               : shared ? MOBILEBERT_SHARED
                                                                        : 0);
    if (narrows && !all && !shared && narrow != hidden)
        config_fail(c,
                    "\"key_query_shared_bottleneck\" and \"use_bottleneck_attention\" are false, "
                    "then \"intra_bottleneck_size\" %u must be hidden_size %u",
                    narrow, hidden);
    hook.max_in = hook.options[MOBILEBERT_INSIDE];
    return hook;
}

/* The norms within and between layers; that of the masks is always a layer norm. */
static enum norm_kind read_norms(struct config *c) {
    const char *type = json_get_string(c->json, "normalization_type", "no_norm");
    const bool none = strcmp(type, "no_norm") == 0;
    if (!none && strcmp(type, "layer_norm") != 0)
        config_fail(c, "\"normalization_type\" is \"%.40s\", must be no_norm or layer_norm", type);
    return none ? NORM_AFFINE : NORM_LAYER;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const uint32_t hidden = config_size(c, "hidden_size", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "num_attention_heads", LIMIT_HIDDEN_SIZE);
    const struct hook hook = read_layer(c, hidden);
    const uint32_t inside = hook.options[MOBILEBERT_INSIDE];
    const char *key = hook.options[MOBILEBERT_FLAGS] ? "intra_bottleneck_size" : "hidden_size";
    struct stack_spec spec =
        config_encoder_of(c, heads, config_head_size(c, "num_attention_heads", heads, key, inside));
    spec.names = names;
    spec.flags = STACK_PROJECT_TOKENS; /* the norm behind them is the first layer's */
    spec.norm_kind = read_norms(c);
    spec.activation = config_activation(c, "hidden_act", ACTIVATION_RELU);
    spec.hook = hook;
    config_encoder_only(c);
    config_embed_size(c, &spec, "embedding_size", 128);
    if (config_bool(c, "trigram_input", true)) {
        spec.flags |= STACK_TRIGRAMS;
        spec.embed_size = config_size_or(c, "embedding_size", 128, LIMIT_HIDDEN_SIZE);
    }
    arch_of_encoder(arch, c, "mobilebert.", &spec);
}

static void lm_head(struct arch *arch, struct config *c) {
    const uint32_t hidden = arch->stacks[0].hidden_size;
    const uint32_t embed = config_size_or(c, "embedding_size", 128, LIMIT_HIDDEN_SIZE);
    head_of_bert_masks(arch, c);
    arch->head.steps[0].outputs = hidden;
    if (embed > hidden)
        config_fail(c, "\"embedding_size\" is %u, must be at most hidden_size %u", embed, hidden);
    if (embed < hidden)
        arch->head.steps[1].rest = "cls.predictions.dense";
}

/* Of the first token, which goes through the pooler unless classifier_activation is false. */
static void pooled_head(struct arch *arch, struct config *c, const char *classifier,
                        uint32_t outputs) {
    if (config_bool(c, "classifier_activation", true)) {
        head_of_first(arch, "pooler.dense", ACTIVATION_TANH, classifier, outputs);
        return;
    }
    head_begin(arch, HEAD_SEQUENCE, ROWS_FIRST);
    head_add(arch, classifier, outputs);
}

static void sequence_head(struct arch *arch, struct config *c) {
    pooled_head(arch, c, "classifier", config_labels(c));
}

static void choice_head(struct arch *arch, struct config *c) {
    pooled_head(arch, c, "classifier", 1);
}

static void next_sentence_head(struct arch *arch, struct config *c) {
    pooled_head(arch, c, "cls.seq_relationship", 2);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", lm_head},
    {"ForPreTraining", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {"ForNextSentencePrediction", next_sentence_head},
    {"ForMultipleChoice", choice_head},
    {0},
};

static const struct family_type types[] = {{"mobilebert", "MobileBert"}, {0}};

const struct family family_mobilebert = {
    .name = "mobilebert",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
