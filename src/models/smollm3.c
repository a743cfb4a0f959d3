/* SmolLM 3 (Bakouch et al. 2025), as transformers' SmolLM3Model: Llama with every fourth layer
 * without positions, and windows where config.json asks for them. */
#include "models/modern.h"

#include <string.h>

/* no_rope_layers holds 1 where there are positions. Absent, they lack in each
 * no_rope_layer_interval-th layer. */
static void set_ropes(struct config *c, struct stack_spec *spec) {
    const struct json *marks = json_get(c->json, "no_rope_layers");
    const uint32_t every = config_size_or(c, "no_rope_layer_interval", 4, LIMIT_LAYERS);
    for (uint32_t i = 0; i < spec->layers; i++) {
        int64_t mark = (i + 1) % every != 0;
        if (!json_is_null(marks) && !json_to_int(json_at(marks, i), &mark))
            config_fail(c, "\"no_rope_layers\" must have a 0 or 1 for each of %u layers",
                        spec->layers);
        if (mark == 0)
            spec->layer_kinds[i] |= LAYER_NO_ROPE;
    }
}

/* Where layer_types is absent, layers without positions are the local ones. */
static void set_windows(struct config *c, struct stack_spec *spec) {
    spec->window = config_window(c, 0);
    if (!config_bool(c, "use_sliding_window", false) || spec->window == 0)
        return;
    if (!json_is_null(json_get(c->json, "layer_types"))) {
        config_layer_types(c, spec, 1);
        return;
    }
    for (uint32_t i = 0; i < spec->layers; i++)
        if (spec->layer_kinds[i] & LAYER_NO_ROPE)
            spec->layer_kinds[i] |= LAYER_LOCAL;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    struct stack_spec spec = config_decoder(c);
    config_decoder_defaults(c, &spec, spec.heads, 32768);
    config_rope_standard(c, &spec, 2e6, 1);
    set_ropes(c, &spec);
    set_windows(c, &spec);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, c, 128000, 128001, 128004);
    if (strcmp(suffix, "ForQuestionAnswering") == 0)
        arch->prefix = "transformer.";
}

static const struct family_type types[] = {{"smollm3", "SmolLM3"}, {0}};

const struct family family_smollm3 = {
    .name = "smollm3",
    .types = types,
    .heads = tied_heads,
    .base = "ForCausalLM",
    .describe = describe,
};
