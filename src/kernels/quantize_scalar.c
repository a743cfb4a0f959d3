/* The definition of quantizing a row of activations: plain loops, number by number, on the grid of
 * quantize.h. What is done with rows in 7 bits and their outliers: gemm_scalar.c. */
#include "kernels/quantize.h"

/* Puts x among the three largest, largest first. */
static void insert(float *three, float x) {
    for (int i = 0; i < 3; i++) {
        if (x > three[i]) {
            const float next = three[i];
            three[i] = x;
            x = next;
        }
    }
}

static struct row_range range_of(const float *x, size_t n) {
    float lows[3] = {-INFINITY, -INFINITY, -INFINITY}, highs[3] = {-INFINITY, -INFINITY, -INFINITY};
    for (size_t lane = 0; lane < QUANTIZE_LANES; lane++) {
        float low = INFINITY, high = -INFINITY;
        for (size_t i = lane; i < n; i += QUANTIZE_LANES) {
            low = low < x[i] ? low : x[i]; /* a NaN wins until the next number, as minps has it */
            high = high > x[i] ? high : x[i];
        }
        insert(lows, -low);
        insert(highs, high);
    }
    return (struct row_range){
        .low = -lows[0], .high = highs[0], .core_low = -lows[2], .core_high = highs[2]};
}

/* False: the list is full. */
static bool add_outlier(struct row_outliers *outliers, size_t i, int32_t high) {
    struct outlier *last = outliers->at + outliers->n - 1;
    if (outliers->n == 0 || last->group != i / 4) {
        if (outliers->n == OUTLIERS_MAX) {
            return false;
        }
        last = outliers->at + outliers->n++;
        *last = (struct outlier){.group = (uint32_t)(i / 4)};
    }
    last->high[i % 4] = (int8_t)high;
    return true;
}

static bool quantize(uint8_t *q, struct row_outliers *outliers, const float *x, size_t n,
                     const struct row_grid *grid) {
    outliers->n = 0;
    for (size_t i = 0; i < n; i++) {
        const float t = (x[i] - grid->low) * grid->inverse;
        const float above = t > grid->least ? t : grid->least; /* NaN: least */
        const int32_t v = (int32_t)lrintf(above < grid->most ? above : grid->most);
        q[i] = (uint8_t)(v & QUANTIZED_MAX);
        const int32_t high = (v - q[i]) / (QUANTIZED_MAX + 1);
        if (high != 0 && !add_outlier(outliers, i, high)) {
            return false;
        }
    }
    return true;
}

void quantize_u7_scalar(uint8_t *q, struct row_scale *scale, const float *x, size_t n) {
    struct row_outliers *outliers = row_outliers_of(q, n);
    const struct row_range range = range_of(x, n);
    struct row_grid grid = row_grid_of(&range, row_has_outliers(&range), scale);
    if (!quantize(q, outliers, x, n, &grid)) {
        grid = row_grid_of(&range, false, scale);
        quantize(q, outliers, x, n, &grid);
    }
    memset(q + n, 0, quantized_outliers_at((uint32_t)n) - n);
}
