/* ELECTRA (Clark et al. 2020), as transformers' ElectraModel: BERT's layers, embeddings projected
 * where they are of another size. The discriminator's own head, which tells replaced tokens, serves
 * no task: ElectraForPreTraining gives hidden states. */
#include "models/family.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    config_only(c, "position_embedding_type", "absolute");
    config_embed_size(c, &spec, "embedding_size", 128);
    arch_of_encoder(arch, c, "electra.", &spec);
}

/* The generator's activation is gelu whatever hidden_act says. */
static void lm_head(struct arch *arch, struct config *c) {
    head_of_masks(arch, c, "generator_predictions.dense", ACTIVATION_GELU,
                  "generator_predictions.LayerNorm", "generator_lm_head");
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_of_dense_classes(arch, c, ACTIVATION_GELU);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForPreTraining", NULL},
    {"ForMaskedLM", lm_head},
    {"ForCausalLM", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"electra", "Electra"}, {0}};

const struct family family_electra = {
    .name = "electra",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
