/* What decoders with experts have in common: their config's keys, and their tensors' names as Qwen
 * and OLMoE give them. Not a family. */
#include "models/family.h"

const struct slot_name expert_slots[] = {
    DECODER_SLOTS,
    {SLOT_ROUTER, "layers.%u.mlp.gate", false},
    {SLOT_EXPERT_GATE, "layers.%u.mlp.experts.%u.gate_proj", false},
    {SLOT_EXPERT_UP, "layers.%u.mlp.experts.%u.up_proj", false},
    {SLOT_EXPERT_DOWN, "layers.%u.mlp.experts.%u.down_proj", false},
    {SLOT_SHARED_GATE, "layers.%u.mlp.shared_expert.gate_proj", false},
    {SLOT_SHARED_UP, "layers.%u.mlp.shared_expert.up_proj", false},
    {SLOT_SHARED_DOWN, "layers.%u.mlp.shared_expert.down_proj", false},
    {SLOT_SHARED_SCORE, "layers.%u.mlp.shared_expert_gate", false},
    {0},
};

void config_experts(struct config *c, struct stack_spec *spec, const char *key, uint32_t experts,
                    uint32_t per_token, uint32_t expert_size) {
    struct routing *routing = &spec->routing;
    routing->experts = config_size_or(c, key, experts, LIMIT_EXPERTS);
    routing->per_token = config_size_or(c, "num_experts_per_tok", per_token, LIMIT_EXPERTS);
    if (routing->per_token > routing->experts) {
        config_fail(c, "\"num_experts_per_tok\" is %u, must be at most %s %u", routing->per_token,
                    key, routing->experts);
        routing->per_token = routing->experts;
    }
    spec->expert_size = expert_size;
}

/* Layers that a list names have no experts. */
static void mark_listed(struct config *c, struct stack_spec *spec, const struct json *list) {
    if (!json_is_null(list) && !json_is(list, JSON_ARRAY)) {
        config_fail(c, "\"mlp_only_layers\" is a %s, must be a list of layers",
                    json_type_name(list->type));
        return;
    }
    int64_t layer;
    for (size_t i = 0; json_at(list, i); i++)
        if (json_to_int(json_at(list, i), &layer) && layer >= 0 && layer < spec->layers)
            spec->layer_kinds[layer] |= LAYER_DENSE;
}

void config_sparse_layers(struct config *c, struct stack_spec *spec) {
    const uint32_t step = config_size_or(c, "decoder_sparse_step", 1, LIMIT_LAYERS);
    spec->names = expert_slots;
    spec->routing.normalized = config_bool(c, "norm_topk_prob", false);
    for (uint32_t i = 0; i < spec->layers; i++)
        if ((i + 1) % step != 0)
            spec->layer_kinds[i] |= LAYER_DENSE;
    mark_listed(c, spec, json_get(c->json, "mlp_only_layers"));
}
