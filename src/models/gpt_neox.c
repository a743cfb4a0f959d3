/* GPT-NeoX (Black et al. 2022) and Pythia, as transformers' GPTNeoXModel: fused queries, keys and
 * values head by head, rotary positions of a share of each head, attention and feed-forward side by
 * side (or one after the other), each with its norm. */
#include "models/gpt.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embed_in", false},
    {SLOT_FINAL_NORM, "final_layer_norm", false},
    {SLOT_ATTN_NORM, "layers.%u.input_layernorm", false},
    {SLOT_ATTN_QKV, "layers.%u.attention.query_key_value", false},
    {SLOT_ATTN_OUT, "layers.%u.attention.dense", false},
    {SLOT_FFN_NORM, "layers.%u.post_attention_layernorm", false},
    {SLOT_FFN_UP, "layers.%u.mlp.dense_h_to_4h", false},
    {SLOT_FFN_DOWN, "layers.%u.mlp.dense_4h_to_h", false},
    {0},
};

static const struct gpt_keys keys = {
    .hidden = "hidden_size",
    .layers = "num_hidden_layers",
    .heads = "num_attention_heads",
    .inside = "intermediate_size",
    .positions = "max_position_embeddings",
    .eps = "layer_norm_eps",
    .activation = "hidden_act",
    .max_positions = 2048,
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_gpt(c, &keys, ACTIVATION_GELU);
    spec.names = names;
    spec.qkv_layout = QKV_BY_GROUP;
    if (config_bool(c, "use_parallel_residual", true))
        spec.norm_place = NORM_PARALLEL_TWO;
    config_rope(c, &spec, 0, config_number(c, "rotary_emb_base", 10000),
                (uint32_t)(spec.head_size * config_number(c, "rotary_pct", 0.25)),
                json_get(c->json, "rope_scaling"));
    arch_of_gpt(arch, c, &spec, "gpt_neox.", (const int32_t[]){0, 2, -1});
}

static void words(struct arch *arch, struct config *c) {
    head_of_lm(arch, c);
    arch->head.steps[0].linear = "embed_out";
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForCausalLM", words},
    {"ForSequenceClassification", head_of_text_score},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"gpt_neox", "GPTNeoX"}, {0}};

const struct family family_gpt_neox = {
    .name = "gpt_neox",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
