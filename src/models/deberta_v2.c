/* DeBERTa v2 and v3 (He et al. 2021), as transformers' DebertaV2Model: q, k and v apart, positions
 * in buckets, and for some a convolution beside the first layer. And the heads of all DeBERTa. */
#include "models/deberta.h"

static const struct slot_name names[] = {
    {SLOT_ATTN_Q, "encoder.layer.%u.attention.self.query_proj", false},
    {SLOT_ATTN_K, "encoder.layer.%u.attention.self.key_proj", false},
    {SLOT_ATTN_V, "encoder.layer.%u.attention.self.value_proj", false},
    BERT_SLOTS,
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const struct stack_spec spec = deberta_stack(c, names, false);
    arch_of_encoder(arch, c, "deberta.", &spec);
}

/* transformers' legacy head, which all have unless they say otherwise, or the one of the papers'
 * own checkpoints. Its decoder is always the embedding. */
static void lm_head(struct arch *arch, struct config *c) {
    if (config_bool(c, "legacy", true)) {
        head_of_bert_masks(arch, c);
        return;
    }
    struct head_step *decoder =
        head_of_masks(arch, c, "lm_predictions.lm_head.dense", arch->stacks[0].activation,
                      "lm_predictions.lm_head.LayerNorm", "lm_predictions.lm_head.decoder");
    decoder->tied = true;
    decoder->bias = "lm_predictions.lm_head.bias";
}

static void pooled_head(struct arch *arch, struct config *c, uint32_t outputs) {
    head_of_first(arch, "pooler.dense", config_activation(c, "pooler_hidden_act", ACTIVATION_GELU),
                  "classifier", outputs);
}

static void sequence_head(struct arch *arch, struct config *c) {
    pooled_head(arch, c, config_labels(c));
}

static void choice_head(struct arch *arch, struct config *c) {
    pooled_head(arch, c, 1);
}

const struct head_row deberta_heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {"ForMultipleChoice", choice_head},
    {0},
};

static const struct family_type types[] = {{"deberta-v2", "DebertaV2"}, {0}};

const struct family family_deberta_v2 = {
    .name = "deberta-v2",
    .types = types,
    .heads = deberta_heads,
    .base = "Model",
    .describe = describe,
};
