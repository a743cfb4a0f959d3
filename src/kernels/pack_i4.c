/* Packing of weights in 4 bits: groups of 32 steps of K of an output share a whole-numbered scale, and
 * these share the output's float (kernels.h has the layout). So sums stay whole numbers, exact in
 * every order, and a weight takes 4.25 bits.
 *
 * A group's scale is the one of TRIES that leaves the smallest squared error, each refined by least
 * squares: with q given, sum(w q) / sum(q q), which leaves sum(w w) - sum(w q)^2 / sum(q q). It is
 * negative where the largest weight is positive, since 4 bits hold -8 but not 8. Runs once at load;
 * loops are over LANES independent sums, which the compiler makes vectors of. */
#include <math.h>

#include "kernels/kernels.h"

#define LANES  8
#define LOWEST (-8.0f)
#define MOST   7.0f

/* The largest weight becomes -8 divided by one of these: above 1, it is cut off for the others' sake. */
static const float TRIES[] = {1.0f, 1.06f, 1.12f, 0.94f, 0.88f, 1.2f, 0.8f};

size_t panel_bytes_i4(uint32_t in) {
    return panel_header_i4(in) + (size_t)panel_groups_i4(in) * GROUP_I4 * PANEL / 2;
}

int32_t group_scale_most_i4(uint32_t in) {
    const int64_t beyond = (int64_t)OUTLIERS_MAX * 4 * (QUANTIZED_MAX + 1) * QUANTIZED_MAX;
    const int64_t most = INT32_MAX / (8 * ((int64_t)in * QUANTIZED_MAX + beyond));
    return most < INT8_MAX ? (int32_t)most : INT8_MAX;
}

/* To nearest, ties to even, as long as |x| < 2^22: the additions round. */
static float nearest(float x) {
    const float magic = 12582912.0f; /* 1.5 * 2^23 */
    return (x + magic) - magic;
}

static float level(float w, float inverse) {
    const float q = nearest(w * inverse);
    const float above = q > LOWEST ? q : LOWEST;
    return above < MOST ? above : MOST;
}

static float sum_of(const float *lanes) {
    float sum = 0;
    for (uint32_t i = 0; i < LANES; i++) {
        sum += lanes[i];
    }
    return sum;
}

/* The scale of a group of finite weights; 0: all of them are zero, or nearly. */
static float group_scale(const float *w) {
    float largest = 0;
    for (uint32_t k = 0; k < GROUP_I4; k++) {
        largest = fabsf(w[k]) > fabsf(largest) ? w[k] : largest;
    }
    if (fabsf(largest) < 1e-35f) {
        return 0;
    }
    float best = 0, best_gain = 0;
    for (uint32_t t = 0; t < ARRAY_LEN(TRIES); t++) {
        const float inverse = LOWEST / largest * TRIES[t];
        float products[LANES] = {0}, squares[LANES] = {0};
        for (uint32_t k = 0; k < GROUP_I4; k += LANES) {
            for (uint32_t i = 0; i < LANES; i++) {
                const float q = level(w[k + i], inverse);
                products[i] += w[k + i] * q;
                squares[i] += q * q;
            }
        }
        const float product = sum_of(products), square = sum_of(squares);
        const float gain = product * (product / square);
        if (gain > best_gain) {
            best_gain = gain;
            best = product / square;
        }
    }
    return best;
}

/* One group of one output in place; its levels' sum. */
static int32_t put_group(uint8_t *nibbles, uint32_t output, const float *w, float scale) {
    const float inverse = scale != 0 ? 1.0f / scale : 0;
    int32_t sum = 0;
    for (uint32_t k = 0; k < GROUP_I4; k++) {
        const int32_t q = (int32_t)level(w[k], inverse);
        uint8_t *at = nibbles + nibble_at_i4(output, k);
        *at |= (uint8_t)((q + 8) << (k / 4 % 2 * 4));
        sum += q;
    }
    return sum;
}

struct row {
    uint32_t in, groups;
    const float *w; /* [in] */
};

/* The group's weights with zeros behind the last. Rows that are not finite become zeros rather than
 * nonsense. */
static void take_group(float *out, const struct row *row, uint32_t group) {
    for (uint32_t k = 0; k < GROUP_I4; k++) {
        const uint32_t at = group * GROUP_I4 + k;
        out[k] = at < row->in && isfinite(row->w[at]) ? row->w[at] : 0;
    }
}

static float largest_scale(const struct row *row, float *scales) {
    float largest = 0, group[GROUP_I4];
    for (uint32_t g = 0; g < row->groups; g++) {
        take_group(group, row, g);
        scales[g] = group_scale(group);
        largest = fabsf(scales[g]) > largest ? fabsf(scales[g]) : largest;
    }
    return largest;
}

/* Whole-numbered, and not zero where there is something to scale. */
static int8_t whole_scale(float scale, float inverse) {
    const int32_t whole = (int32_t)lrintf(scale * inverse);
    return (int8_t)(whole == 0 && scale != 0 ? (scale > 0 ? 1 : -1) : whole);
}

void pack_i4(void *panel, uint32_t in, uint32_t n, const float *w, float *scales, float *sums) {
    int8_t *header = panel;
    uint8_t *nibbles = (uint8_t *)panel + panel_header_i4(in);
    const uint32_t groups = panel_groups_i4(in);
    const float most = (float)group_scale_most_i4(in);
    float found[QUANTIZED_MAX_IN / GROUP_I4], group[GROUP_I4];
    ASSERT(in <= QUANTIZED_MAX_IN);
    memset(panel, 0, panel_bytes_i4(in));
    for (uint32_t j = 0; j < PANEL; j++) {
        const struct row row = {in, groups, w + (size_t)j * in};
        const float largest = j < n ? largest_scale(&row, found) : 0;
        const float scale = largest / most;
        int32_t sum = 0;
        for (uint32_t g = 0; g < groups && scale > 0; g++) {
            int8_t *whole = header + (size_t)g * PANEL + j;
            *whole = whole_scale(found[g], 1.0f / scale);
            take_group(group, &row, g);
            sum += *whole * put_group(nibbles + (size_t)g * GROUP_I4 * PANEL / 2, j, group,
                                      (float)*whole * scale);
        }
        scales[j] = scale;
        sums[j] = scale * (float)sum;
    }
}
