/* Matrix products for AVX2 and FMA: float and bf16 weights.
 *
 * Limit for many rows: 2 FMA of 8 floats a cycle; for one row: the bandwidth at which weights come
 * in. K is walked in order with one accumulator an output whatever the tile, so that all tiles
 * give a row the same bits. */
#include "kernels/tile_avx2.h"

ALWAYS_INLINE void rows_f32(const uint32_t rows, const struct gemm *g, const float *x,
                            const float *panel, float *acc) {
    __m256 sums[KERNEL_TILE_ROWS][2];
    if (g->k_from == 0) {
        tile_zero(rows, sums);
    } else {
        tile_load(rows, sums, acc, g->ldacc);
    }
    tile_f32(rows, sums, x + g->k_from, g->ldx, panel + (size_t)g->k_from * PANEL, PANEL,
             g->k_to - g->k_from);
    tile_store(rows, sums, acc, g->ldacc);
}

static void panel_f32(const struct gemm *g, const float *panel, float *acc) {
    const float *x = g->x;
    uint32_t left = g->rows;
    for (; left >= 6; left -= 6) {
        rows_f32(6, g, x, panel, acc);
        x += 6 * g->ldx;
        acc += 6 * g->ldacc;
    }
    switch (left) {
    case 5:
        rows_f32(5, g, x, panel, acc);
        break;
    case 4:
        rows_f32(4, g, x, panel, acc);
        break;
    case 3:
        rows_f32(3, g, x, panel, acc);
        break;
    case 2:
        rows_f32(2, g, x, panel, acc);
        break;
    case 1:
        rows_f32(1, g, x, panel, acc);
        break;
    default:
        break;
    }
}

void gemm_f32_avx2(const struct gemm *g) {
    for (uint32_t p = 0; p < g->n_panels; p++) {
        panel_f32(g, (const float *)((const char *)g->panels + p * g->panel_bytes),
                  (float *)g->acc + (size_t)p * PANEL);
    }
}

ALWAYS_INLINE void rows_bf16(const uint32_t rows, const struct gemm *g, const float *x,
                             const uint16_t *panel, float *acc) {
    const __m256i high = _mm256_set1_epi32((int32_t)0xffff0000);
    __m256 sums[KERNEL_TILE_ROWS][2];
    if (g->k_from == 0) {
        tile_zero(rows, sums);
    } else {
        tile_load(rows, sums, acc, g->ldacc);
    }
    for (uint32_t k = g->k_from; k < g->k_to; k++) {
        const __m256i w = _mm256_loadu_si256((const __m256i *)(panel + (size_t)k * PANEL));
        const __m256 w0 = _mm256_castsi256_ps(_mm256_slli_epi32(w, 16));
        const __m256 w1 = _mm256_castsi256_ps(_mm256_and_si256(w, high));
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            const __m256 b = _mm256_broadcast_ss(x + r * g->ldx + k);
            sums[r][0] = _mm256_fmadd_ps(b, w0, sums[r][0]);
            sums[r][1] = _mm256_fmadd_ps(b, w1, sums[r][1]);
        }
    }
    tile_store(rows, sums, acc, g->ldacc);
}

static void panel_bf16(const struct gemm *g, const uint16_t *panel, float *acc) {
    const float *x = g->x;
    uint32_t left = g->rows;
    for (; left >= 6; left -= 6) {
        rows_bf16(6, g, x, panel, acc);
        x += 6 * g->ldx;
        acc += 6 * g->ldacc;
    }
    switch (left) {
    case 5:
        rows_bf16(5, g, x, panel, acc);
        break;
    case 4:
        rows_bf16(4, g, x, panel, acc);
        break;
    case 3:
        rows_bf16(3, g, x, panel, acc);
        break;
    case 2:
        rows_bf16(2, g, x, panel, acc);
        break;
    case 1:
        rows_bf16(1, g, x, panel, acc);
        break;
    default:
        break;
    }
}

void gemm_bf16_avx2(const struct gemm *g) {
    for (uint32_t p = 0; p < g->n_panels; p++) {
        panel_bf16(g, (const uint16_t *)((const char *)g->panels + p * g->panel_bytes),
                   (float *)g->acc + (size_t)p * PANEL);
    }
}
