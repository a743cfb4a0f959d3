/* Which precision a model runs in: what was asked for, else what is fastest at its size. That
 * answers stand it is what bench/quality.py measures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/loaded.h"

static void precision_asked_for_or_by_size(void **state) {
    static const struct {
        const char *asked; /* NULL: nothing */
        uint64_t parameters;
        enum precision wanted;
    } rows[] = {
        {NULL, 0, PRECISION_FP32},
        {NULL, 7999999, PRECISION_FP32},
        {NULL, 8000000, PRECISION_INT8},
        {"auto", 7999999, PRECISION_FP32},
        {"auto", 8000000, PRECISION_INT8},
        {"auto", 70000000000, PRECISION_INT8},
        {"fp32", 70000000000, PRECISION_FP32},
        {"bf16", 1000, PRECISION_BF16},
        {"bf16", 8000000, PRECISION_BF16},
        {"int8", 1000, PRECISION_INT8},
        {"int4", 1000, PRECISION_INT4},
        {"int4", 8000000, PRECISION_INT4},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct precision_choice choice;
        assert_true(precision_choice_parse(rows[i].asked, &choice));
        const enum precision got = precision_for(&choice, rows[i].parameters);
        if (got != rows[i].wanted)
            fail_msg("row %zu: wanted %s, got %s", i, precision_name(rows[i].wanted),
                     precision_name(got));
    }
}

static void unknown_choices_are_refused(void **state) {
    static const char *const rows[] = {"", "fp16", "INT8", "auto ", "int8,bf16"};
    struct precision_choice choice;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_false(precision_choice_parse(rows[i], &choice));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(precision_asked_for_or_by_size),
        cmocka_unit_test(unknown_choices_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
