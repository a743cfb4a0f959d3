/* Attention over paged keys and values for AVX2: scores of all pages, softmax, values.
 *
 * Both products are the register tiles of the matrix kernels: a page of keys is a panel
 * [head_size][16], a page of values [16][head_size]. Limit: FMA for blocks of six rows, the
 * cache's bandwidth for one row (decode), where each key and value is used once. */
#include "kernels/attend_avx2.h"

ALWAYS_INLINE void scores_page(const uint32_t rows, const struct attend *a, const struct span *s,
                               uint32_t page) {
    __m256 acc[KERNEL_TILE_ROWS][2];
    tile_zero(rows, acc);
    tile_f32(rows, acc, a->q, a->head_size, a->pages[page] + a->keys_at, PANEL, a->head_size);
    tile_store(rows, acc, a->scores + (size_t)(page - s->first) * PANEL, s->ld);
}

/* One row, four pages at once: eight chains of FMA hide its latency of four cycles. */
static void scores_four(const struct attend *a, const struct span *s, uint32_t page) {
    __m256 acc[4][2];
    const float *keys[4];
    tile_zero(4, acc);
    for (uint32_t i = 0; i < 4; i++) {
        keys[i] = a->pages[page + i] + a->keys_at;
    }
    for (uint32_t d = 0; d < a->head_size; d++) {
        const __m256 q = _mm256_broadcast_ss(a->q + d);
#pragma GCC unroll 4
        for (uint32_t i = 0; i < 4; i++) {
            const float *at = keys[i] + (size_t)d * PANEL;
            acc[i][0] = _mm256_fmadd_ps(q, _mm256_loadu_ps(at), acc[i][0]);
            acc[i][1] = _mm256_fmadd_ps(q, _mm256_loadu_ps(at + 8), acc[i][1]);
        }
    }
    tile_store(4, acc, a->scores + (size_t)(page - s->first) * PANEL, PANEL);
}

/* y[rows][d .. d + 16) = sum over all pages of p * values, times inverse[row]. */
ALWAYS_INLINE void values_16(const uint32_t rows, const struct attend *a, const struct span *s,
                             const float *inverse, uint32_t d) {
    __m256 acc[KERNEL_TILE_ROWS][2];
    tile_zero(rows, acc);
    for (uint32_t page = s->first; page < s->end; page++) {
        tile_f32(rows, acc, a->scores + (size_t)(page - s->first) * PANEL, s->ld,
                 a->pages[page] + a->values_at + d, a->head_size, PANEL);
    }
    const __m256 zero = _mm256_setzero_ps(); /* + 0: no negative zeros, whatever was masked */
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        float *y = a->y + (size_t)r * a->head_size + d;
        const __m256 by = _mm256_set1_ps(inverse[r]);
        _mm256_storeu_ps(y, _mm256_fmadd_ps(acc[r][0], by, zero));
        _mm256_storeu_ps(y + 8, _mm256_fmadd_ps(acc[r][1], by, zero));
    }
}

/* One row, 64 outputs at once. */
static void values_64(const struct attend *a, const struct span *s, float inverse, uint32_t d) {
    __m256 acc[8];
    for (uint32_t j = 0; j < 8; j++) {
        acc[j] = _mm256_setzero_ps();
    }
    for (uint32_t page = s->first; page < s->end; page++) {
        const float *values = a->pages[page] + a->values_at + d;
        const float *p = a->scores + (size_t)(page - s->first) * PANEL;
        for (uint32_t i = 0; i < PANEL; i++) {
            const __m256 b = _mm256_broadcast_ss(p + i);
#pragma GCC unroll 8
            for (uint32_t j = 0; j < 8; j++) {
                acc[j] = _mm256_fmadd_ps(b, _mm256_loadu_ps(values + 8 * j), acc[j]);
            }
            values += a->head_size;
        }
    }
    const __m256 by = _mm256_set1_ps(inverse), zero = _mm256_setzero_ps();
    for (uint32_t j = 0; j < 8; j++) {
        _mm256_storeu_ps(a->y + d + 8 * j, _mm256_fmadd_ps(acc[j], by, zero));
    }
}

ALWAYS_INLINE void attend_rows(const uint32_t rows, const struct attend *a, const struct span *s) {
    uint32_t page = s->first, d = 0;
    for (; rows == 1 && page + 4 <= s->end; page += 4) {
        scores_four(a, s, page);
    }
    for (; page < s->end; page++) {
        scores_page(rows, a, s, page);
    }
    float inverse[KERNEL_TILE_ROWS];
    for (uint32_t r = 0; r < rows; r++) {
        inverse[r] = probabilities(a, s, r);
    }
    for (; rows == 1 && d + 64 <= a->head_size; d += 64) {
        values_64(a, s, inverse[0], d);
    }
    for (; d + PANEL <= a->head_size; d += PANEL) {
        values_16(rows, a, s, inverse, d);
    }
    for (; d < a->head_size; d += 8) {
        for (uint32_t r = 0; r < rows; r++) {
            values_tail(a, s, r, inverse[r], d);
        }
    }
}

ATTEND(avx2)
