/* The definition of attention over paged keys and values, one row at a time: plain loops, sums in
 * the order of the keys. What runs where there is no better variant, and what those are held to. */
#include <math.h>

#include "kernels/kernels.h"

static float score(const struct attend *a, uint32_t row, uint32_t key) {
    const float *q = a->q + (size_t)row * a->head_size;
    const float *keys = a->pages[key / PANEL] + a->keys_at + key % PANEL;
    float sum = 0;
    for (uint32_t d = 0; d < a->head_size; d++) {
        sum += q[d] * keys[(size_t)d * PANEL];
    }
    sum *= a->scale;
    sum = a->softcap != 0 ? a->softcap * tanhf(sum / a->softcap) : sum;
    return a->bias[row] != NULL ? sum + a->bias[row][key] : sum;
}

static void attend_row(const struct attend *a, uint32_t row) {
    float *y = a->y + (size_t)row * a->head_size;
    float largest = -INFINITY, sum = 0;
    for (uint32_t key = a->from[row]; key < a->to[row]; key++) {
        a->scores[key - a->from[row]] = score(a, row, key);
        largest = fmaxf(largest, a->scores[key - a->from[row]]);
    }
    memset(y, 0, a->head_size * sizeof(*y));
    for (uint32_t key = a->from[row]; key < a->to[row]; key++) {
        const float p = expf(a->scores[key - a->from[row]] - largest);
        const float *value =
            a->pages[key / PANEL] + a->values_at + (size_t)(key % PANEL) * a->head_size;
        sum += p;
        for (uint32_t d = 0; d < a->head_size; d++) {
            y[d] += p * value[d];
        }
    }
    const float inverse = sum > 0 ? 1.0f / sum : 0;
    for (uint32_t d = 0; d < a->head_size; d++) {
        y[d] = y[d] * inverse + 0.0f; /* + 0: no negative zeros, whatever was masked */
    }
}

void attend_scalar(const struct attend *a) {
    for (uint32_t row = 0; row < a->rows; row++) {
        attend_row(a, row);
    }
}
