/* NomicBERT (Nussbaum et al. 2024, nomic-embed-text), whose code is on the hub and not in
 * transformers: BERT with rotary positions and a gated feed-forward. Its config.json speaks GPT-2's
 * words (n_embd, n_inner). Of the many settings that code has, those that published models use are
 * run and the others refused by name. */
#include "models/family.h"

#include <string.h>

#define GATE_MULTIPLE 256

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings", false},
    {SLOT_EMBED_NORM, "emb_ln", false},
    {SLOT_ATTN_QKV, "encoder.layers.%u.attn.Wqkv", false},
    {SLOT_ATTN_OUT, "encoder.layers.%u.attn.out_proj", false},
    {SLOT_ATTN_NORM, "encoder.layers.%u.norm1", false},
    {SLOT_FFN_GATE, "encoder.layers.%u.mlp.fc12", false},
    {SLOT_FFN_UP, "encoder.layers.%u.mlp.fc11", false},
    {SLOT_FFN_UP, "encoder.layers.%u.mlp.fc1", false},
    {SLOT_FFN_DOWN, "encoder.layers.%u.mlp.fc2", false},
    {SLOT_FFN_NORM, "encoder.layers.%u.norm2", false},
    {0},
};

/* activation_function: what the gate goes through; of gelu alone there is no gate. */
static const struct {
    const char *name;
    enum activation activation;
    bool gated;
} activations[] = {
    {"swiglu", ACTIVATION_SILU, true},
    {"geglu", ACTIVATION_GELU, true},
    {"glu", ACTIVATION_SIGMOID, true},
    {"gelu", ACTIVATION_GELU, false},
};

static void read_activation(struct config *c, struct stack_spec *spec) {
    const char *name = json_get_string(c->json, "activation_function", "gelu_new");
    for (size_t i = 0; i < ARRAY_LEN(activations); i++)
        if (strcmp(activations[i].name, name) == 0) {
            spec->activation = activations[i].activation;
            spec->flags |= activations[i].gated ? STACK_GATED : 0;
            return;
        }
    config_fail(c, "\"activation_function\" is \"%.40s\"; Brisk runs swiglu, geglu, glu and gelu",
                name);
}

static void refuse_others(struct config *c) {
    static const char *const flags[] = {"prenorm", "parallel_block", "use_rms_norm", "causal",
                                        "rotary_emb_interleaved"};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (config_bool(c, flags[i], false))
            config_fail(c, "\"%s\" is true; of this family Brisk runs only false", flags[i]);
    if (config_number(c, "rotary_emb_fraction", 0) != 1)
        config_fail(c, "\"rotary_emb_fraction\" is %g; of this family Brisk runs only 1",
                    config_number(c, "rotary_emb_fraction", 0));
    if (config_number(c, "rotary_emb_scale_base", 0) != 0)
        config_fail(c, "\"rotary_emb_scale_base\" is not null; Brisk has no xPos");
    if (config_number(c, "num_experts", 0) > 0)
        config_fail(c, "\"num_experts\" is not 0; Brisk does not run this family's experts "
                       "(nomic-embed-text-v2-moe)");
}

/* Texts beyond max_trained_positions would have other frequencies for each length: they are held
 * to it, unless rotary_scaling_factor is null. */
static uint32_t read_positions(struct config *c) {
    const struct json *factor = json_get(c->json, "rotary_scaling_factor");
    const uint32_t positions = config_size_or(c, "n_positions", 1024, LIMIT_POSITIONS);
    const uint32_t trained = config_size_or(c, "max_trained_positions", 2048, LIMIT_POSITIONS);
    const bool scales =
        factor ? !json_is_null(factor) && config_number(c, "rotary_scaling_factor", 1) != 0 : true;
    return scales && trained < positions ? trained : positions;
}

/* Gates are a multiple of GATE_MULTIPLE wide, whatever n_inner says. */
static uint32_t read_inner(struct config *c, const struct stack_spec *spec) {
    const bool gated = stack_has(spec, STACK_GATED);
    const uint32_t otherwise = gated ? 8 * spec->hidden_size / 3 : 4 * spec->hidden_size;
    const uint32_t size = config_size_or(c, "n_inner", otherwise, 8 * LIMIT_HIDDEN_SIZE);
    return gated ? (size + GATE_MULTIPLE - 1) / GATE_MULTIPLE * GATE_MULTIPLE : size;
}

static uint32_t vocab_size(struct config *c) {
    const uint32_t size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE);
    const uint32_t of = config_size_or(c, "pad_vocab_size_multiple", 1, LIMIT_VOCAB_SIZE);
    return (size + of - 1) / of * of;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const uint32_t hidden = config_size(c, "n_embd", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "n_head", LIMIT_HIDDEN_SIZE);
    struct stack_spec spec = {
        .name = "encoder",
        .names = names,
        .vocab_size = vocab_size(c),
        .hidden_size = hidden,
        .layers = config_size(c, "n_layer", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, "n_head", heads, "n_embd", hidden),
        .max_positions = read_positions(c),
        .token_types = config_size_or(c, "type_vocab_size", 2, LIMIT_VOCAB_SIZE),
        .flags = STACK_EMBED_NORM,
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_POST,
        .norm_eps = config_eps(c, "layer_norm_epsilon", 1e-5f),
    };
    read_activation(c, &spec);
    spec.intermediate_size = read_inner(c, &spec);
    refuse_others(c);
    config_rope(c, &spec, 0, config_number(c, "rotary_emb_base", 1000), spec.head_size, NULL);
    arch_of_encoder(arch, c, "bert.", &spec);
}

/* The transform is silu where the gates are, else gelu. */
static void masks_head(struct arch *arch, struct config *c) {
    const bool silu = arch->stacks[0].activation == ACTIVATION_SILU;
    head_of_masks(arch, c, "cls.predictions.transform.dense",
                  silu ? ACTIVATION_SILU : ACTIVATION_GELU, "cls.predictions.transform.layer_norm",
                  "cls.predictions.decoder");
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForPreTraining", masks_head},
    {"ForMaskedLM", masks_head},
    {"ForSequenceClassification", head_of_pooled_classes},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {"ForMultipleChoice", head_of_pooled_choice},
    {0},
};

static const struct family_type types[] = {{"nomic_bert", "NomicBert"}, {0}};

const struct family family_nomic_bert = {
    .name = "nomic_bert",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
