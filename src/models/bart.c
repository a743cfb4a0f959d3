/* BART (Lewis et al. 2019), as transformers' BartModel: post-norm encoder and decoder with a shared
 * embedding; positions start at row 2 of their tables. Heads other than the language model's read
 * the decoder run on the input shifted right. BartForCausalLM is the decoder alone. */
#include "models/family.h"

static const struct seq2seq traits = {
    .positions = POSITIONS_LEARNED,
    .position_offset = 2,
    .max_positions = 1024,
    .norm_place = NORM_POST,
    .flags = STACK_EMBED_NORM,
    .activation = ACTIVATION_GELU,
    .bos = 0,
    .eos = 2,
    .pad = 1,
    .decoder_start = 2,
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    arch_of_seq2seq(arch, c, &traits, suffix);
}

static const struct family_type types[] = {{"bart", "Bart"}, {0}};

const struct family family_bart = {
    .name = "bart",
    .types = types,
    .heads = bart_heads,
    .base = "ForConditionalGeneration",
    .labels = 3,
    .describe = describe,
    .generation = "{\"forced_eos_token_id\":2}",
    .forces_bos = true,
};
