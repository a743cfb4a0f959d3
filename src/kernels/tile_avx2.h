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
#define LINE          64 /* bytes that a prefetch brings */
#define LINES         8  /* of a panel between two rounds of prefetching */

/* What the tiles of a panel ask the second-level cache for while they work: `count` lines for each
 * LINES lines that a tile reads. Several tiles together ask for the same part of the next panel; a
 * single one, which reads memory as one stream, for what comes NEAR bytes later, which measured
 * best of 0 to 16384 (+ 5 to + 35 % for bf16 and int8 from memory), or for nothing where the
 * processor's own prefetching is better alone (one row of floats: + 7 %). */
struct prefetch {
    const char *at, *end;
    uint32_t count;
};

#define NEAR 2048

/* bytes_a_k: of one step of K in a panel; header: bytes before the first. */
ALWAYS_INLINE struct prefetch prefetch_begin(const struct gemm *g, const char *panel,
                                             uint32_t bytes_a_k, size_t header, uint32_t tiles) {
    const char *from = panel + header + (tiles == 1 ? NEAR : g->panel_bytes);
    const bool wanted = g->rows > 1 || bytes_a_k < PANEL * sizeof(float);
    return (struct prefetch){.at = from + (size_t)g->k_from * bytes_a_k,
                             .end = wanted ? from + (size_t)g->k_to * bytes_a_k : NULL,
                             .count = (LINES + tiles - 1) / tiles};
}

ALWAYS_INLINE void prefetch_some(struct prefetch *p) {
    if (p->at < p->end) {
        for (uint32_t i = 0; i < p->count; i++) {
            _mm_prefetch(p->at + i * LINE, _MM_HINT_T1);
        }
        p->at += (size_t)p->count * LINE;
    }
}

/* Rows of the next tile: no tile of one or two rows where the rows can be shared out better, since
 * fewer than eight chains of FMA do not hide its latency of four cycles. */
ALWAYS_INLINE uint32_t tile_rows(uint32_t left) {
    switch (left) {
    case 7:
    case 8:
        return 4;
    case 9:
    case 13:
        return 5;
    default:
        return left < KERNEL_TILE_ROWS ? left : KERNEL_TILE_ROWS;
    }
}

/* The first n (1 .. 8, or more) of eight lanes. */
ALWAYS_INLINE __m256i lanes_mask(size_t n) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)(n < 8 ? n : 8)), index);
}

/* The eight numbers from x on, or the first n with `otherwise` in the remaining lanes. */
ALWAYS_INLINE __m256 load_or(const float *x, size_t n, float otherwise) {
    if (n >= 8) {
        return _mm256_loadu_ps(x);
    }
    const __m256i mask = lanes_mask(n);
    return _mm256_blendv_ps(_mm256_set1_ps(otherwise), _mm256_maskload_ps(x, mask),
                            _mm256_castsi256_ps(mask));
}

/* gemm_<suffix>_avx2: all rows of a panel in tiles, and all panels, on tile_of_<suffix>. */
#define GEMM_AVX2(suffix, x_type, acc_type, bytes_a_k, header)                                     \
    static void panel_of_##suffix(const struct gemm *g, const char *panel, acc_type *acc) {        \
        const uint32_t tiles = (g->rows + KERNEL_TILE_ROWS - 1) / KERNEL_TILE_ROWS;                \
        struct prefetch ahead = prefetch_begin(g, panel, bytes_a_k, header, tiles);                \
        const x_type *x = g->x;                                                                    \
        for (uint32_t left = g->rows, rows; left > 0; left -= rows) {                              \
            rows = tile_rows(left);                                                                \
            switch (rows) {                                                                        \
            case 6:                                                                                \
                tile_of_##suffix(6, g, x, panel, acc, &ahead);                                     \
                break;                                                                             \
            case 5:                                                                                \
                tile_of_##suffix(5, g, x, panel, acc, &ahead);                                     \
                break;                                                                             \
            case 4:                                                                                \
                tile_of_##suffix(4, g, x, panel, acc, &ahead);                                     \
                break;                                                                             \
            case 3:                                                                                \
                tile_of_##suffix(3, g, x, panel, acc, &ahead);                                     \
                break;                                                                             \
            case 2:                                                                                \
                tile_of_##suffix(2, g, x, panel, acc, &ahead);                                     \
                break;                                                                             \
            default:                                                                               \
                tile_of_##suffix(1, g, x, panel, acc, &ahead);                                     \
                break;                                                                             \
            }                                                                                      \
            x += rows * g->ldx;                                                                    \
            acc += rows * g->ldacc;                                                                \
        }                                                                                          \
    }                                                                                              \
    void gemm_##suffix##_avx2(const struct gemm *g) {                                              \
        for (uint32_t p = 0; p < g->n_panels; p++) {                                               \
            panel_of_##suffix(g, (const char *)g->panels + p * g->panel_bytes,                     \
                              (acc_type *)g->acc + (size_t)p * PANEL);                             \
        }                                                                                          \
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
