/* ConvBERT (Jiang et al. 2020), as transformers' ConvBertModel: ELECTRA's layers, half of whose
 * heads are a convolution; feed-forwards in groups, which the tensors' shapes tell. */
#include "models/convbert.h"

static struct hook read_conv(struct config *c, uint32_t width) {
    struct hook hook = {.table = &convbert_attention, .more_out = width};
    const uint32_t taps = config_size_or(c, "conv_kernel_size", 9, CONVBERT_TAPS_MOST);
    if (taps % 2 == 0)
        config_fail(c, "\"conv_kernel_size\" is %u, must be odd", taps);
    hook.options[CONVBERT_TAPS] = taps;
    return hook;
}

static void check_groups(struct config *c, const struct stack_spec *spec) {
    const uint32_t groups = config_size_or(c, "num_groups", 1, LIMIT_HIDDEN_SIZE);
    if (spec->hidden_size % groups != 0 || spec->intermediate_size % groups != 0)
        config_fail(c, "\"num_groups\" is %u, must divide hidden_size %u and intermediate_size %u",
                    groups, spec->hidden_size, spec->intermediate_size);
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    const uint32_t hidden = config_size(c, "hidden_size", LIMIT_HIDDEN_SIZE);
    const uint32_t all = config_size(c, "num_attention_heads", LIMIT_HIDDEN_SIZE);
    const uint32_t ratio = config_size_or(c, "head_ratio", 2, LIMIT_HIDDEN_SIZE);
    const uint32_t heads = all / ratio > 0 ? all / ratio : 1;
    if (hidden % heads != 0 || hidden / heads % 2 != 0)
        config_fail(c,
                    "\"num_attention_heads\" %u by \"head_ratio\" %u makes %u heads, which must "
                    "divide hidden_size %u into even parts",
                    all, ratio, heads, hidden);
    const uint32_t size = hidden / heads / 2 > 0 ? hidden / heads / 2 : 1;
    struct stack_spec spec = config_encoder_of(c, heads, size);
    spec.hook = read_conv(c, heads * size);
    config_encoder_only(c);
    config_embed_size(c, &spec, "embedding_size", 768);
    check_groups(c, &spec);
    arch_of_encoder(arch, c, "convbert.", &spec);
    arch->bos = config_token(c, "bos_token_id", 0);
    arch->eos = config_token(c, "eos_token_id", 2);
    arch->pad = config_token(c, "pad_token_id", 1);
}

/* The activation is gelu whatever hidden_act says. */
static void lm_head(struct arch *arch, struct config *c) {
    head_of_masks(arch, c, "generator_predictions.dense", ACTIVATION_GELU,
                  "generator_predictions.LayerNorm", "generator_lm_head");
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_of_dense_classes(arch, c, arch->stacks[0].activation);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", lm_head},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"convbert", "ConvBert"}, {0}};

const struct family family_convbert = {
    .name = "convbert",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
