/* What most decoders since Llama have in common: their config's keys, their tensors' names, their
 * heads. A family starts from these and says what is different. */
#include "models/family.h"

const struct slot_name decoder_slots[] = {DECODER_SLOTS, {0}};

uint32_t config_kv_heads(struct config *c, const char *key, uint32_t heads) {
    const uint32_t kv = config_size_or(c, key, heads, LIMIT_HIDDEN_SIZE);
    if (heads % kv != 0)
        config_fail(c, "\"%s\" is %u, must divide num_attention_heads %u", key, kv, heads);
    return heads % kv == 0 ? kv : heads;
}

/* head_dim, or hidden_size / heads. */
static uint32_t head_size(struct config *c, uint32_t heads, uint32_t hidden) {
    const uint32_t size = config_size_or(c, "head_dim", 0, LIMIT_HIDDEN_SIZE);
    return size > 0 ? size
                    : config_head_size(c, "num_attention_heads", heads, "hidden_size", hidden);
}

struct stack_spec config_decoder(struct config *c) {
    const uint32_t hidden = config_size(c, "hidden_size", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "num_attention_heads", LIMIT_HIDDEN_SIZE);
    return (struct stack_spec){
        .name = "decoder",
        .names = decoder_slots,
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = hidden,
        .intermediate_size = config_size(c, "intermediate_size", 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, "num_hidden_layers", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = config_kv_heads(c, "num_key_value_heads", heads),
        .head_size = head_size(c, heads, hidden),
        .max_positions = config_size_or(c, "max_position_embeddings", 2048, LIMIT_POSITIONS),
        .norm_kind = NORM_RMS,
        .norm_place = NORM_PRE,
        .norm_eps = config_eps(c, "rms_norm_eps", 1e-6f),
        .activation = config_activation(c, "hidden_act", ACTIVATION_SILU),
        .flags = STACK_CAUSAL | STACK_FINAL_NORM | STACK_GATED,
    };
}

void config_decoder_defaults(struct config *c, struct stack_spec *spec, uint32_t kv,
                             uint32_t max_positions) {
    if (!json_get(c->json, "num_key_value_heads") && spec->heads % kv == 0)
        spec->kv_heads = kv;
    if (!json_get(c->json, "max_position_embeddings"))
        spec->max_positions = max_positions;
}

bool config_layer_is_local(struct config *c, const struct stack_spec *spec,
                           const struct json *types, uint32_t layer) {
    const struct json *type = json_at(types, layer);
    const bool local = json_equals(type, "sliding_attention");
    if (!local && !json_equals(type, "full_attention"))
        config_fail(c,
                    "\"layer_types\" must name %u layers \"full_attention\" or "
                    "\"sliding_attention\"; it does not of layer %u",
                    spec->layers, layer);
    else if (local && spec->window == 0)
        config_fail(c,
                    "\"layer_types\" has \"sliding_attention\", but \"sliding_window\" is not in "
                    "use");
    return local;
}

void config_windows(struct config *c, struct stack_spec *spec) {
    const struct json *types = json_get(c->json, "layer_types");
    const double first = config_number(c, "max_window_layers", 28);
    const bool named = json_get(c->json, "sliding_window") != NULL;
    if (config_bool(c, "use_sliding_window", false))
        spec->window = config_size_or(c, "sliding_window", named ? 0 : 4096, LIMIT_POSITIONS);
    for (uint32_t i = 0; i < spec->layers; i++)
        if (json_is_null(types) ? spec->window > 0 && i >= first
                                : config_layer_is_local(c, spec, types, i))
            spec->layer_kinds[i] |= LAYER_LOCAL;
}

void arch_of_decoder(struct arch *arch, struct config *c, const struct stack_spec *spec) {
    arch->prefix = "model.";
    arch->n_stacks = 1;
    arch->stacks[0] = *spec;
    arch->bos = config_token(c, "bos_token_id", -1);
    arch->eos = config_token(c, "eos_token_id", -1);
    arch->pad = config_token(c, "pad_token_id", -1);
}

const struct head_row decoder_heads[] = {
    {"Model", NULL},
    {"ForCausalLM", head_of_lm},
    {"ForSequenceClassification", head_of_text_score},
    {"ForTokenClassification", head_of_token_score},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};
