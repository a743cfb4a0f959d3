/* Nearest names: the order by distance, of equal ones by arrival, and names longer than what is
 * compared. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"

static const struct {
    const char *name, *known[8], *list;
} rows[] = {
    {"qpt2", {"bert", "gpt2", "gptj"}, "gpt2, gptj, bert"},
    {"en", {"de_DE", "en_XX", "fr_XX"}, "en_XX, de_DE, fr_XX"},
    {"", {"long name", "b", "a"}, "b, a, long name"},
    {"a", {"a1", "a2", "a3", "a4", "a5", "a6", "a"}, "a, a1, a2, a3, a4"},
    {"same", {"same"}, "same"},
    {"none", {NULL}, ""},
};

static void the_nearest_come_first(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        struct nearest nearest;
        nearest_init(&nearest, rows[i].name);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].known) && rows[i].known[k]; k++)
            nearest_see(&nearest, rows[i].known[k]);
        assert_string_equal(nearest_list(&nearest, &arena), rows[i].list);
        arena_deinit(&arena);
    }
}

static void of_long_names_the_beginnings_are_compared(void **state) {
    char name[4 * NEAREST_BYTES], other[4 * NEAREST_BYTES];
    struct nearest nearest;
    memset(name, 'a', sizeof name - 1);
    memset(other, 'a', sizeof other - 1);
    name[sizeof name - 1] = other[sizeof other - 1] = '\0';
    other[2 * NEAREST_BYTES] = 'b';
    nearest_init(&nearest, name);
    nearest_see(&nearest, other);
    assert_int_equal(nearest.far[0], 0);
    nearest_see(&nearest, "");
    assert_int_equal(nearest.far[1], NEAREST_BYTES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_come_first),
        cmocka_unit_test(of_long_names_the_beginnings_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
