/* Granite 3 (Granite Team 2024), as transformers' GraniteModel: Llama whose embeddings, scores,
 * branches and logits are multiplied by numbers of config.json. */
#include "models/modern.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    spec.embed_scale = config_scale(c, "embedding_multiplier", 1);
    spec.attention_scale = config_scale(c, "attention_multiplier", 1);
    spec.branch_scale = config_scale(c, "residual_multiplier", 1);
    config_rope_standard(c, &spec, 10000, 1);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 1, 2, -1);
}

static void lm_head(struct arch *arch, struct config *c) {
    head_begin(arch, HEAD_LM, ROWS_LAST);
    struct head_step *step = head_add(arch, "lm_head", arch->stacks[0].vocab_size);
    step->tied = config_bool(c, "tie_word_embeddings", false);
    step->scale = 1 / config_scale(c, "logits_scaling", 1);
}

static const struct head_row heads[] = {{"Model", NULL}, {"ForCausalLM", lm_head}, {0}};

static const struct family_type types[] = {{"granite", "Granite"}, {0}};

const struct family family_granite = {
    .name = "granite",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
