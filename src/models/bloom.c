/* BLOOM (Scao et al. 2022), as transformers' BloomModel: GPT-2 with a norm of the embeddings, fused
 * queries, keys and values head by head, and ALiBi in place of positions. `pretraining_tp` and
 * `slow_but_exact` change no result in single precision. */
#include "models/gpt.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "word_embeddings", false},
    {SLOT_EMBED_NORM, "word_embeddings_layernorm", false},
    {SLOT_FINAL_NORM, "ln_f", false},
    {SLOT_ATTN_NORM, "h.%u.input_layernorm", false},
    {SLOT_ATTN_QKV, "h.%u.self_attention.query_key_value", false},
    {SLOT_ATTN_OUT, "h.%u.self_attention.dense", false},
    {SLOT_FFN_NORM, "h.%u.post_attention_layernorm", false},
    {SLOT_FFN_UP, "h.%u.mlp.dense_h_to_4h", false},
    {SLOT_FFN_DOWN, "h.%u.mlp.dense_4h_to_h", false},
    {0},
};

/* seq_length is what the model was trained with; ALiBi itself has no end. */
static const struct gpt_keys keys = {
    .hidden = "n_embed",
    .layers = "n_layer",
    .heads = "n_head",
    .positions = "seq_length",
    .eps = "layer_norm_epsilon",
    .max_positions = 2048,
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_gpt(c, &keys, ACTIVATION_GELU_TANH);
    spec.names = names;
    spec.positions = POSITIONS_ALIBI;
    spec.qkv_layout = QKV_BY_GROUP;
    spec.flags |= STACK_EMBED_NORM;
    if (config_bool(c, "apply_residual_connection_post_layernorm", false))
        config_fail(c,
                    "\"apply_residual_connection_post_layernorm\" is true; Brisk runs only false");
    arch_of_gpt(arch, c, &spec, "transformer.", (const int32_t[]){1, 2, -1});
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForCausalLM", head_of_tied_lm},
    {"ForSequenceClassification", head_of_text_score},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"bloom", "Bloom"}, {0}};

const struct family family_bloom = {
    .name = "bloom",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
