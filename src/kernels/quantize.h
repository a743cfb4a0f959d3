/* The grid that a row of activations is quantized on, shared by the variants of quantize_u7.
 *
 * A few numbers of a row may be many times as large as the others: trained transformers have
 * channels of 20 standard deviations behind their norms (Dettmers et al. 2022, LLM.int8()). If seven
 * bits spanned them all, little would be left for the rest. So the numbers are dealt out to 32 lanes,
 * number i to lane i % 32, and the grid spans what lies between the third lowest of the lanes'
 * minima and the third highest of their maxima; the few numbers outside are outliers, exact on
 * the same grid, which lists hold (kernels.h). Where that would make the grid less than NARROWER
 * times finer, or a row has more outliers than the list takes, seven bits span the row.
 *
 * Minima and maxima are exact: every order of finding them gives the same grid. */
#ifndef BRISK_KERNELS_QUANTIZE_H
#define BRISK_KERNELS_QUANTIZE_H

#include <math.h>

#include "kernels/kernels.h"

#define QUANTIZE_LANES 32
#define NARROWER       1.5f
#define HIGHEST        (QUANTIZED_MAX * 128) /* largest magnitude of v */
#define SPAN           16000                 /* of all v of a row, with room for rounding */

struct row_range {
    float low, high, core_low, core_high;
};

/* v = (x - low) * inverse, at least `least` and at most `most`, to nearest. */
struct row_grid {
    float low, inverse, least, most;
};

static inline bool row_has_outliers(const struct row_range *range) {
    const float all = range->high - range->low, core = range->core_high - range->core_low;
    return core >= 0 && all < INFINITY && all > NARROWER * core;
}

static inline struct row_grid row_grid_of(const struct row_range *range, bool outliers,
                                          struct row_scale *scale) {
    const float all = range->high - range->low, core = range->core_high - range->core_low;
    const float fine = core * (1.0f / QUANTIZED_MAX), finest = all * (1.0f / SPAN);
    const float step = !outliers ? all * (1.0f / QUANTIZED_MAX) : fine > finest ? fine : finest;
    const float low = (outliers ? range->core_low : range->low) + 0.0f; /* -0 becomes 0 */
    *scale = (struct row_scale){.step = step, .offset = low};
    return (struct row_grid){.low = low,
                             .inverse = step > 0 ? 1.0f / step : 0,
                             .least = outliers ? -HIGHEST : 0,
                             .most = outliers ? HIGHEST : QUANTIZED_MAX};
}

/* The list of a row of n numbers. */
static inline struct row_outliers *row_outliers_of(uint8_t *q, size_t n) {
    return (struct row_outliers *)(void *)(q + quantized_outliers_at((uint32_t)n));
}

#endif
