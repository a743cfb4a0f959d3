/* Integer matrix products for NEON without dot products (Cortex-A53, A72): 7-bit activations times
 * 8-bit weights, summed in int32.
 *
 * smull multiplies eight signed bytes to 16 bits, smlal adds eight more; addp adds the pairs of two
 * such, sadalp what comes out to the 32-bit sums. A pair of products is at most 2 * 127 * 127 =
 * 32258 and fits. Where the panel's header says that two or four groups fit 16 bits, one addp and
 * one sadalp do for them together: 4, 5.3 or 6.4 products an instruction, where FMA does 4. In a
 * row's lane stand products of one step of K a group, half of what the header was made for. */
#include "kernels/tile_i8_neon.h"

/* n groups of four steps of K, summed in 16 bits; weights are read again for every row, from the
 * first-level cache. */
ALWAYS_INLINE void step_i8(const uint32_t rows, const uint32_t n, int32x4_t sums[][QUADS],
                           const uint8_t *x, size_t ldx, const int8_t *w) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        int8x16_t b[4];
#pragma GCC unroll 4
        for (uint32_t i = 0; i < n; i++) {
            b[i] = broadcast4(x + r * ldx + 4 * i);
        }
#pragma GCC unroll 4
        for (uint32_t j = 0; j < QUADS; j++) {
            const int8x16_t first = vld1q_s8(w + 16 * j);
            int16x8_t low = vmull_s8(vget_low_s8(first), vget_low_s8(b[0]));
            int16x8_t high = vmull_high_s8(first, b[0]);
#pragma GCC unroll 4
            for (uint32_t i = 1; i < n; i++) {
                const int8x16_t more = vld1q_s8(w + i * GROUP_BYTES + 16 * j);
                low = vmlal_s8(low, vget_low_s8(more), vget_low_s8(b[i]));
                high = vmlal_high_s8(high, more, b[i]);
            }
            sums[r][j] = vpadalq_s16(sums[r][j], vpaddq_s16(low, high));
        }
    }
}

/* KERNEL_K_STEP steps of K, or the last `steps`, by as many groups at once as the header says. */
ALWAYS_INLINE void steps_i8(const uint32_t rows, int32x4_t sums[][QUADS], const uint8_t *x,
                            size_t ldx, const int8_t *w, uint32_t groups, uint32_t steps) {
    if (groups == 2) {
#pragma GCC unroll 1
        for (uint32_t k = 0; k < KERNEL_K_STEP; k += 8) {
            step_i8(rows, 2, sums, x + k, ldx, w + (size_t)k * PANEL);
        }
    } else if (groups == 4) {
#pragma GCC unroll 1
        for (uint32_t k = 0; k < KERNEL_K_STEP; k += 16) {
            step_i8(rows, 4, sums, x + k, ldx, w + (size_t)k * PANEL);
        }
    } else {
#pragma GCC unroll 1
        for (uint32_t k = 0; k < steps; k += 4) {
            step_i8(rows, 1, sums, x + k, ldx, w + (size_t)k * PANEL);
        }
    }
}

ALWAYS_INLINE void tile_of_i8_neon(const uint32_t rows, const struct gemm *g, const uint8_t *x,
                                   const char *panel, int32_t *acc) {
    const int8_t *w = weights_at(g, panel, g->k_from);
    int32x4_t sums[KERNEL_TILE_ROWS][QUADS];
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        load_sums(sums[r], acc + r * g->ldacc, g->k_from == 0);
    }
    for (uint32_t k = g->k_from; k < g->k_to; k += KERNEL_K_STEP) {
        const uint32_t left = g->k_to - k;
        steps_i8(rows, sums, x + k, g->ldx, w, (uint8_t)panel[k / KERNEL_K_STEP],
                 left < KERNEL_K_STEP ? left : KERNEL_K_STEP);
        w += KERNEL_K_STEP * PANEL;
    }
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        store_sums(sums[r], acc + r * g->ldacc);
    }
    tile_outliers(rows, g, x, panel, acc);
}

GEMM_NEON(i8_neon, uint8_t, int32_t)
