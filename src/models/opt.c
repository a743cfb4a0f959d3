/* OPT (Zhang et al. 2022), as transformers' OPTModel: learned positions from row 2 on, norms before
 * or behind (OPT-350M) each block, ReLU, and embeddings that may be narrower than the stream, which
 * then is projected back to their size. */
#include "models/gpt.h"

static const struct slot_name names[] = {
    {SLOT_FINAL_NORM, "decoder.final_layer_norm", false},
    {SLOT_ATTN_NORM, "decoder.layers.%u.self_attn_layer_norm", false},
    {SLOT_FFN_NORM, "decoder.layers.%u.final_layer_norm", false},
    {SLOT_EMBED_TOKENS, "decoder.embed_tokens", false},
    {SLOT_EMBED_POSITIONS, "decoder.embed_positions", false},
    {SLOT_EMBED_PROJECT, "decoder.project_in", false},
    {SLOT_OUT_PROJECT, "decoder.project_out", false},
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
        spec.flags |= STACK_PROJECT_TOKENS | STACK_PROJECT_OUT;
    }
    if (!config_bool(c, "layer_norm_elementwise_affine", true))
        config_fail(c, "\"layer_norm_elementwise_affine\" is false; Brisk runs only true");
    arch_of_gpt(arch, c, &spec, "model.", (const int32_t[]){2, 2, 1});
}

static const struct head_row heads[] = {
    {"Model", NULL},
    {"ForCausalLM", head_of_tied_lm},
    {"ForSequenceClassification", head_of_text_score},
    {"ForQuestionAnswering", head_of_spans},
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
