/* CodeGen (Nijkamp et al. 2022), as transformers' CodeGenModel: GPT-J with queries, values and keys
 * fused in the four parts that its first training's machines held. */
#include "models/gpt.h"

#define PARTS 4 /* of QKV_CODEGEN: each holds whole heads */

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "wte", false},
    {SLOT_FINAL_NORM, "ln_f", false},
    {SLOT_ATTN_NORM, "h.%u.ln_1", false},
    {SLOT_ATTN_QKV, "h.%u.attn.qkv_proj", false},
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
    spec.qkv_layout = QKV_CODEGEN;
    if (spec.heads % PARTS != 0)
        config_fail(c, "\"n_head\" is %u, must be a multiple of %u", spec.heads, PARTS);
    config_rope_pairs(c, &spec);
    arch_of_gpt(arch, c, &spec, "transformer.", (const int32_t[]){50256, 50256, -1});
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForCausalLM", head_of_lm},
    {0},
};

static const struct family_type types[] = {{"codegen", "CodeGen"}, {0}};

const struct family family_codegen = {
    .name = "codegen",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
