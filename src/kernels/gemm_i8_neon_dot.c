/* Integer matrix products for NEON with dot products (ARMv8.2 dotprod: Neoverse N1, Apple M1): sdot
 * adds the products of a group of four steps of K of four outputs to their sums, 16 products an
 * instruction, four times what FMA does. Activations are 7 bits and so may be taken as signed. */
#include "kernels/tile_i8_neon.h"

/* n groups of four steps of K, 2 or 4, whose activations are read at once: sdot takes one group of
 * them. Each weight register is used by all rows: 24 sums, 6 registers of activations, 2 of
 * weights. */
ALWAYS_INLINE void step_dot(const uint32_t rows, const uint32_t n, int32x4_t sums[][QUADS],
                            const uint8_t *x, size_t ldx, const int8_t *w) {
    int8x16_t b[KERNEL_TILE_ROWS];
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        const int8_t *at = (const int8_t *)x + r * ldx;
        b[r] = n == 4 ? vld1q_s8(at) : vcombine_s8(vld1_s8(at), vdup_n_s8(0));
    }
#pragma GCC unroll 4
    for (uint32_t j = 0; j < QUADS; j++) {
        const int8x16_t w0 = vld1q_s8(w + 16 * j), w1 = vld1q_s8(w + GROUP_BYTES + 16 * j);
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            sums[r][j] = vdotq_laneq_s32(sums[r][j], w0, b[r], 0);
            sums[r][j] = vdotq_laneq_s32(sums[r][j], w1, b[r], 1);
        }
    }
    if (n == 4) {
        w += 2 * GROUP_BYTES;
#pragma GCC unroll 4
        for (uint32_t j = 0; j < QUADS; j++) {
            const int8x16_t w2 = vld1q_s8(w + 16 * j), w3 = vld1q_s8(w + GROUP_BYTES + 16 * j);
#pragma GCC unroll 6
            for (uint32_t r = 0; r < rows; r++) {
                sums[r][j] = vdotq_laneq_s32(sums[r][j], w2, b[r], 2);
                sums[r][j] = vdotq_laneq_s32(sums[r][j], w3, b[r], 3);
            }
        }
    }
}

ALWAYS_INLINE void tile_of_i8_neon_dot(const uint32_t rows, const struct gemm *g, const uint8_t *x,
                                       const char *panel, int32_t *acc) {
    const int8_t *w = weights_at(g, panel, 0);
    int32x4_t sums[KERNEL_TILE_ROWS][QUADS];
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        load_sums(sums[r], acc + r * g->ldacc, g->k_from == 0);
    }
    uint32_t k = g->k_from;
    for (; k + 16 <= g->k_to; k += 16) {
        step_dot(rows, 4, sums, x + k, g->ldx, w + (size_t)k * PANEL);
    }
    for (; k < g->k_to; k += 8) { /* zeros up to a multiple of 8 */
        step_dot(rows, 2, sums, x + k, g->ldx, w + (size_t)k * PANEL);
    }
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        store_sums(sums[r], acc + r * g->ldacc);
    }
    tile_outliers(rows, g, x, panel, acc);
}

GEMM_NEON(i8_neon_dot, uint8_t, int32_t)
