/* Packing of weights into the panels that the matrix kernels read (layouts: kernels.h).
 *
 * Runs once at load, one panel a call; it is bound by reading the source. Not a kernel with
 * variants: every instruction set reads the same panels. */
#include <math.h>

#include "kernels/kernels.h"

size_t panel_bytes_f32(uint32_t in) {
    return (size_t)in * PANEL * sizeof(float);
}

size_t panel_bytes_bf16(uint32_t in) {
    return (size_t)in * PANEL * sizeof(uint16_t);
}

size_t panel_bytes_i8(uint32_t in) {
    return panel_header_i8(in) + ((size_t)in + 7) / 8 * 8 * PANEL;
}

void pack_f32(void *panel, uint32_t in, uint32_t n, const float *w) {
    float *to = panel;
    for (uint32_t j = 0; j < PANEL; j++) {
        for (uint32_t k = 0; k < in; k++) {
            to[(size_t)k * PANEL + j] = j < n ? w[(size_t)j * in + k] : 0;
        }
    }
}

/* To nearest, ties to even; NaN stays NaN. */
static uint16_t to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if (value != value) {
        return (uint16_t)(bits >> 16 | 0x40);
    }
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void pack_bf16(void *panel, uint32_t in, uint32_t n, const float *w) {
    uint16_t *to = panel;
    for (uint32_t j = 0; j < PANEL; j++) {
        const uint32_t at = (j % 8) * 2 + j / 8;
        for (uint32_t k = 0; k < in; k++) {
            to[(size_t)k * PANEL + at] = j < n ? to_bf16(w[(size_t)j * in + k]) : 0;
        }
    }
}

static float largest_magnitude(const float *w, uint32_t in) {
    float largest = 0;
    for (uint32_t k = 0; k < in; k++) {
        const float magnitude = fabsf(w[k]);
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

/* A 16-bit lane sums two products of each group of four. With activations of 0 .. 127 the sum over
 * n groups lies between -127 and 127 times the sums of the negative and the positive weights. */
static bool lane_fits(const int8_t *groups, uint32_t n, uint32_t lane) {
    int32_t positive = 0, negative = 0;
    for (uint32_t i = 0; i < 2 * n; i++) {
        const int8_t w = groups[i / 2 * PANEL * 4 + 2 * lane + i % 2];
        positive += w > 0 ? w : 0;
        negative -= w < 0 ? w : 0;
    }
    return positive <= INT16_MAX / QUANTIZED_MAX && negative <= INT16_MAX / QUANTIZED_MAX;
}

/* Whether all lanes of `steps` steps of K fit when n groups are summed. */
static bool all_fit(const int8_t *groups, uint32_t steps, uint32_t n) {
    for (uint32_t k = 0; k < steps; k += 4 * n) {
        for (uint32_t lane = 0; lane < 2 * PANEL; lane++) { /* two an output */
            if (!lane_fits(groups + (size_t)k * PANEL, n, lane)) {
                return false;
            }
        }
    }
    return true;
}

/* Fills the header. Weights spread like a normal distribution let two groups be summed nearly
 * always, since only the few largest of a row are near 127; with longer tails, as trained weights
 * have them, four. The last steps, if they are fewer than KERNEL_K_STEP, have 1. */
static void set_groups(uint8_t *header, const int8_t *weights, uint32_t in) {
    for (uint32_t k = 0; k < in; k += KERNEL_K_STEP) {
        const int8_t *groups = weights + (size_t)k * PANEL;
        const bool whole = k + KERNEL_K_STEP <= in;
        const bool two = whole && all_fit(groups, KERNEL_K_STEP, 2);
        const bool four = two && all_fit(groups, KERNEL_K_STEP, 4);
        header[k / KERNEL_K_STEP] = four ? 4 : two ? 2 : 1;
    }
}

void pack_i8(void *panel, uint32_t in, uint32_t n, const float *w, float *scales, float *sums) {
    int8_t *to = (int8_t *)panel + panel_header_i8(in);
    memset(panel, 0, panel_bytes_i8(in));
    for (uint32_t j = 0; j < PANEL; j++) {
        scales[j] = 0;
        sums[j] = 0;
    }
    for (uint32_t j = 0; j < n; j++) {
        const float *row = w + (size_t)j * in;
        const float largest = largest_magnitude(row, in);
        /* Infinite or denormal rows quantize to zeros rather than to nonsense. */
        const bool usable = largest > 1e-35f && largest < INFINITY;
        const float inverse = usable ? 127.0f / largest : 0;
        int32_t sum = 0;
        for (uint32_t k = 0; k < in; k++) {
            const float scaled = row[k] * inverse;
            const int32_t q = scaled == scaled ? (int32_t)lrintf(scaled) : 0;
            to[(size_t)(k / 4) * PANEL * 4 + j * 4 + k % 4] = (int8_t)q;
            sum += q;
        }
        scales[j] = usable ? largest / 127.0f : 0;
        sums[j] = scales[j] * (float)sum;
    }
    set_groups(panel, to, in);
}
