/* Integer matrix products for AVX2: 7-bit activations times 8-bit weights, summed in int32.
 *
 * vpmaddubsw multiplies unsigned activations by signed weights and adds pairs: at most
 * 2 * 127 * 127 = 32258, so it never saturates; vpmaddwd with ones adds pairs of those. The two
 * multiply on the same two ports: 32 products a cycle at most (Zen 3), twice what FMA does. Where
 * the panel's header says that the sums of two or four vpmaddubsw fit 16 bits, one vpmaddwd does
 * for them together: 43 or 51 products a cycle at most. Measured for a tile of 6 x 16 in the first-
 * level cache: 30, 37 and 41, since additions also go to the two ports.
 * Sums of integers are exact, so every order and tile gives the same bits. */
#include "kernels/tile_i8_avx2.h"

#define GROUP_BYTES (4 * PANEL) /* four steps of K of a panel */

ALWAYS_INLINE __m256i load_i8(const char *at) {
    return _mm256_loadu_si256((const __m256i *)at);
}

/* n groups of four steps of K, summed in 16 bits; weights stay in memory, registers are short. */
ALWAYS_INLINE void step_i8(const uint32_t rows, const uint32_t n, __m256i sums[][2],
                           const uint8_t *x, size_t ldx, const char *w) {
    const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        const __m256i first = broadcast4(x + r * ldx);
        __m256i p0 = _mm256_maddubs_epi16(first, load_i8(w));
        __m256i p1 = _mm256_maddubs_epi16(first, load_i8(w + 32));
#pragma GCC unroll 4
        for (uint32_t i = 1; i < n; i++) {
            const __m256i b = broadcast4(x + r * ldx + 4 * i);
            const char *group = w + i * GROUP_BYTES;
            p0 = add_in_order(p0, _mm256_maddubs_epi16(b, load_i8(group)));
            p1 = add_in_order(p1, _mm256_maddubs_epi16(b, load_i8(group + 32)));
        }
        sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(p0, ones));
        sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(p1, ones));
    }
}

/* KERNEL_K_STEP steps of K, or the last `steps`, by as many groups at once as the header says. */
ALWAYS_INLINE void steps_i8(const uint32_t rows, __m256i sums[][2], const uint8_t *x, size_t ldx,
                            const char *w, uint32_t groups, uint32_t steps) {
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

/* What the outliers of one row add. Few groups, one after the other: 3 to 4 cycles each, from the
 * panel that the tiles have just read. */
ALWAYS_INLINE void outliers_i8(const struct row_outliers *outliers, const struct gemm *g,
                               const char *panel, int32_t *acc) {
    const char *weights = panel + panel_header_i8(g->in);
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sum0 = _mm256_setzero_si256(), sum1 = sum0;
    for (uint32_t i = 0; i < outliers->n; i++) {
        const char *w = weights + (size_t)outliers->at[i].group * GROUP_BYTES;
        const __m256i high = broadcast4(outliers->at[i].high);
        const __m256i p0 = outlier_products(high, load_i8(w));
        const __m256i p1 = outlier_products(high, load_i8(w + 32));
        sum0 = _mm256_add_epi32(sum0, _mm256_madd_epi16(p0, ones));
        sum1 = _mm256_add_epi32(sum1, _mm256_madd_epi16(p1, ones));
    }
    add_outliers(acc, sum0, sum1);
}

TILE_OUTLIERS(i8)

ALWAYS_INLINE void tile_of_i8(const uint32_t rows, const struct gemm *g, const uint8_t *x,
                              const char *panel, int32_t *acc, struct prefetch *ahead) {
    const char *w = panel + panel_header_i8(g->in) + (size_t)g->k_from * PANEL;
    __m256i sums[KERNEL_TILE_ROWS][2];
    sums_begin(rows, sums, g, acc);
    for (uint32_t k = g->k_from; k < g->k_to; k += KERNEL_K_STEP) {
        const uint32_t left = g->k_to - k;
        prefetch_some(ahead);
        steps_i8(rows, sums, x + k, g->ldx, w, (uint8_t)panel[k / KERNEL_K_STEP],
                 left < KERNEL_K_STEP ? left : KERNEL_K_STEP);
        w += KERNEL_K_STEP * PANEL;
    }
    sums_end(rows, sums, g, acc);
    tile_outliers_i8(rows, g, x, panel, acc);
}

GEMM_AVX2(i8, uint8_t, int32_t, PANEL, panel_header_i8(g->in))
