/* What the integer matrix products for NEON share: tiles of int32 sums, and the outliers of a row,
 * which are few and go the same way whatever the processor has. Private to gemm_i8_neon*.c and,
 * but for the weights, tile_i4_neon.h.
 * Sums of integers are exact, so every order and tile gives the same bits. */
#ifndef BRISK_KERNELS_TILE_I8_NEON_H
#define BRISK_KERNELS_TILE_I8_NEON_H

#include "kernels/tile_neon.h"

#define GROUP_BYTES (4 * PANEL) /* four steps of K of a panel */

/* Four bytes from x on, four times. */
ALWAYS_INLINE int8x16_t broadcast4(const void *x) {
    int32_t four;
    memcpy(&four, x, sizeof(four));
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

/* Products of 16 bytes, summed by pairs: 2 * 127 * 127 fits. */
ALWAYS_INLINE int16x8_t products_of_pairs(int8x16_t w, int8x16_t x) {
    return vpaddq_s16(vmull_s8(vget_low_s8(w), vget_low_s8(x)), vmull_high_s8(w, x));
}

ALWAYS_INLINE void load_sums(int32x4_t sums[QUADS], const int32_t *acc, bool begins) {
#pragma GCC unroll 4
    for (uint32_t j = 0; j < QUADS; j++) {
        sums[j] = begins ? vdupq_n_s32(0) : vld1q_s32(acc + 4 * j);
    }
}

ALWAYS_INLINE void store_sums(const int32x4_t sums[QUADS], int32_t *acc) {
#pragma GCC unroll 4
    for (uint32_t j = 0; j < QUADS; j++) {
        vst1q_s32(acc + 4 * j, sums[j]);
    }
}

/* Of a row, 128 times the sums over its outliers. */
ALWAYS_INLINE void add_outliers(const int32x4_t sums[QUADS], int32_t *acc) {
#pragma GCC unroll 4
    for (uint32_t j = 0; j < QUADS; j++) {
        vst1q_s32(acc + 4 * j, vaddq_s32(vld1q_s32(acc + 4 * j), vshlq_n_s32(sums[j], 7)));
    }
}

/* What the outliers of one row add, 128 times their high parts. */
ALWAYS_INLINE void outliers_i8(const struct row_outliers *outliers, const int8_t *weights,
                               int32_t *acc) {
    int32x4_t sums[QUADS];
    load_sums(sums, acc, true);
    for (uint32_t i = 0; i < outliers->n; i++) {
        const int8_t *w = weights + (size_t)outliers->at[i].group * GROUP_BYTES;
        const int8x16_t high = broadcast4(outliers->at[i].high);
#pragma GCC unroll 4
        for (uint32_t j = 0; j < QUADS; j++) {
            sums[j] = vpadalq_s16(sums[j], products_of_pairs(vld1q_s8(w + 16 * j), high));
        }
    }
    add_outliers(sums, acc);
}

/* Of all K, once the tile's sums have come to its end. */
ALWAYS_INLINE void tile_outliers(uint32_t rows, const struct gemm *g, const uint8_t *x,
                                 const char *panel, int32_t *acc) {
    const int8_t *weights = (const int8_t *)panel + panel_header_i8(g->in);
    for (uint32_t r = 0; r < rows && g->k_to == g->in; r++) {
        const struct row_outliers *outliers = quantized_outliers(x + r * g->ldx, g->in);
        if (outliers->n > 0) {
            outliers_i8(outliers, weights, acc + r * g->ldacc);
        }
    }
}

/* Where the weights of step k of K begin. */
ALWAYS_INLINE const int8_t *weights_at(const struct gemm *g, const char *panel, uint32_t k) {
    return (const int8_t *)panel + panel_header_i8(g->in) + (size_t)k * PANEL;
}

#endif
