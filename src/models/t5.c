/* T5 (Raffel et al. 2019), as transformers' T5Model, with its children v1.1, FLAN, ByT5, mT5 and
 * umT5: pre-norm encoder and decoder, norms without means or biases, learned distances added to
 * scores that nothing scales. Texts may be of any length; Brisk takes T5_POSITIONS tokens.
 * T5Model gives the encoder's hidden states: transformers' own needs a decoder's input. */
#include "models/t5.h"

#include <math.h>
#include <string.h>

static const struct slot_name encoder_names[] = {T5_SLOTS("encoder", "SelfAttention", "layer.1"),
                                                 {0}};

static const struct slot_name decoder_names[] = {
    T5_SLOTS("decoder", "SelfAttention", "layer.2"),
    {SLOT_CROSS_NORM, "decoder.block.%u.layer.1.layer_norm", false},
    {SLOT_CROSS_Q, "decoder.block.%u.layer.1.EncDecAttention.q", false},
    {SLOT_CROSS_K, "decoder.block.%u.layer.1.EncDecAttention.k", false},
    {SLOT_CROSS_V, "decoder.block.%u.layer.1.EncDecAttention.v", false},
    {SLOT_CROSS_OUT, "decoder.block.%u.layer.1.EncDecAttention.o", false},
    {0},
};

/* What model_type decides where config.json is silent. */
static bool is_type(const struct config *c, const char *type) {
    return json_equals(json_get(c->json, "model_type"), type);
}

/* "relu", or "gated-<activation>"; of T5, gated gelu is its approximation. */
static void read_feed_forward(struct config *c, struct stack_spec *spec) {
    const bool gates = is_type(c, "mt5") || is_type(c, "umt5");
    const char *name = json_get_string(c->json, "feed_forward_proj", gates ? "gated-gelu" : "relu");
    const bool gated = strncmp(name, "gated-", 6) == 0;
    const char *activation = gated ? name + 6 : name;
    spec->flags |= gated ? STACK_GATED : 0;
    if (gated && strcmp(activation, "gelu") == 0)
        activation = "gelu_new";
    if (!activation_parse(activation, &spec->activation))
        config_fail(c,
                    "\"feed_forward_proj\" is \"%.40s\", must be an activation (relu, gelu, silu), "
                    "or gated-gelu and the like",
                    name);
}

static void read_buckets(struct config *c, struct stack_spec *spec) {
    spec->positions = POSITIONS_BUCKETS;
    spec->buckets = config_size_or(c, "relative_attention_num_buckets", 32, LIMIT_POSITIONS);
    spec->bucket_reach = config_size_or(c, "relative_attention_max_distance", 128, LIMIT_POSITIONS);
    if (spec->buckets < 4 || spec->bucket_reach <= spec->buckets / 2)
        config_fail(c,
                    "\"relative_attention_num_buckets\" is %u and \"relative_attention_max_"
                    "distance\" %u, must be 4 or more, and more than half of it",
                    spec->buckets, spec->bucket_reach);
}

static struct stack_spec describe_side(struct config *c, bool decoder) {
    const uint32_t heads = config_size(c, "num_heads", LIMIT_HIDDEN_SIZE);
    const uint32_t layers = config_size(c, "num_layers", LIMIT_LAYERS);
    struct stack_spec spec = {
        .name = decoder ? "decoder" : "encoder",
        .names = decoder ? decoder_names : encoder_names,
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = config_size(c, "d_model", LIMIT_HIDDEN_SIZE),
        .intermediate_size = config_size(c, "d_ff", 8 * LIMIT_HIDDEN_SIZE),
        .layers = decoder ? config_size_or(c, "num_decoder_layers", layers, LIMIT_LAYERS) : layers,
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_size_or(c, "d_kv", 64, LIMIT_HIDDEN_SIZE),
        .max_positions = T5_POSITIONS,
        .attention_scale = 1,
        .norm_kind = NORM_RMS,
        .norm_place = NORM_PRE,
        .norm_eps = config_eps(c, "layer_norm_epsilon", 1e-6f),
        .flags = STACK_FINAL_NORM | (decoder ? STACK_CAUSAL | STACK_CROSS : 0) |
                 (is_type(c, "umt5") ? STACK_BIAS_BY_LAYER : 0),
    };
    read_buckets(c, &spec);
    read_feed_forward(c, &spec);
    return spec;
}

/* Classes that read the text with the encoder alone. */
static bool is_encoder(const char *suffix) {
    return strcmp(suffix, "Model") == 0 || strcmp(suffix, "EncoderModel") == 0 ||
           strcmp(suffix, "ForTokenClassification") == 0;
}

void arch_of_t5(struct arch *arch, struct config *c, const char *suffix) {
    const bool whole = !is_encoder(suffix);
    arch->prefix = "transformer.";
    arch->n_stacks = whole ? 2 : 1;
    arch->stacks[0] = describe_side(c, false);
    if (whole)
        arch->stacks[1] = describe_side(c, true);
    arch->shifts_input = whole ? SHIFT_BEHIND_START : SHIFT_NONE;
    arch->decoder_stack = whole ? 1 : 0;
    arch->bos = config_token(c, "bos_token_id", -1);
    arch->eos = config_token(c, "eos_token_id", 1);
    arch->pad = config_token(c, "pad_token_id", 0);
    arch->decoder_start = whole ? config_token(c, "decoder_start_token_id", 0) : -1;
}

/* Where the head is the embedding, hidden states are scaled down: here the head is. */
void head_of_t5(struct arch *arch, struct config *c) {
    const struct stack_spec *stack = &arch->stacks[0];
    head_begin(arch, HEAD_LM, ROWS_LAST);
    struct head_step *step = head_add(arch, "lm_head", stack->vocab_size);
    step->tied = config_bool(c, "tie_word_embeddings", !is_type(c, "mt5"));
    step->scale = step->tied ? 1.0f / sqrtf((float)stack->hidden_size) : 0;
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"EncoderModel", NULL},
    {"ForConditionalGeneration", head_of_t5},
    {"WithLMHeadModel", head_of_t5}, /* as the first files call it */
    {"ForSequenceClassification", head_of_last_eos},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"t5", "T5"}, {"mt5", "MT5"}, {"umt5", "UMT5"}, {0}};

const struct family family_t5 = {
    .name = "t5",
    .types = types,
    .heads = heads,
    .base = "ForConditionalGeneration",
    .describe = arch_of_t5,
};
