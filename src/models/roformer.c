/* RoFormer (Su et al. 2021), as transformers' RoFormerModel: BERT whose queries and keys (with
 * rotary_value values too) are turned by their positions. */
#include "models/family.h"

#define ROPE_BASE 10000

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    spec.max_positions = config_size_or(c, "max_position_embeddings", 1536, LIMIT_POSITIONS);
    config_embed_size(c, &spec, "embedding_size", spec.hidden_size);
    config_rope(c, &spec, 0, ROPE_BASE, spec.head_size, NULL);
    spec.ropes[0].interleaved = true;
    if (config_bool(c, "rotary_value", false))
        spec.flags |= STACK_TURN_VALUES;
    arch_of_encoder(arch, c, "roformer.", &spec);
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_of_dense_classes(arch, c, arch->stacks[0].activation);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", head_of_bert_masks},
    {"ForCausalLM", head_of_bert_masks},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"roformer", "RoFormer"}, {0}};

const struct family family_roformer = {
    .name = "roformer",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
