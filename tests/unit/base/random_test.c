/* Random numbers: published Philox vectors in our mapping, independence of draws, range.
 * Seeds are fixed, so no run differs from another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/base.h"

/* Made by another implementation of Philox 4x32-10, itself checked against the three known-answer
 * rows published with Random123; the first row here is one of them. */
static const struct {
    uint64_t seed, counter;
    uint32_t next;
    double uniform;
} rows[] = {
    {0x0u, 0x0u, 0x6627e8d5u, 0x1.c2d38b1acc4fdp-1},
    {0x0u, 0x1u, 0xf8e4cca4u, 0x1.72c8036fe3932p-2},
    {0x2au, 0x0u, 0x9ceaf053u, 0x1.dfd524ee73abcp-2},
    {0x2au, 0x1u, 0xfcdb2127u, 0x1.4ee9b3f7f36c8p-2},
    {0xffffffffffffffffu, 0xffffffffffffffffu, 0x4d18d7d2u, 0x1.0c2b196934634p-2},
    {0x0123456789abcdefu, 0x100000000u, 0xd9412d6au, 0x1.6774fda36504ap-2},
};

static void draws_are_philox(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct random random = {rows[i].seed, rows[i].counter};
        assert_int_equal(random_next(&random), rows[i].next);
        assert_true(random.counter == rows[i].counter + 1);
        random.counter = rows[i].counter;
        assert_true(random_uniform(&random) == rows[i].uniform);
        assert_true(random.counter == rows[i].counter + 1);
    }
}

static void uniforms_fill_the_unit_interval(void **state) {
    enum { N = 200000, BINS = 64 };
    struct random random = {.seed = 99};
    int bins[BINS] = {0};
    double sum = 0;
    for (int i = 0; i < N; i++) {
        const double u = random_uniform(&random);
        assert_true(u >= 0 && u < 1);
        bins[(int)(u * BINS)]++;
        sum += u;
    }
    /* Five standard deviations, and the seed is fixed. */
    assert_true(fabs(sum / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
    for (int i = 0; i < BINS; i++)
        assert_true(fabs(bins[i] - (double)N / BINS) < 5 * sqrt((double)N / BINS));
}

static void streams_of_neighbouring_seeds_differ(void **state) {
    struct random a = {.seed = 5}, b = {.seed = 6};
    int same = 0;
    for (int i = 0; i < 1000; i++)
        same += random_next(&a) == random_next(&b);
    assert_int_equal(same, 0);
}

static void fresh_seeds_differ(void **state) {
    assert_true(random_seed_fresh() != random_seed_fresh());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_philox),
        cmocka_unit_test(uniforms_fill_the_unit_interval),
        cmocka_unit_test(streams_of_neighbouring_seeds_differ),
        cmocka_unit_test(fresh_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
