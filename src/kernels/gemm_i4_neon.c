/* Integer matrix products with weights of 4 bits for NEON without dot products (tile_i4_neon.h): a
 * lane of 16 bits takes eight products, a pair of them 16 * 127 * 8 = 16256 at most, so that smull
 * and seven smlal sum a group of two outputs; two instructions widen those of four. */
#include "kernels/tile_i4_neon.h"

ALWAYS_INLINE int32x4_t sum_products(const int8x16_t w[HALVES], const uint8_t *x) {
    const int8x16_t first = broadcast4(x);
    int16x8_t low = vmull_s8(vget_low_s8(w[0]), vget_low_s8(first));
    int16x8_t high = vmull_high_s8(w[0], first);
#pragma GCC unroll 8
    for (uint32_t i = 1; i < HALVES; i++) {
        const int8x16_t b = broadcast4(x + 4 * i);
        low = vmlal_s8(low, vget_low_s8(w[i]), vget_low_s8(b));
        high = vmlal_high_s8(high, w[i], b);
    }
    return vpaddlq_s16(vpaddq_s16(low, high));
}

ALWAYS_INLINE void tile_of_i4_neon(const uint32_t rows, const struct gemm *g, const uint8_t *x,
                                   const char *panel, int32_t *acc) {
    tile_of_i4(rows, g, x, panel, acc, sum_products);
}

GEMM_NEON(i4_neon, uint8_t, int32_t)
