/* Pegasus (Zhang et al. 2020), as transformers' PegasusModel: the pre-norm encoder and decoder of
 * summarizers, with a norm behind each and sines as positions, which checkpoints keep all the same.
 * PegasusForCausalLM is the decoder alone. */
#include "models/family.h"

static const struct seq2seq traits = {
    .positions = POSITIONS_SINUSOIDAL,
    .max_positions = 1024,
    .norm_place = NORM_PRE,
    .flags = STACK_FINAL_NORM,
    .activation = ACTIVATION_GELU,
    .model_is_encoder = true,
    .bos = -1,
    .eos = 1,
    .pad = 0,
    .decoder_start = 0,
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    arch_of_seq2seq(arch, c, &traits, suffix);
}

static const struct family_type types[] = {{"pegasus", "Pegasus"}, {0}};

const struct family family_pegasus = {
    .name = "pegasus",
    .types = types,
    .heads = seq2seq_heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
    .generation = "{\"forced_eos_token_id\":1}",
};
