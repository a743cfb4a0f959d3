/* Register tiles shared by the AVX2 matrix and attention kernels: rows x 16 outputs, one
 * accumulator an output, K walked in order with FMA. Private to the *_avx2.c files.
 *
 * `rows` is a constant at every call, so that the loops unroll and the accumulators live in
 * registers: 6 x 16 floats take 12 of the 16, two hold the weights, one a broadcast activation.
 * Limit: 2 FMA a cycle; a step of K needs 2 + 6 loads for 12 FMA (6 cycles), 3 loads fit a cycle.
 */
#ifndef BRISK_KERNELS_TILE_AVX2_H
#define BRISK_KERNELS_TILE_AVX2_H

#include <immintrin.h>

#include "kernels/kernels.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The first n (1 .. 8, or more) of eight lanes. */
ALWAYS_INLINE __m256i lanes_mask(size_t n) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)(n < 8 ? n : 8)), index);
}

/* acc[rows][16] += x[rows][k] * w[k][16]; ldw floats from one k to the next. */
ALWAYS_INLINE void tile_f32(const uint32_t rows, __m256 acc[][2], const float *x, size_t ldx,
                            const float *w, size_t ldw, uint32_t k) {
    for (uint32_t i = 0; i < k; i++) {
        const __m256 w0 = _mm256_loadu_ps(w), w1 = _mm256_loadu_ps(w + 8);
        w += ldw;
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            const __m256 b = _mm256_broadcast_ss(x + r * ldx + i);
            acc[r][0] = _mm256_fmadd_ps(b, w0, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(b, w1, acc[r][1]);
        }
    }
}

ALWAYS_INLINE void tile_load(const uint32_t rows, __m256 acc[][2], const float *from, size_t ld) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        acc[r][0] = _mm256_loadu_ps(from + r * ld);
        acc[r][1] = _mm256_loadu_ps(from + r * ld + 8);
    }
}

ALWAYS_INLINE void tile_zero(const uint32_t rows, __m256 acc[][2]) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        acc[r][0] = _mm256_setzero_ps();
        acc[r][1] = _mm256_setzero_ps();
    }
}

ALWAYS_INLINE void tile_store(const uint32_t rows, __m256 acc[][2], float *to, size_t ld) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        _mm256_storeu_ps(to + r * ld, acc[r][0]);
        _mm256_storeu_ps(to + r * ld + 8, acc[r][1]);
    }
}

#endif
