/* For the tests of ops: teams of 1, 2 and 3 lanes, random numbers, and a count of allocations in
 * every lane, which must be none. */
#ifndef BRISK_TESTS_OPS_LANES_H
#define BRISK_TESTS_OPS_LANES_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ops/ops.h"

enum { MOST_LANES = 3 };

static struct team *teams[MOST_LANES]; /* of 1, 2, 3 lanes */

static int make_teams(void **state) {
    struct error err;
    for (uint32_t i = 0; i < MOST_LANES; i++) {
        if (team_create(&teams[i], i + 1, &err) != STATUS_OK) {
            return -1;
        }
    }
    return 0;
}

static int destroy_teams(void **state) {
    for (uint32_t i = 0; i < MOST_LANES; i++) {
        team_destroy(teams[i]);
    }
    return 0;
}

struct counted {
    void (*fn)(struct lane *lane, void *arg);
    void *arg;
    uint64_t allocations[MOST_LANES];
};

static inline void count_lane(struct lane *lane, void *arg) {
    struct counted *counted = arg;
    const uint64_t before = mem_alloc_count();
    counted->fn(lane, counted->arg);
    counted->allocations[lane->index] = mem_alloc_count() - before;
}

/* Runs fn on `lanes` lanes; no lane may allocate. */
static inline void run_lanes(uint32_t lanes, void (*fn)(struct lane *lane, void *arg), void *arg) {
    struct counted counted = {.fn = fn, .arg = arg};
    team_run(teams[lanes - 1], count_lane, &counted);
    for (uint32_t i = 0; i < lanes; i++) {
        assert_int_equal(counted.allocations[i], 0);
    }
}

static uint32_t random_state = 7;

static inline float uniform(float low, float high) {
    random_state = random_state * 1664525u + 1013904223u;
    return low + (high - low) * (float)(random_state >> 8) / (float)(1 << 24);
}

static inline float *random_floats(size_t n, float low, float high) {
    float *x = mem_alloc(n * sizeof(*x));
    for (size_t i = 0; i < n; i++) {
        x[i] = uniform(low, high);
    }
    return x;
}

static inline void near(double got, double want, double allowed, const char *what, size_t i) {
    if (!(fabs(got - want) <= allowed)) {
        fail_msg("%s at %zu: wanted %.9g +- %g, got %.9g", what, i, want, allowed, got);
    }
}

static inline struct scratch *make_scratch(uint32_t rows, uint32_t in, uint32_t keys) {
    struct scratch *scratch = NULL;
    struct error err;
    assert_int_equal(scratch_create(&scratch, device_cpu(), MOST_LANES, rows, in, keys, &err),
                     STATUS_OK);
    assert_true(scratch_bytes(scratch) > (size_t)rows * in);
    return scratch;
}

#endif
