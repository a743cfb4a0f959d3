/* What encoder-decoders since BART have in common: their config's keys, their tensors' names, their
 * heads. A family says where its norms and positions stand, and what its defaults are. */
#include "models/family.h"

#include <math.h>
#include <string.h>

static const struct slot_name encoder_names[] = {SEQ2SEQ_SLOTS("encoder"), {0}};

static const struct slot_name decoder_names[] = {
    SEQ2SEQ_SLOTS("decoder"),
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

static uint32_t vocab_size_of(struct config *c, const struct seq2seq *traits,
                              const struct side *side) {
    const char *key = side == &encoder ? traits->vocab_key : traits->decoder_vocab_key;
    return config_size(c, key ? key : "vocab_size", LIMIT_VOCAB_SIZE);
}

static struct stack_spec describe_side(struct config *c, const struct seq2seq *traits,
                                       const struct side *side) {
    const uint32_t hidden = config_size(c, "d_model", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, side->heads, LIMIT_HIDDEN_SIZE);
    return (struct stack_spec){
        .name = side->name,
        .names = side->names,
        .vocab_size = vocab_size_of(c, traits, side),
        .hidden_size = hidden,
        .intermediate_size = config_size(c, side->ffn, 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, side->layers, LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, side->heads, heads, "d_model", hidden),
        .max_positions =
            config_size_or(c, "max_position_embeddings", traits->max_positions, LIMIT_POSITIONS),
        .positions = traits->positions,
        .position_offset = traits->position_offset,
        .embed_scale = config_bool(c, "scale_embedding", traits->scale_embedding)
                           ? sqrtf((float)hidden)
                           : 0.0f,
        .flags = traits->flags,
        .norm_kind = NORM_LAYER,
        .norm_place = traits->norm_place,
        .norm_eps = 1e-5f,
        .activation = config_activation(c, "activation_function", traits->activation),
    };
}

static void add_decoder(struct arch *arch, struct config *c, const struct seq2seq *traits,
                        bool whole) {
    struct stack_spec *stack = &arch->stacks[arch->n_stacks++];
    *stack = describe_side(c, traits, &decoder);
    stack->flags |= traits->decoder_flags | STACK_CAUSAL | (whole ? STACK_CROSS : 0);
    arch->shifts_input = !whole ? SHIFT_NONE : traits->shift ? traits->shift : SHIFT_BEHIND_START;
    arch->decoder_stack = whole ? 1 : 0;
}

void arch_of_seq2seq(struct arch *arch, struct config *c, const struct seq2seq *traits,
                     const char *suffix) {
    const bool alone = traits->model_is_encoder && strcmp(suffix, "Model") == 0;
    const bool whole = strcmp(suffix, "ForCausalLM") != 0 && !alone;
    arch->prefix = "model.";
    if (whole || alone)
        arch->stacks[arch->n_stacks++] = describe_side(c, traits, &encoder);
    if (!alone)
        add_decoder(arch, c, traits, whole);
    arch->bos = config_token(c, "bos_token_id", traits->bos);
    arch->eos = config_token(c, "eos_token_id", traits->eos);
    arch->pad = config_token(c, "pad_token_id", traits->pad);
    arch->decoder_start =
        whole ? config_token(c, "decoder_start_token_id", traits->decoder_start) : -1;
}

void head_of_seq2seq(struct arch *arch, struct config *c) {
    head_begin(arch, HEAD_LM, ROWS_LAST);
    struct head_step *step = head_add(arch, "lm_head", arch_last(arch)->vocab_size);
    step->tied = config_bool(c, "tie_word_embeddings", true);
    step->bias = "final_logits_bias";
}

void head_of_last_eos(struct arch *arch, struct config *c) {
    head_begin(arch, HEAD_SEQUENCE, ROWS_LAST_EOS);
    head_add(arch, "classification_head.dense", arch->stacks[0].hidden_size)->activation =
        ACTIVATION_TANH;
    head_add(arch, "classification_head.out_proj", config_labels(c));
}

const struct head_row seq2seq_heads[] = {
    {"Model", NULL},
    {"ForConditionalGeneration", head_of_seq2seq},
    {"ForCausalLM", head_of_seq2seq},
    {0},
};

const struct head_row bart_heads[] = {
    {"Model", NULL},
    {"ForConditionalGeneration", head_of_seq2seq},
    {"ForCausalLM", head_of_seq2seq},
    {"ForSequenceClassification", head_of_last_eos},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};
