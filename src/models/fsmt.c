/* FSMT (Ng et al. 2019), as transformers' FSMTForConditionalGeneration: fairseq's translators of
 * WMT19. Post-norm encoder and decoder without norms of embeddings, fairseq's sines behind the rows
 * of padding, a vocabulary for each language unless all embeddings are tied. */
#include "models/family.h"

#define MOST_PADDING 1024 /* rows that the table of positions has for nothing */

/* The decoder's embedding is the head, whatever tie_word_embeddings says: it ties the encoder's. */
static void lm_head(struct arch *arch, struct config *c) {
    (void)c;
    head_begin(arch, HEAD_LM, ROWS_LAST);
    head_add(arch, "decoder.output_projection", arch_last(arch)->vocab_size)->tied = true;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    struct seq2seq traits = {
        .positions = POSITIONS_FAIRSEQ,
        .max_positions = 1024,
        .norm_place = NORM_POST,
        .activation = ACTIVATION_RELU,
        .scale_embedding = true,
        .vocab_key = "src_vocab_size",
        .decoder_vocab_key = "tgt_vocab_size",
        .bos = 0,
        .eos = 2,
        .pad = 1,
        .decoder_start = 2,
    };
    const int32_t pad = config_token(c, "pad_token_id", traits.pad);
    if (pad < 0 || pad >= MOST_PADDING)
        config_fail(c, "\"pad_token_id\" is %d, must be 0 to %d: positions begin behind it", pad,
                    MOST_PADDING - 1);
    else
        traits.position_offset = (uint32_t)pad + 1;
    arch_of_seq2seq(arch, c, &traits, suffix);
}

static const struct head_row heads[] = {{"ForConditionalGeneration", lm_head}, {0}};

static const struct family_type types[] = {{"fsmt", "FSMT"}, {0}};

const struct family family_fsmt = {
    .name = "fsmt",
    .types = types,
    .heads = heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
    .generation = "{\"forced_eos_token_id\":2,\"max_length\":200,\"num_beams\":5}",
};
