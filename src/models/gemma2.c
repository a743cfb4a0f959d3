/* Gemma 2 (Gemma Team 2024), as transformers' Gemma2Model: norms before and behind each block, soft
 * caps of scores and logits, every other layer local. */
#include "models/modern.h"

#include <math.h>

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    spec.names = sandwich_slots;
    spec.norm_place = NORM_SANDWICH;
    spec.flags |= STACK_NORM_PLUS_ONE;
    spec.head_size = config_size_or(c, "head_dim", 256, LIMIT_HIDDEN_SIZE);
    spec.activation = config_activation(c, "hidden_activation", ACTIVATION_GELU_TANH);
    spec.embed_scale = config_root_scale(c, spec.hidden_size);
    spec.attention_scale = 1 / sqrtf(config_scale(c, "query_pre_attn_scalar", 256));
    spec.attention_softcap = config_amount(c, "attn_logit_softcapping", 50);
    spec.window = config_window(c, 4096);
    config_layer_types(c, &spec, 2);
    config_rope_standard(c, &spec, 10000, 1);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 2, 1, 0);
}

static void lm_head(struct arch *arch, struct config *c) {
    head_of_tied_lm(arch, c);
    arch->head.softcap = config_amount(c, "final_logit_softcapping", 30);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForCausalLM", lm_head},
    {"ForSequenceClassification", head_of_text_score},
    {"ForTokenClassification", head_of_token_score},
    {0},
};

static const struct family_type types[] = {{"gemma2", "Gemma2"}, {0}};

const struct family family_gemma2 = {
    .name = "gemma2",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
