/* The best of many scores: against a full sort, for small and large k, with ties. Not the functions
 * that make scores of logits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tasks/task.h"

#define N 500

static void the_best_are_those_of_a_sort(void **state) {
    static const size_t ks[] = {0, 1, 5, 64, 65, 499, 500, 900};
    for (size_t i = 0; i < ARRAY_LEN(ks); i++) {
        float scores[N];
        struct scored top[1000];
        struct random random = {i, 0};
        for (size_t j = 0; j < N; j++) {
            scores[j] = (float)(random_next(&random) % 90);
        }
        const size_t n = scored_top(top, ks[i], scores, N);
        assert_int_equal(n, ks[i] < N ? ks[i] : N);
        for (size_t j = 0; j < n; j++) {
            size_t before = 0; /* that come first in a stable sort */
            for (size_t k = 0; k < N; k++) {
                before +=
                    scores[k] > top[j].score || (scores[k] == top[j].score && k < top[j].index);
            }
            assert_int_equal(before, j);
            assert_true(scores[top[j].index] == top[j].score);
        }
    }
}

static void nothing_has_no_best(void **state) {
    struct scored top[1];
    assert_int_equal(scored_top(top, 1, NULL, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_are_those_of_a_sort),
        cmocka_unit_test(nothing_has_no_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
