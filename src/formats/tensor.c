/* Tensors: their types, their sizes, and their conversion to float.
 *
 * Data stands unaligned in a mapping, so every load is a memcpy. Conversion runs once at load, in
 * plain loops without branches that the compiler vectorises with what every x86-64 has (SSE2). One
 * core of a shared 2-core machine converts 1.6 GB/s of F16 and 2.6 GB/s of BF16 (input bytes);
 * memory and disk are not far from that, so there is no variant for F16C. */
#include "formats/format.h"

static inline float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE half to single, exact. Subnormals are made by a subtraction of normal numbers, so that the
 * result does not depend on the processor's flush-to-zero mode. */
static inline float float_of_half(uint16_t half) {
    const uint32_t magnitude = (uint32_t)(half & 0x7fffu) << 13;
    const uint32_t exponent = magnitude & (0x7c00u << 13);
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    /* Rebias from 15 to 127; infinity and NaN (exponent all ones) go the same way once more. */
    const uint32_t rebias = (127u - 15u) << 23;
    const uint32_t special = exponent == (0x7c00u << 13) ? rebias : 0u;
    const uint32_t normal = magnitude + rebias + special;
    /* 2^-14 * (1 + mantissa) - 2^-14 = mantissa * 2^-14: what a subnormal half means. */
    const float small = float_of_bits(magnitude + (113u << 23)) - float_of_bits(113u << 23);
    uint32_t small_bits;
    memcpy(&small_bits, &small, sizeof small_bits);
    return float_of_bits((exponent == 0 ? small_bits : normal) | sign);
}

/* n elements of one type, packed from `in`, to float. */
typedef void converter(const uint8_t *in, size_t n, float *out);

/* By value, rounded to nearest where float cannot hold it. */
#define CONVERT(name, type, expression)                                                            \
    static void name##_to_floats(const uint8_t *in, size_t n, float *out) {                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            type value;                                                                            \
            memcpy(&value, in + i * sizeof value, sizeof value);                                   \
            out[i] = (expression);                                                                 \
        }                                                                                          \
    }
CONVERT(F64, double, (float)value)
CONVERT(F32, float, value)
CONVERT(F16, uint16_t, float_of_half(value))
CONVERT(BF16, uint16_t, float_of_bits((uint32_t)value << 16))
CONVERT(I64, int64_t, (float)value)
CONVERT(I32, int32_t, (float)value)
CONVERT(I16, int16_t, (float)value)
CONVERT(I8, int8_t, (float)value)
CONVERT(U8, uint8_t, (float)value)
CONVERT(BOOL, uint8_t, value != 0 ? 1.0f : 0.0f)
#undef CONVERT

static const struct {
    size_t bytes;
    const char *name;
    converter *to_floats;
} dtypes[] = {
#define DTYPE(name, bytes, text) [DTYPE_##name] = {bytes, text, name##_to_floats},
    DTYPES(DTYPE)
#undef DTYPE
};

size_t dtype_size(enum dtype dtype) {
    return dtypes[dtype].bytes;
}

const char *dtype_name(enum dtype dtype) {
    return dtypes[dtype].name;
}

bool dtype_parse(enum dtype *out, const char *text, size_t len) {
    for (size_t i = 0; i < ARRAY_LEN(dtypes); i++) {
        if (strlen(dtypes[i].name) == len && memcmp(dtypes[i].name, text, len) == 0) {
            *out = (enum dtype)i;
            return true;
        }
    }
    return false;
}

bool tensor_measure(struct tensor *tensor) {
    size_t elements = 1;
    for (uint32_t i = 0; i < tensor->n_dims; i++) {
        if (!size_mul(elements, (size_t)tensor->dims[i], &elements))
            return false;
    }
    tensor->elements = elements;
    return size_mul(elements, dtype_size(tensor->dtype), &tensor->bytes);
}

void tensor_to_floats(const struct tensor *tensor, size_t from, size_t n, float *out) {
    ASSERT(from <= tensor->elements && n <= tensor->elements - from);
    const uint8_t *data = tensor->data;
    dtypes[tensor->dtype].to_floats(data + from * dtype_size(tensor->dtype), n, out);
}
