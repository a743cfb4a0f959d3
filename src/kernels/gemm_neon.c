/* Matrix products for NEON: float and bf16 weights. K is walked in order with one accumulator an
 * output whatever the tile, so that all tiles give a row the same bits.
 *
 * bf16 weights become floats by a shift and a mask and are multiplied as such: bfmmla, which some
 * processors have, rounds activations to bf16 too and would give other sums. */
#include "kernels/tile_neon.h"

ALWAYS_INLINE void tile_of_f32_neon(const uint32_t rows, const struct gemm *g, const float *x,
                                    const char *panel, float *acc) {
    const float *w = (const float *)panel + (size_t)g->k_from * PANEL;
    float32x4_t sums[KERNEL_TILE_ROWS][QUADS];
    if (g->k_from == 0) {
        tile_zero(rows, sums);
    } else {
        tile_load(rows, sums, acc, g->ldacc);
    }
    tile_f32(rows, sums, x + g->k_from, g->ldx, w, PANEL, g->k_to - g->k_from);
    tile_store(rows, sums, acc, g->ldacc);
}

/* One step of K: words of the panel hold outputs j (low half) and j + 8 (high half). */
ALWAYS_INLINE void load_bf16(float32x4_t v[QUADS], const uint16_t *w) {
    const uint32x4_t high = vdupq_n_u32(0xffff0000);
#pragma GCC unroll 2
    for (uint32_t j = 0; j < 2; j++) {
        const uint32x4_t pairs = vreinterpretq_u32_u16(vld1q_u16(w + 8 * j));
        v[j] = vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16));
        v[j + 2] = vreinterpretq_f32_u32(vandq_u32(pairs, high));
    }
}

ALWAYS_INLINE void tile_of_bf16_neon(const uint32_t rows, const struct gemm *g, const float *x,
                                     const char *panel, float *acc) {
    const uint16_t *w = (const uint16_t *)panel;
    float32x4_t sums[KERNEL_TILE_ROWS][QUADS];
    if (g->k_from == 0) {
        tile_zero(rows, sums);
    } else {
        tile_load(rows, sums, acc, g->ldacc);
    }
    for (uint32_t k = g->k_from; k < g->k_to; k++) {
        float32x4_t v[QUADS];
        load_bf16(v, w + (size_t)k * PANEL);
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            const float b = x[r * g->ldx + k];
#pragma GCC unroll 4
            for (uint32_t j = 0; j < QUADS; j++) {
                sums[r][j] = vfmaq_n_f32(sums[r][j], v[j], b);
            }
        }
    }
    tile_store(rows, sums, acc, g->ldacc);
}

GEMM_NEON(f32_neon, float, float)
GEMM_NEON(bf16_neon, float, float)
