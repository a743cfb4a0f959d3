/* DeBERTa (He et al. 2020), as transformers' DebertaModel and DebertaV2Model: BERT's layers with
 * relative positions in attention; what both generations read from config.json, and the first. */
#include "models/deberta.h"

#include <math.h>
#include <string.h>

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_POSITIONS, "embeddings.position_embeddings", false},
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings", false},
    {SLOT_EMBED_NORM, "embeddings.LayerNorm", false},
    {SLOT_ATTN_QKV, "encoder.layer.%u.attention.self.in_proj", false},
    {SLOT_ATTN_OUT, "encoder.layer.%u.attention.output.dense", false},
    {SLOT_ATTN_NORM, "encoder.layer.%u.attention.output.LayerNorm", false},
    {SLOT_FFN_UP, "encoder.layer.%u.intermediate.dense", false},
    {SLOT_FFN_DOWN, "encoder.layer.%u.output.dense", false},
    {SLOT_FFN_NORM, "encoder.layer.%u.output.LayerNorm", false},
    {0},
};

/* A whole number from `least` to `most`; 0 where it is absent or below (-1: not there). */
static uint32_t number_or_none(struct config *c, const char *key, double least, double most) {
    const double n = config_number(c, key, 0);
    if (n != floor(n) || n > most || (n > 0 && n < least)) {
        config_fail(c, "\"%s\" is %g, must be a whole number, none or %g to %g", key, n, least,
                    most);
        return 0;
    }
    return n > 0 ? (uint32_t)n : 0;
}

/* Whether pos_att_type, a list or "p2c|c2p", names it. */
static bool names_direction(const struct config *c, const char *direction) {
    const struct json *types = json_get(c->json, "pos_att_type");
    if (json_is(types, JSON_STRING))
        return strstr(types->text, direction) != NULL;
    for (size_t i = 0; json_is(types, JSON_ARRAY) && json_at(types, i); i++)
        if (json_equals(json_at(types, i), direction))
            return true;
    return false;
}

static void read_positions(struct config *c, struct stack_spec *spec, struct hook *hook,
                           bool first) {
    const uint32_t own_reach = number_or_none(c, "max_relative_positions", 2, LIMIT_POSITIONS);
    const uint32_t reach = own_reach > 0 ? own_reach : spec->max_positions;
    const uint32_t buckets = first ? 0 : number_or_none(c, "position_buckets", 4, LIMIT_POSITIONS);
    const bool c2p = names_direction(c, "c2p"), p2c = names_direction(c, "p2c");
    spec->attention_scale =
        (float)(1 / sqrt((double)spec->head_size * (1 + (c2p ? 1 : 0) + (p2c ? 1 : 0))));
    if (names_direction(c, "p2p"))
        config_fail(c, "\"pos_att_type\" has p2p; Brisk runs only c2p and p2c");
    if (buckets > 0 && reach - 1 <= buckets / 2)
        config_fail(c, "\"position_buckets\" is %u, must be below twice max_relative_positions %u",
                    buckets, reach);
    hook->options[DEBERTA_SPAN] = buckets > 0 ? buckets : reach;
    hook->options[DEBERTA_BUCKETS] = buckets;
    hook->options[DEBERTA_REACH] = reach;
    if (config_bool(c, "relative_attention", false))
        hook->options[DEBERTA_FLAGS] |= (c2p ? DEBERTA_C2P : 0) | (p2c ? DEBERTA_P2C : 0);
    if (!first && config_bool(c, "share_att_key", false))
        hook->options[DEBERTA_FLAGS] |= DEBERTA_SHARED;
    if (!first && strstr(json_get_string(c->json, "norm_rel_ebd", "none"), "layer_norm"))
        hook->options[DEBERTA_FLAGS] |= DEBERTA_NORM;
}

static void read_conv(struct config *c, struct hook *hook) {
    const uint32_t taps = number_or_none(c, "conv_kernel_size", 1, 15);
    if (taps > 0 && taps % 2 == 0)
        config_fail(c, "\"conv_kernel_size\" is %u, must be odd", taps);
    if (taps > 0 && config_number(c, "conv_groups", 1) != 1)
        config_fail(c, "\"conv_groups\" is not 1; Brisk runs only whole convolutions");
    hook->options[DEBERTA_CONV] = taps;
    hook->options[DEBERTA_CONV_ACTIVATION] = config_activation(c, "conv_act", ACTIVATION_TANH);
}

struct stack_spec deberta_stack(struct config *c, const struct slot_name *slots, bool first) {
    const uint32_t hidden = config_size(c, "hidden_size", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "num_attention_heads", LIMIT_HIDDEN_SIZE);
    struct stack_spec spec = {
        .name = "encoder",
        .names = slots,
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = hidden,
        .intermediate_size = config_size(c, "intermediate_size", 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, "num_hidden_layers", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, "num_attention_heads", heads, "hidden_size", hidden),
        .max_positions = config_size_or(c, "max_position_embeddings", 512, LIMIT_POSITIONS),
        .positions =
            config_bool(c, "position_biased_input", true) ? POSITIONS_LEARNED : POSITIONS_NONE,
        .token_types = number_or_none(c, "type_vocab_size", 1, LIMIT_VOCAB_SIZE),
        .flags = STACK_EMBED_NORM,
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_POST,
        .norm_eps = config_eps(c, "layer_norm_eps", 1e-7f),
        .activation = config_activation(c, "hidden_act", ACTIVATION_GELU),
        .qkv_layout = first ? QKV_BY_GROUP : QKV_PLAIN,
    };
    struct hook hook = {.table = &deberta_attention};
    if (config_size_or(c, "embedding_size", hidden, LIMIT_HIDDEN_SIZE) != hidden ||
        config_size_or(c, "pooler_hidden_size", hidden, LIMIT_HIDDEN_SIZE) != hidden)
        config_fail(c, "\"embedding_size\" and \"pooler_hidden_size\" must be hidden_size %u",
                    hidden);
    if (config_size_or(c, "attention_head_size", spec.head_size, LIMIT_HIDDEN_SIZE) !=
        spec.head_size)
        config_fail(c, "\"attention_head_size\" must be %u", spec.head_size);
    read_positions(c, &spec, &hook, first);
    if (spec.positions == POSITIONS_NONE && spec.max_positions < DEBERTA_POSITIONS)
        spec.max_positions = DEBERTA_POSITIONS;
    if (first)
        hook.options[DEBERTA_FLAGS] |= DEBERTA_FIRST;
    else
        read_conv(c, &hook);
    const uint32_t window = hook.options[DEBERTA_CONV] * hidden;
    hook.max_in = window > spec.head_size ? window : spec.head_size;
    if (first || hook.options[DEBERTA_CONV] > 0 ||
        hook.options[DEBERTA_FLAGS] & (DEBERTA_C2P | DEBERTA_P2C))
        spec.hook = hook;
    return spec;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const struct stack_spec spec = deberta_stack(c, names, true);
    if (config_bool(c, "talking_head", false))
        config_fail(c, "\"talking_head\" is true; Brisk runs only heads that do not mix");
    arch_of_encoder(arch, c, "deberta.", &spec);
}

static const struct family_type types[] = {{"deberta", "Deberta"}, {0}};

const struct family family_deberta = {
    .name = "deberta",
    .types = types,
    .heads = deberta_heads,
    .base = "Model",
    .describe = describe,
};
