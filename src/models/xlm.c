/* XLM (Lample & Conneau 2019) and FlauBERT (Le et al. 2020) as encoders, as transformers' XLMModel
 * and FlaubertModel: BERT's layers, with FlauBERT's pre_norm the norms stand before the blocks.
 * Token types are rows of the token table itself. Pipelines name no language, so its embeddings are
 * left alone. */
#include "models/family.h"

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "embeddings", false},
    {SLOT_EMBED_POSITIONS, "position_embeddings", false},
    {SLOT_EMBED_TYPES, "embeddings", false},
    {SLOT_EMBED_NORM, "layer_norm_emb", false},
    {SLOT_ATTN_Q, "attentions.%u.q_lin", false},
    {SLOT_ATTN_K, "attentions.%u.k_lin", false},
    {SLOT_ATTN_V, "attentions.%u.v_lin", false},
    {SLOT_ATTN_OUT, "attentions.%u.out_lin", false},
    {SLOT_ATTN_NORM, "layer_norm1.%u", false},
    {SLOT_FFN_UP, "ffns.%u.lin1", false},
    {SLOT_FFN_DOWN, "ffns.%u.lin2", false},
    {SLOT_FFN_NORM, "layer_norm2.%u", false},
    {0},
};

static uint32_t vocab_size(struct config *c) {
    const bool old = json_get(c->json, "vocab_size") == NULL; /* XLM's own name of it */
    return config_size(c, old ? "n_words" : "vocab_size", LIMIT_VOCAB_SIZE);
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const uint32_t dim = config_size(c, "emb_dim", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "n_heads", LIMIT_HIDDEN_SIZE);
    if (config_bool(c, "causal", false) || !config_bool(c, "is_encoder", true))
        config_fail(c, "\"causal\" is true or \"is_encoder\" false; Brisk runs only encoders of "
                       "this family");
    const struct stack_spec spec = {
        .name = "encoder",
        .names = names,
        .vocab_size = vocab_size(c),
        .hidden_size = dim,
        .intermediate_size = 4 * dim,
        .layers = config_size(c, "n_layers", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, "n_heads", heads, "emb_dim", dim),
        .max_positions = config_size_or(c, "max_position_embeddings", 512, LIMIT_POSITIONS),
        .positions = POSITIONS_LEARNED, /* sines too stand in the checkpoint */
        .token_types = vocab_size(c),
        .flags = STACK_EMBED_NORM,
        .norm_kind = NORM_LAYER,
        .norm_place = config_bool(c, "pre_norm", false) ? NORM_PRE : NORM_POST,
        .norm_eps = config_eps(c, "layer_norm_eps", 1e-12f),
        .activation = config_bool(c, "gelu_activation", true) ? ACTIVATION_GELU : ACTIVATION_RELU,
    };
    arch_of_encoder(arch, c, "transformer.", &spec);
    arch->bos = config_token(c, "bos_token_id", 0);
    arch->pad = config_token(c, "pad_token_id", 2);
}

static void lm_head(struct arch *arch, struct config *c) {
    if (config_bool(c, "asm", false))
        config_fail(c, "\"asm\" is true; Brisk has no adaptive softmax");
    head_begin(arch, HEAD_LM, ROWS_ALL);
    head_add(arch, "pred_layer.proj", arch->stacks[0].vocab_size)->tied =
        config_bool(c, "tie_word_embeddings", true);
}

static void sequence_head(struct arch *arch, struct config *c) {
    config_only(c, "summary_type", "first");
    if (!config_bool(c, "summary_use_proj", true) ||
        !config_bool(c, "summary_proj_to_labels", true))
        config_fail(c, "\"summary_use_proj\" and \"summary_proj_to_labels\" must be true");
    head_begin(arch, HEAD_SEQUENCE, ROWS_FIRST);
    head_add(arch, "sequence_summary.summary", config_labels(c))->activation =
        config_activation(c, "summary_activation", ACTIVATION_NONE);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"WithLMHeadModel", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnsweringSimple", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"xlm", "XLM"}, {"flaubert", "Flaubert"}, {0}};

const struct family family_xlm = {
    .name = "xlm",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
