/* The compute team: all lanes run, barriers order writes, nothing is allocated, ranges cover.
 * More lanes than cores are used, too. How fast a barrier is, is a benchmark's question. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <string.h>

#include "base/base.h"

static struct team *team_of(uint32_t threads) {
    struct team *team = NULL;
    struct error err = {0};
    if (team_create(&team, threads, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return team;
}

struct visits {
    int lanes[LIMIT_THREADS];
    uint32_t count;
};

static void visit(struct lane *lane, void *arg) {
    struct visits *visits = arg;
    visits->lanes[lane->index]++;
    if (lane->index == 0)
        visits->count = lane->count;
}

static void every_lane_runs_once_a_run(void **state) {
    for (uint32_t threads = 1; threads <= 6; threads++) {
        struct team *team = team_of(threads);
        assert_int_equal(team_threads(team), threads);
        struct visits visits = {0};
        const uint64_t before = mem_alloc_count();
        for (int i = 0; i < 500; i++)
            team_run(team, visit, &visits);
        assert_int_equal(mem_alloc_count() - before, 0);
        assert_int_equal(visits.count, threads);
        for (uint32_t i = 0; i < LIMIT_THREADS; i++)
            assert_int_equal(visits.lanes[i], i < threads ? 500 : 0);
        team_destroy(team);
    }
}

enum { STEPS = 500 };

struct relay {
    int values[2][8]; /* [step % 2][lane], plain: the barrier orders them */
    int wrong[8];
};

/* Each lane writes its own place, and after the barrier reads everyone's. */
static void relay_steps(struct lane *lane, void *arg) {
    struct relay *relay = arg;
    for (int step = 0; step < STEPS; step++) {
        int *values = relay->values[step % 2];
        values[lane->index] = step * 10 + (int)lane->index;
        lane_barrier(lane);
        for (uint32_t i = 0; i < lane->count; i++)
            relay->wrong[lane->index] += values[i] != step * 10 + (int)i;
    }
}

static void what_is_written_before_a_barrier_is_seen_after(void **state) {
    for (uint32_t threads = 1; threads <= 5; threads++) {
        struct team *team = team_of(threads);
        for (int run = 0; run < 5; run++) {
            struct relay relay = {0};
            team_run(team, relay_steps, &relay);
            for (uint32_t i = 0; i < threads; i++)
                assert_int_equal(relay.wrong[i], 0);
        }
        team_destroy(team);
    }
}

/* Keeps its core busy well beyond the time that others spin. */
static void stay_away(void) {
    const uint64_t start = clock_now_ns();
    while (clock_now_ns() - start < 300000) {
    }
}

/* Lanes that come very late: the others fall asleep and must be woken, at the barrier and at the
 * start of the next run. */
static void uneven_steps(struct lane *lane, void *arg) {
    atomic_uint *done = arg;
    for (uint32_t step = 0; step < 6; step++) {
        if (lane->index == step % lane->count)
            stay_away();
        lane_barrier(lane);
    }
    atomic_fetch_add(done, 1);
}

static void late_lanes_wake_the_sleeping(void **state) {
    struct team *team = team_of(3);
    atomic_uint done = 0;
    for (unsigned run = 1; run <= 4; run++) {
        team_run(team, uneven_steps, &done);
        assert_int_equal(atomic_load(&done), 3 * run);
        stay_away(); /* the workers fall asleep before the next run */
    }
    team_destroy(team);
}

static void wrong_sizes_are_refused(void **state) {
    static const uint32_t sizes[] = {0, LIMIT_THREADS + 1, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct team *team = NULL;
        struct error err = {0};
        assert_int_equal(team_create(&team, sizes[i], &err), STATUS_ERROR);
        assert_int_equal(err.code, ERROR_INPUT);
        assert_null(team);
    }
    team_destroy(NULL);
}

static void a_team_that_never_ran_ends(void **state) {
    team_destroy(team_of(4));
}

static void a_lane_of_one_needs_no_team(void **state) {
    struct lane lane = {.team = NULL, .index = 0, .count = 1};
    lane_barrier(&lane);
    size_t from = 9, to = 9;
    lane_range(&lane, 5, 2, &from, &to);
    assert_int_equal(from, 0);
    assert_int_equal(to, 5);
    for (int work = 0; work < 2; work++) {
        assert_true(lane_take(&lane, 7, 1, &from, &to));
        assert_int_equal(from, 0);
        assert_int_equal(to, 7);
        assert_false(lane_take(&lane, 7, 1, &from, &to));
        lane_barrier(&lane);
    }
    assert_false(lane_take(&lane, 0, 1, &from, &to));
}

/* ---- work that lanes take as they go ---- */
enum { MOST_UNITS = 1000, MOST_TAKERS = 5 };

struct taking {
    size_t n, least;
    atomic_uint times[MOST_UNITS];                /* each unit was taken */
    size_t units[MOST_TAKERS], small[MOST_TAKERS]; /* of a lane; pieces below `least` */
    atomic_uint others_done;
    bool waits; /* lane 0 keeps its first piece until the others have done the rest */
};

static void take_all(struct lane *lane, void *arg) {
    struct taking *t = arg;
    for (int work = 0; work < 3; work++) {
        size_t from, to;
        while (lane_take(lane, t->n, t->least, &from, &to)) {
            for (size_t i = from; i < to; i++)
                atomic_fetch_add(&t->times[i], 1);
            t->units[lane->index] += to - from;
            t->small[lane->index] += to - from < t->least && to != t->n;
            const unsigned all = (lane->count - 1) * (unsigned)(work + 1);
            while (t->waits && lane->index == 0 && atomic_load(&t->others_done) < all)
                sched_yield();
        }
        if (lane->index > 0)
            atomic_fetch_add(&t->others_done, 1);
        lane_barrier(lane);
    }
}

static void each_unit_is_taken_once(void **state) {
    static const size_t sizes[] = {0, 1, 2, 7, 24, MOST_UNITS};
    static const size_t least[] = {0, 1, 8, SIZE_MAX};
    for (uint32_t threads = 1; threads <= MOST_TAKERS; threads++) {
        struct team *team = team_of(threads);
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
            for (size_t l = 0; l < ARRAY_LEN(least); l++) {
                struct taking t = {.n = sizes[s], .least = least[l]};
                team_run(team, take_all, &t);
                for (size_t i = 0; i < t.n; i++)
                    assert_int_equal(atomic_load(&t.times[i]), 3);
                for (uint32_t i = 0; i < threads; i++)
                    assert_int_equal(t.small[i], 0);
            }
        team_destroy(team);
    }
}

static void a_lane_that_is_held_up_does_less(void **state) {
    struct team *team = team_of(2);
    struct taking t = {.n = MOST_UNITS, .least = 1, .waits = true};
    team_run(team, take_all, &t);
    /* Its first piece is at most three eighths. */
    assert_true(t.units[0] <= 3 * (MOST_UNITS * 3 / 8));
    assert_int_equal(t.units[0] + t.units[1], 3 * MOST_UNITS);
    team_destroy(team);
}

static void ranges_cover_once_at_multiples_of_the_grain(void **state) {
    static const size_t sizes[] = {0, 1, 2, 7, 16, 100, 1023, 1024, 1025};
    static const size_t grains[] = {0, 1, 4, 16, 1000, SIZE_MAX};
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
        for (size_t g = 0; g < ARRAY_LEN(grains); g++)
            for (uint32_t count = 1; count <= 9; count++) {
                const size_t grain = grains[g] ? grains[g] : 1;
                size_t next = 0, most = 0, least = SIZE_MAX;
                for (uint32_t i = 0; i < count; i++) {
                    const struct lane lane = {.index = i, .count = count};
                    size_t from, to;
                    lane_range(&lane, sizes[s], grains[g], &from, &to);
                    if (from != next || to < from || (to % grain != 0 && to != sizes[s]))
                        fail_msg("n %zu grain %zu lane %u of %u: %zu..%zu after %zu", sizes[s],
                                 grains[g], i, count, from, to, next);
                    next = to;
                    const size_t pieces = (to - from) / grain + ((to - from) % grain != 0);
                    most = pieces > most ? pieces : most;
                    least = pieces < least ? pieces : least;
                }
                assert_int_equal(next, sizes[s]);
                assert_true(most - least <= 1);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_lane_runs_once_a_run),
        cmocka_unit_test(what_is_written_before_a_barrier_is_seen_after),
        cmocka_unit_test(late_lanes_wake_the_sleeping),
        cmocka_unit_test(wrong_sizes_are_refused),
        cmocka_unit_test(a_team_that_never_ran_ends),
        cmocka_unit_test(a_lane_of_one_needs_no_team),
        cmocka_unit_test(each_unit_is_taken_once),
        cmocka_unit_test(a_lane_that_is_held_up_does_less),
        cmocka_unit_test(ranges_cover_once_at_multiples_of_the_grain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
