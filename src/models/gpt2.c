/* GPT-2 (Radford et al. 2019), as transformers' GPT2Model: pre-norm decoder, learned positions,
 * products stored [in, out] (Conv1D). `reorder_and_upcast_attn` changes no result in float. */
#include "models/family.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "wte", false},         {SLOT_EMBED_POSITIONS, "wpe", false},
    {SLOT_FINAL_NORM, "ln_f", false},          {SLOT_ATTN_NORM, "h.%u.ln_1", false},
    {SLOT_ATTN_QKV, "h.%u.attn.c_attn", true}, {SLOT_ATTN_OUT, "h.%u.attn.c_proj", true},
    {SLOT_FFN_NORM, "h.%u.ln_2", false},       {SLOT_FFN_UP, "h.%u.mlp.c_fc", true},
    {SLOT_FFN_DOWN, "h.%u.mlp.c_proj", true},  {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const uint32_t hidden = config_size(c, "n_embd", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "n_head", LIMIT_HIDDEN_SIZE);
    arch->prefix = "transformer.";
    arch->n_stacks = 1;
    arch->stacks[0] = (struct stack_spec){
        .name = "decoder",
        .names = names,
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = hidden,
        .intermediate_size = config_size_or(c, "n_inner", 4 * hidden, 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, "n_layer", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, "n_head", heads, "n_embd", hidden),
        .max_positions = config_size_or(c, "n_positions", 1024, LIMIT_POSITIONS),
        .positions = POSITIONS_LEARNED,
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_PRE,
        .norm_eps = config_eps(c, "layer_norm_epsilon", 1e-5f),
        .flags =
            STACK_CAUSAL | STACK_FINAL_NORM |
            (config_bool(c, "scale_attn_by_inverse_layer_idx", false) ? STACK_SCALE_BY_LAYER : 0),
        .activation = config_activation(c, "activation_function", ACTIVATION_GELU_TANH),
        .attention_scale = config_bool(c, "scale_attn_weights", true) ? 0.0f : 1.0f,
    };
    arch->bos = config_token(c, "bos_token_id", 50256);
    arch->eos = config_token(c, "eos_token_id", 50256);
    arch->pad = config_token(c, "pad_token_id", -1);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"LMHeadModel", head_of_tied_lm},
    {"DoubleHeadsModel", head_of_tied_lm},
    {"ForSequenceClassification", head_of_text_score},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"gpt2", "GPT2"}, {0}};

const struct family family_gpt2 = {
    .name = "gpt2",
    .types = types,
    .heads = heads,
    .base = "LMHeadModel",
    .describe = describe,
};
