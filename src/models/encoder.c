/* What most encoders since BERT have in common: their config's keys, their tensors' names, the
 * shapes of their heads. A family starts from these and says what is different. */
#include "models/family.h"

const struct slot_name encoder_slots[] = {BERT_SLOTS, {0}};

/* Without token types. */
static struct stack_spec layers_of(struct config *c, uint32_t heads, uint32_t head_size) {
    return (struct stack_spec){
        .name = "encoder",
        .names = encoder_slots,
        .vocab_size = config_size(c, "vocab_size", LIMIT_VOCAB_SIZE),
        .hidden_size = config_size(c, "hidden_size", LIMIT_HIDDEN_SIZE),
        .intermediate_size = config_size(c, "intermediate_size", 8 * LIMIT_HIDDEN_SIZE),
        .layers = config_size(c, "num_hidden_layers", LIMIT_LAYERS),
        .heads = heads,
        .kv_heads = heads,
        .head_size = head_size,
        .max_positions = config_size_or(c, "max_position_embeddings", 512, LIMIT_POSITIONS),
        .positions = POSITIONS_LEARNED,
        .flags = STACK_EMBED_NORM | (config_bool(c, "is_decoder", false) ? STACK_CAUSAL : 0),
        .norm_kind = NORM_LAYER,
        .norm_place = NORM_POST,
        .norm_eps = config_eps(c, "layer_norm_eps", 1e-12f),
        .activation = config_activation(c, "hidden_act", ACTIVATION_GELU),
    };
}

struct stack_spec config_encoder_layers(struct config *c) {
    const uint32_t hidden = config_size(c, "hidden_size", LIMIT_HIDDEN_SIZE);
    const uint32_t heads = config_size(c, "num_attention_heads", LIMIT_HIDDEN_SIZE);
    return layers_of(
        c, heads, config_head_size(c, "num_attention_heads", heads, "hidden_size", hidden));
}

struct stack_spec config_encoder_of(struct config *c, uint32_t heads, uint32_t head_size) {
    struct stack_spec spec = layers_of(c, heads, head_size);
    spec.token_types = config_size_or(c, "type_vocab_size", 2, LIMIT_VOCAB_SIZE);
    return spec;
}

struct stack_spec config_encoder(struct config *c) {
    struct stack_spec spec = config_encoder_layers(c);
    spec.token_types = config_size_or(c, "type_vocab_size", 2, LIMIT_VOCAB_SIZE);
    return spec;
}

void config_encoder_only(struct config *c) {
    if (config_bool(c, "is_decoder", false))
        config_fail(c, "\"is_decoder\" is true; Brisk runs only encoders of this family");
}

void config_embed_size(struct config *c, struct stack_spec *spec, const char *key,
                       uint32_t otherwise) {
    const uint32_t size = config_size_or(c, key, otherwise, LIMIT_HIDDEN_SIZE);
    spec->embed_size = size == spec->hidden_size ? 0 : size;
}

void config_positions_after(struct config *c, struct stack_spec *spec, uint32_t offset) {
    const uint32_t rows = spec->max_positions;
    if (rows <= offset)
        config_fail(c, "\"max_position_embeddings\" is %u, must be over pad_token_id + 1 = %u",
                    rows, offset);
    spec->max_positions = rows > offset ? rows - offset : 1;
    spec->position_offset = offset;
}

void arch_of_encoder(struct arch *arch, struct config *c, const char *prefix,
                     const struct stack_spec *spec) {
    arch->prefix = prefix;
    arch->n_stacks = 1;
    arch->stacks[0] = *spec;
    arch->bos = config_token(c, "bos_token_id", -1);
    arch->eos = config_token(c, "eos_token_id", -1);
    arch->pad = config_token(c, "pad_token_id", 0);
}

struct head_step *head_of_masks(struct arch *arch, struct config *c, const char *dense,
                                enum activation activation, const char *norm, const char *decoder) {
    const struct stack_spec *stack = &arch->stacks[0];
    head_begin(arch, HEAD_LM, stack_has(stack, STACK_CAUSAL) ? ROWS_LAST : ROWS_ALL);
    struct head_step *step =
        head_add(arch, dense, stack->embed_size > 0 ? stack->embed_size : stack->hidden_size);
    step->activation = activation;
    step->norm = norm;
    step = head_add(arch, decoder, stack->vocab_size);
    step->tied = config_bool(c, "tie_word_embeddings", true);
    return step;
}

void head_of_first(struct arch *arch, const char *dense, enum activation activation,
                   const char *last, uint32_t outputs) {
    head_begin(arch, HEAD_SEQUENCE, ROWS_FIRST);
    head_add(arch, dense, arch->stacks[0].hidden_size)->activation = activation;
    head_add(arch, last, outputs);
}

void head_of_pooled_classes(struct arch *arch, struct config *c) {
    head_of_first(arch, "pooler.dense", ACTIVATION_TANH, "classifier", config_labels(c));
}

void head_of_pooled_choice(struct arch *arch, struct config *c) {
    (void)c;
    head_of_first(arch, "pooler.dense", ACTIVATION_TANH, "classifier", 1);
}

void head_of_bert_masks(struct arch *arch, struct config *c) {
    head_of_masks(arch, c, "cls.predictions.transform.dense", arch->stacks[0].activation,
                  "cls.predictions.transform.LayerNorm", "cls.predictions.decoder")
        ->bias = "cls.predictions.bias";
}

/* The transform's activation is gelu whatever hidden_act says. */
void head_of_roberta_masks(struct arch *arch, struct config *c) {
    head_of_masks(arch, c, "lm_head.dense", ACTIVATION_GELU, "lm_head.layer_norm",
                  "lm_head.decoder")
        ->bias = "lm_head.bias";
}

void head_of_dense_classes(struct arch *arch, struct config *c, enum activation activation) {
    head_of_first(arch, "classifier.dense", activation, "classifier.out_proj", config_labels(c));
}
