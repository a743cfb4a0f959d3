/* GPT-J (Wang and Komatsuzaki 2021), as transformers' GPTJModel: attention and feed-forward side by
 * side on one norm, rotary positions of neighbouring pairs in the first rotary_dim numbers of each
 * head, a head with a bias. */
#include "models/gpt.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "wte", false},
    {SLOT_FINAL_NORM, "ln_f", false},
    {SLOT_ATTN_NORM, "h.%u.ln_1", false},
    {SLOT_ATTN_Q, "h.%u.attn.q_proj", false},
    {SLOT_ATTN_K, "h.%u.attn.k_proj", false},
    {SLOT_ATTN_V, "h.%u.attn.v_proj", false},
    {SLOT_ATTN_OUT, "h.%u.attn.out_proj", false},
    {SLOT_FFN_UP, "h.%u.mlp.fc_in", false},
    {SLOT_FFN_DOWN, "h.%u.mlp.fc_out", false},
    {0},
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_gpt(c, &gpt2_keys, ACTIVATION_GELU_TANH);
    spec.names = names;
    spec.norm_place = NORM_PARALLEL;
    config_rope_pairs(c, &spec);
    arch_of_gpt(arch, c, &spec, "transformer.", (const int32_t[]){50256, 50256, -1});
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForCausalLM", head_of_lm},
    {"ForSequenceClassification", head_of_text_score},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"gptj", "GPTJ"}, {0}};

const struct family family_gptj = {
    .name = "gptj",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
