/* Dequantizes the blocks of ggml: 32 numbers with a scale (Q8_0, Q4_0 and their like), or 256 in 8
 * or 16 groups whose scales are quantized themselves (the K types).
 *
 * The arithmetic is that of the `gguf` package's quants.py, operation by operation, so that results
 * are equal bit for bit. Nothing is quantized here, and nothing is computed in these types: weights
 * are packed anew for the kernels (engine/weights.c). A core of a shared machine makes 0.9 (Q6_K)
 * to 4 (Q4_K) thousand million floats a second; the five-bit types 0.3. Layouts stand above each
 * function. */
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

/* The five bits of 32 numbers: nibbles as Q4_0, the fifth in 32 bits before. Bits are compared with
 * masks, since shifts by a lane's number do not vectorise. */
static inline void five_bits(const uint8_t *high, const uint8_t *nibbles, uint8_t *out) {
    static const uint8_t bits[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    for (size_t g = 0; g < 4; g++) { /* numbers 8g to 8g + 7 */
        for (size_t i = 0; i < 8; i++)
            out[8 * g + i] = (high[g] & bits[i]) != 0 ? 16 : 0;
    }
    for (size_t i = 0; i < 16; i++) {
        out[i] |= nibbles[i] & 15;
        out[16 + i] |= nibbles[i] >> 4;
    }
}

/* Q5_0, 22 bytes: half d, 32 high bits, nibbles; each number less 16. */
void Q5_0_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += SMALL, in += 22) {
        const float d = float_of_half_at(in);
        uint8_t q[SMALL];
        five_bits(in + 2, in + 6, q);
        for (size_t i = 0; i < SMALL; i++)
            out[at + i] = d * (float)(q[i] - 16);
    }
}

/* Q5_1, 24 bytes: half d, half m, 32 high bits, nibbles. */
void Q5_1_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += SMALL, in += 24) {
        const float d = float_of_half_at(in), m = float_of_half_at(in + 2);
        uint8_t q[SMALL];
        five_bits(in + 4, in + 8, q);
        for (size_t i = 0; i < SMALL; i++)
            out[at + i] = d * (float)q[i] + m;
    }
}

/* 128 numbers of 2 bits in 32 bytes, four times 32: the lowest bits of all bytes first. */
static inline void two_bits(const uint8_t *in, uint8_t *out) {
    for (size_t i = 0; i < 32; i++) {
        out[i] = in[i] & 3;
        out[32 + i] = in[i] >> 2 & 3;
        out[64 + i] = in[i] >> 4 & 3;
        out[96 + i] = in[i] >> 6;
    }
}

/* Q2_K, 84 bytes: 16 x (scale, min) in nibbles, 2 x 32 bytes of 2-bit numbers, half d, half dmin. A
 * scale is for 16 numbers. */
void Q2_K_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += LARGE, in += 84) {
        const float d = float_of_half_at(in + 80), dmin = float_of_half_at(in + 82);
        uint8_t q[LARGE];
        two_bits(in + 16, q);
        two_bits(in + 48, q + 128);
        for (size_t g = 0; g < 16; g++) {
            const float scale = d * (float)(in[g] & 15), min = dmin * (float)(in[g] >> 4);
            for (size_t i = 0; i < 16; i++)
                out[at + 16 * g + i] = scale * (float)q[16 * g + i] - min;
        }
    }
}

/* Q3_K, 110 bytes: 256 high bits (bit i / 32 of byte i % 32; a bit that is not set takes 4 away), 2
 * x 32 bytes of 2-bit numbers, 12 bytes of 16 6-bit scales each less 32, half d. */
void Q3_K_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += LARGE, in += 110) {
        const uint8_t *scales = in + 96;
        const float d = float_of_half_at(in + 108);
        uint8_t q[LARGE];
        two_bits(in + 32, q);
        two_bits(in + 64, q + 128);
        for (size_t b = 0; b < 8; b++) {
            for (size_t i = 0; i < 32; i++)
                q[32 * b + i] |= (in[i] & 1u << b) != 0 ? 4 : 0;
        }
        for (size_t g = 0; g < 16;
             g++) { /* low nibbles of 8 bytes, then high ones; 2 bits behind */
            const int low = g < 8 ? scales[g] & 15 : scales[g - 8] >> 4;
            const int bits = low | (scales[8 + g % 4] >> (g / 4 * 2) & 3) << 4;
            const float scale = d * (float)(bits - 32);
            for (size_t i = 0; i < 16; i++)
                out[at + 16 * g + i] = scale * (float)(q[16 * g + i] - 4);
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
            const unsigned shift = g % 2 * 4, bit = 1u << g;
            for (size_t i = 0; i < 32; i++) {
                const int q = (nibbles[i] >> shift & 15) | ((high[i] & bit) != 0 ? 16 : 0);
                out[at + g * 32 + i] = scale * (float)q - min;
            }
        }
    }
}

/* Q6_K, 210 bytes: 128 of low nibbles (64 bytes hold 64 numbers low, then 64 high), 2 x 32 bytes of
 * 2-bit high parts, 16 x int8 scales of 16 numbers, half d; each number less 32. */
void Q6_K_to_floats(const uint8_t *in, size_t n, float *out) {
    for (size_t at = 0; at < n; at += LARGE, in += 210) {
        const float d = float_of_half_at(in + 208);
        uint8_t q[LARGE];
        two_bits(in + 128, q);
        two_bits(in + 160, q + 128);
        for (size_t half = 0; half < 2; half++) {
            const uint8_t *low = in + 64 * half;
            uint8_t *to = q + 128 * half;
            for (size_t i = 0; i < 64; i++) {
                to[i] = (uint8_t)(to[i] << 4 | (low[i] & 15));
                to[64 + i] = (uint8_t)(to[64 + i] << 4 | low[i] >> 4);
            }
        }
        for (size_t g = 0; g < 16; g++) {
            const float scale = d * (float)(int8_t)in[192 + g];
            for (size_t i = 0; i < 16; i++)
                out[at + 16 * g + i] = scale * (float)(q[16 * g + i] - 32);
        }
    }
}
