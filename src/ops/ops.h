/* Operations on ragged batches, as one table: `struct device`. This room holds the CPU's; a plug-in
 * may bring another. The engine calls nothing else to compute.
 *
 * SPMD: every lane of the compute team calls the same operation with the same arguments; the
 * operation divides its work among the lanes and ends with a barrier, so that what it wrote may
 * be read by all lanes afterwards. No operation allocates; scratch is made at load.
 *
 * Batch-invariant: each output row is computed by the same operations in the same order whatever
 * else is in the batch and however many lanes there are. Sums run over K in one fixed order;
 * lanes divide rows and columns, never K; activations are quantized per row.
 *
 * All activations are float, row-major; `rows` are tokens of all sequences of the batch, one after
 * the other ([tokens, size], no padding). */
#ifndef BRISK_OPS_OPS_H
#define BRISK_OPS_OPS_H

#include "base/base.h"

/* PRECISION(name, what the weights of linear layers are kept as) */
#define PRECISIONS(PRECISION)                                                                      \
    PRECISION(FP32, "fp32")                                                                        \
    PRECISION(BF16, "bf16")                                                                        \
    PRECISION(INT8, "int8") /* a scale a column; activations 7 bits and outliers, a scale a row */ \
    PRECISION(INT4, "int4") /* a scale for 32 inputs of a column; activations as with int8 */

enum precision {
#define PRECISION(name, text) PRECISION_##name,
    PRECISIONS(PRECISION)
#undef PRECISION
};
const char *precision_name(enum precision precision);
bool precision_parse(const char *text, enum precision *out); /* false: unknown */

#define ACTIVATIONS(ACTIVATION)                                                                    \
    ACTIVATION(NONE, "none")                                                                       \
    ACTIVATION(RELU, "relu")                                                                       \
    ACTIVATION(RELU2, "relu2")           /* squared */                                             \
    ACTIVATION(GELU, "gelu")             /* x * Phi(x), by erf */                                  \
    ACTIVATION(GELU_TANH, "gelu_new")    /* the tanh approximation */                              \
    ACTIVATION(GELU_10, "gelu_10")       /* gelu to [-10, 10] */                                   \
    ACTIVATION(QUICK_GELU, "quick_gelu") /* x * sigmoid(1.702 x) */                                \
    ACTIVATION(SILU, "silu")                                                                       \
    ACTIVATION(TANH, "tanh")                                                                       \
    ACTIVATION(SIGMOID, "sigmoid")

enum activation {
#define ACTIVATION(name, text) ACTIVATION_##name,
    ACTIVATIONS(ACTIVATION)
#undef ACTIVATION
};

/* ---- weights of a linear layer, packed: y[out] = x[in] * W^T + bias, W as PyTorch [out, in] ----
 * One stretch of memory holds all of a layer; it is the caller's, who may keep it in a file. */
#define LINEAR_ALIGN 64

struct linear {
    enum precision precision;
    uint32_t in, out;
    void *panels;  /* panels of 16 outputs, K in order; layout in kernels.h; the memory's begin */
    float *bias;   /* [out rounded up to 16] or NULL */
    float *scales; /* [out rounded up to 16], INT8 and INT4 */
    float *column_sums; /* [out rounded up to 16], INT8 and INT4: sum over K of the quantized weights
                           times scale */
    size_t bytes;       /* of the memory, a multiple of LINEAR_ALIGN */
};
/* A layer of this shape, without memory yet. MODEL: there is no such layer; MEMORY: too large. */
enum status linear_init(struct linear *linear, enum precision precision, uint32_t in, uint32_t out,
                        bool has_bias, struct error *err) MUST_CHECK;
/* Gives it linear->bytes of memory, aligned to LINEAR_ALIGN and borrowed: zeros to be set, or what
 * such a layer left there before. */
void linear_place(struct linear *linear, void *memory);
/* Packs n outputs from `first` on: w is [n, in], row-major. first is a multiple of 16, and so is n
 * unless it reaches `out`. Different ranges may be packed by different threads. */
void linear_set_weights(struct linear *linear, uint32_t first, uint32_t n, const float *w);
void linear_set_bias(struct linear *linear, uint32_t first, uint32_t n, const float *bias);
/* The layer of outputs [first, first + n) alone, in the same memory. first is a multiple of 16. */
struct linear linear_part(const struct linear *linear, uint32_t first, uint32_t n);

/* What is done to y after the product, in this order: + bias, activation, + residual. */
struct epilogue {
    enum activation activation;
    const float *residual; /* [rows, out] with the stride of y, or NULL; may be y itself */
};

/* ---- keys and values, in pages ----
 * A page holds KV_PAGE_TOKENS tokens of one layer: keys [kv_heads][head_size][KV_PAGE_TOKENS], then
 * values [kv_heads][KV_PAGE_TOKENS][head_size], floats. Keys stand transposed so that scores are
 * the same outer products as GEMM. Pages begin zeroed and hold finite numbers always. */
#define KV_PAGE_TOKENS 16

static inline size_t kv_page_floats(uint32_t kv_heads, uint32_t head_size) {
    return (size_t)2 * kv_heads * head_size * KV_PAGE_TOKENS;
}

/* One sequence's rows in the batch and its keys. Pages of one layer: pages[i] + page_offset. */
struct attention_seq {
    uint32_t row, rows;  /* queries: rows [row, row + rows) of the batch */
    uint32_t past;       /* position of the first of them: keys before it */
    uint32_t keys;       /* keys in all (self-attention: past + rows) */
    float *const *pages; /* [ceil(keys / KV_PAGE_TOKENS)] blocks, each with all layers' pages */
};

#define ATTENTION_HIDDEN (-1e30f)
struct attention_shape {
    uint32_t heads, kv_heads, head_size;
    float scale;     /* of the scores */
    bool causal;     /* row r sees keys [0, past + r] */
    uint32_t window; /* 0: no limit; causal: at most so many last keys; else keys at most window / 2
                        from the query, before and behind (ModernBERT's local attention) */
    float softcap; /* 0: none; else scores become softcap * tanh(score / softcap), after the scale,
                      before bias and mask (Gemma 2) */
    /* NULL: none; else [heads, 2 * bias_reach - 1], added to the scaled scores: of a key at
     * [h][key - query + bias_reach - 1], query being past + r (ALiBi, T5's relative buckets). No
     * key and no query is at bias_reach or beyond. */
    const float *bias;
    uint32_t bias_reach;
    bool bias_by_key; /* at [h][key + bias_reach - 1], whatever the query (Falcon's ALiBi) */
    /* NULL: none; else instead of `bias`: writes what is added to the scaled scores of query `row`
     * of seqs[seq] (its first is 0) at head h for keys [from, to) to out[from .. to). A key at
     * ATTENTION_HIDDEN is not seen; one of them must be. Called by any lane. */
    void (*row_bias)(const void *user, uint32_t seq, uint32_t row, uint32_t h, uint32_t from,
                     uint32_t to, float *out);
    const void *row_bias_user;
    uint32_t first_head, n_heads; /* KV heads that are computed, the others' outputs are left as
                                     they are; n_heads 0: all */
};

/* What one forward pass needs beyond its inputs; made at load for the largest batch. */
struct scratch;
struct device;
enum status scratch_create(struct scratch **out, const struct device *device, uint32_t lanes,
                           uint32_t max_rows, uint32_t max_in, uint32_t max_keys,
                           struct error *err) MUST_CHECK;
void scratch_destroy(struct scratch *scratch); /* NULL is fine */
size_t scratch_bytes(const struct scratch *scratch);
size_t scratch_row_bytes(uint32_t max_in); /* what a row of max_rows costs */

enum norm_kind {
    NORM_LAYER,
    NORM_RMS,
    NORM_AFFINE, /* weight * x + bias alone (MobileBERT's NoNorm) */
};

struct norm {
    enum norm_kind kind;
    uint32_t size;
    float eps;
    const float *weight, *bias; /* [size]; NULL: weights of 1, no bias */
};

/* Rotary positions: size numbers of a head are turned as size / 2 pairs, pair i by the angle
 * position * frequencies[i]; the rest pass (Su et al. 2021; apply_rotary_pos_emb). */
#define ROPE_PAIRS 128 /* most of them */
struct rope {
    uint32_t size;    /* even, at most the head's */
    bool interleaved; /* pairs (2i, 2i + 1), as GPT-J; else (i, i + size / 2), as Llama */
    float scale;      /* of cosines and sines; 0: 1 */
    float frequencies[ROPE_PAIRS];
    /* Texts of more than `border` tokens are turned by other frequencies, from their first token on
     * (longrope, Ding et al. 2024); 0: there are none. */
    uint32_t border;
    float long_frequencies[ROPE_PAIRS];
};

/* Which experts of a feed-forward a row goes to (Shazeer et al. 2017). Scores are the softmax of
 * the router's outputs, or their sigmoids; those of the chosen are the experts' weights. */
struct routing {
    uint32_t experts, per_token; /* per_token <= experts; 0: there are none */
    bool sigmoid;
    bool normalized; /* the weights of a row are divided by their sum */
    float scale;     /* of the weights; 0: 1 */
};

/* One row a operation: OP(name, arguments after lane and scratch). */
struct device {
    const char *name; /* "cpu" */
    const char *isa;  /* "avx2", "neon_dot", "scalar" */

    /* y[r] = norm(x[r]); y may be x. */
    void (*norm)(struct lane *lane, const struct norm *norm, const float *x, float *y,
                 uint32_t rows);

    /* y[rows, out] (stride ldy) = epilogue(x[rows, in] (stride ldx) * W^T). y must not overlap x.
     */
    void (*linear)(struct lane *lane, struct scratch *scratch, const struct linear *linear,
                   const float *x, size_t ldx, float *y, size_t ldy, uint32_t rows,
                   const struct epilogue *epilogue);

    /* y[r] = table rows summed: for each of n_tables, tables[t] + ids[t][r] * size, times scale for
     * the first. Tables are float [*, size]. ids[t] holds rows ids already checked to be in range.
     */
    void (*embed)(struct lane *lane, const float *const *tables, const int32_t *const *ids,
                  uint32_t n_tables, float scale, float *y, uint32_t rows, uint32_t size);

    /* Stores keys and values of new tokens into the pages: rows of k and v (strides ldk, ldv;
     * [kv_heads * head_size]) of each sequence go to positions past, past + 1, … of its pages. */
    void (*kv_write)(struct lane *lane, const struct attention_shape *shape,
                     const struct attention_seq *seqs, uint32_t n_seqs, size_t page_offset,
                     const float *k, size_t ldk, const float *v, size_t ldv);

    /* y[rows, heads * head_size] (stride ldy) = softmax(q k^T * scale) v over each sequence's
     * pages. */
    void (*attention)(struct lane *lane, struct scratch *scratch,
                      const struct attention_shape *shape, const struct attention_seq *seqs,
                      uint32_t n_seqs, size_t page_offset, const float *q, size_t ldq, float *y,
                      size_t ldy);

    /* y[i] = rows x[ids[i]] gathered; both [*, size], strides ldx and ldy. */
    void (*gather)(struct lane *lane, const float *x, size_t ldx, const uint32_t *ids, uint32_t n,
                   uint32_t size, float *y, size_t ldy);

    /* x[rows, size] = activation(x) in place; with gate (may be NULL) times gate. */
    void (*activate)(struct lane *lane, enum activation activation, float *x, size_t ldx,
                     const float *gate, size_t ldgate, uint32_t rows, uint32_t size);

    /* angles[rows, rope->size]: for the position of each row size / 2 cosines, then as many sines,
     * times scale; in float, as PyTorch computes them. lengths [rows]: tokens of the row's text,
     * NULL if the rope has no border. */
    void (*rope_angles)(struct lane *lane, const struct rope *rope, const int32_t *positions,
                        const uint32_t *lengths, float *angles, uint32_t rows);

    /* Turns the first `heads` heads of each row of x (stride ldx) in place, by its row of angles.
     */
    void (*rotate)(struct lane *lane, const struct rope *rope, const float *angles, float *x,
                   size_t ldx, uint32_t rows, uint32_t heads, uint32_t head_size);

    /* The first `heads` heads of each row of x (stride ldx), norm->size numbers each, are normed in
     * place. Weights and bias of head h are h * weight_stride further on; 0: one for all. */
    void (*norm_heads)(struct lane *lane, const struct norm *norm, float *x, size_t ldx,
                       uint32_t rows, uint32_t heads, size_t weight_stride);

    /* x[rows, size] = cap * tanh(x / cap) in place. */
    void (*softcap)(struct lane *lane, float cap, float *x, size_t ldx, uint32_t rows,
                    uint32_t size);

    /* x[rows, size] to [-limit, limit] in place (clip_qkv). */
    void (*clamp)(struct lane *lane, float limit, float *x, size_t ldx, uint32_t rows,
                  uint32_t size);

    /* y[n] += x[n] */
    void (*add)(struct lane *lane, const float *x, float *y, size_t n);

    /* y[ids[i]] += weights[i] * x[i], i from 0 to n - 1 in order; both [*, size], strides ldx and
     * ldy. Lanes divide the columns. */
    void (*scatter_add)(struct lane *lane, const float *x, size_t ldx, const uint32_t *ids,
                        const float *weights, uint32_t n, uint32_t size, float *y, size_t ldy);

    /* ids and weights [rows, per_token]: for each row of x [rows, experts], which is overwritten,
     * the experts of the highest scores, all different; of equals the first. */
    void (*route)(struct lane *lane, const struct routing *routing, float *x, uint32_t *ids,
                  float *weights, uint32_t rows);
};

/* The CPU, with the best kernels this machine has (BRISK_ISA=scalar|avx2|neon|… forces one). */
const struct device *device_cpu(void);

/* "gelu", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "relu", "silu", "swish", "tanh", … as
 * `transformers`' ACT2FN names them; false: unknown. */
bool activation_parse(const char *text, enum activation *out);

/* Vector math for single rows, used by generation and tasks (one thread, best kernels). */
void ops_softmax(float *x, size_t n); /* in place, minus the maximum */
void ops_log_softmax(float *x, size_t n);
float ops_dot(const float *x, const float *y, size_t n);
size_t ops_argmax(const float *x, size_t n); /* the first of equals; n >= 1 */

#endif
