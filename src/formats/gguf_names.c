/* What GGUF files call things and what transformers calls them: architectures, keys of the config,
 * tensors. Only tables and their look-up. A new architecture is a table of tensors, one of keys and
 * a line in `archs`; whether models/ runs it is not asked here.
 *
 * Facts from gguf's tensor_mapping.py and transformers' integrations/ggml.py and
 * modeling_gguf_pytorch_utils.py. */
#include <stdio.h>

#include "formats/gguf.h"

#define BLOCK "blk.%u."

/* ---- tensors ---- */

static const struct gguf_name gpt2_names[] = {
    {.name = "token_embd", .hf = "transformer.wte"},
    {.name = "position_embd", .hf = "transformer.wpe"},
    {.name = "output_norm", .hf = "transformer.ln_f"},
    {.name = "output", .hf = "lm_head"},
    {.name = BLOCK "attn_norm", .hf = "transformer.h.%u.ln_1"},
    {.name = BLOCK "attn_qkv", .hf = "transformer.h.%u.attn.c_attn", .turned = true},
    {.name = BLOCK "attn_output", .hf = "transformer.h.%u.attn.c_proj", .turned = true},
    {.name = BLOCK "ffn_norm", .hf = "transformer.h.%u.ln_2"},
    {.name = BLOCK "ffn_up", .hf = "transformer.h.%u.mlp.c_fc", .turned = true},
    {.name = BLOCK "ffn_down", .hf = "transformer.h.%u.mlp.c_proj", .turned = true},
    {0},
};

#define BERT_LAYER "encoder.layer.%u."
static const struct gguf_name bert_names[] = {
    {.name = "token_embd", .hf = "embeddings.word_embeddings"},
    {.name = "token_types", .hf = "embeddings.token_type_embeddings"},
    {.name = "position_embd", .hf = "embeddings.position_embeddings"},
    {.name = "token_embd_norm", .hf = "embeddings.LayerNorm"},
    {.name = BLOCK "attn_q", .hf = BERT_LAYER "attention.self.query"},
    {.name = BLOCK "attn_k", .hf = BERT_LAYER "attention.self.key"},
    {.name = BLOCK "attn_v", .hf = BERT_LAYER "attention.self.value"},
    {.name = BLOCK "attn_output", .hf = BERT_LAYER "attention.output.dense"},
    {.name = BLOCK "attn_output_norm", .hf = BERT_LAYER "attention.output.LayerNorm"},
    {.name = BLOCK "ffn_up", .hf = BERT_LAYER "intermediate.dense"},
    {.name = BLOCK "ffn_down", .hf = BERT_LAYER "output.dense"},
    {.name = BLOCK "layer_output_norm", .hf = BERT_LAYER "output.LayerNorm"},
    {0},
};

/* llama and its relatives; files of llama hold q and k with a head's rotary pairs side by side. */
#define LLAMA_LAYER "model.layers.%u."
#define LLAMA_NAMES(q_pairs, k_pairs)                                                              \
    {.name = "token_embd", .hf = "model.embed_tokens"},                                            \
        {.name = "output_norm", .hf = "model.norm"}, {.name = "output", .hf = "lm_head"},          \
        {.name = BLOCK "attn_norm", .hf = LLAMA_LAYER "input_layernorm"},                          \
        {.name = BLOCK "attn_q", .hf = LLAMA_LAYER "self_attn.q_proj", .row_pairs = (q_pairs)},    \
        {.name = BLOCK "attn_k", .hf = LLAMA_LAYER "self_attn.k_proj", .row_pairs = (k_pairs)},    \
        {.name = BLOCK "attn_v", .hf = LLAMA_LAYER "self_attn.v_proj"},                            \
        {.name = BLOCK "attn_output", .hf = LLAMA_LAYER "self_attn.o_proj"},                       \
        {.name = BLOCK "attn_q_norm", .hf = LLAMA_LAYER "self_attn.q_norm"},                       \
        {.name = BLOCK "attn_k_norm", .hf = LLAMA_LAYER "self_attn.k_norm"},                       \
        {.name = BLOCK "ffn_norm", .hf = LLAMA_LAYER "post_attention_layernorm"},                  \
        {.name = BLOCK "ffn_gate", .hf = LLAMA_LAYER "mlp.gate_proj"},                             \
        {.name = BLOCK "ffn_up", .hf = LLAMA_LAYER "mlp.up_proj"},                                 \
        {.name = BLOCK "ffn_down", .hf = LLAMA_LAYER "mlp.down_proj"}, {0},
static const struct gguf_name llama_names[] = {
    LLAMA_NAMES("attention.head_count", "attention.head_count_kv")};
static const struct gguf_name qwen_names[] = {LLAMA_NAMES(NULL, NULL)};

#define T5_ENCODER "encoder.block.%u.layer."
#define T5_DECODER "decoder.block.%u.layer."
static const struct gguf_name t5_names[] = {
    {.name = "token_embd", .hf = "shared"},
    {.name = "output", .hf = "lm_head"},
    {.name = "enc.output_norm", .hf = "encoder.final_layer_norm"},
    {.name = "enc.blk.%u.attn_norm", .hf = T5_ENCODER "0.layer_norm"},
    {.name = "enc.blk.%u.attn_q", .hf = T5_ENCODER "0.SelfAttention.q"},
    {.name = "enc.blk.%u.attn_k", .hf = T5_ENCODER "0.SelfAttention.k"},
    {.name = "enc.blk.%u.attn_v", .hf = T5_ENCODER "0.SelfAttention.v"},
    {.name = "enc.blk.%u.attn_o", .hf = T5_ENCODER "0.SelfAttention.o"},
    {.name = "enc.blk.%u.attn_rel_b", .hf = T5_ENCODER "0.SelfAttention.relative_attention_bias"},
    {.name = "enc.blk.%u.ffn_norm", .hf = T5_ENCODER "1.layer_norm"},
    {.name = "enc.blk.%u.ffn_gate", .hf = T5_ENCODER "1.DenseReluDense.wi_0"},
    {.name = "enc.blk.%u.ffn_up", .hf = T5_ENCODER "1.DenseReluDense.wi_1"},
    {.name = "enc.blk.%u.ffn_down", .hf = T5_ENCODER "1.DenseReluDense.wo"},
    {.name = "dec.output_norm", .hf = "decoder.final_layer_norm"},
    {.name = "dec.blk.%u.attn_norm", .hf = T5_DECODER "0.layer_norm"},
    {.name = "dec.blk.%u.attn_q", .hf = T5_DECODER "0.SelfAttention.q"},
    {.name = "dec.blk.%u.attn_k", .hf = T5_DECODER "0.SelfAttention.k"},
    {.name = "dec.blk.%u.attn_v", .hf = T5_DECODER "0.SelfAttention.v"},
    {.name = "dec.blk.%u.attn_o", .hf = T5_DECODER "0.SelfAttention.o"},
    {.name = "dec.blk.%u.attn_rel_b", .hf = T5_DECODER "0.SelfAttention.relative_attention_bias"},
    {.name = "dec.blk.%u.cross_attn_norm", .hf = T5_DECODER "1.layer_norm"},
    {.name = "dec.blk.%u.cross_attn_q", .hf = T5_DECODER "1.EncDecAttention.q"},
    {.name = "dec.blk.%u.cross_attn_k", .hf = T5_DECODER "1.EncDecAttention.k"},
    {.name = "dec.blk.%u.cross_attn_v", .hf = T5_DECODER "1.EncDecAttention.v"},
    {.name = "dec.blk.%u.cross_attn_o", .hf = T5_DECODER "1.EncDecAttention.o"},
    {.name = "dec.blk.%u.ffn_norm", .hf = T5_DECODER "2.layer_norm"},
    {.name = "dec.blk.%u.ffn_gate", .hf = T5_DECODER "2.DenseReluDense.wi_0"},
    {.name = "dec.blk.%u.ffn_up", .hf = T5_DECODER "2.DenseReluDense.wi_1"},
    {.name = "dec.blk.%u.ffn_down", .hf = T5_DECODER "2.DenseReluDense.wo"},
    {0},
};

/* ---- keys ---- */

static const struct gguf_key gpt2_keys[] = {
    {"block_count", "n_layer"},
    {"context_length", "n_ctx"},
    {"context_length", "n_positions"},
    {"embedding_length", "n_embd"},
    {"feed_forward_length", "n_inner"},
    {"attention.head_count", "n_head"},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
    {0},
};

#define COMMON_KEYS                                                                                \
    {"context_length", "max_position_embeddings"}, {"block_count", "num_hidden_layers"},           \
        {"feed_forward_length", "intermediate_size"}, {"embedding_length", "hidden_size"},         \
        {"attention.head_count", "num_attention_heads"}, {                                         \
        "vocab_size", "vocab_size"                                                                 \
    }

static const struct gguf_key bert_keys[] = {
    COMMON_KEYS,
    {"attention.layer_norm_epsilon", "layer_norm_eps"},
    {0},
};

#define LLAMA_KEYS                                                                                 \
    COMMON_KEYS, {"attention.head_count_kv", "num_key_value_heads"},                               \
        {"attention.layer_norm_rms_epsilon", "rms_norm_eps"}, {                                    \
        "rope.freq_base", "rope_theta"                                                             \
    }

static const struct gguf_key llama_keys[] = {
    LLAMA_KEYS,
    {"rope.dimension_count", "head_dim"},
    {0},
};
static const struct gguf_key qwen2_keys[] = {LLAMA_KEYS, {0}};
static const struct gguf_key qwen3_keys[] = {
    LLAMA_KEYS,
    {"attention.key_length", "head_dim"},
    {0},
};

static const struct gguf_key t5_keys[] = {
    {"context_length", "n_positions"},
    {"block_count", "num_layers"},
    {"feed_forward_length", "d_ff"},
    {"embedding_length", "d_model"},
    {"attention.key_length", "d_kv"},
    {"attention.head_count", "num_heads"},
    {"attention.layer_norm_rms_epsilon", "layer_norm_epsilon"},
    {"attention.layer_norm_epsilon", "layer_norm_epsilon"},
    {"attention.relative_buckets_count", "relative_attention_num_buckets"},
    {"decoder_start_token_id", "decoder_start_token_id"},
    {"vocab_size", "vocab_size"},
    {0},
};

/* ---- architectures ---- */

static const struct gguf_arch archs[] = {
    {"bert", "bert", bert_keys, bert_names},     {"gpt2", "gpt2", gpt2_keys, gpt2_names},
    {"llama", "llama", llama_keys, llama_names}, {"qwen2", "qwen2", qwen2_keys, qwen_names},
    {"qwen3", "qwen3", qwen3_keys, qwen_names},  {"t5", "t5", t5_keys, t5_names},
};

enum status gguf_arch_of(const struct gguf_arch **out, const struct gguf *gguf, struct error *err) {
    const struct gguf_value *value = gguf_find(gguf, "general.architecture");
    if (!gguf_is_string(value))
        return ERR(err, MODEL, "lacks the key \"general.architecture\": it holds no model");
    char known[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < ARRAY_LEN(archs); i++) {
        if (strlen(archs[i].name) == value->len &&
            memcmp(archs[i].name, value->data, (size_t)value->len) == 0) {
            *out = &archs[i];
            return STATUS_OK;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 archs[i].name);
    }
    return ERR(err, MODEL,
               "\"general.architecture\" is \"%.*s\"; of GGUF files Brisk reads %s: download the "
               "original repository it was made from",
               (int)(value->len < 60 ? value->len : 60), (const char *)value->data, known);
}

const struct gguf_value *gguf_arch_value(const struct gguf *gguf, const struct gguf_arch *arch,
                                         const char *key) {
    char full[128];
    snprintf(full, sizeof full, "%s.%s", arch->name, key);
    return gguf_find(gguf, full);
}

/* Whether text[len] is the pattern with some number for "%u"; writes the number's digits. */
static bool matches(const char *pattern, const char *text, size_t len, const char **digits,
                    size_t *n_digits) {
    const char *mark = strstr(pattern, "%u");
    *n_digits = 0;
    if (mark == NULL)
        return strlen(pattern) == len && memcmp(pattern, text, len) == 0;
    const size_t before = (size_t)(mark - pattern), after = strlen(mark + 2);
    if (len <= before + after || memcmp(pattern, text, before) != 0 ||
        memcmp(mark + 2, text + len - after, after) != 0)
        return false;
    *digits = text + before;
    *n_digits = len - before - after;
    for (size_t i = 0; i < *n_digits; i++) {
        if ((*digits)[i] < '0' || (*digits)[i] > '9')
            return false;
    }
    return true;
}

const struct gguf_name *gguf_rename(const struct gguf_arch *arch, const struct gguf_tensor *tensor,
                                    char *name, size_t size) {
    size_t stem = tensor->name_len; /* up to the last dot: ".weight" or ".bias" is kept */
    while (stem > 0 && tensor->name[stem - 1] != '.')
        stem--;
    if (stem == 0)
        return NULL;
    stem--;
    for (const struct gguf_name *row = arch->names; row->name != NULL; row++) {
        const char *digits = "";
        size_t n_digits = 0;
        if (!matches(row->name, tensor->name, stem, &digits, &n_digits))
            continue;
        const char *mark = strstr(row->hf, "%u");
        const int before = mark != NULL ? (int)(mark - row->hf) : (int)strlen(row->hf);
        snprintf(name, size, "%.*s%.*s%s%.*s", before, row->hf, (int)n_digits, digits,
                 mark != NULL ? mark + 2 : "", (int)(tensor->name_len - stem), tensor->name + stem);
        return row;
    }
    return NULL;
}
