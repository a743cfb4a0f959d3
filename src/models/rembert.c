/* RemBERT (Chung et al. 2021), as transformers' RemBertModel: BERT with small embeddings going in
 * and large ones, never tied to them, coming out. */
#include "models/family.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    spec.embed_size = config_size_or(c, "input_embedding_size", 256, LIMIT_HIDDEN_SIZE);
    arch_of_encoder(arch, c, "rembert.", &spec);
    arch->bos = config_token(c, "bos_token_id", 312);
    arch->eos = config_token(c, "eos_token_id", 313);
}

static void lm_head(struct arch *arch, struct config *c) {
    struct head_step *decoder =
        head_of_masks(arch, c, "cls.predictions.dense", arch->stacks[0].activation,
                      "cls.predictions.LayerNorm", "cls.predictions.decoder");
    arch->head.steps[0].outputs =
        config_size_or(c, "output_embedding_size", 1664, LIMIT_HIDDEN_SIZE);
    decoder->tied = false;
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_of_first(arch, "pooler.dense", ACTIVATION_TANH, "classifier", config_labels(c));
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", lm_head},
    {"ForCausalLM", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"rembert", "RemBert"}, {0}};

const struct family family_rembert = {
    .name = "rembert",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
