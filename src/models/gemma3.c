/* Gemma 3 (Gemma Team 2025), as transformers' Gemma3TextModel: Gemma 2's blocks with norms of
 * queries and keys, and rotary positions of another base in local layers. With
 * use_bidirectional_attention it is an encoder (EmbeddingGemma). Of the models with images the part
 * that reads text. */
#include "models/modern.h"

#include <math.h>
#include <string.h>

#define FULL_EVERY 6 /* layers, where config.json does not say */

/* An absent key is transformers' default: the text_config of published models is sparse. */
static struct stack_spec stack_of(struct config *c) {
    const uint32_t heads = config_size_or(c, "num_attention_heads", 8, LIMIT_HIDDEN_SIZE);
    struct stack_spec spec = {
        .name = "decoder",
        .names = sandwich_slots,
        .vocab_size = config_size_or(c, "vocab_size", 262208, LIMIT_VOCAB_SIZE),
        .hidden_size = config_size_or(c, "hidden_size", 2304, LIMIT_HIDDEN_SIZE),
        .intermediate_size = config_size_or(c, "intermediate_size", 9216, 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size_or(c, "num_hidden_layers", 26, LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = config_size_or(c, "num_key_value_heads", 4, LIMIT_HIDDEN_SIZE),
        .head_size = config_size_or(c, "head_dim", 256, LIMIT_HIDDEN_SIZE),
        .max_positions = config_size_or(c, "max_position_embeddings", 131072, LIMIT_POSITIONS),
        .norm_kind = NORM_RMS,
        .norm_place = NORM_SANDWICH,
        .norm_eps = config_eps(c, "rms_norm_eps", 1e-6f),
        .qk_norm = QK_NORM_HEAD,
        .activation = config_activation(c, "hidden_activation", ACTIVATION_GELU_TANH),
        .attention_scale = 1 / sqrtf(config_scale(c, "query_pre_attn_scalar", 256)),
        .window = config_window(c, 4096),
        .flags = STACK_FINAL_NORM | STACK_GATED | STACK_NORM_PLUS_ONE,
    };
    if (heads % spec.kv_heads != 0) {
        config_fail(c, "\"num_key_value_heads\" is %u, must divide num_attention_heads %u",
                    spec.kv_heads, heads);
        spec.kv_heads = heads;
    }
    if (!config_bool(c, "use_bidirectional_attention", false))
        spec.flags |= STACK_CAUSAL;
    return spec;
}

/* Local layers have positions of their own, which are not scaled. */
static void set_layers(struct config *c, struct stack_spec *spec) {
    config_layer_types(c, spec, FULL_EVERY);
    config_rope_standard(c, spec, 1e6, 1);
    config_rope(c, spec, 1, config_number(c, "rope_local_base_freq", 10000), spec->ropes[0].size,
                NULL);
    for (uint32_t i = 0; i < spec->layers; i++)
        if (spec->layer_kinds[i] & LAYER_LOCAL)
            spec->layer_kinds[i] |= LAYER_ROPE_1;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct config whole = {.json = c->json, .err = c->err};
    const struct json *text = json_get(c->json, "text_config");
    if (json_is(text, JSON_OBJECT))
        c->json = text;
    struct stack_spec spec = stack_of(c);
    const bool typed = json_get(c->json, "dtype") || json_get(c->json, "torch_dtype");
    spec.embed_scale = config_root_scale(typed ? c : &whole, spec.hidden_size);
    set_layers(c, &spec);
    arch_of_decoder(arch, c, &spec);
    arch_default_tokens(arch, &whole, 2, 1, 0);
    if (json_is(text, JSON_OBJECT))
        arch->prefix = "language_model.model.";
    c->failed |= whole.failed;
}

static void lm_head(struct arch *arch, struct config *c) {
    head_of_tied_lm(arch, c);
    arch->head.softcap = config_amount(c, "final_logit_softcapping", 0);
}

static const struct head_row heads[] = {
    {"TextModel", NULL},
    {"ForCausalLM", lm_head},
    {"ForConditionalGeneration", lm_head},
    {"TextForSequenceClassification", head_of_text_score},
    {0},
};

static const struct family_type types[] = {{"gemma3", "Gemma3"}, {"gemma3_text", "Gemma3"}, {0}};

const struct family family_gemma3 = {
    .name = "gemma3",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
