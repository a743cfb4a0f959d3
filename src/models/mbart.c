/* mBART (Liu et al. 2020) and mBART-50 (Tang et al. 2020), as transformers' MBartModel: BART with
 * norms in front and a last one behind each stack. Heads other than the language model's read the
 * decoder run on the input with its last token brought round to the front. A text's languages are
 * tokens of it: the tokenizer adds the source's, generation begins with the target's. */
#include "models/family.h"

static const struct seq2seq traits = {
    .positions = POSITIONS_LEARNED,
    .position_offset = 2,
    .max_positions = 1024,
    .norm_place = NORM_PRE,
    .flags = STACK_EMBED_NORM | STACK_FINAL_NORM,
    .activation = ACTIVATION_GELU,
    .shift = SHIFT_ROUND,
    .bos = 0,
    .eos = 2,
    .pad = 1,
    .decoder_start = -1,
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    arch_of_seq2seq(arch, c, &traits, suffix);
}

static const struct family_type types[] = {{"mbart", "MBart"}, {0}};

const struct family family_mbart = {
    .name = "mbart",
    .types = types,
    .heads = bart_heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
    .generation = "{\"forced_eos_token_id\":2}",
};
