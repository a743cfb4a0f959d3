/* Attention over paged keys and values for NEON: scores of all pages, softmax, values.
 *
 * Both products are the register tiles of the matrix kernels: a page of keys is a panel
 * [head_size][16], a page of values [16][head_size]. Limit: FMA for blocks of six rows, the
 * cache's bandwidth for one row (decode), where each key and value is used once.
 *
 * A row's bits depend on its own visible keys alone: masked keys have probability 0 exactly, and
 * sums run over pages in order, lane by lane, as in attend_avx2.c. */
#include <math.h>

#include "kernels/math_neon.h"

/* Pages that any row of the block sees: [first, end), and floats of a row of scores. */
struct span {
    uint32_t first, end;
    size_t ld;
};

ALWAYS_INLINE float *scores_of(const struct attend *a, const struct span *s, uint32_t page) {
    return a->scores + (size_t)(page - s->first) * PANEL;
}

ALWAYS_INLINE void scores_page(const uint32_t rows, const struct attend *a, const struct span *s,
                               uint32_t page) {
    float32x4_t acc[KERNEL_TILE_ROWS][QUADS];
    tile_zero(rows, acc);
    tile_f32(rows, acc, a->q, a->head_size, a->pages[page] + a->keys_at, PANEL, a->head_size);
    tile_store(rows, acc, scores_of(a, s, page), s->ld);
}

/* One row, two pages at once: eight chains of FMA hide its latency. */
static void scores_two(const struct attend *a, const struct span *s, uint32_t page) {
    const float *first = a->pages[page] + a->keys_at, *second = a->pages[page + 1] + a->keys_at;
    float32x4_t acc[2][QUADS];
    tile_zero(2, acc);
    for (uint32_t d = 0; d < a->head_size; d++) {
        float32x4_t keys[2][QUADS];
        load_quads(keys[0], first + (size_t)d * PANEL);
        load_quads(keys[1], second + (size_t)d * PANEL);
#pragma GCC unroll 4
        for (uint32_t j = 0; j < QUADS; j++) {
            acc[0][j] = vfmaq_n_f32(acc[0][j], keys[0][j], a->q[d]);
            acc[1][j] = vfmaq_n_f32(acc[1][j], keys[1][j], a->q[d]);
        }
    }
    tile_store(2, acc, scores_of(a, s, page), PANEL);
}

/* A score with its scale, cap and bias: the same bits in any lane. */
ALWAYS_INLINE float32x4_t adjusted(const struct attend *a, float32x4_t score, float32x4_t bias) {
    float32x4_t v = vmulq_n_f32(score, a->scale);
    v = a->softcap != 0 ? softcap_f32(v, vdupq_n_f32(a->softcap)) : v;
    return vaddq_f32(v, bias);
}

static void adjust(const struct attend *a, float *scores, const float *bias, size_t n) {
    const float32x4_t none = vdupq_n_f32(0);
    for (size_t i = 0; i < n; i += 4) {
        const float32x4_t more = bias != NULL ? load_or(bias + i, n - i, 0) : none;
        store_some(scores + i, n - i, adjusted(a, load_or(scores + i, n - i, 0), more));
    }
}

static void hide(float *scores, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        scores[i] = -INFINITY;
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
    hide(scores, 0, from);
    hide(scores, to, n);
    const bool is_adjusted = a->softcap != 0 || a->bias[row] != NULL;
    if (is_adjusted) {
        adjust(a, scores + from, a->bias[row] != NULL ? a->bias[row] + a->from[row] : NULL,
               to - from);
    }
    const float scale = is_adjusted ? 1 : a->scale;
    float32x4_t largest = vdupq_n_f32(-INFINITY);
    for (size_t i = 0; i < n; i += 4) {
        const float32x4_t v = vmulq_n_f32(vld1q_f32(scores + i), scale);
        largest = vmaxnmq_f32(v, largest); /* passes over NaN */
        vst1q_f32(scores + i, v);
    }
    const float32x4_t most = vdupq_n_f32(vmaxnmvq_f32(largest));
    float32x4_t sums[1][QUADS];
    tile_zero(1, sums);
    for (size_t i = 0; i < n; i += PANEL) {
#pragma GCC unroll 4
        for (size_t j = 0; j < QUADS; j++) {
            float *at = scores + i + 4 * j;
            const float32x4_t e = exp_negative(vsubq_f32(vld1q_f32(at), most));
            vst1q_f32(at, e);
            sums[0][j] = vaddq_f32(sums[0][j], e);
        }
    }
    const struct eight low = {sums[0][0], sums[0][1]}, high = {sums[0][2], sums[0][3]};
    return 1.0f / sum_lanes(add_eight(low, high));
}

/* acc * inverse + 0: no negative zeros, whatever was masked. */
ALWAYS_INLINE float32x4_t scaled(float32x4_t acc, float inverse) {
    return vfmaq_n_f32(vdupq_n_f32(0), acc, inverse);
}

/* y[rows][d .. d + 16) = sum over all pages of p * values, times inverse[row]. */
ALWAYS_INLINE void values_16(const uint32_t rows, const struct attend *a, const struct span *s,
                             const float *inverse, uint32_t d) {
    float32x4_t acc[KERNEL_TILE_ROWS][QUADS];
    tile_zero(rows, acc);
    for (uint32_t page = s->first; page < s->end; page++) {
        tile_f32(rows, acc, scores_of(a, s, page), s->ld, a->pages[page] + a->values_at + d,
                 a->head_size, PANEL);
    }
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        float *y = a->y + (size_t)r * a->head_size + d;
#pragma GCC unroll 4
        for (uint32_t j = 0; j < QUADS; j++) {
            vst1q_f32(y + 4 * j, scaled(acc[r][j], inverse[r]));
        }
    }
}

/* One row, 64 outputs at once. */
static void values_64(const struct attend *a, const struct span *s, float inverse, uint32_t d) {
    float32x4_t acc[16];
    for (uint32_t j = 0; j < ARRAY_LEN(acc); j++) {
        acc[j] = vdupq_n_f32(0);
    }
    for (uint32_t page = s->first; page < s->end; page++) {
        const float *values = a->pages[page] + a->values_at + d, *p = scores_of(a, s, page);
        for (uint32_t i = 0; i < PANEL; i++) {
#pragma GCC unroll 16
            for (uint32_t j = 0; j < ARRAY_LEN(acc); j++) {
                acc[j] = vfmaq_n_f32(acc[j], vld1q_f32(values + 4 * j), p[i]);
            }
            values += a->head_size;
        }
    }
    for (uint32_t j = 0; j < ARRAY_LEN(acc); j++) {
        vst1q_f32(a->y + d + 4 * j, scaled(acc[j], inverse));
    }
}

/* What is left of head_size: up to four outputs of one row. */
static void values_tail(const struct attend *a, const struct span *s, uint32_t row, float inverse,
                        uint32_t d) {
    const size_t n = a->head_size - d;
    float32x4_t acc = vdupq_n_f32(0);
    for (uint32_t page = s->first; page < s->end; page++) {
        const float *values = a->pages[page] + a->values_at + d;
        const float *p = scores_of(a, s, page) + row * s->ld;
        for (uint32_t i = 0; i < PANEL; i++) {
            acc = vfmaq_n_f32(acc, load_or(values + (size_t)i * a->head_size, n, 0), p[i]);
        }
    }
    store_some(a->y + (size_t)row * a->head_size + d, n, scaled(acc, inverse));
}

ALWAYS_INLINE void attend_rows(const uint32_t rows, const struct attend *a, const struct span *s) {
    uint32_t page = s->first, d = 0;
    for (; rows == 1 && page + 2 <= s->end; page += 2) {
        scores_two(a, s, page);
    }
    for (; page < s->end; page++) {
        scores_page(rows, a, s, page);
    }
    float inverse[KERNEL_TILE_ROWS];
    for (uint32_t r = 0; r < rows; r++) {
        inverse[r] = probabilities(a, s, r);
    }
    for (; rows == 1 && d + 64 <= a->head_size; d += 64) {
        values_64(a, s, inverse[0], d);
    }
    for (; d + PANEL <= a->head_size; d += PANEL) {
        values_16(rows, a, s, inverse, d);
    }
    for (; d < a->head_size; d += 4) {
        for (uint32_t r = 0; r < rows; r++) {
            values_tail(a, s, r, inverse[r], d);
        }
    }
}

void attend_neon(const struct attend *a) {
    uint32_t from = UINT32_MAX, to = 0;
    for (uint32_t r = 0; r < a->rows; r++) {
        const bool sees = a->from[r] < a->to[r];
        from = sees && a->from[r] < from ? a->from[r] : from;
        to = sees && a->to[r] > to ? a->to[r] : to;
    }
    if (to == 0) {
        memset(a->y, 0, (size_t)a->rows * a->head_size * sizeof(*a->y));
        return;
    }
    const uint32_t first = from / PANEL, end = (to + PANEL - 1) / PANEL;
    const struct span s = {first, end, (size_t)(end - first) * PANEL};
    switch (a->rows) {
    case 6:
        attend_rows(6, a, &s);
        break;
    case 5:
        attend_rows(5, a, &s);
        break;
    case 4:
        attend_rows(4, a, &s);
        break;
    case 3:
        attend_rows(3, a, &s);
        break;
    case 2:
        attend_rows(2, a, &s);
        break;
    default:
        attend_rows(1, a, &s);
        break;
    }
}
