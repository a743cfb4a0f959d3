/* Integer matrix products for NEON with weights of 4 bits, but for the sum of a group: 7-bit
 * activations times -8 .. 7 times a whole-numbered scale of a group of 32 steps of K, summed in
 * int32. Private to gemm_i4_neon*.c, which differ in how a group is summed.
 *
 * 16 bytes of a panel are eight steps of K of four outputs; unpacking costs 5 operations for them,
 * which the rows of a tile share. Sums of integers are exact, so every order and tile gives the
 * same bits. */
#ifndef BRISK_KERNELS_TILE_I4_NEON_H
#define BRISK_KERNELS_TILE_I4_NEON_H

#include "kernels/tile_i8_neon.h"

#define HALVES         8 /* of bytes: a group of four outputs, [8][4][4 steps of K] */
#define GROUP_BYTES_I4 (GROUP_I4 * PANEL / 2) /* of a panel */

/* Of four outputs the sums over a group of weights times x[32]. */
typedef int32x4_t sum_group(const int8x16_t w[HALVES], const uint8_t *x);

/* Low or high halves of 16 bytes, less 8. */
ALWAYS_INLINE int8x16_t low_halves(uint8x16_t both) {
    return vsubq_s8(vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15))), vdupq_n_s8(8));
}

ALWAYS_INLINE int8x16_t high_halves(uint8x16_t both) {
    return vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(both, 4)), vdupq_n_s8(8));
}

/* Scales of four outputs. */
ALWAYS_INLINE int32x4_t scales_at(const char *scales) {
    const int16x8_t wide = vmovl_s8(vget_low_s8(broadcast4(scales)));
    return vmovl_s16(vget_low_s16(wide));
}

/* One group of a panel, four outputs at a time. */
ALWAYS_INLINE void group_i4(const uint32_t rows, int32x4_t sums[][QUADS], const uint8_t *x,
                            size_t ldx, const uint8_t *w, const char *scales, sum_group *sum) {
#pragma GCC unroll 4
    for (uint32_t j = 0; j < QUADS; j++) {
        const int32x4_t scale = scales_at(scales + 4 * j);
        int8x16_t unpacked[HALVES];
#pragma GCC unroll 4
        for (uint32_t i = 0; i < HALVES / 2; i++) {
            const uint8x16_t both = vld1q_u8(w + i * GROUP_BYTES + 16 * j);
            unpacked[2 * i] = low_halves(both);
            unpacked[2 * i + 1] = high_halves(both);
        }
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            sums[r][j] = vmlaq_s32(sums[r][j], sum(unpacked, x + r * ldx), scale);
        }
    }
}

/* What the outliers of one row add, 128 times their high parts. */
ALWAYS_INLINE void outliers_i4(const struct row_outliers *outliers, const char *panel,
                               const uint8_t *weights, int32_t *acc) {
    int32x4_t sums[QUADS];
    load_sums(sums, acc, true);
    for (uint32_t i = 0; i < outliers->n; i++) {
        const uint32_t k = outliers->at[i].group * 4, group = k / GROUP_I4;
        const uint8_t *w =
            weights + (size_t)group * GROUP_BYTES_I4 + (size_t)(k % GROUP_I4 / 8) * GROUP_BYTES;
        const int8x16_t high = broadcast4(outliers->at[i].high);
#pragma GCC unroll 4
        for (uint32_t j = 0; j < QUADS; j++) {
            const uint8x16_t both = vld1q_u8(w + 16 * j);
            const int8x16_t four = k / 4 % 2 == 0 ? low_halves(both) : high_halves(both);
            const int16x8_t pairs = products_of_pairs(four, high);
            sums[j] = vmlaq_s32(sums[j], vpaddlq_s16(pairs),
                                scales_at(panel + (size_t)group * PANEL + 4 * j));
        }
    }
    add_outliers(sums, acc);
}

ALWAYS_INLINE void tile_of_i4(const uint32_t rows, const struct gemm *g, const uint8_t *x,
                              const char *panel, int32_t *acc, sum_group *sum) {
    const uint8_t *w = (const uint8_t *)panel + panel_header_i4(g->in);
    const uint32_t to = panel_groups_i4(g->k_to);
    int32x4_t sums[KERNEL_TILE_ROWS][QUADS];
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        load_sums(sums[r], acc + r * g->ldacc, g->k_from == 0);
    }
    for (uint32_t i = g->k_from / GROUP_I4; i < to; i++) {
        group_i4(rows, sums, x + (size_t)i * GROUP_I4, g->ldx, w + (size_t)i * GROUP_BYTES_I4,
                 panel + (size_t)i * PANEL, sum);
    }
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        store_sums(sums[r], acc + r * g->ldacc);
    }
    for (uint32_t r = 0; r < rows && g->k_to == g->in; r++) {
        const struct row_outliers *outliers = quantized_outliers(x + r * g->ldx, g->in);
        if (outliers->n > 0) {
            outliers_i4(outliers, panel, w, acc + r * g->ldacc);
        }
    }
}

#endif
