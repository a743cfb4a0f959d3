/* Dequantizes the blocks of ggml: 32 numbers with a scale (Q8_0, Q4_0 and their like), or 256 in 8
 * or 16 groups whose scales are quantized themselves (the K types).
 *
 * The arithmetic is that of the `gguf` package's quants.py, operation by operation, so that results
 * are equal bit for bit. Nothing is quantized here, and nothing is computed in these types: weights
 * are packed anew for the kernels (engine/weights.c). Layouts stand above each function. */
#include "formats/blocks.h"

#include "formats/floats.h"

enum { SMALL = 32, LARGE = 256 }; /* elements of a block */

/* Q8_0, 34 bytes: half d, 32 x int8. */
void Q8_0_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += SMALL, in += 34) {
        const float d = float_of_half_at(in);
        for (size_t i = 0; i < SMALL; i++)
            out[at + i] = (float)(int8_t)in[2 + i] * d;
    }
}

/* Q4_0, 18 bytes: half d, 16 bytes whose low nibbles are the first 16 numbers, each less 8. */
void Q4_0_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += SMALL, in += 18) {
        const float d = float_of_half_at(in);
        for (size_t i = 0; i < SMALL / 2; i++) {
            out[at + i] = d * (float)((in[2 + i] & 15) - 8);
            out[at + 16 + i] = d * (float)((in[2 + i] >> 4) - 8);
        }
    }
}

/* Q4_1, 20 bytes: half d, half m, nibbles as Q4_0, not shifted. */
void Q4_1_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += SMALL, in += 20) {
        const float d = float_of_half_at(in), m = float_of_half_at(in + 2);
        for (size_t i = 0; i < SMALL / 2; i++) {
            out[at + i] = d * (float)(in[4 + i] & 15) + m;
            out[at + 16 + i] = d * (float)(in[4 + i] >> 4) + m;
        }
    }
}

/* The fifth bits of 32 numbers, and their nibbles: five bits of number i, 0 <= i < 32. */
static inline int five_bits(const uint8_t *high, const uint8_t *nibbles, size_t i) {
    const int low = i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4;
    return low | (high[i / 8] >> (i % 8) & 1) << 4;
}

/* Q5_0, 22 bytes: half d, 32 high bits, nibbles; each number less 16. */
void Q5_0_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += SMALL, in += 22) {
        const float d = float_of_half_at(in);
        for (size_t i = 0; i < SMALL; i++)
            out[at + i] = d * (float)(five_bits(in + 2, in + 6, i) - 16);
    }
}

/* Q5_1, 24 bytes: half d, half m, 32 high bits, nibbles. */
void Q5_1_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += SMALL, in += 24) {
        const float d = float_of_half_at(in), m = float_of_half_at(in + 2);
        for (size_t i = 0; i < SMALL; i++)
            out[at + i] = d * (float)five_bits(in + 4, in + 8, i) + m;
    }
}

/* Q2_K, 84 bytes: 16 x (scale, min) in nibbles, 64 bytes of 2-bit numbers, half d, half dmin. Each
 * 32 bytes hold four times 32 numbers, the lowest bits first; a scale is for 16 numbers. */
void Q2_K_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += LARGE, in += 84) {
        const uint8_t *scales = in, *numbers = in + 16;
        const float d = float_of_half_at(in + 80), dmin = float_of_half_at(in + 82);
        for (size_t i = 0; i < LARGE; i++) {
            const uint8_t scale = scales[i / 16];
            const int q = numbers[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
            out[at + i] = d * (float)(scale & 15) * (float)q - dmin * (float)(scale >> 4);
        }
    }
}

/* Q3_K, 110 bytes: 256 high bits (bit i / 32 of byte i % 32; a bit that is not set takes 4 away),
 * 64 bytes of 2-bit numbers as Q2_K, 12 bytes of 16 6-bit scales each less 32, half d. */
void Q3_K_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += LARGE, in += 110) {
        const uint8_t *high = in, *numbers = in + 32, *scales = in + 96;
        const float d = float_of_half_at(in + 108);
        for (size_t i = 0; i < LARGE; i++) {
            const size_t g = i / 16; /* low nibbles of 8 bytes, then high ones; two bits behind */
            const int low = g < 8 ? scales[g] & 15 : scales[g - 8] >> 4;
            const int scale = (low | (scales[8 + g % 4] >> (g / 4 * 2) & 3) << 4) - 32;
            const int q = (numbers[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3) -
                          ((high[i % 32] >> (i / 32) & 1) != 0 ? 0 : 4);
            out[at + i] = d * (float)scale * (float)q;
        }
    }
}

/* The 8 scales and 8 mins of Q4_K and Q5_K, 6 bits each in 12 bytes: bytes 0-3 and 4-7 hold scales
 * and mins 0-3 and, in their two high bits, the high bits of 4-7, whose low nibbles are bytes 8-11.
 */
static inline int scale_at(const uint8_t *scales, size_t g) {
    return g < 4 ? scales[g] & 63 : (scales[g + 4] & 15) | (scales[g - 4] >> 6) << 4;
}

static inline int min_at(const uint8_t *scales, size_t g) {
    return g < 4 ? scales[g + 4] & 63 : (scales[g + 4] >> 4) | (scales[g] >> 6) << 4;
}

/* Q4_K, 144 bytes: half d, half dmin, 12 bytes of scales, 128 of nibbles: 32 bytes hold group 2i in
 * their low nibbles and group 2i + 1 in their high ones. */
void Q4_K_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += LARGE, in += 144) {
        const float d = float_of_half_at(in), dmin = float_of_half_at(in + 2);
        for (size_t g = 0; g < 8; g++) {
            const float scale = d * (float)scale_at(in + 4, g);
            const float min = dmin * (float)min_at(in + 4, g);
            const uint8_t *nibbles = in + 16 + g / 2 * 32;
            for (size_t i = 0; i < 32; i++)
                out[at + g * 32 + i] = scale * (float)(nibbles[i] >> (g % 2 * 4) & 15) - min;
        }
    }
}

/* Q5_K, 176 bytes: as Q4_K with 32 bytes of fifth bits (bit g of byte i) before the nibbles. */
void Q5_K_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += LARGE, in += 176) {
        const float d = float_of_half_at(in), dmin = float_of_half_at(in + 2);
        for (size_t g = 0; g < 8; g++) {
            const float scale = d * (float)scale_at(in + 4, g);
            const float min = dmin * (float)min_at(in + 4, g);
            const uint8_t *high = in + 16, *nibbles = in + 48 + g / 2 * 32;
            for (size_t i = 0; i < 32; i++) {
                const int q = (nibbles[i] >> (g % 2 * 4) & 15) | (high[i] >> g & 1) << 4;
                out[at + g * 32 + i] = scale * (float)q - min;
            }
        }
    }
}

/* Q6_K, 210 bytes: 128 of low nibbles (64 bytes hold 64 numbers low, then 64 high), 64 of 2-bit
 * high parts as Q2_K, 16 x int8 scales of 16 numbers, half d; each number less 32. */
void Q6_K_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += LARGE, in += 210) {
        const uint8_t *low = in, *high = in + 128, *scales = in + 192;
        const float d = float_of_half_at(in + 208);
        for (size_t g = 0; g < 8; g++) { /* 32 numbers */
            const uint8_t *l = low + g / 4 * 64 + g % 2 * 32, *h = high + g / 4 * 32;
            for (size_t i = 0; i < 32; i++) {
                const int q = (l[i] >> (g % 4 / 2 * 4) & 15) | (h[i] >> (g % 4 * 2) & 3) << 4;
                const float scale = d * (float)(int8_t)scales[g * 2 + i / 16];
                out[at + g * 32 + i] = scale * (float)(q - 32);
            }
        }
    }
}
