/* Integer matrix products for AVX2: 7-bit activations times 8-bit weights, summed in int32.
 *
 * vpmaddubsw multiplies unsigned activations by signed weights and adds pairs: at most
 * 2 * 127 * 127 = 32258, so it never saturates; vpmaddwd with ones adds the pairs to four products.
 * Limit: two multiplications a cycle, i.e. 32 products a cycle, twice what FMA does in floats.
 * Sums of integers are exact, so every order and tile gives the same bits. */
#include "kernels/tile_avx2.h"

ALWAYS_INLINE __m256i broadcast4(const uint8_t *x) {
    int32_t four;
    memcpy(&four, x, sizeof(four));
    return _mm256_set1_epi32(four);
}

ALWAYS_INLINE void rows_i8(const uint32_t rows, const struct gemm *g, const uint8_t *x,
                           const int8_t *w, int32_t *acc) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sums[KERNEL_TILE_ROWS][2];
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        __m256i *at = (__m256i *)(acc + r * g->ldacc);
        sums[r][0] = g->k_from == 0 ? _mm256_setzero_si256() : _mm256_loadu_si256(at);
        sums[r][1] = g->k_from == 0 ? _mm256_setzero_si256() : _mm256_loadu_si256(at + 1);
    }
    for (uint32_t k = g->k_from; k < g->k_to; k += 4) {
        const __m256i *w2 = (const __m256i *)(w + (size_t)k * PANEL);
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            const __m256i b = broadcast4(x + r * g->ldx + k);
            const __m256i t0 = _mm256_maddubs_epi16(b, _mm256_loadu_si256(w2));
            const __m256i t1 = _mm256_maddubs_epi16(b, _mm256_loadu_si256(w2 + 1));
            sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(t0, ones));
            sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(t1, ones));
        }
    }
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        __m256i *at = (__m256i *)(acc + r * g->ldacc);
        _mm256_storeu_si256(at, sums[r][0]);
        _mm256_storeu_si256(at + 1, sums[r][1]);
    }
}

static void panel_i8(const struct gemm *g, const int8_t *w, int32_t *acc) {
    const uint8_t *x = g->x;
    uint32_t left = g->rows;
    for (; left >= 6; left -= 6) {
        rows_i8(6, g, x, w, acc);
        x += 6 * g->ldx;
        acc += 6 * g->ldacc;
    }
    switch (left) {
    case 5:
        rows_i8(5, g, x, w, acc);
        break;
    case 4:
        rows_i8(4, g, x, w, acc);
        break;
    case 3:
        rows_i8(3, g, x, w, acc);
        break;
    case 2:
        rows_i8(2, g, x, w, acc);
        break;
    case 1:
        rows_i8(1, g, x, w, acc);
        break;
    default:
        break;
    }
}

void gemm_i8_avx2(const struct gemm *g) {
    for (uint32_t p = 0; p < g->n_panels; p++) {
        const char *panel = (const char *)g->panels + p * g->panel_bytes;
        panel_i8(g, (const int8_t *)(panel + PANEL * sizeof(int32_t)),
                 (int32_t *)g->acc + (size_t)p * PANEL);
    }
}
