/* BART (Lewis et al. 2019), as transformers' BartModel: post-norm encoder and decoder with a shared
 * embedding; positions start at row 2 of their tables. Heads other than the language model's read
 * the decoder run on the input shifted right. BartForCausalLM is the decoder alone. */
#include "models/family.h"

#include <math.h>
#include <string.h>

#define POSITION_OFFSET 2

/* The embedding's name depends on which of its tied copies the checkpoint kept. */
/* clang-format off */
#define STACK(side)                                                                                \
    {SLOT_EMBED_TOKENS, "shared", false},                                                          \
    {SLOT_EMBED_TOKENS, side ".embed_tokens", false},                                              \
    {SLOT_EMBED_TOKENS, "encoder.embed_tokens", false},                                            \
    {SLOT_EMBED_TOKENS, "decoder.embed_tokens", false},                                            \
    {SLOT_EMBED_TOKENS, "lm_head", false},                                                         \
    {SLOT_EMBED_POSITIONS, side ".embed_positions", false},                                        \
    {SLOT_EMBED_NORM, side ".layernorm_embedding", false},                                         \
    {SLOT_ATTN_Q, side ".layers.%u.self_attn.q_proj", false},                                      \
    {SLOT_ATTN_K, side ".layers.%u.self_attn.k_proj", false},                                      \
    {SLOT_ATTN_V, side ".layers.%u.self_attn.v_proj", false},                                      \
    {SLOT_ATTN_OUT, side ".layers.%u.self_attn.out_proj", false},                                  \
    {SLOT_ATTN_NORM, side ".layers.%u.self_attn_layer_norm", false},                               \
    {SLOT_FFN_UP, side ".layers.%u.fc1", false},                                                   \
    {SLOT_FFN_DOWN, side ".layers.%u.fc2", false},                                                 \
    {SLOT_FFN_NORM, side ".layers.%u.final_layer_norm", false}
/* clang-format on */

static const struct slot_name encoder_names[] = {STACK("encoder"), {0}};

static const struct slot_name decoder_names[] = {
    STACK("decoder"),
    {SLOT_CROSS_Q, "decoder.layers.%u.encoder_attn.q_proj", false},
    {SLOT_CROSS_K, "decoder.layers.%u.encoder_attn.k_proj", false},
    {SLOT_CROSS_V, "decoder.layers.%u.encoder_attn.v_proj", false},
    {SLOT_CROSS_OUT, "decoder.layers.%u.encoder_attn.out_proj", false},
    {SLOT_CROSS_NORM, "decoder.layers.%u.encoder_attn_layer_norm", false},
    {0},
};

/* What a side's keys are called. */
struct side {
    const char *name, *layers, *ffn, *heads;
    const struct slot_name *names;
};
static const struct side encoder = {"encoder", "encoder_layers", "encoder_ffn_dim",
                                    "encoder_attention_heads", encoder_names};
static const struct side decoder = {"decoder", "decoder_layers", "decoder_ffn_dim",
                                    "decoder_attention_heads", decoder_names};

static struct stack_spec describe_side(struct config *c, const struct side *side) {
    const uint32_t hidden = config_size(c, "d_model", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, side->heads, LIMIT_HIDDEN_SIZE);
    return (struct stack_spec){
        .name = side->name,
        .names = side->names,
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = hidden,
        .intermediate_size = config_size(c, side->ffn, 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, side->layers, LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, side->heads, heads, "d_model", hidden),
        .max_positions = config_size_or(c, "max_position_embeddings", 1024, LIMIT_POSITIONS),
        .positions = POSITIONS_LEARNED,
        .position_offset = POSITION_OFFSET,
        .embed_scale = config_bool(c, "scale_embedding", false) ? sqrtf((float)hidden) : 0.0f,
        .flags = STACK_EMBED_NORM,
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_POST,
        .norm_eps = 1e-5f,
        .activation = config_activation(c, "activation_function", ACTIVATION_GELU),
    };
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    const bool whole = strcmp(suffix, "ForCausalLM") != 0;
    arch->prefix = "model.";
    if (whole)
        arch->stacks[arch->n_stacks++] = describe_side(c, &encoder);
    struct stack_spec *stack = &arch->stacks[arch->n_stacks++];
    *stack = describe_side(c, &decoder);
    stack->flags |= STACK_CAUSAL | (whole ? STACK_CROSS : 0);
    arch->has_decoder = arch->shifts_input = whole;
    arch->decoder_stack = whole ? 1 : 0;
    arch->bos = config_token(c, "bos_token_id", 0);
    arch->eos = config_token(c, "eos_token_id", 2);
    arch->pad = config_token(c, "pad_token_id", 1);
    arch->decoder_start = whole ? config_token(c, "decoder_start_token_id", 2) : -1;
}

static void lm_head(struct arch *arch, struct config *c) {
    head_begin(arch, HEAD_LM, ROWS_LAST);
    struct head_step *step = head_add(arch, "lm_head", arch->stacks[0].vocab_size);
    step->tied = config_bool(c, "tie_word_embeddings", true);
    step->bias = "final_logits_bias";
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_begin(arch, HEAD_SEQUENCE, ROWS_LAST_EOS);
    head_add(arch, "classification_head.dense", arch->stacks[0].hidden_size)->activation =
        ACTIVATION_TANH;
    head_add(arch, "classification_head.out_proj", config_labels(c));
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForConditionalGeneration", lm_head},
    {"ForCausalLM", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"bart", "Bart"}, {0}};

const struct family family_bart = {
    .name = "bart",
    .types = types,
    .heads = heads,
    .base = "ForConditionalGeneration",
    .labels = 3,
    .describe = describe,
};
