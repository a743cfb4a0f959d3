/* What the AVX2 products of quantized activations share: sums of a tile in int32, and what outliers
 * add to them. Private to gemm_i8_avx2.c and gemm_i4_avx2.c. */
#ifndef BRISK_KERNELS_TILE_I8_AVX2_H
#define BRISK_KERNELS_TILE_I8_AVX2_H

#include "kernels/tile_avx2.h"

/* Four steps of K of a row, in every lane. */
ALWAYS_INLINE __m256i broadcast4(const void *x) {
    int32_t four;
    memcpy(&four, x, sizeof(four));
    return _mm256_set1_epi32(four);
}

/* Adds, in the order written: the compiler would make a tree of the sums, and spill. */
ALWAYS_INLINE __m256i add_in_order(__m256i a, __m256i b) {
    __m256i sum = _mm256_add_epi16(a, b);
    __asm__("" : "+x"(sum));
    return sum;
}

ALWAYS_INLINE void sums_begin(const uint32_t rows, __m256i sums[][2], const struct gemm *g,
                              const int32_t *acc) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        const __m256i *at = (const __m256i *)(acc + r * g->ldacc);
        sums[r][0] = g->k_from == 0 ? _mm256_setzero_si256() : _mm256_loadu_si256(at);
        sums[r][1] = g->k_from == 0 ? _mm256_setzero_si256() : _mm256_loadu_si256(at + 1);
    }
}

ALWAYS_INLINE void sums_end(const uint32_t rows, __m256i sums[][2], const struct gemm *g,
                            int32_t *acc) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        __m256i *at = (__m256i *)(acc + r * g->ldacc);
        _mm256_storeu_si256(at, sums[r][0]);
        _mm256_storeu_si256(at + 1, sums[r][1]);
    }
}

/* Pairs of products of high parts and weights. vpmaddubsw takes the sign of the high parts over into
 * the weights: 127 * 127 twice fits 16 bits. */
ALWAYS_INLINE __m256i outlier_products(__m256i high, __m256i weights) {
    return _mm256_maddubs_epi16(_mm256_abs_epi8(high), _mm256_sign_epi8(weights, high));
}

/* Sums of high parts times weights count 128 times. */
ALWAYS_INLINE void add_outliers(int32_t *acc, __m256i sum0, __m256i sum1) {
    __m256i *at = (__m256i *)acc;
    _mm256_storeu_si256(
        at, _mm256_add_epi32(_mm256_loadu_si256(at), _mm256_slli_epi32(sum0, 7)));
    _mm256_storeu_si256(
        at + 1, _mm256_add_epi32(_mm256_loadu_si256(at + 1), _mm256_slli_epi32(sum1, 7)));
}

/* Of all K, once a tile's sums have come to its end: outliers_<suffix>(outliers, gemm, panel, acc)
 * for each row that has some. */
#define TILE_OUTLIERS(suffix)                                                                      \
    static void tile_outliers_##suffix(uint32_t rows, const struct gemm *g, const uint8_t *x,      \
                                       const char *panel, int32_t *acc) {                          \
        for (uint32_t r = 0; r < rows && g->k_to == g->in; r++) {                                  \
            const struct row_outliers *outliers = quantized_outliers(x + r * g->ldx, g->in);       \
            if (outliers->n > 0) {                                                                 \
                outliers_##suffix(outliers, g, panel, acc + r * g->ldacc);                         \
            }                                                                                      \
        }                                                                                          \
    }

#endif
