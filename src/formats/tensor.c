/* Tensors: their types, their sizes, and their conversion to float.
 *
 * Data stands unaligned in a mapping, so every load is a memcpy. Conversion runs once at load, in
 * plain loops without branches that the compiler vectorises with what every x86-64 has (SSE2). One
 * core of a shared 2-core machine converts 1.6 GB/s of F16 and 2.6 GB/s of BF16 (input bytes);
 * memory and disk are not far from that, so there is no variant for F16C. */
#include "formats/blocks.h"
#include "formats/floats.h"
#include "formats/format.h"

/* Eight bits: sign, 4 of exponent, 3 of mantissa; all ones but the sign are the one NaN. */
static inline float float_of_e4m3(uint8_t value) {
    const uint32_t magnitude = value & 0x7fu, sign = (uint32_t)(value & 0x80u) << 24;
    const float number = float_of_magnitude(magnitude << 20, 127u - 7u, sign);
    return magnitude == 0x7fu ? float_of_bits(0x7fc00000u | sign) : number;
}

/* The exponent of a float alone; 0 is 2^-127, a subnormal. */
static inline float float_of_e8m0(uint8_t value) {
    const uint32_t bits = value == 0 ? 0x00400000u : (uint32_t)value << 23;
    return float_of_bits(value == 255 ? 0x7fc00000u : bits);
}

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
CONVERT(F8_E4M3, uint8_t, float_of_e4m3(value))
CONVERT(F8_E5M2, uint8_t, float_of_half((uint16_t)(value << 8)))
CONVERT(F8_E8M0, uint8_t, float_of_e8m0(value))
CONVERT(I64, int64_t, (float)value)
CONVERT(I32, int32_t, (float)value)
CONVERT(I16, int16_t, (float)value)
CONVERT(I8, int8_t, (float)value)
CONVERT(U64, uint64_t, (float)value)
CONVERT(U32, uint32_t, (float)value)
CONVERT(U16, uint16_t, (float)value)
CONVERT(U8, uint8_t, (float)value)
CONVERT(BOOL, uint8_t, value != 0 ? 1.0f : 0.0f)
#undef CONVERT

static const struct {
    size_t block, bytes;
    const char *name;
    converter *to_floats;
} dtypes[] = {
#define DTYPE(name, block, bytes, text) [DTYPE_##name] = {block, bytes, text, name##_to_floats},
    DTYPES(DTYPE)
#undef DTYPE
};

size_t dtype_size(enum dtype dtype) {
    return dtypes[dtype].bytes;
}

size_t dtype_block(enum dtype dtype) {
    return dtypes[dtype].block;
}

const char *dtype_name(enum dtype dtype) {
    return dtypes[dtype].name;
}

bool dtype_parse(enum dtype *out, const char *text, size_t len) {
    for (size_t i = 0; i < ARRAY_LEN(dtypes); i++) {
        if (dtypes[i].block == 1 && strlen(dtypes[i].name) == len &&
            memcmp(dtypes[i].name, text, len) == 0) {
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
    const size_t block = dtype_block(tensor->dtype);
    const size_t row = tensor->n_dims > 0 ? (size_t)tensor->dims[tensor->n_dims - 1] : 1;
    if (row % block != 0) /* a row has whole blocks */
        return false;
    tensor->elements = elements;
    return size_mul(elements / block, dtype_size(tensor->dtype), &tensor->bytes);
}

/* A part of one block: elements [from, from + n) of it. */
static void convert_part(enum dtype dtype, const uint8_t *block, size_t from, size_t n,
                         float *out) {
    float whole[TENSOR_BLOCK];
    dtypes[dtype].to_floats(block, dtypes[dtype].block, whole);
    memcpy(out, whole + from, n * sizeof *out);
}

/* In the data's own order. */
static void convert_stored(const struct tensor *tensor, size_t from, size_t n, float *out) {
    const size_t block = dtypes[tensor->dtype].block, bytes = dtypes[tensor->dtype].bytes;
    const uint8_t *data = (const uint8_t *)tensor->data + from / block * bytes;
    const size_t begun = from % block; /* of the first block, what is not asked for */
    if (begun > 0) {
        const size_t rest = n < block - begun ? n : block - begun;
        convert_part(tensor->dtype, data, begun, rest, out);
        data += bytes;
        out += rest;
        n -= rest;
    }
    const size_t whole = n / block * block;
    dtypes[tensor->dtype].to_floats(data, whole, out);
    if (whole < n)
        convert_part(tensor->dtype, data + whole / block * bytes, 0, n - whole, out + whole);
}

/* Row by row, where the data has a head's rows in pairs: see `paired_rows`. */
static void convert_paired(const struct tensor *tensor, size_t from, size_t n, float *out) {
    if (n == 0) /* perhaps a row has no columns */
        return;
    const size_t rows = (size_t)tensor->dims[0], cols = tensor->elements / rows;
    const size_t group = tensor->paired_rows, half = group / 2;
    size_t row = from / cols, col = from % cols;
    while (n > 0) {
        const size_t part = n < cols - col ? n : cols - col;
        const size_t in_group = row % group;
        const size_t stored = row - in_group + in_group % half * 2 + in_group / half;
        convert_stored(tensor, stored * cols + col, part, out);
        out += part;
        n -= part;
        row++;
        col = 0;
    }
}

/* As the data is, whatever is to be done to it. */
static void convert(const struct tensor *tensor, size_t from, size_t n, float *out) {
    if (tensor->paired_rows != 0)
        convert_paired(tensor, from, n, out);
    else
        convert_stored(tensor, from, n, out);
}

void tensor_to_floats(const struct tensor *tensor, size_t from, size_t n, float *out) {
    ASSERT(from <= tensor->elements && n <= tensor->elements - from);
    convert(tensor, from, n, out);
    if (tensor->change != NULL)
        change_apply(tensor, NULL, from, n, out);
}
