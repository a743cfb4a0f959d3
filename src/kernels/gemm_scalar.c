/* The definition of the matrix products: plain loops over panels, one accumulator an output.
 *
 * Also what machines without AVX2 or NEON run; the inner loops over 16 outputs are vectorized by
 * the compiler with what every processor of the target has. */
#include "kernels/kernels.h"

static void row_f32(float *acc, const float *x, const float *panel, uint32_t from, uint32_t to) {
    for (uint32_t k = from; k < to; k++) {
        for (uint32_t j = 0; j < PANEL; j++) {
            acc[j] += x[k] * panel[(size_t)k * PANEL + j];
        }
    }
}

static float from_bf16(uint32_t half) {
    const uint32_t bits = half << 16;
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static void row_bf16(float *acc, const float *x, const uint16_t *panel, uint32_t from,
                     uint32_t to) {
    for (uint32_t k = from; k < to; k++) {
        const uint16_t *w = panel + (size_t)k * PANEL;
        for (uint32_t j = 0; j < 8; j++) {
            acc[j] += x[k] * from_bf16(w[2 * j]);
            acc[j + 8] += x[k] * from_bf16(w[2 * j + 1]);
        }
    }
}

static void row_i8(int32_t *acc, const uint8_t *x, const int8_t *panel, uint32_t from,
                   uint32_t to) {
    for (uint32_t k = from; k < to; k++) {
        const int8_t *w = panel + (size_t)(k / 4) * PANEL * 4 + k % 4;
        for (uint32_t j = 0; j < PANEL; j++) {
            acc[j] += (int32_t)x[k] * w[j * 4];
        }
    }
}

/* What the outliers of a row add, of steps of K from `from` on. */
static void outliers_i8(int32_t *acc, const struct row_outliers *outliers, const int8_t *panel,
                        uint32_t from, uint32_t to) {
    for (uint32_t i = 0; i < outliers->n; i++) {
        const struct outlier *o = &outliers->at[i];
        if (o->group < from / 4 || o->group * 4 >= to) {
            continue;
        }
        const int8_t *w = panel + (size_t)o->group * PANEL * 4;
        for (uint32_t j = 0; j < PANEL * 4; j++) {
            acc[j / 4] += (QUANTIZED_MAX + 1) * o->high[j % 4] * w[j];
        }
    }
}

void gemm_f32_scalar(const struct gemm *g) {
    for (uint32_t p = 0; p < g->n_panels; p++) {
        const void *panel = (const char *)g->panels + p * g->panel_bytes;
        for (uint32_t r = 0; r < g->rows; r++) {
            float *acc = (float *)g->acc + r * g->ldacc + (size_t)p * PANEL;
            if (g->k_from == 0) {
                memset(acc, 0, PANEL * sizeof(*acc));
            }
            row_f32(acc, (const float *)g->x + r * g->ldx, panel, g->k_from, g->k_to);
        }
    }
}

void gemm_bf16_scalar(const struct gemm *g) {
    for (uint32_t p = 0; p < g->n_panels; p++) {
        const void *panel = (const char *)g->panels + p * g->panel_bytes;
        for (uint32_t r = 0; r < g->rows; r++) {
            float *acc = (float *)g->acc + r * g->ldacc + (size_t)p * PANEL;
            if (g->k_from == 0) {
                memset(acc, 0, PANEL * sizeof(*acc));
            }
            row_bf16(acc, (const float *)g->x + r * g->ldx, panel, g->k_from, g->k_to);
        }
    }
}

void gemm_i8_scalar(const struct gemm *g) {
    for (uint32_t p = 0; p < g->n_panels; p++) {
        const char *panel = (const char *)g->panels + p * g->panel_bytes;
        const int8_t *weights = (const int8_t *)(panel + panel_header_i8(g->in));
        for (uint32_t r = 0; r < g->rows; r++) {
            int32_t *acc = (int32_t *)g->acc + r * g->ldacc + (size_t)p * PANEL;
            if (g->k_from == 0) {
                memset(acc, 0, PANEL * sizeof(*acc));
            }
            const uint8_t *x = (const uint8_t *)g->x + r * g->ldx;
            row_i8(acc, x, weights, g->k_from, g->k_to);
            outliers_i8(acc, quantized_outliers(x, g->in), weights, g->k_from, g->k_to);
        }
    }
}

static int32_t weight_i4(const char *panel, uint32_t in, uint32_t output, uint32_t k) {
    const uint32_t group = k / GROUP_I4;
    const int8_t scale = ((const int8_t *)panel)[(size_t)group * PANEL + output];
    const uint8_t *nibbles = (const uint8_t *)panel + panel_header_i4(in) +
                             (size_t)group * GROUP_I4 * PANEL / 2;
    const uint8_t both = nibbles[nibble_at_i4(output, k % GROUP_I4)];
    return ((both >> (k / 4 % 2 * 4) & 15) - 8) * scale;
}

void gemm_i4_scalar(const struct gemm *g) {
    for (uint32_t p = 0; p < g->n_panels; p++) {
        const char *panel = (const char *)g->panels + p * g->panel_bytes;
        for (uint32_t r = 0; r < g->rows; r++) {
            const uint8_t *x = (const uint8_t *)g->x + r * g->ldx;
            const struct row_outliers *outliers = quantized_outliers(x, g->in);
            for (uint32_t j = 0; j < PANEL; j++) {
                int32_t *acc = (int32_t *)g->acc + r * g->ldacc + (size_t)p * PANEL + j;
                int32_t sum = g->k_from == 0 ? 0 : *acc;
                for (uint32_t k = g->k_from; k < g->k_to; k++) {
                    sum += x[k] * weight_i4(panel, g->in, j, k);
                }
                for (uint32_t i = 0; i < outliers->n * 4; i++) {
                    const struct outlier *o = &outliers->at[i / 4];
                    const uint32_t k = o->group * 4 + i % 4;
                    if (k >= g->k_from && k < g->k_to) {
                        sum += (QUANTIZED_MAX + 1) * o->high[i % 4] * weight_i4(panel, g->in, j, k);
                    }
                }
                *acc = sum;
            }
        }
    }
}
