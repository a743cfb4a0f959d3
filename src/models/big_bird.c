/* BigBird (Zaheer et al. 2020), as transformers' BigBirdModel: BERT's layers. Every text is
 * attended to in full, as transformers does up to (5 + 2 num_random_blocks) * block_size tokens;
 * beyond them its block_sparse attention leaves keys out by chance. */
#include "models/family.h"

#include <math.h>
#include <string.h>

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    const char *type = json_get_string(c->json, "attention_type", "block_sparse");
    if (!json_get(c->json, "max_position_embeddings"))
        spec.max_positions = 4096;
    if (strcmp(type, "block_sparse") != 0 && strcmp(type, "original_full") != 0)
        config_fail(c, "\"attention_type\" is \"%.40s\", must be block_sparse or original_full",
                    type);
    if (!json_get(c->json, "hidden_act"))
        spec.activation = ACTIVATION_GELU_TANH;
    if (config_bool(c, "rescale_embeddings", false))
        spec.embed_scale = sqrtf((float)spec.hidden_size);
    config_encoder_only(c);
    arch_of_encoder(arch, c, "bert.", &spec);
    arch->bos = config_token(c, "bos_token_id", 1);
    arch->eos = config_token(c, "eos_token_id", 2);
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_of_dense_classes(arch, c, arch->stacks[0].activation);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", head_of_bert_masks},
    {"ForPreTraining", head_of_bert_masks},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {0},
};

static const struct family_type types[] = {{"big_bird", "BigBird"}, {0}};

const struct family family_big_bird = {
    .name = "big_bird",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
