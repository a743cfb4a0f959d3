/* Register tiles shared by the NEON matrix and attention kernels: rows x 16 outputs, one
 * accumulator an output, K walked in order with FMA. Private to the *_neon*.c files.
 *
 * `rows` is a constant at every call, so that the loops unroll and the accumulators live in
 * registers: 6 x 16 floats take 24 of the 32, four hold the weights, the rest activations, of which
 * FMA takes one lane. Limit: 2 FMA of 4 floats a cycle on the wider cores (Neoverse N1: 12 cycles
 * for a step of 6 rows, whose 10 loads take 5). Sums go in the order of tile_avx2.h: floats come
 * out with the same bits on both machines. */
#ifndef BRISK_KERNELS_TILE_NEON_H
#define BRISK_KERNELS_TILE_NEON_H

#include <arm_neon.h>

#include "kernels/kernels.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define QUADS         (PANEL / 4) /* registers that hold the outputs of a row */

/* Rows of the next tile: no tile of one or two rows where the rows can be shared out better, since
 * fewer than eight chains of FMA do not hide its latency. */
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

/* The four numbers from x on, or the first n with `otherwise` in the remaining lanes. */
ALWAYS_INLINE float32x4_t load_or(const float *x, size_t n, float otherwise) {
    float32x4_t v = vdupq_n_f32(otherwise);
    switch (n) {
    case 0:
        return v;
    case 1:
        return vld1q_lane_f32(x, v, 0);
    case 2:
        return vcombine_f32(vld1_f32(x), vget_high_f32(v));
    case 3:
        v = vcombine_f32(vld1_f32(x), vget_high_f32(v));
        return vld1q_lane_f32(x + 2, v, 2);
    default:
        return vld1q_f32(x);
    }
}

/* To the first n of the four numbers from y on. */
ALWAYS_INLINE void store_some(float *y, size_t n, float32x4_t v) {
    switch (n) {
    case 0:
        break;
    case 1:
        vst1q_lane_f32(y, v, 0);
        break;
    case 2:
        vst1_f32(y, vget_low_f32(v));
        break;
    case 3:
        vst1_f32(y, vget_low_f32(v));
        vst1q_lane_f32(y + 2, v, 2);
        break;
    default:
        vst1q_f32(y, v);
        break;
    }
}

/* The four quads from w on. */
ALWAYS_INLINE void load_quads(float32x4_t v[QUADS], const float *w) {
#pragma GCC unroll 4
    for (uint32_t j = 0; j < QUADS; j++) {
        v[j] = vld1q_f32(w + 4 * j);
    }
}

/* acc[rows][16] += x[rows][k] * w[k][16]; ldw floats from one k to the next. */
ALWAYS_INLINE void tile_f32(const uint32_t rows, float32x4_t acc[][QUADS], const float *x,
                            size_t ldx, const float *w, size_t ldw, uint32_t k) {
    for (uint32_t i = 0; i < k; i++) {
        float32x4_t v[QUADS];
        load_quads(v, w);
        w += ldw;
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            const float b = x[r * ldx + i];
#pragma GCC unroll 4
            for (uint32_t j = 0; j < QUADS; j++) {
                acc[r][j] = vfmaq_n_f32(acc[r][j], v[j], b);
            }
        }
    }
}

ALWAYS_INLINE void tile_load(const uint32_t rows, float32x4_t acc[][QUADS], const float *from,
                             size_t ld) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        load_quads(acc[r], from + r * ld);
    }
}

ALWAYS_INLINE void tile_zero(const uint32_t rows, float32x4_t acc[][QUADS]) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (uint32_t j = 0; j < QUADS; j++) {
            acc[r][j] = vdupq_n_f32(0);
        }
    }
}

ALWAYS_INLINE void tile_store(const uint32_t rows, float32x4_t acc[][QUADS], float *to, size_t ld) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (uint32_t j = 0; j < QUADS; j++) {
            vst1q_f32(to + r * ld + 4 * j, acc[r][j]);
        }
    }
}

/* gemm_<name>: all rows of a panel in tiles, and all panels, on tile_of_<name>(rows, g, x, panel,
 * acc). */
#define GEMM_NEON(name, x_type, acc_type)                                                          \
    static void panel_of_##name(const struct gemm *g, const char *panel, acc_type *acc) {          \
        const x_type *x = g->x;                                                                    \
        for (uint32_t left = g->rows, rows; left > 0; left -= rows) {                              \
            rows = tile_rows(left);                                                                \
            switch (rows) {                                                                        \
            case 6:                                                                                \
                tile_of_##name(6, g, x, panel, acc);                                               \
                break;                                                                             \
            case 5:                                                                                \
                tile_of_##name(5, g, x, panel, acc);                                               \
                break;                                                                             \
            case 4:                                                                                \
                tile_of_##name(4, g, x, panel, acc);                                               \
                break;                                                                             \
            case 3:                                                                                \
                tile_of_##name(3, g, x, panel, acc);                                               \
                break;                                                                             \
            case 2:                                                                                \
                tile_of_##name(2, g, x, panel, acc);                                               \
                break;                                                                             \
            default:                                                                               \
                tile_of_##name(1, g, x, panel, acc);                                               \
                break;                                                                             \
            }                                                                                      \
            x += rows * g->ldx;                                                                    \
            acc += rows * g->ldacc;                                                                \
        }                                                                                          \
    }                                                                                              \
    void gemm_##name(const struct gemm *g) {                                                       \
        for (uint32_t p = 0; p < g->n_panels; p++) {                                               \
            panel_of_##name(g, (const char *)g->panels + p * g->panel_bytes,                       \
                            (acc_type *)g->acc + (size_t)p * PANEL);                               \
        }                                                                                          \
    }

#endif
