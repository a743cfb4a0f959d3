/* BERT (Devlin et al. 2018), as transformers' BertModel: post-norm encoder with token types.
 * With is_decoder (BertLMHeadModel) the same layers are causal. */
#include "models/family.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const struct stack_spec spec = config_encoder(c);
    config_only(c, "position_embedding_type", "absolute");
    arch_of_encoder(arch, c, "bert.", &spec);
}

/* tanh(pooler) of the first token, then the classifier. */
static void pooled_head(struct arch *arch, const char *classifier, uint32_t outputs) {
    head_of_first(arch, "pooler.dense", ACTIVATION_TANH, classifier, outputs);
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

const struct head_row bert_heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", head_of_bert_masks},
    {"ForPreTraining", head_of_bert_masks},
    {"LMHeadModel", head_of_bert_masks},
    {"ForCausalLM", head_of_bert_masks},
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
    .heads = bert_heads,
    .base = "Model",
    .describe = describe,
};
