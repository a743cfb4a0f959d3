/* See serde_number.h. Digits are gathered in 64 bits; those that do not fit count as zeros in front
 * of the point and are left out behind it. */
#include "tokenizer/serde_number.h"

#include <math.h>

#include "base/banned.h"

#define POWER_MOST 308 /* of the library's table */

/* 10^n as the nearest double; exact products up to 10^22. */
static double power_of_ten(int n) {
    double power = 1;
    if (n > 22) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", n);
        return strtod(text, NULL);
    }
    for (int i = 0; i < n; i++)
        power *= 10;
    return power;
}

static double scale(double value, int64_t exponent) {
    while (exponent < -POWER_MOST && value != 0) {
        value /= power_of_ten(POWER_MOST);
        exponent += POWER_MOST;
    }
    if (value == 0)
        return 0;
    if (exponent > POWER_MOST)
        return INFINITY;
    return exponent >= 0 ? value * power_of_ten((int)exponent)
                         : value / power_of_ten((int)-exponent);
}

struct digits {
    uint64_t value;
    int64_t dropped; /* digits that did not fit, all behind the first that did not */
    int64_t taken;
};

static size_t read_digits(struct digits *digits, const char *text, size_t len, size_t pos) {
    digits->taken = 0;
    for (; pos < len && text[pos] >= '0' && text[pos] <= '9'; pos++) {
        const uint64_t digit = (uint64_t)(text[pos] - '0');
        if (digits->dropped > 0 || digits->value > (UINT64_MAX - digit) / 10) {
            digits->dropped++;
        } else {
            digits->value = 10 * digits->value + digit;
            digits->taken++;
        }
    }
    return pos;
}

static int64_t read_exponent(const char *text, size_t len, size_t pos) {
    const bool negative = pos < len && text[pos] == '-';
    int64_t exponent = 0;
    for (pos += pos < len && (text[pos] == '-' || text[pos] == '+'); pos < len; pos++)
        if (exponent < INT32_MAX)
            exponent = 10 * exponent + (text[pos] - '0');
    return negative ? -exponent : exponent;
}

double serde_number(const char *text, size_t len) {
    struct digits digits = {0};
    const bool negative = len > 0 && text[0] == '-';
    size_t pos = read_digits(&digits, text, len, negative);
    int64_t exponent = digits.dropped;
    if (pos < len && text[pos] == '.') {
        digits.dropped = 0; /* the library tries again to fit digits behind the point */
        pos = read_digits(&digits, text, len, pos + 1);
        exponent -= digits.taken;
    }
    if (pos < len && (text[pos] == 'e' || text[pos] == 'E'))
        exponent += read_exponent(text, len, pos + 1);
    const double value = scale((double)digits.value, exponent);
    return negative ? -value : value;
}
