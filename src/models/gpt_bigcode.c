/* GPT-BigCode (Ben Allal et al. 2023), SantaCoder and StarCoder 1, as transformers'
 * GPTBigCodeModel: GPT-2 whose heads share one key and value (multi_query), or have each their own,
 * fused head by head; products are stored as [out, in]. Softmax is in single precision always. */
#include "models/gpt.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "wte", false},          {SLOT_EMBED_POSITIONS, "wpe", false},
    {SLOT_FINAL_NORM, "ln_f", false},           {SLOT_ATTN_NORM, "h.%u.ln_1", false},
    {SLOT_ATTN_QKV, "h.%u.attn.c_attn", false}, {SLOT_ATTN_OUT, "h.%u.attn.c_proj", false},
    {SLOT_FFN_NORM, "h.%u.ln_2", false},        {SLOT_FFN_UP, "h.%u.mlp.c_fc", false},
    {SLOT_FFN_DOWN, "h.%u.mlp.c_proj", false},  {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct gpt_keys keys = gpt2_keys;
    keys.max_positions = 1024;
    struct stack_spec spec = config_gpt(c, &keys, ACTIVATION_GELU_TANH);
    spec.names = names;
    spec.positions = POSITIONS_LEARNED;
    spec.qkv_layout = QKV_BY_GROUP;
    if (config_bool(c, "multi_query", true))
        spec.kv_heads = 1;
    if (!config_bool(c, "scale_attn_weights", true))
        spec.attention_scale = 1;
    if (config_bool(c, "add_cross_attention", false))
        config_fail(c, "\"add_cross_attention\" is true; Brisk runs only false");
    arch_of_gpt(arch, c, &spec, "transformer.", (const int32_t[]){50256, 50256, -1});
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForCausalLM", head_of_tied_lm},
    {"ForSequenceClassification", head_of_text_score},
    {"ForTokenClassification", head_of_tokens},
    {0},
};

static const struct family_type types[] = {{"gpt_bigcode", "GPTBigCode"}, {0}};

const struct family family_gpt_bigcode = {
    .name = "gpt_bigcode",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
