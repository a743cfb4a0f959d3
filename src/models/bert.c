/* BERT (Devlin et al. 2018), as transformers' BertModel: post-norm encoder with token types.
 * With is_decoder (BertLMHeadModel) the same layers are causal. */
#include "models/family.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const struct stack_spec spec = config_encoder(c);
    config_only(c, "position_embedding_type", "absolute");
    arch_of_encoder(arch, c, "bert.", &spec);
}

static void next_sentence_head(struct arch *arch, struct config *c) {
    (void)c;
    head_of_first(arch, "pooler.dense", ACTIVATION_TANH, "cls.seq_relationship", 2);
}

const struct head_row bert_heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", head_of_bert_masks},
    {"ForPreTraining", head_of_bert_masks},
    {"LMHeadModel", head_of_bert_masks},
    {"ForCausalLM", head_of_bert_masks},
    {"ForSequenceClassification", head_of_pooled_classes},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {"ForNextSentencePrediction", next_sentence_head},
    {"ForMultipleChoice", head_of_pooled_choice},
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
