/* Integer matrix products for NEON with matrix products (ARMv8.6 i8mm: Neoverse V1, N2, Apple M2):
 * smmla multiplies 2 rows x 8 steps of K by 8 x 2 outputs, 32 products an instruction, twice what
 * sdot does. Two groups of a panel become its operands by zipping their words: one instruction for
 * two outputs, shared by the pairs of rows. A single row would leave half of smmla unused and goes
 * by sdot, which every processor with i8mm has. */
#include "kernels/tile_i8_neon.h"

#define PAIRS (KERNEL_TILE_ROWS / 2)

/* Sums of a pair of rows, [outputs / 2] of {row 0: two outputs, row 1: the same}. */
struct square {
    int32x4_t at[PANEL / 2];
};

/* Rows 2p and 2p + 1 of a tile; an odd last row stands twice, its copy is not stored. */
ALWAYS_INLINE uint32_t second_of(uint32_t rows, uint32_t pair) {
    return 2 * pair + 1 < rows ? 2 * pair + 1 : 2 * pair;
}

ALWAYS_INLINE void load_squares(const uint32_t rows, struct square *sums, const int32_t *acc,
                                size_t ld, bool begins) {
#pragma GCC unroll 3
    for (uint32_t p = 0; p < (rows + 1) / 2; p++) {
        const int32_t *first = acc + 2 * p * ld, *second = acc + second_of(rows, p) * ld;
#pragma GCC unroll 8
        for (uint32_t j = 0; j < PANEL / 2; j++) {
            sums[p].at[j] = begins
                                ? vdupq_n_s32(0)
                                : vcombine_s32(vld1_s32(first + 2 * j), vld1_s32(second + 2 * j));
        }
    }
}

ALWAYS_INLINE void store_squares(const uint32_t rows, const struct square *sums, int32_t *acc,
                                 size_t ld) {
#pragma GCC unroll 3
    for (uint32_t p = 0; p < (rows + 1) / 2; p++) {
        int32_t *first = acc + 2 * p * ld, *second = acc + second_of(rows, p) * ld;
#pragma GCC unroll 8
        for (uint32_t j = 0; j < PANEL / 2; j++) {
            vst1_s32(second + 2 * j, vget_high_s32(sums[p].at[j]));
            vst1_s32(first + 2 * j, vget_low_s32(sums[p].at[j]));
        }
    }
}

/* Eight steps of K: two groups. */
ALWAYS_INLINE void step_i8mm(const uint32_t rows, struct square *sums, const uint8_t *x, size_t ldx,
                             const int8_t *w) {
    int8x16_t b[PAIRS];
#pragma GCC unroll 3
    for (uint32_t p = 0; p < (rows + 1) / 2; p++) {
        const int8_t *first = (const int8_t *)x + 2 * p * ldx;
        b[p] = vcombine_s8(vld1_s8(first), vld1_s8((const int8_t *)x + second_of(rows, p) * ldx));
    }
#pragma GCC unroll 4
    for (uint32_t j = 0; j < QUADS; j++) {
        const int32x4_t w0 = vreinterpretq_s32_s8(vld1q_s8(w + 16 * j));
        const int32x4_t w1 = vreinterpretq_s32_s8(vld1q_s8(w + GROUP_BYTES + 16 * j));
        const int8x16_t low = vreinterpretq_s8_s32(vzip1q_s32(w0, w1));
        const int8x16_t high = vreinterpretq_s8_s32(vzip2q_s32(w0, w1));
#pragma GCC unroll 3
        for (uint32_t p = 0; p < (rows + 1) / 2; p++) {
            sums[p].at[2 * j] = vmmlaq_s32(sums[p].at[2 * j], b[p], low);
            sums[p].at[2 * j + 1] = vmmlaq_s32(sums[p].at[2 * j + 1], b[p], high);
        }
    }
}

/* One row, by sdot. */
static void row_of_i8(const struct gemm *g, const uint8_t *x, const int8_t *w, int32_t *acc) {
    int32x4_t sums[QUADS];
    load_sums(sums, acc, g->k_from == 0);
    for (uint32_t k = g->k_from; k < g->k_to; k += 8) {
        const int8x8_t b = vld1_s8((const int8_t *)x + k);
        const int8_t *at = w + (size_t)k * PANEL;
#pragma GCC unroll 4
        for (uint32_t j = 0; j < QUADS; j++) {
            sums[j] = vdotq_lane_s32(sums[j], vld1q_s8(at + 16 * j), b, 0);
            sums[j] = vdotq_lane_s32(sums[j], vld1q_s8(at + GROUP_BYTES + 16 * j), b, 1);
        }
    }
    store_sums(sums, acc);
}

ALWAYS_INLINE void tile_of_i8_neon_i8mm(const uint32_t rows, const struct gemm *g, const uint8_t *x,
                                        const char *panel, int32_t *acc) {
    const int8_t *w = weights_at(g, panel, 0);
    if (rows == 1) {
        row_of_i8(g, x, w, acc);
    } else {
        struct square sums[PAIRS];
        load_squares(rows, sums, acc, g->ldacc, g->k_from == 0);
        for (uint32_t k = g->k_from; k < g->k_to; k += 8) {
            step_i8mm(rows, sums, x + k, g->ldx, w + (size_t)k * PANEL);
        }
        store_squares(rows, sums, acc, g->ldacc);
    }
    tile_outliers(rows, g, x, panel, acc);
}

GEMM_NEON(i8_neon_i8mm, uint8_t, int32_t)
