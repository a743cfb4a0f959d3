/* M2M100 (Fan et al. 2020) and the dense models of NLLB (NLLB team 2022), as transformers'
 * M2M100Model: mBART without norms of the embeddings, with fairseq's sines for positions, the first
 * of which stands behind the padding token's. */
#include "models/family.h"

/* The row of the first token: rows up to the padding token's id are padding's. */
static uint32_t first_position(struct config *c) {
    const int32_t pad = config_token(c, "pad_token_id", 1);
    if (pad >= 0 && pad < LIMIT_POSITIONS)
        return (uint32_t)pad + 1;
    config_fail(c, "\"pad_token_id\" is %d, must be 0 to %d: positions begin behind it", pad,
                LIMIT_POSITIONS - 1);
    return 0;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    const struct seq2seq traits = {
        .positions = POSITIONS_FAIRSEQ,
        .position_offset = first_position(c),
        .max_positions = 1024,
        .norm_place = NORM_PRE,
        .flags = STACK_FINAL_NORM,
        .activation = ACTIVATION_RELU,
        .scale_embedding = true,
        .bos = 0,
        .eos = 2,
        .pad = 1,
        .decoder_start = 2,
    };
    arch_of_seq2seq(arch, c, &traits, suffix);
}

static const struct head_row heads[] = {{"ForConditionalGeneration", head_of_seq2seq}, {0}};

static const struct family_type types[] = {{"m2m_100", "M2M100"}, {0}};

const struct family family_m2m_100 = {
    .name = "m2m_100",
    .types = types,
    .heads = heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
};
