/* Numbers as decimal text: shortest, exact on the way back, in Python's notation. Judged by
 * strtof, strtod and printf of the C library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/decimal.h"

/* As Python's repr writes them: floats as numpy.float32, doubles as float. */
static void known_texts(void **state) {
    static const struct {
        double value;
        const char *as_float, *as_double;
    } rows[] = {
        {0.0, "0.0", "0.0"},
        {-0.0, "-0.0", "-0.0"},
        {1.0, "1.0", "1.0"},
        {-1.5, "-1.5", "-1.5"},
        {0.1, "0.1", "0.1"},
        {100.0, "100.0", "100.0"},
        {0.0001, "0.0001", "0.0001"},
        {0.00001, "1e-05", "1e-05"},
        {1.5e-7, "1.5e-07", "1.5e-07"},
        {16777216.0, "16777216.0", "16777216.0"},
        {123456789.0, "123456790.0", "123456789.0"},
        {1e15, "1000000000000000.0", "1000000000000000.0"},
        {1e16, "1e+16", "1e+16"},
        {1.25e20, "1.25e+20", "1.25e+20"},
        {1e-30, "1e-30", "1e-30"},
        {1.0 / 3, "0.33333334", "0.3333333333333333"},
        {0.9998656511306763, "0.99986565", "0.9998656511306763"},
        {0x1p-149, "1e-45", "1.401298464324817e-45"},
        {0x1p-126, "1.1754944e-38", "1.1754943508222875e-38"},
        {0x1.fffffep127, "3.4028235e+38", "3.4028234663852886e+38"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[DECIMAL_TEXT_MAX + 1];
        text[decimal_float(text, (float)rows[i].value)] = 0;
        assert_string_equal(text, rows[i].as_float);
        text[decimal_double(text, rows[i].value)] = 0;
        assert_string_equal(text, rows[i].as_double);
    }
    static const double extremes[] = {5e-324,
                                      1.7976931348623157e308,
                                      2.2250738585072014e-308,
                                      9007199254740993.0,
                                      0.30000000000000004,
                                      1e22,
                                      1e23};
    static const char *const texts[] = {"5e-324",
                                        "1.7976931348623157e+308",
                                        "2.2250738585072014e-308",
                                        "9007199254740992.0",
                                        "0.30000000000000004",
                                        "1e+22",
                                        "1e+23"};
    for (size_t i = 0; i < ARRAY_LEN(extremes); i++) {
        char text[DECIMAL_TEXT_MAX + 1];
        text[decimal_double(text, extremes[i])] = 0;
        assert_string_equal(text, texts[i]);
    }
}

/* Significant digits of the text, without trailing zeros. */
static int digits_of(const char *text) {
    int n = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
            continue;
        n++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return n - zeros;
}

static void check_float(uint32_t bits, bool shortest_too) {
    float value;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value))
        return;
    char text[DECIMAL_TEXT_MAX + 1];
    const size_t len = decimal_float(text, value);
    assert_true(len <= DECIMAL_TEXT_MAX);
    text[len] = 0;
    const float back = strtof(text, NULL);
    if (memcmp(&back, &value, sizeof back) != 0)
        fail_msg("%08x: %.9g became %s", bits, (double)value, text);
    const int n = digits_of(text);
    if (!shortest_too || n < 2)
        return;
    char shorter[40];
    snprintf(shorter, sizeof shorter, "%.*e", n - 2, (double)value);
    if (strtof(shorter, NULL) == value)
        fail_msg("%08x: %s is longer than %s", bits, text, shorter);
}

static void floats_read_back_as_themselves(void **state) {
    for (uint32_t exponent = 0; exponent < 255; exponent++) {
        static const uint32_t fractions[] = {0, 1, 2, 3, 0x400000, 0x7FFFFD, 0x7FFFFE, 0x7FFFFF};
        for (size_t i = 0; i < ARRAY_LEN(fractions); i++) {
            check_float(exponent << 23 | fractions[i], true);
            check_float(1u << 31 | exponent << 23 | fractions[i], true);
        }
    }
    struct random random = {.seed = 3};
    for (int i = 0; i < 1000000; i++)
        check_float(random_next(&random), i % 8 == 0);
}

static void doubles_read_back_as_themselves(void **state) {
    struct random random = {.seed = 4};
    for (int i = 0; i < 100000; i++) {
        const uint64_t high = random_next(&random);
        const uint64_t bits = high << 32 | random_next(&random);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        char text[DECIMAL_TEXT_MAX + 1];
        text[decimal_double(text, value)] = 0;
        const double back = strtod(text, NULL);
        if (memcmp(&back, &value, sizeof back) != 0)
            fail_msg("%.17g became %s", value, text);
    }
}

static void integers(void **state) {
    static const struct {
        int64_t value;
        const char *want;
    } rows[] = {{0, "0"},
                {7, "7"},
                {10, "10"},
                {-1, "-1"},
                {-99, "-99"},
                {100, "100"},
                {123456789, "123456789"},
                {INT64_MAX, "9223372036854775807"},
                {INT64_MIN, "-9223372036854775808"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[DECIMAL_TEXT_MAX + 1];
        text[decimal_int(text, rows[i].value)] = 0;
        assert_string_equal(text, rows[i].want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts),
        cmocka_unit_test(floats_read_back_as_themselves),
        cmocka_unit_test(doubles_read_back_as_themselves),
        cmocka_unit_test(integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
