/* ProphetNet (Qi et al. 2020), as transformers' ProphetNetModel, with XLM-ProphetNet: a post-norm
 * encoder, and a decoder in which each token has a row in a main stream, which knows the token, and
 * one in each predicting stream. The first of those gives the next token; the others are for
 * training and are not run. ProphetNetForCausalLM is the decoder alone; over a prompt of several
 * tokens transformers mixes up the distances of all its predicting streams, so that the first token
 * it writes is another than if it had read the prompt's tokens one by one, which is what this does. */
#include "models/prophetnet.h"

#include <string.h>

/* clang-format off */
#define STACK(side)                                                                                \
    {SLOT_EMBED_TOKENS, "word_embeddings", false},                                                 \
    {SLOT_EMBED_TOKENS, side ".word_embeddings", false},                                           \
    {SLOT_EMBED_TOKENS, "encoder.word_embeddings", false},                                         \
    {SLOT_EMBED_TOKENS, "decoder.word_embeddings", false},                                         \
    {SLOT_EMBED_TOKENS, "lm_head", false},                                                         \
    {SLOT_EMBED_POSITIONS, side ".position_embeddings", false},                                    \
    {SLOT_EMBED_NORM, side ".embeddings_layer_norm", false},                                       \
    {SLOT_ATTN_Q, side ".layers.%u.self_attn.query_proj", false},                                  \
    {SLOT_ATTN_K, side ".layers.%u.self_attn.key_proj", false},                                    \
    {SLOT_ATTN_V, side ".layers.%u.self_attn.value_proj", false},                                  \
    {SLOT_ATTN_OUT, side ".layers.%u.self_attn.out_proj", false},                                  \
    {SLOT_ATTN_NORM, side ".layers.%u.self_attn_layer_norm", false},                               \
    {SLOT_FFN_UP, side ".layers.%u.feed_forward.intermediate", false},                             \
    {SLOT_FFN_DOWN, side ".layers.%u.feed_forward.output", false},                                 \
    {SLOT_FFN_NORM, side ".layers.%u.feed_forward_layer_norm", false}
/* clang-format on */

static const struct slot_name encoder_names[] = {STACK("encoder"), {0}};

static const struct slot_name decoder_names[] = {
    STACK("decoder"),
    {SLOT_CROSS_Q, "decoder.layers.%u.cross_attn.query_proj", false},
    {SLOT_CROSS_K, "decoder.layers.%u.cross_attn.key_proj", false},
    {SLOT_CROSS_V, "decoder.layers.%u.cross_attn.value_proj", false},
    {SLOT_CROSS_OUT, "decoder.layers.%u.cross_attn.out_proj", false},
    {SLOT_CROSS_NORM, "decoder.layers.%u.cross_attn_layer_norm", false},
    {0},
};

/* What a side's keys are called. */
struct side {
    const char *name, *layers, *ffn, *heads;
    const struct slot_name *names;
};
static const struct side encoder = {"encoder", "num_encoder_layers", "encoder_ffn_dim",
                                    "num_encoder_attention_heads", encoder_names};
static const struct side decoder = {"decoder", "num_decoder_layers", "decoder_ffn_dim",
                                    "num_decoder_attention_heads", decoder_names};

/* Positions begin at row 1. */
static struct stack_spec describe_side(struct config *c, const struct side *side) {
    const uint32_t hidden = config_size(c, "hidden_size", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, side->heads, LIMIT_HIDDEN_SIZE);
    const uint32_t rows = config_size_or(c, "max_position_embeddings", 512, LIMIT_POSITIONS);
    return (struct stack_spec){
        .name = side->name,
        .names = side->names,
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = hidden,
        .intermediate_size = config_size(c, side->ffn, 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, side->layers, LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, side->heads, heads, "hidden_size", hidden),
        .max_positions = rows,
        .positions = POSITIONS_LEARNED,
        .position_offset = 1,
        .flags = STACK_EMBED_NORM,
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_POST,
        .norm_eps = 1e-5f,
        .activation = config_activation(c, "activation_function", ACTIVATION_GELU),
    };
}

/* Its texts have no token that shares a position. */
static void describe_decoder(struct config *c, struct stack_spec *spec, bool whole) {
    uint32_t *options = spec->hook.options;
    spec->hook.table = &prophetnet_attention;
    options[PROPHETNET_NGRAM] = config_size_or(c, "ngram", 2, LIMIT_POSITIONS);
    options[PROPHETNET_BUCKETS] = config_size_or(c, "num_buckets", 32, 4096);
    options[PROPHETNET_REACH] = config_size_or(c, "relative_max_distance", 128, LIMIT_POSITIONS);
    spec->flags |= STACK_CAUSAL | (whole ? STACK_CROSS : 0);
    if (options[PROPHETNET_BUCKETS] < 2 ||
        options[PROPHETNET_REACH] <= options[PROPHETNET_BUCKETS] / 2)
        config_fail(c,
                    "\"num_buckets\" is %u and \"relative_max_distance\" %u, must be 2 or more, "
                    "and more than half of it",
                    options[PROPHETNET_BUCKETS], options[PROPHETNET_REACH]);
    if (spec->max_positions < 2)
        config_fail(c, "\"max_position_embeddings\" is 1, must be 2 or more");
    else
        spec->max_positions--;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    const bool whole = strcmp(suffix, "ForCausalLM") != 0;
    arch->prefix = "prophetnet.";
    if (whole) {
        arch->stacks[0] = describe_side(c, &encoder);
        arch->stacks[0].flags |= STACK_SHARED_POSITION;
    }
    arch->decoder_stack = whole ? 1 : 0;
    arch->n_stacks = arch->decoder_stack + 1;
    arch->stacks[arch->decoder_stack] = describe_side(c, &decoder);
    describe_decoder(c, &arch->stacks[arch->decoder_stack], whole);
    arch->bos = config_token(c, "bos_token_id", 1);
    arch->eos = config_token(c, "eos_token_id", 2);
    arch->pad = config_token(c, "pad_token_id", 0);
    arch->decoder_start = whole ? config_token(c, "decoder_start_token_id", 0) : -1;
    if (arch->pad != 0)
        config_fail(c, "\"pad_token_id\" is %d, must be 0: positions of the decoder begin there",
                    arch->pad);
}

static const struct head_row heads[] = {
    {"ForConditionalGeneration", head_of_seq2seq},
    {"ForCausalLM", head_of_seq2seq},
    {0},
};

static const struct family_type types[] = {
    {"prophetnet", "ProphetNet"}, {"xlm-prophetnet", "XLMProphetNet"}, {0}};

const struct family family_prophetnet = {
    .name = "prophetnet",
    .types = types,
    .heads = heads,
    .base = "ForConditionalGeneration",
    .describe = describe,
};
