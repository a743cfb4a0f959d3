/* Private to ops: scratch memory and the entries of the CPU's device table.
 *
 * The entries are in linear.c, attention.c, rows.c and heads.c; device.c makes the table. */
#ifndef BRISK_OPS_OPS_PRIVATE_H
#define BRISK_OPS_OPS_PRIVATE_H

#include "kernels/kernels.h"
#include "ops/ops.h"

_Static_assert(KV_PAGE_TOKENS == PANEL, "a page of keys is a panel");

#define ACC_ROWS    192 /* rows of one block of sums, so that it stays in the second-level cache */
#define ACC_PANELS  8   /* panels of one block */
#define ACC_COLUMNS (ACC_PANELS * PANEL)
#define OWN_ROWS    8 /* up to so many rows every lane quantizes for itself: no barrier */

/* What one lane needs for itself. */
struct lane_scratch {
    float *acc;               /* [ACC_ROWS, ACC_COLUMNS]; int32 where activations are quantized */
    uint8_t *quantized;       /* [OWN_ROWS, quantized_row_bytes(max_in)] */
    struct row_scale *scales; /* [OWN_ROWS] */
    float *q, *y;             /* [KERNEL_TILE_ROWS, max_in] each: one block of attention */
    float *scores;            /* [KERNEL_TILE_ROWS, max_keys rounded up to pages] */
    float *bias;              /* the same: what row_bias wrote */
};

struct scratch {
    void *block; /* owns everything below */
    size_t bytes;
    uint32_t lanes, max_rows, max_in, max_keys;
    uint8_t *quantized;        /* [max_rows, quantized_row_bytes(max_in)], shared by all lanes */
    struct row_scale *scales;  /* [max_rows] */
    struct lane_scratch *lane; /* [lanes] */
};

/* Floats of a row of scores: max_keys in whole pages. */
static inline size_t key_stride(const struct scratch *scratch) {
    return ((size_t)scratch->max_keys + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS * KV_PAGE_TOKENS;
}

size_t linear_panel_bytes(const struct linear *linear);
bool linear_is_quantized(const struct linear *linear); /* its activations, too */

void norm_row(const struct kernels *kernels, const struct norm *norm, const float *weight,
              const float *bias, const float *x, float *y);

/* In place on contiguous numbers; nothing for ACTIVATION_NONE. */
void activation_apply(const struct kernels *kernels, enum activation activation, float *x,
                      size_t n);

void cpu_linear(struct lane *lane, struct scratch *scratch, const struct linear *linear,
                const float *x, size_t ldx, float *y, size_t ldy, uint32_t rows,
                const struct epilogue *epilogue);
void cpu_attention(struct lane *lane, struct scratch *scratch, const struct attention_shape *shape,
                   const struct attention_seq *seqs, uint32_t n_seqs, size_t page_offset,
                   const float *q, size_t ldq, float *y, size_t ldy);
void cpu_kv_write(struct lane *lane, const struct attention_shape *shape,
                  const struct attention_seq *seqs, uint32_t n_seqs, size_t page_offset,
                  const float *k, size_t ldk, const float *v, size_t ldv);
void cpu_norm(struct lane *lane, const struct norm *norm, const float *x, float *y, uint32_t rows);
void cpu_embed(struct lane *lane, const float *const *tables, const int32_t *const *ids,
               uint32_t n_tables, float scale, float *y, uint32_t rows, uint32_t size);
void cpu_gather(struct lane *lane, const float *x, size_t ldx, const uint32_t *ids, uint32_t n,
                uint32_t size, float *y, size_t ldy);
void cpu_activate(struct lane *lane, enum activation activation, float *x, size_t ldx,
                  const float *gate, size_t ldgate, uint32_t rows, uint32_t size);
void cpu_rope_angles(struct lane *lane, const struct rope *rope, const int32_t *positions,
                     const uint32_t *lengths, float *angles, uint32_t rows);
void cpu_rotate(struct lane *lane, const struct rope *rope, const float *angles, float *x,
                size_t ldx, uint32_t rows, uint32_t heads, uint32_t head_size);
void cpu_norm_heads(struct lane *lane, const struct norm *norm, float *x, size_t ldx, uint32_t rows,
                    uint32_t heads, size_t weight_stride);
void cpu_softcap(struct lane *lane, float cap, float *x, size_t ldx, uint32_t rows, uint32_t size);
void cpu_add(struct lane *lane, const float *x, float *y, size_t n);
void cpu_clamp(struct lane *lane, float limit, float *x, size_t ldx, uint32_t rows, uint32_t size);
void cpu_scatter_add(struct lane *lane, const float *x, size_t ldx, const uint32_t *ids,
                     const float *weights, uint32_t n, uint32_t size, float *y, size_t ldy);
void cpu_route(struct lane *lane, const struct routing *routing, float *x, uint32_t *ids,
               float *weights, uint32_t rows);

#endif
