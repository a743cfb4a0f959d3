/* OLMo 2 and 3 (OLMo Team 2024, 2025), as transformers' Olmo2Model and Olmo3Model: norms of what
 * blocks give, and of queries and keys as a whole. OLMo 3 has local layers, whose rotary positions
 * are not scaled. */
#include "models/modern.h"

static struct stack_spec stack_of(struct config *c) {
    struct stack_spec spec = config_decoder(c);
    spec.names = sandwich_slots;
    spec.norm_place = NORM_OUTPUT;
    spec.norm_eps = config_eps(c, "rms_norm_eps", 1e-5f);
    spec.qk_norm = QK_NORM_WHOLE;
    config_rope_standard(c, &spec, 10000, 1);
    return spec;
}

static void set_windows(struct config *c, struct stack_spec *spec) {
    spec->window = config_window(c, 4096);
    config_layer_types(c, spec, 4);
    config_rope(c, spec, 1, config_number(c, "rope_theta", 10000), spec->ropes[0].size, NULL);
    for (uint32_t i = 0; i < spec->layers; i++)
        if (spec->layer_kinds[i] & LAYER_LOCAL)
            spec->layer_kinds[i] |= LAYER_ROPE_1;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = stack_of(c);
    if (json_equals(json_get(c->json, "model_type"), "olmo3"))
        set_windows(c, &spec);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, -1, 50279, 1);
}

static const struct family_type types[] = {{"olmo2", "Olmo2"}, {"olmo3", "Olmo3"}, {0}};

const struct family family_olmo2 = {
    .name = "olmo2",
    .types = types,
    .heads = decoder_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
