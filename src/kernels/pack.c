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
    return PANEL * sizeof(int32_t) + ((size_t)in + 7) / 8 * 8 * PANEL;
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

void pack_i8(void *panel, uint32_t in, uint32_t n, const float *w, float *scales, float *sums) {
    int32_t *header = panel;
    int8_t *to = (int8_t *)(header + PANEL);
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
        header[j] = 64 * sum;
    }
}
