/* BigBird (Zaheer et al. 2020), as transformers' BigBirdModel: BERT's layers, with blocks left out
 * of the attention to texts of more than (5 + 2 num_random_blocks) * block_size tokens.
 *
 * transformers never leaves blocks out again once it was given a shorter text; Brisk answers each
 * as if it was the first. */
#include "models/big_bird.h"

#include <math.h>
#include <string.h>

/* Blocks are left out of some texts, if any is that long. */
static void read_blocks(struct config *c, struct stack_spec *spec) {
    struct hook hook = {.table = &big_bird_attention};
    hook.options[BIG_BIRD_BLOCK] = config_size_or(c, "block_size", 64, LIMIT_POSITIONS);
    hook.options[BIG_BIRD_RANDOM] = config_size_or(c, "num_random_blocks", 3, LIMIT_POSITIONS);
    if (big_bird_full_tokens(hook.options) < spec->max_positions)
        spec->hook = hook;
}

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_encoder(c);
    const char *type = json_get_string(c->json, "attention_type", "block_sparse");
    if (!json_get(c->json, "max_position_embeddings"))
        spec.max_positions = 4096;
    if (strcmp(type, "block_sparse") != 0 && strcmp(type, "original_full") != 0)
        config_fail(c, "\"attention_type\" is \"%.40s\", must be block_sparse or original_full",
                    type);
    if (strcmp(type, "block_sparse") == 0)
        read_blocks(c, &spec);
    if (!json_get(c->json, "hidden_act"))
        spec.activation = ACTIVATION_GELU_TANH;
    if (config_bool(c, "rescale_embeddings", false))
        spec.embed_scale = sqrtf((float)spec.hidden_size);
    config_encoder_only(c);
    arch_of_encoder(arch, c, "bert.", &spec);
    arch->bos = config_token(c, "bos_token_id", 1);
    arch->eos = config_token(c, "eos_token_id", 2);
}

static void sequence_head(struct arch *arch, struct config *c) {
    head_of_dense_classes(arch, c, arch->stacks[0].activation);
}

/* A feed-forward as the layers have it, then the spans. Of a text "[CLS] question [SEP] context
 * [SEP]" the class looks for the end of the question itself. */
static void span_head(struct arch *arch, struct config *c) {
    const struct stack_spec *stack = &arch->stacks[0];
    head_begin(arch, HEAD_SPAN, ROWS_ALL);
    head_add(arch, "qa_classifier.intermediate.dense", stack->intermediate_size)->activation =
        stack->activation;
    struct head_step *out = head_add(arch, "qa_classifier.output.dense", stack->hidden_size);
    out->residual = true;
    out->norm = "qa_classifier.output.LayerNorm";
    head_add(arch, "qa_classifier.qa_outputs", 2);
    arch->question_end = config_token(c, "sep_token_id", 66);
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForMaskedLM", head_of_bert_masks},
    {"ForPreTraining", head_of_bert_masks},
    {"ForSequenceClassification", sequence_head},
    {"ForTokenClassification", head_of_tokens},
    {"ForQuestionAnswering", span_head},
    {0},
};

static const struct family_type types[] = {{"big_bird", "BigBird"}, {0}};

const struct family family_big_bird = {
    .name = "big_bird",
    .types = types,
    .heads = heads,
    .base = "Model",
    .describe = describe,
};
