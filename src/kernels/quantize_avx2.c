/* Quantizing a row of activations for AVX2, on the grid of quantize.h. A row is read twice, and a third
 * time when its list of outliers is full. Limit: the first-level cache. */
#include "kernels/quantize.h"
#include "kernels/tile_avx2.h"

#define VECTORS (QUANTIZE_LANES / 8) /* of a block of 32 numbers */

/* Vector j of the block of numbers from i on; beyond n: `otherwise`. */
ALWAYS_INLINE __m256 load_block(const float *x, size_t i, size_t j, size_t n, float otherwise) {
    const size_t at = i + 8 * j;
    return at < n ? load_or(x + at, n - at, otherwise) : _mm256_set1_ps(otherwise);
}

/* Lane by lane the three largest of what was put in. */
struct three {
    __m256 first, second, third;
};

ALWAYS_INLINE struct three insert(struct three t, __m256 x) {
    const __m256 rest = _mm256_min_ps(t.first, x), last = _mm256_min_ps(t.second, rest);
    return (struct three){.first = _mm256_max_ps(t.first, x),
                          .second = _mm256_max_ps(t.second, rest),
                          .third = _mm256_max_ps(t.third, last)};
}

/* The three largest of two threes: the k-th is the largest of min(i-th, j-th), i + j = k. */
ALWAYS_INLINE struct three merge(struct three a, struct three b) {
    const __m256 cross = _mm256_min_ps(a.first, b.first);
    const __m256 second = _mm256_max_ps(a.second, b.second);
    const __m256 third = _mm256_max_ps(a.third, b.third);
    const __m256 crosses =
        _mm256_max_ps(_mm256_min_ps(a.first, b.second), _mm256_min_ps(a.second, b.first));
    return (struct three){.first = _mm256_max_ps(a.first, b.first),
                          .second = _mm256_max_ps(cross, second),
                          .third = _mm256_max_ps(crosses, third)};
}

#define SHUFFLED(t, shuffle)                                                                       \
    (struct three) {                                                                               \
        .first = shuffle((t).first), .second = shuffle((t).second), .third = shuffle((t).third)    \
    }
#define HALVES(v)     _mm256_permute2f128_ps(v, v, 1)
#define PAIRS(v)      _mm256_permute_ps(v, 0x4e)
#define NEIGHBOURS(v) _mm256_permute_ps(v, 0xb1)

/* All lanes' three largest, in every lane. */
ALWAYS_INLINE struct three of_all(struct three t) {
    t = merge(t, SHUFFLED(t, HALVES));
    t = merge(t, SHUFFLED(t, PAIRS));
    return merge(t, SHUFFLED(t, NEIGHBOURS));
}

ALWAYS_INLINE struct row_range range_of(const float *x, size_t n) {
    const __m256 none = _mm256_set1_ps(-INFINITY), sign = _mm256_set1_ps(-0.0f);
    __m256 low[VECTORS], high[VECTORS];
    for (size_t j = 0; j < VECTORS; j++) {
        low[j] = _mm256_set1_ps(INFINITY);
        high[j] = none;
    }
    size_t i = 0;
    for (; i + QUANTIZE_LANES <= n; i += QUANTIZE_LANES) {
#pragma GCC unroll 4
        for (size_t j = 0; j < VECTORS; j++) {
            const __m256 v = _mm256_loadu_ps(x + i + 8 * j);
            low[j] = _mm256_min_ps(low[j], v);
            high[j] = _mm256_max_ps(high[j], v);
        }
    }
    struct three lows = {none, none, none}, highs = lows;
    for (size_t j = 0; j < VECTORS; j++) {
        const __m256 least = _mm256_min_ps(low[j], load_block(x, i, j, n, INFINITY));
        lows = insert(lows, _mm256_xor_ps(least, sign));
        highs = insert(highs, _mm256_max_ps(high[j], load_block(x, i, j, n, -INFINITY)));
    }
    lows = of_all(lows);
    highs = of_all(highs);
    return (struct row_range){.low = -_mm256_cvtss_f32(lows.first),
                              .high = _mm256_cvtss_f32(highs.first),
                              .core_low = -_mm256_cvtss_f32(lows.third),
                              .core_high = _mm256_cvtss_f32(highs.third)};
}

ALWAYS_INLINE __m256i quantize_ps(__m256 x, const struct row_grid *grid) {
    const __m256 t = _mm256_mul_ps(_mm256_sub_ps(x, _mm256_set1_ps(grid->low)),
                                   _mm256_set1_ps(grid->inverse));
    const __m256 above = _mm256_max_ps(t, _mm256_set1_ps(grid->least)); /* NaN: least */
    return _mm256_cvtps_epi32(_mm256_min_ps(above, _mm256_set1_ps(grid->most)));
}

/* 32 numbers, which fit, as bytes in their order. */
ALWAYS_INLINE __m256i bytes_of(const __m256i *v) {
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); /* undoes the packs */
    const __m256i a = _mm256_packs_epi32(v[0], v[1]), b = _mm256_packs_epi32(v[2], v[3]);
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), order);
}

/* The groups of 32 numbers that have outliers, first of them `group`. False: the list is full. */
ALWAYS_INLINE bool add_outliers(struct row_outliers *outliers, uint32_t group, __m256i highs) {
    if (_mm256_testz_si256(highs, highs)) {
        return true;
    }
    const __m256 none = _mm256_castsi256_ps(_mm256_cmpeq_epi32(highs, _mm256_setzero_si256()));
    uint32_t four[8];
    _mm256_storeu_si256((__m256i *)four, highs);
    for (uint32_t left = ~(uint32_t)_mm256_movemask_ps(none) & 0xff; left > 0; left &= left - 1) {
        if (outliers->n == OUTLIERS_MAX) {
            return false;
        }
        const uint32_t i = (uint32_t)__builtin_ctz(left);
        struct outlier *outlier = outliers->at + outliers->n++;
        outlier->group = group + i;
        memcpy(outlier->high, four + i, sizeof(four[i]));
    }
    return true;
}

ALWAYS_INLINE bool quantize(uint8_t *q, struct row_outliers *outliers, const float *x, size_t n,
                            const struct row_grid *grid, const bool may_be_outside) {
    outliers->n = 0;
    for (size_t i = 0; i < n; i += QUANTIZE_LANES) {
        __m256i v[VECTORS], high[VECTORS];
#pragma GCC unroll 4
        for (size_t j = 0; j < VECTORS; j++) {
            v[j] = quantize_ps(load_block(x, i, j, n, grid->low), grid); /* zeros beyond n */
            high[j] = _mm256_srai_epi32(v[j], 7);
            v[j] = _mm256_and_si256(v[j], _mm256_set1_epi32(QUANTIZED_MAX));
        }
        _mm256_storeu_si256((__m256i *)(q + i), bytes_of(v));
        if (may_be_outside && !add_outliers(outliers, (uint32_t)(i / 4), bytes_of(high))) {
            return false;
        }
    }
    return true;
}

void quantize_u7_avx2(uint8_t *q, struct row_scale *scale, const float *x, size_t n) {
    struct row_outliers *outliers = row_outliers_of(q, n);
    const struct row_range range = range_of(x, n);
    if (row_has_outliers(&range)) {
        const struct row_grid grid = row_grid_of(&range, true, scale);
        if (quantize(q, outliers, x, n, &grid, true)) {
            return;
        }
    }
    const struct row_grid grid = row_grid_of(&range, false, scale);
    quantize(q, outliers, x, n, &grid, false);
}
