/* Blenderbot (Roller et al. 2020), as transformers' BlenderbotModel: a pre-norm encoder and decoder
 * with learned positions and a norm behind each. BlenderbotForCausalLM is the decoder alone. */
#include "models/family.h"

static const struct seq2seq traits = {
    .positions = POSITIONS_LEARNED,
    .max_positions = 128,
    .norm_place = NORM_PRE,
    .flags = STACK_FINAL_NORM,
    .activation = ACTIVATION_GELU,
    .model_is_encoder = true,
    .bos = 1,
    .eos = 2,
    .pad = 0,
    .decoder_start = 1,
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    arch_of_seq2seq(arch, c, &traits, suffix);
}

static const struct family_type types[] = {{"blenderbot", "Blenderbot"}, {0}};

const struct family family_blenderbot = {
    .name = "blenderbot",
    .types = types,
    .heads = seq2seq_heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
    .generation = "{\"forced_eos_token_id\":2,\"encoder_no_repeat_ngram_size\":3}",
};
