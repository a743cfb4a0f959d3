/* Quantizing a row of activations for NEON, on the grid of quantize.h. A row is read twice, and a
 * third time when its list of outliers is full. Limit: the first-level cache.
 *
 * Minima and maxima are comparisons and selections, as minps and maxps of x86 are: fmin and fmax
 * would take NaN otherwise than the definition does. */
#include "kernels/quantize.h"
#include "kernels/tile_neon.h"

#define VECTORS (QUANTIZE_LANES / 4) /* of a block of 32 numbers */

/* a where it is less (more), else b. */
ALWAYS_INLINE float32x4_t less_of(float32x4_t a, float32x4_t b) {
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

ALWAYS_INLINE float32x4_t more_of(float32x4_t a, float32x4_t b) {
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

/* Vector j of the block of numbers from i on; beyond n: `otherwise`. */
ALWAYS_INLINE float32x4_t load_block(const float *x, size_t i, size_t j, size_t n,
                                     float otherwise) {
    const size_t at = i + 4 * j;
    return at < n ? load_or(x + at, n - at, otherwise) : vdupq_n_f32(otherwise);
}

/* Lane by lane the three largest of what was put in. */
struct three {
    float32x4_t first, second, third;
};

ALWAYS_INLINE struct three insert(struct three t, float32x4_t x) {
    const float32x4_t rest = less_of(t.first, x), last = less_of(t.second, rest);
    return (struct three){.first = more_of(t.first, x),
                          .second = more_of(t.second, rest),
                          .third = more_of(t.third, last)};
}

/* All lanes' three largest, largest first. */
ALWAYS_INLINE void of_all(float most[3], struct three t) {
    float candidates[12];
    vst1q_f32(candidates, t.first);
    vst1q_f32(candidates + 4, t.second);
    vst1q_f32(candidates + 8, t.third);
    most[0] = most[1] = most[2] = -INFINITY;
    for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
        float x = candidates[i];
        for (size_t k = 0; k < 3; k++) {
            const float less = x > most[k] ? most[k] : x;
            most[k] = x > most[k] ? x : most[k];
            x = less;
        }
    }
}

ALWAYS_INLINE struct row_range range_of(const float *x, size_t n) {
    const float32x4_t none = vdupq_n_f32(-INFINITY);
    float32x4_t low[VECTORS], high[VECTORS];
    for (size_t j = 0; j < VECTORS; j++) {
        low[j] = vdupq_n_f32(INFINITY);
        high[j] = none;
    }
    size_t i = 0;
    for (; i + QUANTIZE_LANES <= n; i += QUANTIZE_LANES) {
#pragma GCC unroll 8
        for (size_t j = 0; j < VECTORS; j++) {
            const float32x4_t v = vld1q_f32(x + i + 4 * j);
            low[j] = less_of(low[j], v);
            high[j] = more_of(high[j], v);
        }
    }
    struct three lows = {none, none, none}, highs = lows;
    for (size_t j = 0; j < VECTORS; j++) {
        lows = insert(lows, vnegq_f32(less_of(low[j], load_block(x, i, j, n, INFINITY))));
        highs = insert(highs, more_of(high[j], load_block(x, i, j, n, -INFINITY)));
    }
    float least[3], most[3];
    of_all(least, lows);
    of_all(most, highs);
    return (struct row_range){
        .low = -least[0], .high = most[0], .core_low = -least[2], .core_high = most[2]};
}

ALWAYS_INLINE int32x4_t quantize_f32(float32x4_t x, const struct row_grid *grid) {
    const float32x4_t t = vmulq_n_f32(vsubq_f32(x, vdupq_n_f32(grid->low)), grid->inverse);
    const float32x4_t above = more_of(t, vdupq_n_f32(grid->least)); /* NaN: least */
    return vcvtnq_s32_f32(less_of(above, vdupq_n_f32(grid->most)));
}

/* 16 numbers, which fit, as bytes in their order. */
ALWAYS_INLINE int8x16_t bytes_of(const int32x4_t *v) {
    const int16x8_t a = vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1]));
    const int16x8_t b = vcombine_s16(vmovn_s32(v[2]), vmovn_s32(v[3]));
    return vcombine_s8(vmovn_s16(a), vmovn_s16(b));
}

/* The groups of 16 numbers that have outliers, first of them `group`. False: the list is full. */
ALWAYS_INLINE bool add_outliers(struct row_outliers *outliers, uint32_t group, int8x16_t highs) {
    uint32_t four[4];
    vst1q_u32(four, vreinterpretq_u32_s8(highs));
    if (vmaxvq_u32(vreinterpretq_u32_s8(highs)) == 0) {
        return true;
    }
    for (uint32_t i = 0; i < ARRAY_LEN(four); i++) {
        if (four[i] == 0) {
            continue;
        }
        if (outliers->n == OUTLIERS_MAX) {
            return false;
        }
        struct outlier *outlier = outliers->at + outliers->n++;
        outlier->group = group + i;
        memcpy(outlier->high, four + i, sizeof(four[i]));
    }
    return true;
}

ALWAYS_INLINE bool quantize(uint8_t *q, struct row_outliers *outliers, const float *x, size_t n,
                            const struct row_grid *grid, const bool may_be_outside) {
    outliers->n = 0;
    for (size_t i = 0; i < quantized_outliers_at((uint32_t)n); i += 16) {
        int32x4_t v[4], high[4];
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            v[j] = quantize_f32(load_block(x, i, j, n, grid->low), grid); /* zeros beyond n */
            high[j] = vshrq_n_s32(v[j], 7);
            v[j] = vandq_s32(v[j], vdupq_n_s32(QUANTIZED_MAX));
        }
        vst1q_s8((int8_t *)q + i, bytes_of(v));
        if (may_be_outside && !add_outliers(outliers, (uint32_t)(i / 4), bytes_of(high))) {
            return false;
        }
    }
    return true;
}

void quantize_u7_neon(uint8_t *q, struct row_scale *scale, const float *x, size_t n) {
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
