/* Longformer (Beltagy et al. 2020), as transformers' LongformerModel: RoBERTa's layers, whose
 * tokens see a window around them; a few at the text's beginning see all and are seen by all,
 * through projections of their own: the first token of a text to be classified, the question's
 * tokens. */
#include "models/longformer.h"

#include <string.h>

uint32_t config_attention_window(struct config *c) {
    const struct json *list = json_get(c->json, "attention_window");
    int64_t window = 512, n = 0;
    if (json_is(list, JSON_NUMBER) && !json_to_int(list, &window))
        window = 0;
    for (size_t i = 0; json_is(list, JSON_ARRAY) && json_at(list, i); i++) {
        if (!json_to_int(json_at(list, i), &n) || (i > 0 && n != window))
            config_fail(c, "\"attention_window\" has other numbers for other layers; Brisk runs "
                           "only one for all");
        window = n;
    }
    if (window < 2 || window % 2 != 0 || window > LIMIT_POSITIONS)
        config_fail(c, "\"attention_window\" is %lld, must be even and 2 to %d", (long long)window,
                    LIMIT_POSITIONS);
    return (uint32_t)window;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    struct stack_spec spec = config_encoder(c);
    config_positions_after(c, &spec, (uint32_t)(config_token(c, "pad_token_id", 1) + 1));
    spec.window = config_attention_window(c);
    memset(spec.layer_kinds, LAYER_LOCAL, sizeof spec.layer_kinds);
    spec.hook.table = &longformer_attention;
    spec.hook.options[LONGFORMER_SEPARATOR] = (uint32_t)config_token(c, "sep_token_id", 2);
    if (strcmp(suffix, "ForSequenceClassification") == 0)
        spec.hook.options[LONGFORMER_GLOBALS] = FIRST_GLOBAL;
    if (strcmp(suffix, "ForQuestionAnswering") == 0)
        spec.hook.options[LONGFORMER_GLOBALS] = QUESTION_GLOBAL;
    arch_of_encoder(arch, c, "longformer.", &spec);
    arch->bos = config_token(c, "bos_token_id", 0);
    arch->eos = config_token(c, "eos_token_id", 2);
    arch->pad = config_token(c, "pad_token_id", 1);
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_of_dense_classes(arch, c, ACTIVATION_TANH);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", head_of_roberta_masks},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", head_of_spans},
    {0},
};

static const struct family_type types[] = {{"longformer", "Longformer"}, {0}};

const struct family family_longformer = {
    .name = "longformer",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
