/* Numbers from text as Python's int() and float() read them, without the locale. Printing them is
 * print.c's business. */
#include "template/builtin.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

#define NUMBER_TEXT 512 /* characters of a number; longer ones are none */

static void trim(const char **text, size_t *len) {
    while (*len > 0 && char_is_space((unsigned char)**text)) {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && char_is_space((unsigned char)(*text)[*len - 1]))
        (*len)--;
}

static int digit_of(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
}

/* The base that a prefix names: 0x, 0o, 0b; 0: none. */
static int prefix_base(const char *text, size_t len) {
    if (len < 3 || text[0] != '0')
        return 0;
    const char c = (char)(text[1] | 0x20);
    return c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
}

bool parse_int(const char *text, size_t len, int base, int64_t *out) {
    trim(&text, &len);
    bool negative = false;
    if (len > 0 && (*text == '-' || *text == '+')) {
        negative = *text == '-';
        text++;
        len--;
    }
    const int prefix = prefix_base(text, len);
    bool after_digit = false;
    if (prefix != 0 && (base == 0 || base == prefix)) {
        base = prefix;
        text += 2;
        len -= 2;
        after_digit = true; /* an underscore may follow the prefix */
    }
    base = base == 0 ? 10 : base;
    int64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '_' && after_digit && i + 1 < len) {
            after_digit = false;
            continue;
        }
        const int digit = digit_of(text[i]);
        if (digit >= base || __builtin_mul_overflow(value, (int64_t)base, &value) ||
            __builtin_sub_overflow(value, (int64_t)digit, &value))
            return false;
        after_digit = true;
    }
    if (len == 0 || (!negative && value == INT64_MIN))
        return false;
    *out = negative ? value : -value;
    return true;
}

/* Digits with single underscores between them; copied without these. */
static size_t copy_digits(const char *text, size_t len, size_t *at, char *out) {
    size_t n = 0;
    while (*at < len) {
        const char c = text[*at];
        if (c >= '0' && c <= '9')
            out[n++] = c;
        else if (c != '_' || n == 0 || *at + 1 >= len || digit_of(text[*at + 1]) > 9)
            break;
        (*at)++;
    }
    return n;
}

static bool word(const char *text, size_t len, const char *name) {
    return strlen(name) == len && strncasecmp(text, name, len) == 0;
}

bool parse_float(const char *text, size_t len, double *out) {
    char digits[NUMBER_TEXT + 8];
    trim(&text, &len);
    if (len == 0 || len > NUMBER_TEXT)
        return false;
    size_t at = 0, n = 0;
    if (text[0] == '-' || text[0] == '+')
        digits[n++] = text[at++];
    const char *rest = text + at;
    if (word(rest, len - at, "inf") || word(rest, len - at, "infinity")) {
        *out = text[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (word(rest, len - at, "nan")) {
        *out = NAN;
        return true;
    }
    size_t mantissa = copy_digits(text, len, &at, digits + n);
    n += mantissa;
    if (at < len && text[at] == '.') {
        digits[n++] = text[at++];
        const size_t fraction = copy_digits(text, len, &at, digits + n);
        n += fraction;
        mantissa += fraction;
    }
    if (mantissa > 0 && at < len && (text[at] | 0x20) == 'e') {
        digits[n++] = text[at++];
        if (at < len && (text[at] == '-' || text[at] == '+'))
            digits[n++] = text[at++];
        const size_t exponent = copy_digits(text, len, &at, digits + n);
        n += exponent;
        if (exponent == 0)
            return false;
    }
    digits[n] = 0;
    if (mantissa == 0 || at != len)
        return false;
    *out = strtod(digits, NULL); /* no locale is ever set in this program: the point is a point */
    return true;
}
