/* Matrix products for AVX-512: float and bf16 weights.
 *
 * K is walked in order with one sum an output by FMA, as on AVX2: both give the same bits. Limit
 * for many rows: two FMA of 16 floats a cycle where there are two ports of 512 bits (tile_avx512.h
 * counts the loads), of which bf16 weights take 4 of 16 places for shifting and masking; for few
 * rows: the bandwidth at which weights come in.
 *
 * Checked in an emulator only, which tells nothing of time: what is said of it here is arithmetic.
 */
#include "kernels/tile_avx512.h"

/* Of a step of K in a panel. */
#define BYTES_F32  (PANEL * sizeof(float))
#define BYTES_BF16 (PANEL * sizeof(uint16_t))

/* The 16 weights of one step of K. */
ALWAYS_INLINE __m512 weights_f32(const char *at) {
    return _mm512_loadu_ps(at);
}

/* Both halves get all eight words: the lower shifts outputs 0 .. 7 up, the upper has 8 .. 15 where
 * they belong. The load does the doubling. */
ALWAYS_INLINE __m512 weights_bf16(const char *at) {
    const __m512i up = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi32(16), 0);
    const __m512i words = _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)at));
    return _mm512_castsi512_ps(
        _mm512_and_si512(_mm512_sllv_epi32(words, up), _mm512_set1_epi32((int32_t)0xffff0000)));
}

/* Steps [k, end) of K; a step of a panel has `bytes` bytes. */
ALWAYS_INLINE void steps(const uint32_t rows, const uint32_t panels, const uint32_t bytes,
                         __m512 sums[][PANELS], const struct tile *t, uint32_t k, uint32_t end) {
    const float *x = (const float *)t->x + k;
    const char *w = t->panel + (size_t)k * bytes;
#pragma GCC unroll 1
    for (; k < end; k++) {
        __m512 weights[PANELS];
#pragma GCC unroll 2
        for (uint32_t p = 0; p < panels; p++) {
            const char *at = w + p * t->g->panel_bytes;
            weights[p] = bytes == BYTES_BF16 ? weights_bf16(at) : weights_f32(at);
        }
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            const __m512 b = _mm512_set1_ps(x[r * t->g->ldx]);
#pragma GCC unroll 2
            for (uint32_t p = 0; p < panels; p++) {
                sums[r][p] = _mm512_fmadd_ps(b, weights[p], sums[r][p]);
            }
        }
        x++;
        w += bytes;
    }
}

/* Where row r of panel p of a tile has its sums. */
ALWAYS_INLINE float *acc_at(const struct tile *t, uint32_t r, uint32_t p) {
    return (float *)t->acc + r * t->g->ldacc + (size_t)p * PANEL;
}

ALWAYS_INLINE void tile_of(const uint32_t rows, const uint32_t panels, const uint32_t bytes,
                           const struct tile *t) {
    const uint32_t round = LINES * LINE / bytes; /* steps between two rounds of prefetching */
    __m512 sums[KERNEL_TILE_ROWS][PANELS];
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (uint32_t p = 0; p < panels; p++) {
            sums[r][p] = t->g->k_from == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(acc_at(t, r, p));
        }
    }
    uint32_t k = t->g->k_from;
    for (; k + round <= t->g->k_to; k += round) {
        tile_prefetch(panels, t);
        steps(rows, panels, bytes, sums, t, k, k + round);
    }
    steps(rows, panels, bytes, sums, t, k, t->g->k_to);
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (uint32_t p = 0; p < panels; p++) {
            _mm512_storeu_ps(acc_at(t, r, p), sums[r][p]);
        }
    }
}

ALWAYS_INLINE void tile_of_f32(const uint32_t rows, const uint32_t panels, const struct tile *t) {
    tile_of(rows, panels, BYTES_F32, t);
}

ALWAYS_INLINE void tile_of_bf16(const uint32_t rows, const uint32_t panels, const struct tile *t) {
    tile_of(rows, panels, BYTES_BF16, t);
}

GEMM_AVX512(f32, avx512, float, float, BYTES_F32, 0)
GEMM_AVX512(bf16, avx512, float, float, BYTES_BF16, 0)
