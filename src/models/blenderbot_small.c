/* Blenderbot's model of 90 million parameters (Roller et al. 2020), as transformers'
 * BlenderbotSmallModel: post-norm, with learned positions. The encoder norms its embeddings as BART
 * does, the decoder only the tokens', before positions are added. BlenderbotSmallForCausalLM is the
 * decoder alone. */
#include "models/family.h"

static const struct seq2seq traits = {
    .positions = POSITIONS_LEARNED,
    .max_positions = 512,
    .norm_place = NORM_POST,
    .flags = STACK_EMBED_NORM,
    .decoder_flags = STACK_NORM_TOKENS,
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

static const struct family_type types[] = {{"blenderbot-small", "BlenderbotSmall"}, {0}};

const struct family family_blenderbot_small = {
    .name = "blenderbot_small",
    .types = types,
    .heads = seq2seq_heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
    .generation = "{\"forced_eos_token_id\":2}",
};
