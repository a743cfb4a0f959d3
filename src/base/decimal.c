/* Numbers as decimal text. Floats by Schubfach (Giulietti, "The Schubfach way to render doubles",
 * 2021) in its 32-bit form: the shortest decimal inside the rounding interval, and of those the
 * closest, from three multiplications with a 64-bit power of ten. Doubles, which are rare in
 * answers, by trying 15, 16 and 17 digits. */
#include "base/decimal.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/banned.h"

#define POWER_MIN (-31)
#define POWER_MAX 45

/* ceil(10^k * 2^(63 - floor(log2(10^k)))) for k = POWER_MIN..POWER_MAX. */
static const uint64_t powers[POWER_MAX - POWER_MIN + 1] = {
    /* clang-format off */
    0x81CEB32C4B43FCF5, 0xA2425FF75E14FC32, 0xCAD2F7F5359A3B3F, 0xFD87B5F28300CA0E, 0x9E74D1B791E07E49,
    0xC612062576589DDB, 0xF79687AED3EEC552, 0x9ABE14CD44753B53, 0xC16D9A0095928A28, 0xF1C90080BAF72CB2,
    0x971DA05074DA7BEF, 0xBCE5086492111AEB, 0xEC1E4A7DB69561A6, 0x9392EE8E921D5D08, 0xB877AA3236A4B44A,
    0xE69594BEC44DE15C, 0x901D7CF73AB0ACDA, 0xB424DC35095CD810, 0xE12E13424BB40E14, 0x8CBCCC096F5088CC,
    0xAFEBFF0BCB24AAFF, 0xDBE6FECEBDEDD5BF, 0x89705F4136B4A598, 0xABCC77118461CEFD, 0xD6BF94D5E57A42BD,
    0x8637BD05AF6C69B6, 0xA7C5AC471B478424, 0xD1B71758E219652C, 0x83126E978D4FDF3C, 0xA3D70A3D70A3D70B,
    0xCCCCCCCCCCCCCCCD, 0x8000000000000000, 0xA000000000000000, 0xC800000000000000, 0xFA00000000000000,
    0x9C40000000000000, 0xC350000000000000, 0xF424000000000000, 0x9896800000000000, 0xBEBC200000000000,
    0xEE6B280000000000, 0x9502F90000000000, 0xBA43B74000000000, 0xE8D4A51000000000, 0x9184E72A00000000,
    0xB5E620F480000000, 0xE35FA931A0000000, 0x8E1BC9BF04000000, 0xB1A2BC2EC5000000, 0xDE0B6B3A76400000,
    0x8AC7230489E80000, 0xAD78EBC5AC620000, 0xD8D726B7177A8000, 0x878678326EAC9000, 0xA968163F0A57B400,
    0xD3C21BCECCEDA100, 0x84595161401484A0, 0xA56FA5B99019A5C8, 0xCECB8F27F4200F3A, 0x813F3978F8940985,
    0xA18F07D736B90BE6, 0xC9F2C9CD04674EDF, 0xFC6F7C4045812297, 0x9DC5ADA82B70B59E, 0xC5371912364CE306,
    0xF684DF56C3E01BC7, 0x9A130B963A6C115D, 0xC097CE7BC90715B4, 0xF0BDC21ABB48DB21, 0x96769950B50D88F5,
    0xBC143FA4E250EB32, 0xEB194F8E1AE525FE, 0x92EFD1B8D0CF37BF, 0xB7ABC627050305AE, 0xE596B7B0C643C71A,
    0x8F7E32CE7BEA5C70, 0xB35DBF821AE4F38C,
    /* clang-format on */
};

static const char two_digits[] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "6869707172737475767778798081828384858687888990919293949596979899";

/* ---- digits to text ------------------------------------------------------------------------- */

/* Writes value so that it ends at `end`; returns where it starts. */
static char *digits_before(char *end, uint64_t value) {
    while (value >= 100) {
        end -= 2;
        memcpy(end, two_digits + 2 * (value % 100), 2);
        value /= 100;
    }
    if (value >= 10) {
        end -= 2;
        memcpy(end, two_digits + 2 * value, 2);
        return end;
    }
    *--end = (char)('0' + value);
    return end;
}

static char *put_exponent(char *out, int exponent) {
    const unsigned size = (unsigned)(exponent < 0 ? -exponent : exponent);
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    if (size >= 100)
        *out++ = (char)('0' + size / 100);
    memcpy(out, two_digits + 2 * (size % 100), 2);
    return out + 2;
}

/* digits[n] with the point behind the first `point` of them (which may be outside). */
static char *put_plain(char *out, const char *digits, int n, int point) {
    if (point <= 0) {
        *out++ = '0';
        *out++ = '.';
        memset(out, '0', (size_t)-point);
        out += -point;
        memcpy(out, digits, (size_t)n);
        return out + n;
    }
    if (point >= n) {
        memcpy(out, digits, (size_t)n);
        memset(out + n, '0', (size_t)(point - n));
        out += point;
        *out++ = '.';
        *out++ = '0';
        return out;
    }
    memcpy(out, digits, (size_t)point);
    out[point] = '.';
    memcpy(out + point + 1, digits + point, (size_t)(n - point));
    return out + n + 1;
}

/* digits * 10^exponent, digits > 0, in Python's notation: plain for 1e-4 <= value < 1e16. */
static size_t put_decimal(char *out, bool negative, uint64_t digits, int exponent) {
    char *start = out;
    if (negative)
        *out++ = '-';
    while (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    char block[20];
    const char *first = digits_before(block + sizeof block, digits);
    const int n = (int)(block + sizeof block - first);
    const int point = n + exponent;
    if (point > -4 && point <= 16)
        return (size_t)(put_plain(out, first, n, point) - start);
    *out++ = first[0];
    if (n > 1) {
        *out++ = '.';
        memcpy(out, first + 1, (size_t)n - 1);
        out += n - 1;
    }
    return (size_t)(put_exponent(out, point - 1) - start);
}

static size_t put_zero(char *out, bool negative) {
    memcpy(out, "-0.0", 4);
    if (negative)
        return 4;
    memcpy(out, "0.0", 3);
    return 3;
}

/* ---- float ---------------------------------------------------------------------------------- */

/* floor(g * c / 2^64), with the lowest bit set when something was cut off ("round to odd"). */
static uint32_t scaled(uint64_t g, uint32_t c) {
    const unsigned __int128 product = (unsigned __int128)g * c;
    const uint32_t whole = (uint32_t)(product >> 64), rest = (uint32_t)((uint64_t)product >> 32);
    return whole | (rest > 1);
}

static int floor_log2_pow10(int k) {
    return k * 1741647 >> 19; /* exact for |k| <= 1233 */
}

/* The shortest decimal of c * 2^q, c > 0; *exponent is that of the result. `uneven` says that the
 * neighbour below is only half as far away as the one above (c is a power of two). The names of
 * the paper: v is the value, s and s + 1 the candidates below and above it in units of 10^k, and
 * all is held four times as large. */
static uint32_t shortest(uint32_t c, int q, bool uneven, int *exponent) {
    const uint32_t open = c % 2; /* odd: the interval's ends round to the neighbour */
    /* floor(log10(2^q)), or of 3/4 of it; exact in the range of q */
    const int k = (q * 1262611 - (uneven ? 524031 : 0)) >> 22;
    const int shift = q + floor_log2_pow10(-k) + 1;
    const uint64_t g = powers[-k - POWER_MIN];
    const uint32_t lower = scaled(g, (4 * c - 2 + uneven) << shift) + open;
    const uint32_t value = scaled(g, 4 * c << shift);
    const uint32_t upper = scaled(g, (4 * c + 2) << shift) - open;
    const uint32_t s = value / 4;
    if (s >= 10) {
        const uint32_t tens = s / 10;
        const bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above) {
            *exponent = k + 1;
            return tens + above;
        }
    }
    *exponent = k;
    const bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above)
        return s + above;
    const uint32_t middle = 4 * s + 2;
    return s + (value > middle || (value == middle && s % 2 == 1));
}

size_t decimal_float(char *out, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const bool negative = bits >> 31;
    const uint32_t fraction = bits & 0x7FFFFF, biased = bits >> 23 & 0xFF;
    ASSERT(biased != 0xFF);
    if (biased == 0 && fraction == 0)
        return put_zero(out, negative);
    const uint32_t c = biased ? fraction | 0x800000 : fraction;
    const int q = (biased ? (int)biased : 1) - 150;
    /* Whole numbers below 2^24 are their own shortest form, and common. */
    if (q <= 0 && q > -24 && (c & ((1u << -q) - 1)) == 0)
        return put_decimal(out, negative, c >> -q, 0);
    int exponent;
    const uint32_t digits = shortest(c, q, fraction == 0 && biased > 1, &exponent);
    return put_decimal(out, negative, digits, exponent);
}

/* ---- double and int ------------------------------------------------------------------------- */

/* Reads back what "%.*e" wrote: sign, one digit, the locale's point, digits, e, exponent. */
static uint64_t digits_of_text(const char *text, int *exponent) {
    uint64_t digits = 0;
    int n = 0;
    for (; *text != 'e'; text++)
        if (*text >= '0' && *text <= '9') {
            digits = digits * 10 + (uint64_t)(*text - '0');
            n++;
        }
    *exponent = (int)strtol(text + 1, NULL, 10) - (n - 1);
    return digits;
}

size_t decimal_double(char *out, double value) {
    ASSERT(isfinite(value));
    if (value == 0)
        return put_zero(out, signbit(value));
    char text[64];
    /* 15 digits are always kept by a double, so fewer need no try; subnormals keep less. */
    for (int places = fabs(value) < DBL_MIN ? 0 : 14; places <= 16; places++) {
        snprintf(text, sizeof text, "%.*e", places, value);
        if (places == 16 || strtod(text, NULL) == value)
            break;
    }
    int exponent;
    const uint64_t digits = digits_of_text(text, &exponent);
    return put_decimal(out, signbit(value), digits, exponent);
}

size_t decimal_int(char *out, int64_t value) {
    char block[20];
    const uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    const char *first = digits_before(block + sizeof block, size);
    const size_t n = (size_t)(block + sizeof block - first);
    if (value < 0)
        *out++ = '-';
    memcpy(out, first, n);
    return n + (value < 0);
}
