/* PLBart (Ahmad et al. 2021), as transformers' PLBartModel: BART for programs and what is said of
 * them. Texts end with their language's token, and where the decoder reads the input it comes round
 * to the front. PLBartForCausalLM is the decoder alone. */
#include "models/family.h"

static const struct seq2seq traits = {
    .positions = POSITIONS_LEARNED,
    .position_offset = 2,
    .max_positions = 1024,
    .norm_place = NORM_POST,
    .flags = STACK_EMBED_NORM,
    .activation = ACTIVATION_GELU,
    .scale_embedding = true,
    .shift = SHIFT_ROUND,
    .bos = 0,
    .eos = 2,
    .pad = 1,
    .decoder_start = -1,
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    arch_of_seq2seq(arch, c, &traits, suffix);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForConditionalGeneration", head_of_seq2seq},
    {"ForCausalLM", head_of_seq2seq},
    {"ForSequenceClassification", head_of_last_eos},
    {0},
};

static const struct family_type types[] = {{"plbart", "PLBart"}, {0}};

const struct family family_plbart = {
    .name = "plbart",
    .types = types,
    .heads = heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
    .generation = "{\"forced_eos_token_id\":2}",
};
