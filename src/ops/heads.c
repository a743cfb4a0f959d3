/* Operations on the heads of queries and keys before attention: rotary positions (Su et al. 2021;
 * transformers' apply_rotary_pos_emb) and norms of single heads. Lanes divide rows times heads. */
#include <math.h>

#include "ops/ops_private.h"

void cpu_rope_angles(struct lane *lane, const struct rope *rope, const int32_t *positions,
                     const uint32_t *lengths, float *angles, uint32_t rows) {
    const size_t half = rope->size / 2;
    const float scale = rope->scale != 0 ? rope->scale : 1;
    size_t from, to;
    lane_range(lane, rows, 1, &from, &to);
    for (size_t r = from; r < to; r++) {
        const bool is_long = rope->border > 0 && lengths[r] > rope->border;
        const float *frequencies = is_long ? rope->long_frequencies : rope->frequencies;
        float *cosines = angles + r * rope->size, *sines = cosines + half;
        for (size_t i = 0; i < half; i++) {
            const float angle = (float)positions[r] * frequencies[i];
            cosines[i] = cosf(angle) * scale;
            sines[i] = sinf(angle) * scale;
        }
    }
    lane_barrier(lane);
}

void cpu_rotate(struct lane *lane, const struct rope *rope, const float *angles, float *x,
                size_t ldx, uint32_t rows, uint32_t heads, uint32_t head_size) {
    ASSERT(rope->size % 2 == 0 && rope->size <= head_size);
    const struct kernels *kernels = kernels_best();
    size_t from, to;
    lane_range(lane, (size_t)rows * heads, 1, &from, &to);
    for (size_t i = from; i < to; i++) {
        const size_t r = i / heads, h = i % heads;
        kernels->rotate(x + r * ldx + h * head_size, angles + r * rope->size, rope->size,
                        rope->interleaved);
    }
    lane_barrier(lane);
}

void cpu_norm_heads(struct lane *lane, const struct norm *norm, float *x, size_t ldx, uint32_t rows,
                    uint32_t heads, size_t weight_stride) {
    const struct kernels *kernels = kernels_best();
    size_t from, to;
    lane_range(lane, (size_t)rows * heads, 1, &from, &to);
    for (size_t i = from; i < to; i++) {
        const size_t h = i % heads;
        float *head = x + i / heads * ldx + h * norm->size;
        const float *weight = norm->weight != NULL ? norm->weight + h * weight_stride : NULL;
        const float *bias = norm->bias != NULL ? norm->bias + h * weight_stride : NULL;
        norm_row(kernels, norm, weight, bias, head, head);
    }
    lane_barrier(lane);
}
