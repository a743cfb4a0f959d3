/* Packed weights of linear layers: how much memory they take, where what stands in it, packing. The
 * layouts of panels are in kernels/kernels.h, the product is in linear.c. */
#include "ops/ops_private.h"

static const struct {
    const char *text;
    size_t (*panel_bytes)(uint32_t in);
    bool quantized; /* activations too: sums are whole numbers, outputs have scales */
} PRECISION_TABLE[] = {
    [PRECISION_FP32] = {"fp32", panel_bytes_f32, false},
    [PRECISION_BF16] = {"bf16", panel_bytes_bf16, false},
    [PRECISION_INT8] = {"int8", panel_bytes_i8, true},
    [PRECISION_INT4] = {"int4", panel_bytes_i4, true},
};

bool linear_is_quantized(const struct linear *linear) {
    return PRECISION_TABLE[linear->precision].quantized;
}

const char *precision_name(enum precision precision) {
    return PRECISION_TABLE[precision].text;
}

bool precision_parse(const char *text, enum precision *out) {
    for (size_t i = 0; i < ARRAY_LEN(PRECISION_TABLE); i++) {
        if (strcmp(text, PRECISION_TABLE[i].text) == 0) {
            *out = (enum precision)i;
            return true;
        }
    }
    return false;
}

static size_t padded(uint32_t out) {
    return ((size_t)out + PANEL - 1) / PANEL * PANEL;
}

size_t linear_panel_bytes(const struct linear *linear) {
    return PRECISION_TABLE[linear->precision].panel_bytes(linear->in);
}

static size_t aligned(size_t bytes) {
    return (bytes + LINEAR_ALIGN - 1) / LINEAR_ALIGN * LINEAR_ALIGN;
}

/* Bias, scales, sums: bytes of one such row, a multiple of LINEAR_ALIGN. */
static size_t row_bytes(uint32_t out) {
    return padded(out) * sizeof(float);
}

static size_t rows_of(const struct linear *linear, bool has_bias) {
    return (size_t)(has_bias ? 1 : 0) + (linear_is_quantized(linear) ? 2 : 0);
}

enum status linear_init(struct linear *linear, enum precision precision, uint32_t in, uint32_t out,
                        bool has_bias, struct error *err) {
    static float bias_to_come; /* says that there will be one, until linear_place */
    struct linear made = {.precision = precision, .in = in, .out = out};
    size_t panels;
    if (in == 0 || out == 0) {
        return ERR(err, MODEL, "a linear layer of %u inputs and %u outputs: both must be positive",
                   in, out);
    }
    if (linear_is_quantized(&made) && in > QUANTIZED_MAX_IN) {
        return ERR(err, MODEL, "a linear layer of %u inputs is too wide for %s (at most %d)", in,
                   precision_name(precision), QUANTIZED_MAX_IN);
    }
    if (!size_mul(padded(out) / PANEL, linear_panel_bytes(&made), &panels) ||
        !size_add(panels, LINEAR_ALIGN + rows_of(&made, has_bias) * row_bytes(out),
                  &made.bytes)) {
        return ERR(err, MEMORY, "a linear layer of %u inputs and %u outputs is too large", in, out);
    }
    made.bytes = aligned(panels) + rows_of(&made, has_bias) * row_bytes(out);
    made.bias = has_bias ? &bias_to_come : NULL;
    *linear = made;
    return STATUS_OK;
}

void linear_place(struct linear *linear, void *memory) {
    ASSERT((uintptr_t)memory % LINEAR_ALIGN == 0);
    const size_t row = row_bytes(linear->out);
    char *at = (char *)memory + aligned(padded(linear->out) / PANEL * linear_panel_bytes(linear));
    linear->panels = memory;
    if (linear->bias != NULL) {
        linear->bias = (float *)at;
        at += row;
    }
    if (linear_is_quantized(linear)) {
        linear->scales = (float *)at;
        linear->column_sums = (float *)(at + row);
    }
}

void linear_set_weights(struct linear *linear, uint32_t first, uint32_t n, const float *w) {
    ASSERT(first % PANEL == 0 && first + n <= linear->out);
    ASSERT(n % PANEL == 0 || first + n == linear->out);
    const size_t panel_bytes = linear_panel_bytes(linear);
    for (uint32_t j = first; j < first + n; j += PANEL) {
        void *panel = (char *)linear->panels + j / PANEL * panel_bytes;
        const float *rows = w + (size_t)(j - first) * linear->in;
        const uint32_t some = first + n - j < PANEL ? first + n - j : PANEL;
        switch (linear->precision) {
        case PRECISION_FP32:
            pack_f32(panel, linear->in, some, rows);
            break;
        case PRECISION_BF16:
            pack_bf16(panel, linear->in, some, rows);
            break;
        case PRECISION_INT8:
            pack_i8(panel, linear->in, some, rows, linear->scales + j, linear->column_sums + j);
            break;
        case PRECISION_INT4:
            pack_i4(panel, linear->in, some, rows, linear->scales + j, linear->column_sums + j);
            break;
        }
    }
}

void linear_set_bias(struct linear *linear, uint32_t first, uint32_t n, const float *bias) {
    ASSERT(linear->bias != NULL && first + n <= linear->out);
    for (uint32_t i = 0; i < n; i++) {
        linear->bias[first + i] = bias[i];
    }
}

struct linear linear_part(const struct linear *linear, uint32_t first, uint32_t n) {
    ASSERT(first % PANEL == 0 && n > 0 && n <= linear->out - first);
    struct linear part = *linear;
    part.out = n;
    part.panels = (char *)linear->panels + first / PANEL * linear_panel_bytes(linear);
    part.bias = linear->bias ? linear->bias + first : NULL;
    part.scales = linear->scales ? linear->scales + first : NULL;
    part.column_sums = linear->column_sums ? linear->column_sums + first : NULL;
    return part;
}
