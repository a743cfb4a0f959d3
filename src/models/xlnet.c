/* XLNet (Yang et al. 2019), as transformers' XLNetModel: BERT's layers without a table of
 * positions, whose attention knows distances and whether two tokens are of one segment. Classes of
 * texts come from the last token, as <cls> is there. XLNetLMHeadModel writes text as generate()
 * feeds it: a prompt's tokens see each other, and then the last one is read again beside each new
 * one. The pipeline's article before a prompt has to be sent as `prefix`. */
#include "models/xlnet.h"

#include <math.h>
#include <string.h>

#define MAX_POSITIONS 2048 /* the model knows no limit; a text is one pass */
#define TOKEN_TYPES   4    /* two segments, <cls>, padding */

static const struct slot_name names[] = {
    {SLOT_EMBED_TOKENS, "word_embedding", false},
    {SLOT_ATTN_Q, "layer.%u.rel_attn.q", true},
    {SLOT_ATTN_K, "layer.%u.rel_attn.k", true},
    {SLOT_ATTN_V, "layer.%u.rel_attn.v", true},
    {SLOT_ATTN_OUT, "layer.%u.rel_attn.o", false},
    {SLOT_ATTN_NORM, "layer.%u.rel_attn.layer_norm", false},
    {SLOT_FFN_UP, "layer.%u.ff.layer_1", false},
    {SLOT_FFN_DOWN, "layer.%u.ff.layer_2", false},
    {SLOT_FFN_NORM, "layer.%u.ff.layer_norm", false},
    {0},
};

static uint32_t vocab_size(struct config *c) {
    const bool old = json_get(c->json, "vocab_size") == NULL; /* XLNet's own name of it */
    return config_size(c, old ? "n_token" : "vocab_size", LIMIT_VOCAB_SIZE);
}

static struct hook read_hook(struct config *c, const struct stack_spec *spec) {
    struct hook hook = {.table = &xlnet_attention, .max_in = spec->hidden_size};
    const double clamp = config_number(c, "clamp_len", -1);
    config_only(c, "attn_type", "bi");
    if (config_bool(c, "bi_data", false))
        config_fail(c, "\"bi_data\" is true, which reads half of a batch backwards; Brisk runs "
                       "only false");
    if (clamp != floor(clamp) || clamp > LIMIT_POSITIONS)
        config_fail(c, "\"clamp_len\" is %g, must be a whole number, -1 for none or up to %d",
                    clamp, LIMIT_POSITIONS);
    else if (clamp > 0)
        hook.options[XLNET_CLAMP] = (uint32_t)clamp;
    if (spec->hidden_size % 2 != 0)
        config_fail(c, "\"d_model\" is %u, must be even: half of a distance are sines",
                    spec->hidden_size);
    return hook;
}

static void write_text(struct config *c, struct stack_spec *spec) {
    const struct json *memory = json_get(c->json, "mem_len");
    if (config_number(c, "reuse_len", 0) > 0 || !config_bool(c, "use_mems_eval", true))
        return;
    if (!memory || (!json_is_null(memory) && config_number(c, "mem_len", 0) != 0))
        spec->hook.options[XLNET_MEMORY] = config_size_or(c, "mem_len", 512, LIMIT_POSITIONS);
    spec->hook.table = &xlnet_two_streams;
    spec->flags |= STACK_CAUSAL | STACK_TWO_SIDED;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    const uint32_t hidden = config_size(c, "d_model", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "n_head", LIMIT_HIDDEN_SIZE);
    struct stack_spec spec = {
        .name = "encoder",
        .names = names,
        .vocab_size = vocab_size(c),
        .hidden_size = hidden,
        .intermediate_size = config_size(c, "d_inner", 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, "n_layer", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = config_head_size(c, "n_head", heads, "d_model", hidden),
        .max_positions = MAX_POSITIONS,
        .token_types = TOKEN_TYPES,
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_POST,
        .norm_eps = config_eps(c, "layer_norm_eps", 1e-12f),
        .activation = config_activation(c, "ff_activation", ACTIVATION_GELU),
    };
    if (config_size_or(c, "d_head", spec.head_size, LIMIT_HIDDEN_SIZE) != spec.head_size)
        config_fail(c, "\"d_head\" must be d_model / n_head = %u", spec.head_size);
    spec.hook = read_hook(c, &spec);
    if (strcmp(suffix, "LMHeadModel") == 0)
        write_text(c, &spec);
    arch_of_encoder(arch, c, "transformer.", &spec);
    arch->bos = config_token(c, "bos_token_id", 1);
    arch->eos = config_token(c, "eos_token_id", 2);
    arch->pad = config_token(c, "pad_token_id", 5);
}

/* XLNetSequenceSummary's token; a text ends with <cls>. */
static enum head_rows summary_rows(struct config *c) {
    const char *type = json_get_string(c->json, "summary_type", "last");
    if (strcmp(type, "last") == 0 || strcmp(type, "cls_index") == 0)
        return ROWS_LAST;
    if (strcmp(type, "mean") == 0)
        return ROWS_MEAN;
    if (strcmp(type, "first") != 0)
        config_fail(c, "\"summary_type\" is \"%.40s\", must be last, cls_index, first or mean",
                    type);
    return ROWS_FIRST;
}

static void summary_head(struct arch *arch, struct config *c, uint32_t outputs) {
    const struct json *activation = json_get(c->json, "summary_activation");
    const bool none = activation && json_is_null(activation);
    if (!config_bool(c, "summary_use_proj", true) ||
        config_bool(c, "summary_proj_to_labels", false))
        config_fail(c, "\"summary_use_proj\" must be true and \"summary_proj_to_labels\" false");
    head_begin(arch, HEAD_SEQUENCE, summary_rows(c));
    head_add(arch, "sequence_summary.summary", arch->stacks[0].hidden_size)->activation =
        none ? ACTIVATION_NONE : config_activation(c, "summary_activation", ACTIVATION_TANH);
    head_add(arch, "logits_proj", outputs);
}

static void lm_head(struct arch *arch, struct config *c) {
    if (!stack_has(&arch->stacks[0], STACK_CAUSAL))
        return;
    head_begin(arch, HEAD_LM, ROWS_ALL);
    head_add(arch, "lm_loss", arch->stacks[0].vocab_size)->tied =
        config_bool(c, "tie_word_embeddings", true);
}

static void sequence_head(struct arch *arch, struct config *c) {
    summary_head(arch, c, config_labels(c));
}

static void choice_head(struct arch *arch, struct config *c) {
    summary_head(arch, c, 1);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"LMHeadModel", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnsweringSimple", head_of_spans},
    {"ForMultipleChoice", choice_head},
    {0},
};

static const struct family_type types[] = {{"xlnet", "XLNet"}, {0}};

const struct family family_xlnet = {
    .name = "xlnet",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
