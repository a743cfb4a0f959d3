/* LED (Beltagy et al. 2020), as transformers' LEDModel: BART whose encoder sees a window around
 * each token, with positions from row 0 on and a table of its own size for each side. Pipelines
 * pass no global_attention_mask, and then no token is global: the projections of such tokens are
 * not read. */
#include "models/longformer.h"

#include <string.h>

#define SELF "encoder.layers.%u.self_attn."
static const struct slot_name encoder_names[] = {
    {SLOT_ATTN_Q, SELF "longformer_self_attn.query", false},
    {SLOT_ATTN_K, SELF "longformer_self_attn.key", false},
    {SLOT_ATTN_V, SELF "longformer_self_attn.value", false},
    {SLOT_ATTN_OUT, SELF "output", false},
    SEQ2SEQ_SLOTS("encoder"),
    {0},
};

static const struct seq2seq traits = {
    .positions = POSITIONS_LEARNED,
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
    arch->prefix = "led.";
    struct stack_spec *encoder = &arch->stacks[0], *decoder = &arch->stacks[1];
    encoder->names = encoder_names;
    encoder->window = config_attention_window(c);
    memset(encoder->layer_kinds, LAYER_LOCAL, sizeof encoder->layer_kinds);
    encoder->max_positions =
        config_size_or(c, "max_encoder_position_embeddings", 16384, LIMIT_POSITIONS);
    decoder->max_positions =
        config_size_or(c, "max_decoder_position_embeddings", 1024, LIMIT_POSITIONS);
    encoder->embed_scale = decoder->embed_scale = 0; /* has no scale_embedding */
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForConditionalGeneration", head_of_seq2seq},
    {"ForSequenceClassification", head_of_last_eos},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"led", "LED"}, {0}};

const struct family family_led = {
    .name = "led",
    .types = types,
    .heads = heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
};
