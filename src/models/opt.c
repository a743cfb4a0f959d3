/* OPT (Zhang et al. 2022), as transformers' OPTModel: learned positions from row 2 on, norms before
 * or behind (OPT-350M) each block, ReLU, and embeddings that may be narrower than the stream, which
 * then is projected back before the head. */
#include "models/gpt.h"

static const struct slot_name names[] = {
    {SLOT_FINAL_NORM, "decoder.final_layer_norm", false},
    {SLOT_ATTN_NORM, "decoder.layers.%u.self_attn_layer_norm", false},
    {SLOT_FFN_NORM, "decoder.layers.%u.final_layer_norm", false},
    {SLOT_EMBED_TOKENS, "decoder.embed_tokens", false},
    {SLOT_EMBED_POSITIONS, "decoder.embed_positions", false},
    {SLOT_EMBED_PROJECT, "decoder.project_in", false},
    {SLOT_ATTN_Q, "decoder.layers.%u.self_attn.q_proj", false},
    {SLOT_ATTN_K, "decoder.layers.%u.self_attn.k_proj", false},
    {SLOT_ATTN_V, "decoder.layers.%u.self_attn.v_proj", false},
    {SLOT_ATTN_OUT, "decoder.layers.%u.self_attn.out_proj", false},
    {SLOT_FFN_UP, "decoder.layers.%u.fc1", false},
    {SLOT_FFN_DOWN, "decoder.layers.%u.fc2", false},
    {0},
};

static const struct gpt_keys keys = {
    .hidden = "hidden_size",
    .layers = "num_hidden_layers",
    .heads = "num_attention_heads",
    .inside = "ffn_dim",
    .positions = "max_position_embeddings",
    .activation = "activation_function",
    .max_positions = 2048,
};

static void describe(struct arch *arch, struct config *c, const char *suffix) {
    (void)suffix;
    struct stack_spec spec = config_gpt(c, &keys, ACTIVATION_RELU);
    const bool before = config_bool(c, "do_layer_norm_before", true);
    const uint32_t embed =
        config_size_or(c, "word_embed_proj_dim", spec.hidden_size, LIMIT_HIDDEN_SIZE);
    spec.names = names;
    spec.positions = POSITIONS_LEARNED;
    spec.position_offset = 2;
    spec.norm_place = before ? NORM_PRE : NORM_POST;
    if (!before || config_bool(c, "_remove_final_layer_norm", false))
        spec.flags &= ~(uint32_t)STACK_FINAL_NORM;
    if (embed != spec.hidden_size) {
        spec.embed_size = embed;
        spec.flags |= STACK_PROJECT_TOKENS;
    }
    if (!config_bool(c, "layer_norm_elementwise_affine", true))
        config_fail(c, "\"layer_norm_elementwise_affine\" is false; Brisk runs only true");
    arch_of_gpt(arch, c, &spec, "model.", (const int32_t[]){2, 2, 1});
}

/* ---- heads: they read what has been projected back ---- */
static struct head_step *add(struct arch *arch, enum head_kind kind, enum head_rows rows,
                             const char *linear, uint32_t outputs) {
    head_begin(arch, kind, rows);
    if (arch->stacks[0].embed_size > 0)
        head_add(arch, "decoder.project_out", arch->stacks[0].embed_size);
    return head_add(arch, linear, outputs);
}

/* OPTModel gives the projected states, which Brisk does not. */
static void features(struct arch *arch, struct config *c) {
    if (arch->stacks[0].embed_size > 0)
        config_fail(c,
                    "OPTModel with \"word_embed_proj_dim\" %u; Brisk runs it only where that is "
                    "hidden_size %u",
                    arch->stacks[0].embed_size, arch->stacks[0].hidden_size);
}

static void words(struct arch *arch, struct config *c) {
    add(arch, HEAD_LM, ROWS_LAST, "lm_head", arch->stacks[0].vocab_size)->tied =
        config_bool(c, "tie_word_embeddings", true);
}

static void texts(struct arch *arch, struct config *c) {
    add(arch, HEAD_SEQUENCE, ROWS_LAST, "score", config_labels(c));
}

static void spans(struct arch *arch, struct config *c) {
    (void)c;
    add(arch, HEAD_SPAN, ROWS_ALL, "qa_outputs", 2);
}

static const struct head_row heads[] = {
    {"Model", features},
    {"ForCausalLM", words},
    {"ForSequenceClassification", texts},
    {"ForQuestionAnswering", spans},
    {0},
};

static const struct family_type types[] = {{"opt", "OPT"}, {0}};

const struct family family_opt = {
    .name = "opt",
    .types = types,
    .heads = heads,
    .base = "ForCausalLM",
    .describe = describe,
};
