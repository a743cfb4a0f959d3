/* What decoders of GPT-2's age have in common (gpt.h): sizes by any of their names, rotary
 * positions of neighbouring pairs. */
#include "models/gpt.h"

const struct gpt_keys gpt2_keys = {
    .hidden = "n_embd",
    .layers = "n_layer",
    .heads = "n_head",
    .inside = "n_inner",
    .positions = "n_positions",
    .eps = "layer_norm_epsilon",
    .activation = "activation_function",
    .max_positions = 2048,
};

/* By the family's name, or by the one that transformers maps to it. */
static uint32_t size_of(struct config *c, const char *key, const char *common, uint32_t most) {
    const bool other = json_is_null(json_get(c->json, key)) && json_get(c->json, common);
    return config_size(c, other ? common : key, most);
}

struct stack_spec config_gpt(struct config *c, const struct gpt_keys *keys,
                             enum activation activation) {
    const uint32_t hidden = size_of(c, keys->hidden, "hidden_size", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = size_of(c, keys->heads, "num_attention_heads", LIMIT_HIDDEN_SIZE);
    struct stack_spec spec = {
        .name = "decoder",
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = hidden,
        .intermediate_size = 4 * hidden,
        .layers = size_of(c, keys->layers, "num_hidden_layers", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, keys->heads, heads, keys->hidden, hidden),
        .max_positions = keys->max_positions,
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_PRE,
        .norm_eps = 1e-5f,
        .activation = activation,
        .flags = STACK_CAUSAL | STACK_FINAL_NORM,
    };
    if (keys->inside)
        spec.intermediate_size = config_size_or(c, keys->inside, 4 * hidden, 8 * LIMIT_HIDDEN_SIZE);
    if (keys->positions)
        spec.max_positions =
            config_size_or(c, keys->positions, keys->max_positions, LIMIT_POSITIONS);
    if (keys->eps)
        spec.norm_eps = config_eps(c, keys->eps, 1e-5f);
    if (keys->activation)
        spec.activation = config_activation(c, keys->activation, activation);
    return spec;
}

void config_rope_pairs(struct config *c, struct stack_spec *spec) {
    if (json_get(c->json, "rotary_dim") && json_is_null(json_get(c->json, "rotary_dim")))
        config_fail(c, "\"rotary_dim\" is null; Brisk runs only a number of dimensions");
    config_rope(c, spec, 0, 10000, config_size_or(c, "rotary_dim", 64, LIMIT_HIDDEN_SIZE), NULL);
    spec->ropes[0].interleaved = true;
}

void arch_of_gpt(struct arch *arch, struct config *c, const struct stack_spec *spec,
                 const char *prefix, const int32_t tokens[static 3]) {
    arch->prefix = prefix;
    arch->n_stacks = 1;
    arch->stacks[0] = *spec;
    arch->bos = config_token(c, "bos_token_id", tokens[0]);
    arch->eos = config_token(c, "eos_token_id", tokens[1]);
    arch->pad = config_token(c, "pad_token_id", tokens[2]);
}
