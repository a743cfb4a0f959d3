/* MPT (MosaicML 2023), as transformers' MptModel: ALiBi, whose alibi_bias_max it takes for 8
 * whatever config.json says, queries, keys and values held to a range (clip_qkv), no biases. What
 * transformers reads but does not run (qk_ln, prefix_lm, learned positions, other norms) is
 * refused. */
#include "models/gpt.h"

#include <string.h>

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "wte", false},
    {SLOT_FINAL_NORM, "norm_f", false},
    {SLOT_ATTN_NORM, "blocks.%u.norm_1", false},
    {SLOT_ATTN_QKV, "blocks.%u.attn.Wqkv", false},
    {SLOT_ATTN_OUT, "blocks.%u.attn.out_proj", false},
    {SLOT_FFN_NORM, "blocks.%u.norm_2", false},
    {SLOT_FFN_UP, "blocks.%u.ffn.up_proj", false},
    {SLOT_FFN_DOWN, "blocks.%u.ffn.down_proj", false},
    {0},
};

static const struct gpt_keys keys = {
    .hidden = "d_model",
    .layers = "n_layers",
    .heads = "n_heads",
    .positions = "max_seq_len",
    .eps = "layer_norm_epsilon",
    .max_positions = 2048,
};

static void config_norm_type(struct config *c) {
    const char *type = json_get_string(c->json, "norm_type", "layernorm");
    if (strcmp(type, "layernorm") != 0)
        config_only(c, "norm_type", "low_precision_layernorm");
}

/* attn_config's own object. */
static void config_attention(struct config *outer, struct stack_spec *spec) {
    struct config c = {.json = json_get(outer->json, "attn_config"), .err = outer->err};
    if (json_is_null(c.json))
        return;
    config_only(&c, "attn_type", "multihead_attention");
    if (!config_bool(&c, "alibi", true))
        config_fail(&c, "attn_config's \"alibi\" is false; Brisk runs only true");
    if (config_bool(&c, "qk_ln", false) || config_bool(&c, "prefix_lm", false))
        config_fail(&c, "attn_config's \"qk_ln\" and \"prefix_lm\" must be false for Brisk");
    spec->qkv_clamp = (float)config_number(&c, "clip_qkv", 0);
    spec->attention_scale = (float)config_number(&c, "softmax_scale", 0);
    if (spec->qkv_clamp < 0 || spec->attention_scale < 0)
        config_fail(&c, "attn_config's \"clip_qkv\" and \"softmax_scale\" must "
                        "be over 0 where they are given");
    outer->failed |= c.failed;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_gpt(c, &keys, ACTIVATION_GELU);
    spec.names = names;
    spec.positions = POSITIONS_ALIBI;
    config_norm_type(c);
    if (config_number(c, "expansion_ratio", 4) != 4)
        config_fail(c, "\"expansion_ratio\" must be 4; transformers and Brisk run no other");
    if (!c->failed)
        config_attention(c, &spec);
    arch_of_gpt(arch, c, &spec, "transformer.", (const int32_t[]){-1, -1, -1});
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForCausalLM", head_of_tied_lm},
    {"ForSequenceClassification", head_of_text_score},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"mpt", "Mpt"}, {0}};

const struct family family_mpt = {
    .name = "mpt",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
