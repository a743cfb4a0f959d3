/* What a family file hands in, and the helpers it is written with: checked reading of config.json
 * and the heads that most families share. Private to this room. */
#ifndef BRISK_MODELS_FAMILY_H
#define BRISK_MODELS_FAMILY_H

#include "models/models.h"

/* ---- reading config.json ----
 * The first thing that is wrong is kept in err and ends up as the description's error; what is read
 * afterwards is the default. So a family reads all its keys and asks once. */
struct config {
    const struct json *json;
    struct error *err;
    bool failed;
};

/* A whole number 1..most. An absent key is an error: without it there is no model. */
uint32_t config_size(struct config *config, const char *key, uint32_t most);
uint32_t config_size_or(struct config *config, const char *key, uint32_t otherwise, uint32_t most);
/* A norm's epsilon: finite, 0 or more (below it rows become NaN). */
float config_eps(struct config *config, const char *key, float otherwise);
/* A finite number. */
double config_number(struct config *config, const char *key, double otherwise);
bool config_bool(struct config *config, const char *key, bool otherwise);
/* An id, or the first of a list of ids; null is -1. */
int32_t config_token(struct config *config, const char *key, int32_t otherwise);
/* As transformers' ACT2FN names it. */
enum activation config_activation(struct config *config, const char *key,
                                  enum activation otherwise);
/* The only value Brisk runs for this key; another is refused by name. */
void config_only(struct config *config, const char *key, const char *value);
/* heads must divide hidden; returns the head size. */
uint32_t config_head_size(struct config *config, const char *heads_key, uint32_t heads,
                          const char *hidden_key, uint32_t hidden);
/* ---- rope.c: rotary positions ----
 * The stack's positions become rotary: ropes[which] turns the first `size` numbers of a head with
 * frequencies of this base, scaled as `scaling` (an object, or NULL) says. Reads the stack's head
 * size and max_positions, and of longrope its border, where the file names none. */
void config_rope(struct config *config, struct stack_spec *spec, uint32_t which, double base,
                 uint32_t size, const struct json *scaling);
/* ropes[0] by the usual keys: rope_theta, rope_scaling, partial_rotary_factor; base and share are
 * what the family takes where they are absent. */
void config_rope_standard(struct config *config, struct stack_spec *spec, double base,
                          double share);

void config_fail(struct config *config, const char *format, ...) PRINTF_LIKE(2, 3);

/* ---- heads ---- */

/* An architecture class is <class prefix><suffix>; `fill` adds its head to the arch. */
struct head_row {
    const char *suffix;                                     /* NULL ends the list */
    void (*fill)(struct arch *arch, struct config *config); /* NULL: hidden states only */
};

/* Starts a head of this kind; steps are added in order, the last one's outputs are the head's. */
void head_begin(struct arch *arch, enum head_kind kind, enum head_rows rows);
struct head_step *head_add(struct arch *arch, const char *linear, uint32_t outputs);
/* The same for the second head, on the stack of the first. */
void second_begin(struct arch *arch, enum head_kind kind);
struct head_step *second_add(struct arch *arch, const char *linear, uint32_t outputs);
uint32_t config_labels(const struct config *config); /* classes of this model */
/* The same in all families: a class of each token, start and end of an answer. */
void head_of_tokens(struct arch *arch, struct config *config);
void head_of_spans(struct arch *arch, struct config *config);
/* The same in most decoders: the next token by "lm_head", tied to the embeddings where config.json
 * says so, or unless it says otherwise; classes of a text and of its tokens by "score". */
void head_of_lm(struct arch *arch, struct config *config);
void head_of_tied_lm(struct arch *arch, struct config *config);
void head_of_text_score(struct arch *arch, struct config *config);
void head_of_token_score(struct arch *arch, struct config *config);

/* ---- decoder.c: what most decoders have in common, named as Llama names it ---- */
/* clang-format off */
#define DECODER_SLOTS                                                                              \
    {SLOT_EMBED_TOKENS, "embed_tokens", false},                                                    \
    {SLOT_FINAL_NORM, "norm", false},                                                              \
    {SLOT_ATTN_NORM, "layers.%u.input_layernorm", false},                                          \
    {SLOT_ATTN_Q, "layers.%u.self_attn.q_proj", false},                                            \
    {SLOT_ATTN_K, "layers.%u.self_attn.k_proj", false},                                            \
    {SLOT_ATTN_V, "layers.%u.self_attn.v_proj", false},                                            \
    {SLOT_ATTN_Q_NORM, "layers.%u.self_attn.q_norm", false},                                       \
    {SLOT_ATTN_K_NORM, "layers.%u.self_attn.k_norm", false},                                       \
    {SLOT_ATTN_OUT, "layers.%u.self_attn.o_proj", false},                                          \
    {SLOT_FFN_NORM, "layers.%u.post_attention_layernorm", false},                                  \
    {SLOT_FFN_GATE, "layers.%u.mlp.gate_proj", false},                                             \
    {SLOT_FFN_UP, "layers.%u.mlp.up_proj", false},                                                 \
    {SLOT_FFN_DOWN, "layers.%u.mlp.down_proj", false}
/* clang-format on */
extern const struct slot_name decoder_slots[]; /* these alone */
/* A causal stack of hidden_size, intermediate_size, num_hidden_layers, num_attention_heads,
 * num_key_value_heads, head_dim, max_position_embeddings and rms_norm_eps: pre-norm, gated by
 * hidden_act, with a final norm; positions are left to the family. */
struct stack_spec config_decoder(struct config *config);
/* Heads of keys and values, which share those of queries evenly; absent: `heads`. */
uint32_t config_kv_heads(struct config *config, const char *key, uint32_t heads);
/* One stack, which is `spec`; reads bos, eos and pad. */
void arch_of_decoder(struct arch *arch, struct config *config, const struct stack_spec *spec);
/* What the family takes where num_key_value_heads and max_position_embeddings are absent. */
void config_decoder_defaults(struct config *config, struct stack_spec *spec, uint32_t kv_heads,
                             uint32_t max_positions);
/* Whether layer_types says that a layer sees the stack's window; refuses other words. */
bool config_layer_is_local(struct config *config, const struct stack_spec *spec,
                           const struct json *types, uint32_t layer);
/* Which layers see a window, as Qwen says it: use_sliding_window, sliding_window and layer_types,
 * or max_window_layers, the layers before the first that does. */
void config_windows(struct config *config, struct stack_spec *spec);
/* experts.c: feed-forwards by experts, each expert_size inside. What the family takes where the
 * keys are absent: experts under `key`, so many under num_experts_per_tok. */
void config_experts(struct config *config, struct stack_spec *spec, const char *key,
                    uint32_t experts, uint32_t per_token, uint32_t expert_size);
/* Qwen's and OLMoE's decoders with experts, who are called mlp.experts: routing by num_experts, and
 * norm_topk_prob; layers of mlp_only_layers and between those of decoder_sparse_step have none. */
extern const struct slot_name expert_slots[];
void config_sparse_layers(struct config *config, struct stack_spec *spec);
/* Heads of such families: Model, ForCausalLM, ForSequenceClassification, ForTokenClassification,
 * ForQuestionAnswering. */
extern const struct head_row decoder_heads[];

/* ---- encoder.c: what most encoders have in common, named as BERT names it ---- */
/* clang-format off */
#define BERT_SLOTS                                                                                 \
    {SLOT_EMBED_TOKENS, "embeddings.word_embeddings", false},                                      \
    {SLOT_EMBED_POSITIONS, "embeddings.position_embeddings", false},                               \
    {SLOT_EMBED_TYPES, "embeddings.token_type_embeddings", false},                                 \
    {SLOT_EMBED_NORM, "embeddings.LayerNorm", false},                                              \
    {SLOT_EMBED_PROJECT, "embeddings_project", false},                                             \
    {SLOT_EMBED_PROJECT, "encoder.embedding_hidden_mapping_in", false},                            \
    {SLOT_ATTN_Q, "encoder.layer.%u.attention.self.query", false},                                 \
    {SLOT_ATTN_K, "encoder.layer.%u.attention.self.key", false},                                   \
    {SLOT_ATTN_V, "encoder.layer.%u.attention.self.value", false},                                 \
    {SLOT_ATTN_OUT, "encoder.layer.%u.attention.output.dense", false},                             \
    {SLOT_ATTN_NORM, "encoder.layer.%u.attention.output.LayerNorm", false},                        \
    {SLOT_FFN_UP, "encoder.layer.%u.intermediate.dense", false},                                   \
    {SLOT_FFN_DOWN, "encoder.layer.%u.output.dense", false},                                       \
    {SLOT_FFN_NORM, "encoder.layer.%u.output.LayerNorm", false}
/* clang-format on */
extern const struct slot_name encoder_slots[]; /* these alone */
/* A post-norm stack of hidden_size, intermediate_size, num_hidden_layers, num_attention_heads,
 * max_position_embeddings, type_vocab_size, hidden_act and layer_norm_eps, with learned positions
 * and token types; causal where is_decoder. */
struct stack_spec config_encoder(struct config *config);
/* The same with heads of the family's own. */
struct stack_spec config_encoder_of(struct config *config, uint32_t heads, uint32_t head_size);
/* Refuses is_decoder, of families that have it but are run as encoders alone. */
void config_encoder_only(struct config *config);
/* The same without token types. */
struct stack_spec config_encoder_layers(struct config *config);
/* Embeddings of the size under `key`, projected where it is not hidden_size. */
void config_embed_size(struct config *config, struct stack_spec *spec, const char *key,
                       uint32_t otherwise);
/* The position table's first `offset` rows belong to padding (RoBERTa). */
void config_positions_after(struct config *config, struct stack_spec *spec, uint32_t offset);
/* One stack, which is `spec`; reads bos, eos and pad (0 where it is absent). */
void arch_of_encoder(struct arch *arch, struct config *config, const char *prefix,
                     const struct stack_spec *spec);
/* Masked (causal: next) tokens: norm(activation(dense)) of the embeddings' size, then the decoder,
 * tied as tie_word_embeddings says; returns the latter. */
struct head_step *head_of_masks(struct arch *arch, struct config *config, const char *dense,
                                enum activation activation, const char *norm, const char *decoder);
/* Classes of a text: activation(dense) of the first token, then `last`. */
void head_of_first(struct arch *arch, const char *dense, enum activation activation,
                   const char *last, uint32_t outputs);
/* The same by BERT's "pooler.dense", tanh and "classifier"; a score of each choice. */
void head_of_pooled_classes(struct arch *arch, struct config *config);
void head_of_pooled_choice(struct arch *arch, struct config *config);
/* The masks of BERT ("cls.predictions", the stack's activation) and of RoBERTa ("lm_head", gelu).
 */
void head_of_bert_masks(struct arch *arch, struct config *config);
void head_of_roberta_masks(struct arch *arch, struct config *config);
/* Classes of a text by "classifier.dense", activation and "classifier.out_proj". */
void head_of_dense_classes(struct arch *arch, struct config *config, enum activation activation);
/* Heads of families that take BERT's with its names, and RoBERTa's with its. */
extern const struct head_row bert_heads[], roberta_heads[];

/* ---- seq2seq.c: encoder-decoders whose keys and tensors are named as BART's ---- */
/* The embedding's name depends on which of its tied copies the checkpoint kept. */
/* clang-format off */
#define SEQ2SEQ_SLOTS(side)                                                                        \
    {SLOT_EMBED_TOKENS, "shared", false},                                                          \
    {SLOT_EMBED_TOKENS, side ".embed_tokens", false},                                              \
    {SLOT_EMBED_TOKENS, side ".output_projection", false},                                         \
    {SLOT_EMBED_TOKENS, "encoder.embed_tokens", false},                                            \
    {SLOT_EMBED_TOKENS, "decoder.embed_tokens", false},                                            \
    {SLOT_EMBED_TOKENS, "decoder.output_projection", false},                                       \
    {SLOT_EMBED_TOKENS, "lm_head", false},                                                         \
    {SLOT_EMBED_POSITIONS, side ".embed_positions", false},                                        \
    {SLOT_EMBED_NORM, side ".layernorm_embedding", false},                                         \
    {SLOT_FINAL_NORM, side ".layer_norm", false},                                                  \
    {SLOT_ATTN_Q, side ".layers.%u.self_attn.q_proj", false},                                      \
    {SLOT_ATTN_K, side ".layers.%u.self_attn.k_proj", false},                                      \
    {SLOT_ATTN_V, side ".layers.%u.self_attn.v_proj", false},                                      \
    {SLOT_ATTN_OUT, side ".layers.%u.self_attn.out_proj", false},                                  \
    {SLOT_ATTN_NORM, side ".layers.%u.self_attn_layer_norm", false},                               \
    {SLOT_FFN_UP, side ".layers.%u.fc1", false},                                                   \
    {SLOT_FFN_DOWN, side ".layers.%u.fc2", false},                                                 \
    {SLOT_FFN_NORM, side ".layers.%u.final_layer_norm", false}
/* clang-format on */
/* What such a family is, and what stands where config.json is silent. */
struct seq2seq {
    enum position_kind positions;
    uint32_t position_offset, max_positions;
    enum norm_place norm_place;
    uint32_t flags, decoder_flags; /* of both stacks; of the decoder besides */
    enum activation activation;
    bool scale_embedding;
    enum input_shift shift; /* SHIFT_NONE: behind decoder_start */
    bool model_is_encoder; /* Model gives the encoder's hidden states: that of transformers needs a
                              decoder's input */
    const char *vocab_key, *decoder_vocab_key; /* NULL: vocab_size */
    int32_t bos, eos, pad, decoder_start;
};
/* An encoder and a decoder; of ForCausalLM the decoder alone. */
void arch_of_seq2seq(struct arch *arch, struct config *config, const struct seq2seq *traits,
                     const char *suffix);
/* Heads: the decoder's language model; BART's classifiers of texts. */
void head_of_seq2seq(struct arch *arch, struct config *config);
void head_of_last_eos(struct arch *arch, struct config *config);
/* Model, ForConditionalGeneration, ForCausalLM: of most such families all there are. */
extern const struct head_row seq2seq_heads[];
/* These and the classifiers: BART's and mBART's. */
extern const struct head_row bart_heads[];

/* ---- families ---- */
struct family_type {
    const char *model_type;   /* of config.json; NULL ends the list */
    const char *class_prefix; /* "Bert" of BertForMaskedLM */
};

struct family {
    const char *name;
    const struct family_type *types;
    const struct head_row *heads;
    const char *base; /* suffix of the class that is meant where config.json names none */
    uint32_t labels;  /* classes where config.json says nothing */
    void (*describe)(struct arch *arch, struct config *config, const char *suffix);
    /* Settings of generation that the configuration's class has by itself, where no file names
     * them: an object; NULL: none. */
    const char *generation;
    /* force_bos_token_to_be_generated, of old files, means that the bos token is forced first. */
    bool forces_bos;
};

/* The family of a config, or NULL; *type is the row that matched. */
const struct family *family_of(const struct json *config, const struct family_type **type);
/* architectures[0], or NULL. */
const char *family_class(const struct json *config);

#define FAMILY(x) extern const struct family family_##x;
#include "models/families.inc"
#undef FAMILY

#endif
