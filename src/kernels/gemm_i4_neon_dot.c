/* Integer matrix products with weights of 4 bits for NEON with dot products (tile_i4_neon.h): eight
 * sdot sum a group of four outputs. smmla would need operands of two outputs and has no kernel
 * here: with few rows the memory is the limit. */
#include "kernels/tile_i4_neon.h"

ALWAYS_INLINE int32x4_t sum_dots(const int8x16_t w[HALVES], const uint8_t *x) {
    const int8x16_t b0 = vld1q_s8((const int8_t *)x), b1 = vld1q_s8((const int8_t *)x + 16);
    int32x4_t sum = vdotq_laneq_s32(vdupq_n_s32(0), w[0], b0, 0);
    sum = vdotq_laneq_s32(sum, w[1], b0, 1);
    sum = vdotq_laneq_s32(sum, w[2], b0, 2);
    sum = vdotq_laneq_s32(sum, w[3], b0, 3);
    sum = vdotq_laneq_s32(sum, w[4], b1, 0);
    sum = vdotq_laneq_s32(sum, w[5], b1, 1);
    sum = vdotq_laneq_s32(sum, w[6], b1, 2);
    return vdotq_laneq_s32(sum, w[7], b1, 3);
}

ALWAYS_INLINE void tile_of_i4_neon_dot(const uint32_t rows, const struct gemm *g, const uint8_t *x,
                                       const char *panel, int32_t *acc) {
    tile_of_i4(rows, g, x, panel, acc, sum_dots);
}

GEMM_NEON(i4_neon_dot, uint8_t, int32_t)
