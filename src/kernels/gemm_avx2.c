/* Matrix products for AVX2 and FMA: float and bf16 weights.
 *
 * Limit for many rows: 2 FMA of 8 floats a cycle, of which a tile in the first-level cache reaches
 * 98 % (Zen 3); for few rows: the bandwidth at which weights come in. K is walked in order with
 * one accumulator an output whatever the tile, so that all tiles give a row the same bits.
 *
 * While the tiles of one panel work they ask for the same part of the next panel, which hides the
 * memory behind the arithmetic where a panel is used by few tiles. */
#include "kernels/tile_avx2.h"

/* One tile: `rows` rows of x from g->k_from on, the part [k_from, k_to) of a panel, their sums. */
ALWAYS_INLINE void tile_of_f32(const uint32_t rows, const struct gemm *g, const float *x,
                               const char *panel, float *acc, struct prefetch *ahead) {
    const float *w = (const float *)panel + (size_t)g->k_from * PANEL;
    uint32_t k = g->k_from;
    __m256 sums[KERNEL_TILE_ROWS][2];
    if (k == 0) {
        tile_zero(rows, sums);
    } else {
        tile_load(rows, sums, acc, g->ldacc);
    }
    for (; k + LINES <= g->k_to; k += LINES) {
        prefetch_some(ahead);
        tile_f32(rows, sums, x + k, g->ldx, w, PANEL, LINES);
        w += (size_t)LINES * PANEL;
    }
    tile_f32(rows, sums, x + k, g->ldx, w, PANEL, g->k_to - k);
    tile_store(rows, sums, acc, g->ldacc);
}

ALWAYS_INLINE void step_bf16(const uint32_t rows, __m256 sums[][2], const float *x, size_t ldx,
                             const uint16_t *w) {
    const __m256i pairs = _mm256_loadu_si256((const __m256i *)w);
    const __m256 w0 = _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16));
    const __m256 w1 =
        _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32((int32_t)0xffff0000)));
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        const __m256 b = _mm256_broadcast_ss(x + r * ldx);
        sums[r][0] = _mm256_fmadd_ps(b, w0, sums[r][0]);
        sums[r][1] = _mm256_fmadd_ps(b, w1, sums[r][1]);
    }
}

ALWAYS_INLINE void tile_of_bf16(const uint32_t rows, const struct gemm *g, const float *x,
                                const char *panel, float *acc, struct prefetch *ahead) {
    const uint16_t *w = (const uint16_t *)panel;
    uint32_t k = g->k_from;
    __m256 sums[KERNEL_TILE_ROWS][2];
    if (k == 0) {
        tile_zero(rows, sums);
    } else {
        tile_load(rows, sums, acc, g->ldacc);
    }
    for (; k + 2 * LINES <= g->k_to; k += 2 * LINES) {
        prefetch_some(ahead);
        for (uint32_t i = k; i < k + 2 * LINES; i++) {
            step_bf16(rows, sums, x + i, g->ldx, w + (size_t)i * PANEL);
        }
    }
    for (; k < g->k_to; k++) {
        step_bf16(rows, sums, x + k, g->ldx, w + (size_t)k * PANEL);
    }
    tile_store(rows, sums, acc, g->ldacc);
}

GEMM_AVX2(f32, float, float, PANEL * sizeof(float), 0)
GEMM_AVX2(bf16, float, float, PANEL * sizeof(uint16_t), 0)
