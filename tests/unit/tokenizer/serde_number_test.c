/* Numbers come out as serde_json reads them without float_roundtrip, wrong last bits included. What
 * is wanted was printed by the `tokenizers` library 0.22.2 for a Unigram vocabulary of these. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tokenizer/serde_number.h"

static void numbers_are_the_librarys(void **state) {
    static const struct {
        const char *text;
        double want;
    } rows[] = {
        {"0", 0},
        {"-0.0", -0.0},
        {"-5", -5},
        {"1e3", 1000},
        {"-15.275492379532281", -15.27549237953228},
        {"-9.908701741838819", -9.90870174183882},
        {"-15.774467468261719", -15.77446746826172},
        {"-14.429688151665367", -14.429688151665369},
        {"-2.0122928619384766", -2.012292861938477},
        {"18446744073709551615", 1.8446744073709552e+19},
        {"18446744073709551616", 1.8446744073709552e+19}, /* the last digit is a zero by then */
        {"1.18446744073709551616", 1.1844674407370954},   /* and here it is left out */
        {"123456789012345678901234567890.5", 1.2345678901234568e29},
        {"0.1e-1", 0.01},
        {"1E+2", 100},
        {"1e-320", 1e-320},
        {"0e99999", 0},
        {"2.5e-30", 2.5000000000000002e-30},
        {"1.5e30", 1.5e30},
        {"123456.789e-45", 1.23456789e-40},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const double got = serde_number(rows[i].text, strlen(rows[i].text));
        if (got != rows[i].want || signbit(got) != signbit(rows[i].want))
            fail_msg("%s: wanted %.17g, got %.17g", rows[i].text, rows[i].want, got);
    }
}

static void what_does_not_fit_is_infinite(void **state) {
    assert_true(isinf(serde_number("1e309", 5)));
    assert_true(isinf(serde_number("-9e308", 6)));
    assert_true(isinf(serde_number("1e99999999999999999999", 22)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_the_librarys),
        cmocka_unit_test(what_does_not_fit_is_infinite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
