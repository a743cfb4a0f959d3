/* ERNIE (Sun et al. 2020), as transformers' ErnieModel: BERT, to whose embeddings a row for the
 * task is added. Pipelines name no task, so it is row 0 for every token. */
#include "models/family.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    static const struct slot_name with_task[] = {
        {SLOT_EMBED_SHARED, "embeddings.task_type_embeddings", false},
        BERT_SLOTS,
        {0},
    };
    struct stack_spec spec = config_encoder(c);
    config_only(c, "position_embedding_type", "absolute");
    if (config_bool(c, "use_task_id", false))
        spec.names = with_task;
    arch_of_encoder(arch, c, "ernie.", &spec);
}

static const struct family_type types[] = {{"ernie", "Ernie"}, {0}};

const struct family family_ernie = {
    .name = "ernie",
    .types = types,
    .heads = bert_heads,
    .base = "Model",
    .describe = describe,
};
