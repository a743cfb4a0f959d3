/* RoBERTa (Liu et al. 2019) and those built like it, XLM-RoBERTa, CamemBERT and data2vec's text
 * model, as transformers' RobertaModel: BERT's layers; positions count from pad_token_id + 1, so
 * the table's first rows belong to padding. */
#include "models/family.h"

#include <string.h>

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const bool data2vec = strcmp(json_get_string(c->json, "model_type", ""), "data2vec-text") == 0;
    struct stack_spec spec = config_encoder(c);
    config_only(c, "position_embedding_type", "absolute");
    config_positions_after(c, &spec, (uint32_t)(config_token(c, "pad_token_id", 1) + 1));
    arch_of_encoder(arch, c, data2vec ? "data2vec_text." : "roberta.", &spec);
    arch->bos = config_token(c, "bos_token_id", 0);
    arch->eos = config_token(c, "eos_token_id", 2);
    arch->pad = config_token(c, "pad_token_id", 1);
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_of_dense_classes(arch, c, ACTIVATION_TANH);
}

static void choice_head(struct arch *arch, struct config *c) {
    (void)c;
    head_of_first(arch, "pooler.dense", ACTIVATION_TANH, "classifier", 1);
}

const struct head_row roberta_heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", head_of_roberta_masks},
    {"ForCausalLM", head_of_roberta_masks},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {"ForMultipleChoice", choice_head},
    {0},
};

static const struct family_type types[] = {{"roberta", "Roberta"},
                                           {"xlm-roberta", "XLMRoberta"},
                                           {"camembert", "Camembert"},
                                           {"data2vec-text", "Data2VecText"},
                                           {0}};

const struct family family_roberta = {
    .name = "roberta",
    .types = types,
    .heads = roberta_heads,
    .base = "Model",
    .describe = describe,
};
