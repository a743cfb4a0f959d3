/* Falcon (Almazrouei et al. 2023), as transformers' FalconModel: 7B's attention and feed-forward
 * side by side on one norm and one key and value, 40B's grouped ones on two norms
 * (new_decoder_architecture), and Falcon-RW's ALiBi, which is rounded to bf16 in every precision.
 */
#include "models/gpt.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "word_embeddings", false},
    {SLOT_FINAL_NORM, "ln_f", false},
    {SLOT_ATTN_NORM, "h.%u.input_layernorm", false},
    {SLOT_ATTN_NORM, "h.%u.ln_attn", false},
    {SLOT_ATTN_QKV, "h.%u.self_attention.query_key_value", false},
    {SLOT_ATTN_OUT, "h.%u.self_attention.dense", false},
    {SLOT_FFN_NORM, "h.%u.post_attention_layernorm", false},
    {SLOT_FFN_NORM, "h.%u.ln_mlp", false},
    {SLOT_FFN_UP, "h.%u.mlp.dense_h_to_4h", false},
    {SLOT_FFN_DOWN, "h.%u.mlp.dense_4h_to_h", false},
    {0},
};

static const struct gpt_keys keys = {
    .hidden = "hidden_size",
    .layers = "num_hidden_layers",
    .heads = "num_attention_heads",
    .inside = "ffn_hidden_size",
    .positions = "max_position_embeddings",
    .eps = "layer_norm_epsilon",
    .activation = "activation",
    .max_positions = 2048,
};

/* num_kv_heads is read by the new architecture only, multi_query by the old one only. */
static uint32_t kv_heads(struct config *c, uint32_t heads, bool new) {
    if (!new)
        return config_bool(c, "multi_query", true) ? 1 : heads;
    return config_kv_heads(c, "num_kv_heads", heads);
}

static enum norm_place norm_place(struct config *c, bool new) {
    const bool parallel = config_bool(c, "parallel_attn", true);
    const uint32_t norms = config_size_or(c, "num_ln_in_parallel_attn", new ? 2 : 1, 2);
    if (new && !parallel)
        config_fail(c, "\"parallel_attn\" is false, must be true with new_decoder_architecture");
    if (!new &&parallel && norms == 2)
        config_fail(c, "\"num_ln_in_parallel_attn\" is 2, must be 1 without "
                       "new_decoder_architecture");
    return !parallel ? NORM_PRE : norms == 2 ? NORM_PARALLEL_TWO : NORM_PARALLEL;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_gpt(c, &keys, ACTIVATION_GELU);
    const bool new = config_bool(c, "new_decoder_architecture", false);
    spec.names = names;
    spec.kv_heads = kv_heads(c, spec.heads, new);
    spec.qkv_layout = QKV_BY_GROUP;
    spec.norm_place = norm_place(c, new);
    if (config_bool(c, "alibi", false)) {
        spec.positions = POSITIONS_ALIBI;
        spec.flags |= STACK_ALIBI_SCALED;
        spec.flags |= STACK_ALIBI_BF16;
    } else {
        config_rope_standard(c, &spec, 10000, 1);
    }
    arch_of_gpt(arch, c, &spec, "transformer.", (const int32_t[]){11, 11, -1});
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForCausalLM", head_of_tied_lm},
    {"ForSequenceClassification", head_of_text_score},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"falcon", "Falcon"}, {0}};

const struct family family_falcon = {
    .name = "falcon",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
