/* Marian (Junczys-Dowmunt et al. 2018), as transformers' MarianModel: the translators of OPUS-MT.
 * Post-norm encoder and decoder without norms of embeddings, sines as positions; the decoder begins
 * with the padding token. Where embeddings are not shared, each side has a vocabulary of its own.
 * MarianForCausalLM is the decoder alone. */
#include "models/family.h"

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    const bool shared = config_bool(c, "share_encoder_decoder_embeddings", true);
    const bool has_size = !json_is_null(json_get(c->json, "decoder_vocab_size"));
    const struct seq2seq traits = {
        .positions = POSITIONS_SINUSOIDAL,
        .max_positions = 1024,
        .norm_place = NORM_POST,
        .activation = ACTIVATION_GELU,
        .model_is_encoder = true,
        .decoder_vocab_key = !shared && has_size ? "decoder_vocab_size" : NULL,
        .bos = -1,
        .eos = 0,
        .pad = 58100,
        .decoder_start = 58100,
    };
    arch_of_seq2seq(arch, c, &traits, suffix);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"MTModel", head_of_seq2seq},
    {"ForCausalLM", head_of_seq2seq},
    {0},
};

static const struct family_type types[] = {{"marian", "Marian"}, {0}};

const struct family family_marian = {
    .name = "marian",
    .types = types,
    .heads = heads,
    .base = "MTModel",
    .describe = describe,
    .generation = "{\"forced_eos_token_id\":0}",
};
