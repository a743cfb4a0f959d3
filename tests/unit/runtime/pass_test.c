/* What goes into a batch: one item of each request in turn, steps of generations before new work,
 * no more rows than a pass has, every work through its phases, and nothing allocated by a step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/pass.h"
#include "unit/runtime/runs.h"

#define RUNS_MAX 30

struct bench { /* a queue with runs, driven by the test's thread */
    struct bench_of_runs of;
    struct model_queue queue;
    struct run runs[RUNS_MAX];
    struct pass pass;
};

static void bench_open(struct bench *bench, const char *model) {
    memset(bench, 0, sizeof(*bench));
    runs_open(&bench->of, model);
    bench->queue.loaded = bench->of.loaded;
}

/* As scheduler_submit and the scheduler's thread do. */
static struct run *bench_run(struct bench *bench, size_t at, uint32_t count, uint32_t n,
                             uint32_t new_tokens) {
    struct run *run = &bench->runs[at];
    *run = runs_run(&bench->of, count, n, new_tokens);
    run->works = arena_zalloc(&bench->of.arena, count, sizeof(*run->works));
    run->n_works = run->pending = count;
    uint32_t i = 0;
    for (struct item *item = run->items; item != NULL; item = item->next)
        run->works[i++] = (struct work){.item = item, .run = run};
    struct model_queue *queue = &bench->queue;
    if (queue->runs == NULL) {
        run->next = run->prev = run;
        queue->runs = run;
    } else {
        run->next = queue->runs;
        run->prev = queue->runs->prev;
        run->prev->next = run->next->prev = run;
    }
    return run;
}

/* One turn; returns the rows that went through. */
static uint32_t bench_turn(struct bench *bench) {
    struct pass *pass = &bench->pass;
    uint32_t rows = 0;
    for (int decoder = 0; decoder <= bench->of.loaded->arch.has_decoder; decoder++) {
        if (decoder)
            pass_gather_decoder(pass, &bench->queue);
        else
            pass_gather_text(pass, &bench->queue);
        rows += pass->rows;
        if (pass->n_segments > 0) {
            model_forward(bench->of.loaded->model, pass->stack, pass->segments, pass->n_segments);
            pass_finish(pass);
        }
    }
    return rows;
}

static void bench_close(struct bench *bench) {
    runs_close(&bench->of);
}

static void one_of_each_request_in_turn(void **state) {
    static struct bench bench;
    bench_open(&bench, "bert/text-classification");
    struct run *large = bench_run(&bench, 0, 100, 40, 0);
    struct run *small = bench_run(&bench, 1, 1, 40, 0);
    struct run *middle = bench_run(&bench, 2, 3, 40, 0);
    const uint32_t rows = bench_turn(&bench);
    assert_true(rows <= 512 && rows > 512 - 40);
    assert_int_equal(small->pending, 0);
    assert_int_equal(middle->pending, 0);
    assert_int_equal(large->pending, 100 - (rows / 40 - 4));
    while (large->pending > 0)
        assert_true(bench_turn(&bench) > 0);
    assert_null(bench.queue.active);
    bench_close(&bench);
}

static void next_pass_goes_on_behind_the_last(void **state) {
    static struct bench bench;
    bench_open(&bench, "bert/text-classification");
    for (size_t i = 0; i < RUNS_MAX; i++)
        bench_run(&bench, i, 3, 40, 0);
    const uint32_t first = bench_turn(&bench) / 40;
    const uint32_t second = bench_turn(&bench) / 40;
    assert_true(first > 1 && first + second <= RUNS_MAX);
    for (size_t i = 0; i < RUNS_MAX; i++)
        assert_int_equal(bench.runs[i].cursor, i < first + second ? 1 : 0);
    bench_close(&bench);
}

static void steps_before_new_work(void **state) {
    static struct bench bench;
    bench_open(&bench, "gpt2/text-generation");
    struct run *writing = bench_run(&bench, 0, 3, 4, 5);
    assert_int_equal(bench_turn(&bench), 12); /* the three prompts */
    struct run *later = bench_run(&bench, 1, 1, 6, 5);
    assert_int_equal(bench_turn(&bench), 3 + 6); /* their steps, and the new prompt beside */
    assert_int_equal(bench.pass.decoded, 3);
    assert_int_equal(bench_turn(&bench), 4);
    while (later->pending > 0)
        bench_turn(&bench);
    assert_int_equal(writing->pending, 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(writing->works[i].item->done);
        assert_int_equal(writing->works[i].item->n_outputs, 1);
        assert_int_equal(writing->works[i].item->outputs[0].n, 5);
    }
    assert_int_equal(bench.queue.active_width, 0);
    bench_close(&bench);
}

static void encoder_then_decoder(void **state) {
    static struct bench bench;
    bench_open(&bench, "bart/summarization");
    struct run *run = bench_run(&bench, 0, 2, 10, 4);
    /* Both texts through the encoder, and the start of both through the decoder. */
    assert_int_equal(bench_turn(&bench), 2 * 10 + 2);
    assert_int_equal(bench_turn(&bench), 2);
    while (run->pending > 0)
        bench_turn(&bench);
    assert_int_equal(run->works[0].item->outputs[0].n, 4);
    assert_int_equal(run->works[1].item->outputs[0].n, 4);
    bench_close(&bench);
}

static void dropped_runs_hold_nothing(void **state) {
    static const char *const models[] = {"gpt2/text-generation", "bart/summarization"};
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        static struct bench bench;
        bench_open(&bench, models[i]);
        struct run *run = bench_run(&bench, 0, 5, 6, 10);
        bench_turn(&bench);
        bench_turn(&bench);
        assert_non_null(bench.queue.active);
        pass_drop(&bench.queue, run);
        assert_null(bench.queue.active);
        assert_int_equal(bench.queue.active_width, 0);
        assert_int_equal(run->pending, 0);
        bench_close(&bench); /* a sequence that was left would be told as a leak */
    }
}

static void a_step_allocates_nothing(void **state) {
    static const char *const models[] = {"gpt2/text-generation", "bart/summarization"};
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        static struct bench bench;
        bench_open(&bench, models[i]);
        struct run *run = bench_run(&bench, 0, 3, 4, 20);
        bench_turn(&bench);
        bench_turn(&bench);
        const uint64_t before = mem_alloc_count();
        for (int step = 0; step < 15; step++)
            assert_int_equal(bench_turn(&bench), 3);
        assert_int_equal(mem_alloc_count(), before);
        while (run->pending > 0)
            bench_turn(&bench);
        bench_close(&bench);
    }
}

static void failed_run_stands_in_nobodys_way(void **state) {
    static struct bench bench;
    bench_open(&bench, "gpt2/text-generation");
    struct run *bad = bench_run(&bench, 0, 1, 4, 100000); /* more than the model's positions */
    struct run *good = bench_run(&bench, 1, 1, 4, 2);
    for (int i = 0; i < 5; i++)
        bench_turn(&bench);
    assert_int_equal(good->pending, 0);
    if (bad->error.code == ERROR_NONE) /* it may also have been cut to what fits */
        assert_true(bad->works[0].phase != WORK_NEW);
    pass_drop(&bench.queue, bad);
    bench_close(&bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_each_request_in_turn),
        cmocka_unit_test(next_pass_goes_on_behind_the_last),
        cmocka_unit_test(steps_before_new_work),
        cmocka_unit_test(encoder_then_decoder),
        cmocka_unit_test(dropped_runs_hold_nothing),
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(failed_run_stands_in_nobodys_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
