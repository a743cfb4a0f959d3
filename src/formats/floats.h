/* Small floats to float: what tensor.c and blocks.c share. Private to this room; no tables, no
 * branches, so that loops over them are vectorised. */
#ifndef BRISK_FORMATS_FLOATS_H
#define BRISK_FORMATS_FLOATS_H

#include "base/base.h"

static inline float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A number of `bits` below the sign, `mantissa` of them behind the exponent, without infinities:
 * exact. Subnormals are made by a subtraction of normal numbers, so that the result does not
 * depend on the processor's flush-to-zero mode. `magnitude` is the number without its sign, its
 * exponent moved to where a float has it; `rebias` is 127 less the bias of its exponent. */
static inline float float_of_magnitude(uint32_t magnitude, uint32_t rebias, uint32_t sign) {
    const float unit = float_of_bits((rebias + 1u) << 23);
    const float small = float_of_bits(magnitude + ((rebias + 1u) << 23)) - unit;
    uint32_t small_bits;
    memcpy(&small_bits, &small, sizeof small_bits);
    const uint32_t normal = magnitude + (rebias << 23);
    return float_of_bits(((magnitude >> 23) == 0 ? small_bits : normal) | sign);
}

/* IEEE half to single, exact; infinity and NaN (exponent all ones) are rebiased twice. */
static inline float float_of_half(uint16_t half) {
    const uint32_t magnitude = (uint32_t)(half & 0x7fffu) << 13;
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t rebias = 127u - 15u;
    return float_of_magnitude(magnitude, magnitude >= (0x7c00u << 13) ? 2u * rebias : rebias, sign);
}

/* The half that stands at `in`, little endian. */
static inline float float_of_half_at(const uint8_t *in) {
    return float_of_half((uint16_t)(in[0] | in[1] << 8));
}

#endif
