/* The scheduler's border: what it refuses, that it answers every run once, and that cancelled and
 * late runs go before their turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/scheduler.h"
#include "unit/runtime/runs.h"

/* Counts runs that came back; one for the whole test. */
static struct {
    struct lock lock;
    struct condition changed;
    size_t n; /* guarded by lock */
} back;

static void came_back(struct run *run) {
    lock_take(&back.lock);
    back.n++;
    condition_wake_all(&back.changed);
    lock_drop(&back.lock);
}

static void wait_back(size_t n) {
    lock_take(&back.lock);
    while (back.n < n)
        condition_wait(&back.changed, &back.lock);
    back.n = 0;
    lock_drop(&back.lock);
}

struct bench {
    struct bench_of_runs of;
    struct scheduler *scheduler;
};

static void bench_open(struct bench *bench, const char *model) {
    struct error err = {0};
    runs_open(&bench->of, model);
    assert_int_equal(scheduler_create(&bench->scheduler, bench->of.team, &err), STATUS_OK);
    lock_init(&back.lock);
    condition_init(&back.changed);
}

static void bench_close(struct bench *bench) {
    scheduler_destroy(bench->scheduler);
    runs_close(&bench->of);
    condition_deinit(&back.changed);
    lock_deinit(&back.lock);
}

static struct run run_of(struct bench *bench, uint32_t count, uint32_t n, uint32_t new_tokens) {
    struct run run = runs_run(&bench->of, count, n, new_tokens);
    run.finished = came_back;
    return run;
}

static void impossible_items_are_refused(void **state) {
    static const struct {
        uint32_t n;
        int32_t token, type;
        enum error_code code;
        const char *text;
    } rows[] = {
        {0, 5, 0, ERROR_INPUT, "no tokens"}, {100000, 5, 0, ERROR_INPUT, "100000 tokens"},
        {3, -1, 0, ERROR_MODEL, "ids"},      {3, 1000000, 0, ERROR_MODEL, "ids"},
        {3, 5, 7, ERROR_MODEL, "types"},
    };
    struct bench bench;
    bench_open(&bench, "bert/text-classification");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct run run = run_of(&bench, 1, rows[i].n, 0);
        int32_t *types = arena_zalloc(&bench.of.arena, rows[i].n, sizeof(*types));
        if (rows[i].n > 0) {
            types[rows[i].n - 1] = rows[i].type;
            ((int32_t *)run.items->tokens)[rows[i].n - 1] = rows[i].token;
        }
        run.items->types = types;
        struct error err = {0};
        assert_int_equal(scheduler_submit(bench.scheduler, &run, &err), STATUS_ERROR);
        assert_int_equal(err.code, rows[i].code);
        if (strstr(err.text, rows[i].text) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].text);
    }
    assert_int_equal(scheduler_figures(bench.scheduler).queued_items, 0);
    bench_close(&bench);
}

static void full_queue_is_told(void **state) {
    struct bench bench;
    bench_open(&bench, "bert/text-classification");
    atomic_bool cancelled;
    atomic_init(&cancelled, false);
    struct run many = {.loaded = bench.of.loaded,
                       .arena = &bench.of.arena,
                       .deadline_ns = UINT64_MAX,
                       .cancelled = &cancelled,
                       .finished = came_back};
    const int32_t *tokens = runs_item(&bench.of, 8, 0)->tokens;
    struct item *items = arena_zalloc(&bench.of.arena, LIMIT_QUEUED_ITEMS, sizeof(*items));
    for (size_t i = 0; i < LIMIT_QUEUED_ITEMS; i++)
        items[i] = (struct item){
            .tokens = tokens, .n = 8, .next = i + 1 < LIMIT_QUEUED_ITEMS ? &items[i + 1] : NULL};
    many.items = items;
    struct run one = run_of(&bench, 1, 3, 0), two = run_of(&bench, 1, 3, 0);
    struct error err = {0};
    assert_int_equal(scheduler_submit(bench.scheduler, &many, &err), STATUS_OK);
    assert_int_equal(scheduler_submit(bench.scheduler, &one, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_OVERLOADED);
    atomic_store(&cancelled, true);
    wait_back(1);
    assert_int_equal(many.error.code, ERROR_CANCELLED);
    assert_int_equal(scheduler_submit(bench.scheduler, &two, &err), STATUS_OK);
    wait_back(1);
    assert_int_equal(two.error.code, ERROR_NONE);
    bench_close(&bench);
}

static void unwanted_runs_never_begin(void **state) {
    struct bench bench;
    bench_open(&bench, "gpt2/text-generation");
    const atomic_bool cancelled = true;
    struct error err = {0};
    struct run gone = run_of(&bench, 3, 4, 10), late = run_of(&bench, 3, 4, 10);
    gone.cancelled = &cancelled;
    late.deadline_ns = 1;
    assert_int_equal(scheduler_submit(bench.scheduler, &gone, &err), STATUS_OK);
    assert_int_equal(scheduler_submit(bench.scheduler, &late, &err), STATUS_OK);
    wait_back(2);
    assert_int_equal(gone.error.code, ERROR_CANCELLED);
    assert_int_equal(late.error.code, ERROR_TIMEOUT);
    assert_int_equal(gone.started_ns, 0);
    assert_int_equal(late.started_ns, 0);
    assert_int_equal(scheduler_figures(bench.scheduler).passes, 0);
    bench_close(&bench);
}

static void mixed_runs_all_come_back(void **state) {
    static const char *const models[] = {"gpt2/text-generation", "bart/summarization",
                                         "bert/text-classification"};
    for (size_t m = 0; m < ARRAY_LEN(models); m++) {
        enum { RUNS = 40 };
        struct bench bench;
        struct run runs[RUNS];
        struct error err = {0};
        bench_open(&bench, models[m]);
        const bool generates = strstr(models[m], "bert") == NULL;
        /* All are made before the first is handed over: they share an arena, and a run's arena
         * is the scheduler's until the run is back. */
        for (uint32_t i = 0; i < RUNS; i++)
            runs[i] = run_of(&bench, 1 + i % 5, 1 + i % 7, generates && i % 3 > 0 ? 1 + i % 6 : 0);
        for (uint32_t i = 0; i < RUNS; i++)
            assert_int_equal(scheduler_submit(bench.scheduler, &runs[i], &err), STATUS_OK);
        wait_back(RUNS);
        for (uint32_t i = 0; i < RUNS; i++) {
            assert_int_equal(runs[i].error.code, ERROR_NONE);
            for (const struct item *item = runs[i].items; item != NULL; item = item->next)
                assert_true(item->done);
        }
        assert_int_equal(scheduler_figures(bench.scheduler).queued_items, 0);
        bench_close(&bench);
    }
}

static struct run young[4]; /* of other models than the old one's */

/* On the scheduler's thread: how much of the young ones is left when the old one is done. */
static void old_is_done(struct run *run) {
    for (size_t i = 0; i < ARRAY_LEN(young); i++) {
        if (young[i].pending < young[i].n_works / 3)
            fail_msg("%u of %u are left", young[i].pending, young[i].n_works);
    }
    came_back(run);
}

/* Half of the turns, whichever model it is of: with five models they would all end together. */
static void old_requests_are_not_left_behind(void **state) {
    static const char *const models[] = {"distilbert/text-classification",
                                         "roberta/text-classification", "bert/feature-extraction",
                                         "bert/token-classification"};
    struct bench bench;
    struct bench_of_runs others[ARRAY_LEN(models)];
    struct error err = {0};
    bench_open(&bench, "bert/text-classification");
    for (size_t i = 0; i < ARRAY_LEN(models); i++)
        runs_open(&others[i], models[i]);
    struct run old = run_of(&bench, 400, 50, 0);
    old.asked_ns = 1;
    old.finished = old_is_done;
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        young[i] = runs_run(&others[i], 400, 50, 0);
        young[i].asked_ns = UINT64_MAX / 2;
        young[i].finished = came_back;
    }
    /* The old one comes second, so that the first turns are those of a ring of several. */
    assert_int_equal(scheduler_submit(bench.scheduler, &young[0], &err), STATUS_OK);
    assert_int_equal(scheduler_submit(bench.scheduler, &old, &err), STATUS_OK);
    for (size_t i = 1; i < ARRAY_LEN(models); i++)
        assert_int_equal(scheduler_submit(bench.scheduler, &young[i], &err), STATUS_OK);
    wait_back(1 + ARRAY_LEN(models));
    bench_close(&bench);
    for (size_t i = 0; i < ARRAY_LEN(models); i++)
        runs_close(&others[i]);
}

/* Generations read their prompts in pieces: only positions limit them. */
static void long_prompts_are_taken(void **state) {
    static const struct {
        uint32_t n, new_tokens, positions;
        const char
            *refused; /* at the border; NULL: later, by the positions that there really are */
    } rows[] = {
        {3000, 4, 5000, NULL},
        {3000, 4, 2500, "3000 tokens, the model reads at most 2500"},
        {3000, 0, 5000, "3000 tokens, the model reads at most 2048"},
    };
    struct bench bench;
    bench_open(&bench, "gpt2/text-generation");
    struct stack_spec *stack = &bench.of.loaded->arch.stacks[ARCH_TEXT_STACK];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct run run = run_of(&bench, 1, rows[i].n, rows[i].new_tokens);
        struct error err = {0};
        stack->max_positions = rows[i].positions;
        if (scheduler_submit(bench.scheduler, &run, &err) == STATUS_OK) {
            wait_back(1);
            err = run.error;
            assert_null(rows[i].refused);
        }
        assert_int_equal(err.code, ERROR_INPUT);
        if (rows[i].refused != NULL && strstr(err.text, rows[i].refused) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].refused);
        if (rows[i].refused == NULL && strstr(err.text, "the model takes 64") == NULL)
            fail_msg("\"%s\"", err.text);
    }
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(impossible_items_are_refused),
        cmocka_unit_test(full_queue_is_told),
        cmocka_unit_test(unwanted_runs_never_begin),
        cmocka_unit_test(mixed_runs_all_come_back),
        cmocka_unit_test(old_requests_are_not_left_behind),
        cmocka_unit_test(long_prompts_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
