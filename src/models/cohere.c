/* Command R and R7B (Cohere 2024), as transformers' CohereModel and Cohere2Model: attention and
 * feed-forward read one norm side by side, rotary pairs stand together, logits are scaled. Of
 * Cohere 2 the layers that see all tokens have no positions. */
#include "models/modern.h"

static void set_windows(struct config *c, struct stack_spec *spec) {
    spec->window = config_window(c, 4096);
    config_layer_types(c, spec, 4);
    for (uint32_t i = 0; i < spec->layers; i++)
        if (!(spec->layer_kinds[i] & LAYER_LOCAL))
            spec->layer_kinds[i] |= LAYER_NO_ROPE;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, spec.heads, 8192);
    spec.norm_kind = NORM_LAYER;
    spec.norm_place = NORM_PARALLEL;
    spec.norm_eps = config_eps(c, "layer_norm_eps", 1e-5f);
    config_rope_standard(c, &spec, 10000, 1);
    spec.ropes[0].interleaved = true;
    if (json_equals(json_get(c->json, "model_type"), "cohere2"))
        set_windows(c, &spec);
    else if (config_bool(c, "use_qk_norm", false))
        spec.qk_norm = QK_NORM_HEADS;
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 5, 255001, 0);
}

static void lm_head(struct arch *arch, struct config *c) {
    head_of_tied_lm(arch, c);
    arch->head.steps[0].scale = config_scale(c, "logit_scale", 0.0625f);
}

static const struct head_row heads[] = {{"Model", NULL}, {"ForCausalLM", lm_head}, {0}};

static const struct family_type types[] = {{"cohere", "Cohere"}, {"cohere2", "Cohere2"}, {0}};

const struct family family_cohere = {
    .name = "cohere",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
