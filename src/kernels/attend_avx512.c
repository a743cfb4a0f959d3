/* Attention over paged keys and values for AVX-512: its two products, 16 scores or outputs in a
 * register; the softmax between them is AVX2's (attend_avx2.h), in the order of its lanes.
 *
 * Every score and every output is one chain of FMA in AVX2's order, so that both give the same
 * bits. Limit: for blocks of six rows two FMA a cycle, where two pages or 32 outputs at a time make
 * 12 chains (tile_avx512.h counts the loads); for one row the cache's bandwidth, since each key and
 * value is used once.
 *
 * Checked in an emulator only, which tells nothing of time: what is said of it here is arithmetic.
 */
#include "kernels/attend_avx2.h"
#include "kernels/tile_avx512.h"

#define AT_ONCE 4 /* registers that one row fills */

/* sums[rows][n] += x[rows][k] * w[n][k][16]; ldw floats from one k to the next. */
ALWAYS_INLINE void multiply(const uint32_t rows, const uint32_t n, __m512 sums[][AT_ONCE],
                            const float *x, size_t ldx, const float *const *w, size_t ldw,
                            uint32_t k) {
#pragma GCC unroll 1
    for (uint32_t i = 0; i < k; i++) {
        __m512 v[AT_ONCE];
#pragma GCC unroll 4
        for (uint32_t j = 0; j < n; j++) {
            v[j] = _mm512_loadu_ps(w[j] + (size_t)i * ldw);
        }
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            const __m512 b = _mm512_set1_ps(x[r * ldx + i]);
#pragma GCC unroll 4
            for (uint32_t j = 0; j < n; j++) {
                sums[r][j] = _mm512_fmadd_ps(b, v[j], sums[r][j]);
            }
        }
    }
}

ALWAYS_INLINE void clear(const uint32_t rows, const uint32_t n, __m512 sums[][AT_ONCE]) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (uint32_t j = 0; j < n; j++) {
            sums[r][j] = _mm512_setzero_ps();
        }
    }
}

/* Scores of n pages from `page` on. */
ALWAYS_INLINE void scores_pages(const uint32_t rows, const uint32_t n, const struct attend *a,
                                const struct span *s, uint32_t page) {
    __m512 sums[KERNEL_TILE_ROWS][AT_ONCE];
    const float *keys[AT_ONCE];
    for (uint32_t j = 0; j < n; j++) {
        keys[j] = a->pages[page + j] + a->keys_at;
    }
    clear(rows, n, sums);
    multiply(rows, n, sums, a->q, a->head_size, keys, PANEL, a->head_size);
    float *to = a->scores + (size_t)(page - s->first) * PANEL;
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (uint32_t j = 0; j < n; j++) {
            _mm512_storeu_ps(to + r * s->ld + (size_t)j * PANEL, sums[r][j]);
        }
    }
}

/* y[rows][d .. d + 16 n) = sum over all pages of p * values, times inverse[row]. */
ALWAYS_INLINE void values_at(const uint32_t rows, const uint32_t n, const struct attend *a,
                             const struct span *s, const float *inverse, uint32_t d) {
    __m512 sums[KERNEL_TILE_ROWS][AT_ONCE];
    const float *values[AT_ONCE];
    clear(rows, n, sums);
    for (uint32_t page = s->first; page < s->end; page++) {
        for (uint32_t j = 0; j < n; j++) {
            values[j] = a->pages[page] + a->values_at + d + (size_t)j * PANEL;
        }
        multiply(rows, n, sums, a->scores + (size_t)(page - s->first) * PANEL, s->ld, values,
                 a->head_size, PANEL);
    }
    const __m512 zero = _mm512_setzero_ps(); /* + 0: no negative zeros, whatever was masked */
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        const __m512 by = _mm512_set1_ps(inverse[r]);
#pragma GCC unroll 4
        for (uint32_t j = 0; j < n; j++) {
            _mm512_storeu_ps(a->y + (size_t)r * a->head_size + d + (size_t)j * PANEL,
                             _mm512_fmadd_ps(sums[r][j], by, zero));
        }
    }
}

ALWAYS_INLINE void attend_rows(const uint32_t rows, const struct attend *a, const struct span *s) {
    const uint32_t n = rows == 1 ? AT_ONCE : PANELS;
    uint32_t page = s->first, d = 0;
    for (; page + n <= s->end; page += n) {
        scores_pages(rows, n, a, s, page);
    }
    for (; page < s->end; page++) {
        scores_pages(rows, 1, a, s, page);
    }
    float inverse[KERNEL_TILE_ROWS];
    for (uint32_t r = 0; r < rows; r++) {
        inverse[r] = probabilities(a, s, r);
    }
    for (; d + n * PANEL <= a->head_size; d += n * PANEL) {
        values_at(rows, n, a, s, inverse, d);
    }
    for (; d + PANEL <= a->head_size; d += PANEL) {
        values_at(rows, 1, a, s, inverse, d);
    }
    for (; d < a->head_size; d += 8) {
        for (uint32_t r = 0; r < rows; r++) {
            values_tail(a, s, r, inverse[r], d);
        }
    }
}

ATTEND(avx512)
