/* Which precision a model runs in: what was asked for, else what keeps the answers of a model of
 * its size and head. That it does keep them is what bench/quality.py measures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/loaded.h"

#define SMALL 7999999u
#define LARGE 8000000u

static void precision_by_size_and_head(void **state) {
    static const struct {
        const char *asked; /* NULL: nothing */
        enum head_kind head;
        bool is_sentence_model; /* has modules.json */
        uint32_t parameters;
        enum precision wanted;
    } rows[] = {
        /* weights that stay in the caches */
        {NULL, HEAD_LM, false, SMALL, PRECISION_FP32},
        {"auto", HEAD_LM, false, SMALL, PRECISION_FP32},
        {"auto", HEAD_SEQUENCE, false, SMALL, PRECISION_FP32},
        {"auto", HEAD_NONE, true, SMALL, PRECISION_FP32},
        /* tokens */
        {NULL, HEAD_LM, false, LARGE, PRECISION_BF16},
        {"auto", HEAD_LM, false, LARGE, PRECISION_BF16},
        {"auto", HEAD_LM, false, UINT32_MAX, PRECISION_BF16},
        /* labels and vectors */
        {"auto", HEAD_NONE, false, LARGE, PRECISION_INT8},
        {"auto", HEAD_NONE, true, LARGE, PRECISION_INT8},
        {"auto", HEAD_LM, true, LARGE, PRECISION_INT8},
        {"auto", HEAD_SEQUENCE, false, LARGE, PRECISION_INT8},
        {"auto", HEAD_TOKEN, false, LARGE, PRECISION_INT8},
        {"auto", HEAD_SPAN, false, LARGE, PRECISION_INT8},
        {"auto", HEAD_CELL, false, LARGE, PRECISION_INT8},
        /* asked for */
        {"fp32", HEAD_SEQUENCE, false, LARGE, PRECISION_FP32},
        {"int8", HEAD_LM, false, LARGE, PRECISION_INT8},
        {"int8", HEAD_LM, false, SMALL, PRECISION_INT8},
        {"bf16", HEAD_NONE, true, SMALL, PRECISION_BF16},
    };
    static const struct json modules;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct repository repository = {.modules =
                                                  rows[i].is_sentence_model ? &modules : NULL};
        const struct arch arch = {.head.kind = rows[i].head};
        struct precision_choice choice;
        assert_true(precision_choice_parse(rows[i].asked, &choice));
        const enum precision got = precision_for(&choice, &repository, &arch, rows[i].parameters);
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
        cmocka_unit_test(precision_by_size_and_head),
        cmocka_unit_test(unknown_choices_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
