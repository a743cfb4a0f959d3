/* What attention over paged keys and values is made of beside its two products: which pages a block
 * sees, softmax, the outputs that fill no register. Private to attend_avx2.c and attend_avx512.c,
 * whose products sum in the same order, so that both give the same bits.
 *
 * A row's bits depend on its own visible keys alone: masked keys have probability 0 exactly, and
 * sums run over pages in order, lane by lane. */
#ifndef BRISK_KERNELS_ATTEND_AVX2_H
#define BRISK_KERNELS_ATTEND_AVX2_H

#include <math.h>

#include "kernels/math_avx2.h"

/* Pages that any row of the block sees: [first, end), and floats of a row of scores. */
struct span {
    uint32_t first, end;
    size_t ld;
};

/* A score with its scale, cap and bias: the same bits in any lane. */
ALWAYS_INLINE __m256 adjusted(const struct attend *a, __m256 score, __m256 bias) {
    __m256 v = _mm256_mul_ps(score, _mm256_set1_ps(a->scale));
    v = a->softcap != 0 ? softcap_ps(v, _mm256_set1_ps(a->softcap)) : v;
    return _mm256_add_ps(v, bias);
}

static void adjust(const struct attend *a, float *scores, const float *bias, size_t n) {
    const __m256 none = _mm256_setzero_ps();
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 more = bias != NULL ? _mm256_loadu_ps(bias + i) : none;
        _mm256_storeu_ps(scores + i, adjusted(a, _mm256_loadu_ps(scores + i), more));
    }
    if (i < n) {
        const __m256i mask = lanes_mask(n - i);
        const __m256 more = bias != NULL ? _mm256_maskload_ps(bias + i, mask) : none;
        const __m256 v = adjusted(a, _mm256_maskload_ps(scores + i, mask), more);
        _mm256_maskstore_ps(scores + i, mask, v);
    }
}

/* Scores of one row become exp(score - max), 0 where masked; returns 1 / their sum. */
static float probabilities(const struct attend *a, const struct span *s, uint32_t row) {
    float *scores = a->scores + row * s->ld;
    const size_t base = (size_t)s->first * PANEL, n = (size_t)(s->end - s->first) * PANEL;
    if (a->from[row] >= a->to[row]) {
        memset(scores, 0, n * sizeof(*scores));
        return 0;
    }
    const size_t from = a->from[row] - base, to = a->to[row] - base;
    for (size_t i = 0; i < from; i++) {
        scores[i] = -INFINITY;
    }
    for (size_t i = to; i < n; i++) {
        scores[i] = -INFINITY;
    }
    const bool is_adjusted = a->softcap != 0 || a->bias[row] != NULL;
    if (is_adjusted) {
        adjust(a, scores + from, a->bias[row] != NULL ? a->bias[row] + a->from[row] : NULL,
               to - from);
    }
    const __m256 scale = _mm256_set1_ps(is_adjusted ? 1 : a->scale);
    __m256 largest = _mm256_set1_ps(-INFINITY);
    for (size_t i = 0; i < n; i += 8) {
        const __m256 v = _mm256_mul_ps(_mm256_loadu_ps(scores + i), scale);
        largest = _mm256_max_ps(v, largest);
        _mm256_storeu_ps(scores + i, v);
    }
    const __m256 most = _mm256_set1_ps(max_lanes(largest));
    __m256 low = _mm256_setzero_ps(), high = low;
    for (size_t i = 0; i < n; i += PANEL) {
        const __m256 e0 = exp_negative(_mm256_sub_ps(_mm256_loadu_ps(scores + i), most));
        const __m256 e1 = exp_negative(_mm256_sub_ps(_mm256_loadu_ps(scores + i + 8), most));
        _mm256_storeu_ps(scores + i, e0);
        _mm256_storeu_ps(scores + i + 8, e1);
        low = _mm256_add_ps(low, e0);
        high = _mm256_add_ps(high, e1);
    }
    return 1.0f / sum_lanes(_mm256_add_ps(low, high));
}

/* What is left of head_size: up to eight outputs of one row under a mask. */
static void values_tail(const struct attend *a, const struct span *s, uint32_t row, float inverse,
                        uint32_t d) {
    const __m256i mask = lanes_mask(a->head_size - d);
    __m256 acc = _mm256_setzero_ps();
    for (uint32_t page = s->first; page < s->end; page++) {
        const float *values = a->pages[page] + a->values_at + d;
        const float *p = a->scores + row * s->ld + (size_t)(page - s->first) * PANEL;
        for (uint32_t i = 0; i < PANEL; i++) {
            const __m256 v = _mm256_maskload_ps(values + (size_t)i * a->head_size, mask);
            acc = _mm256_fmadd_ps(_mm256_broadcast_ss(p + i), v, acc);
        }
    }
    acc = _mm256_fmadd_ps(acc, _mm256_set1_ps(inverse), _mm256_setzero_ps());
    _mm256_maskstore_ps(a->y + (size_t)row * a->head_size + d, mask, acc);
}

/* attend_<isa>, on attend_rows. */
#define ATTEND(isa)                                                                                \
    void attend_##isa(const struct attend *a) {                                                    \
        uint32_t from = UINT32_MAX, to = 0;                                                        \
        for (uint32_t r = 0; r < a->rows; r++) {                                                   \
            const bool sees = a->from[r] < a->to[r];                                               \
            from = sees && a->from[r] < from ? a->from[r] : from;                                  \
            to = sees && a->to[r] > to ? a->to[r] : to;                                            \
        }                                                                                          \
        if (to == 0) {                                                                             \
            memset(a->y, 0, (size_t)a->rows * a->head_size * sizeof(*a->y));                       \
            return;                                                                                \
        }                                                                                          \
        const uint32_t first = from / PANEL, end = (to + PANEL - 1) / PANEL;                       \
        const struct span s = {first, end, (size_t)(end - first) * PANEL};                         \
        switch (a->rows) {                                                                         \
        case 6:                                                                                    \
            attend_rows(6, a, &s);                                                                 \
            break;                                                                                 \
        case 5:                                                                                    \
            attend_rows(5, a, &s);                                                                 \
            break;                                                                                 \
        case 4:                                                                                    \
            attend_rows(4, a, &s);                                                                 \
            break;                                                                                 \
        case 3:                                                                                    \
            attend_rows(3, a, &s);                                                                 \
            break;                                                                                 \
        case 2:                                                                                    \
            attend_rows(2, a, &s);                                                                 \
            break;                                                                                 \
        default:                                                                                   \
            attend_rows(1, a, &s);                                                                 \
            break;                                                                                 \
        }                                                                                          \
    }

#endif
