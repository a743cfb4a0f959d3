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

static void bench_open_pages(struct bench *bench, const char *model, size_t page_bytes) {
    memset(bench, 0, sizeof(*bench));
    runs_open_pages(&bench->of, model, page_bytes);
    bench->queue.loaded = bench->of.loaded;
}

static void bench_open(struct bench *bench, const char *model) {
    bench_open_pages(bench, model, 0);
}

/* As scheduler_submit and the scheduler's thread do. */
static struct run *bench_run(struct bench *bench, size_t at, uint32_t count, uint32_t n,
                             uint32_t new_tokens) {
    struct run *run = &bench->runs[at];
    *run = runs_run(&bench->of, count, n, new_tokens);
    run->works = arena_zalloc(&bench->of.arena, count, sizeof(*run->works));
    run->n_works = run->pending = count;
    run->asked_ns = UINT64_MAX / 2; /* young, however slow the machine is */
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

/* As the scheduler does with a run that is done. */
static void bench_leave(struct bench *bench, struct run *run) {
    struct model_queue *queue = &bench->queue;
    run->prev->next = run->next;
    run->next->prev = run->prev;
    if (queue->runs == run)
        queue->runs = run->next == run ? NULL : run->next;
}

/* One turn; returns the rows that went through. */
static uint32_t bench_turn(struct bench *bench) {
    struct pass *pass = &bench->pass;
    uint32_t rows = 0;
    for (int decoder = 0; decoder <= arch_has_decoder(&bench->of.loaded->arch); decoder++) {
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

/* Beside so many others, in passes that never have more rows than they would without proposals, or
 * than DRAFT_ROWS; with nothing allocated. */
static void proposals_fill_small_passes(void **state) {
    static const char *const models[] = {"gpt2/text-generation", "bart/summarization"};
    static const uint32_t counts[] = {1, 3, 11, 12, 20};
    for (size_t i = 0; i < ARRAY_LEN(models) * ARRAY_LEN(counts); i++) {
        const uint32_t count = counts[i % ARRAY_LEN(counts)];
        static struct bench bench;
        bench_open(&bench, models[i / ARRAY_LEN(counts)]);
        struct model_queue *queue = model_queue_create(bench.of.loaded);
        bench.queue = *queue;
        struct run *run = bench_run(&bench, 0, count, 8, 30);
        run->speculate = true;
        while (bench.queue.active == NULL || bench.pass.decoded == 0)
            bench_turn(&bench);
        const uint64_t before = mem_alloc_count();
        while (run->pending == count) {
            const uint32_t left = bench.queue.active_width;
            const uint64_t proposed = bench.queue.drafts.proposed;
            const uint32_t rows = bench_turn(&bench);
            assert_int_equal(rows, left + (bench.queue.drafts.proposed - proposed));
            assert_int_equal(bench.pass.decoded, left);
            assert_true(rows <= (left > DRAFT_ROWS ? left : DRAFT_ROWS));
            if (run->pending == count) /* the end of one is copied */
                assert_int_equal(mem_alloc_count(), before);
        }
        assert_int_equal(bench.queue.drafts.proposed > 0, count < DRAFT_ROWS);
        while (run->pending > 0)
            bench_turn(&bench);
        assert_int_equal(run->works[0].item->outputs[0].n, 30);
        bench_close(&bench);
        mem_free(queue);
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

/* ---- waiting is fair ---- */

static void pages_stay_tight_only_while_somebody_holds_some(void **state) {
    static const char *const models[] = {"gpt2/text-generation", "bart/summarization"};
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        static struct bench bench;
        bench_open(&bench, models[i]);
        struct run *run = bench_run(&bench, 0, 1, 6, 2);
        bench.queue.pages_tight = true; /* and nothing is active that could end */
        for (int turn = 0; turn < 5 && run->pending > 0; turn++)
            bench_turn(&bench);
        assert_int_equal(run->pending, 0);
        bench_close(&bench);
    }
}

/* The works of a pass count before they are active: no more than ACTIVE_WIDTH generate at once, so
 * that each step of all has room in a pass. */
static void width_counts_what_the_pass_has_taken(void **state) {
    static const char *const models[] = {"gpt2/text-generation", "bart/summarization"};
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        static struct bench bench;
        bench_open(&bench, models[i]);
        struct run *run = bench_run(&bench, 0, 400, 1, 3);
        uint32_t most = 0;
        while (run->pending > 0) {
            assert_true(bench_turn(&bench) > 0);
            most = bench.queue.active_width > most ? bench.queue.active_width : most;
        }
        if (most > LIMIT_BATCH_SEQS / 2 || most < LIMIT_BATCH_SEQS / 4)
            fail_msg("%s: %u wide", models[i], most);
        bench_close(&bench);
    }
}

/* Turns until the run is done, beside a stream of requests that would fill every pass. */
static int turns_beside_a_stream(struct bench *bench, struct run *run, uint32_t n,
                                 uint32_t tokens) {
    for (int turn = 0; turn < 40; turn++) {
        for (size_t i = 1; i < RUNS_MAX; i++) {
            struct run *other = &bench->runs[i];
            if (other->works == NULL) {
                bench_run(bench, i, 4, n, tokens);
            } else if (other->pending == 0) { /* it retires, and the client asks again */
                bench_leave(bench, other);
                bench_run(bench, i, 4, n, tokens);
            }
        }
        bench_turn(bench);
        if (run->pending == 0)
            return turn + 1;
    }
    fail_msg("still waits after 40 turns");
    return 0;
}

static void long_texts_get_their_turn(void **state) {
    static const struct {
        const char *model;
        uint32_t n, others, tokens; /* of the long text; of those beside it */
    } rows[] = {
        {"bert/text-classification", 60, 40, 0}, /* 32 rows are left, never 60 */
        {"gpt2/text-generation", 60, 50, 9},     /* prompts take all that is left beside steps */
        {"bart/summarization", 60, 60, 2},       /* so do the texts of new generations */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct bench bench;
        bench_open(&bench, rows[i].model);
        struct run *run = bench_run(&bench, 0, 1, rows[i].n, 0);
        /* The ring goes on behind it. */
        bench_run(&bench, 1, 4, rows[i].others, rows[i].tokens);
        bench.queue.runs = run->next;

        const int turns = turns_beside_a_stream(&bench, run, rows[i].others, rows[i].tokens);
        if (turns > 6)
            fail_msg("%s: %d turns", rows[i].model, turns);
        for (size_t k = 1; k < RUNS_MAX; k++)
            pass_drop(&bench.queue, &bench.runs[k]);
        bench_close(&bench);
    }
}

/* Half of the rows, beside one item of each of the others in turn. */
static void oldest_request_has_half(void **state) {
    static struct bench bench;
    bench_open(&bench, "bert/text-classification");
    for (size_t i = 0; i < RUNS_MAX; i++)
        bench_run(&bench, i, 20, 40, 0);
    struct run *old = &bench.runs[RUNS_MAX - 1];
    assert_ptr_equal(pass_oldest(&bench.queue), &bench.runs[0]);
    old->asked_ns = 1;
    assert_ptr_equal(pass_oldest(&bench.queue), old);
    bench_turn(&bench);
    assert_int_equal(bench.pass.n_works, 12);
    assert_int_equal(old->pending, 20 - 7); /* 280 rows: the half and what was begun of it */
    for (size_t i = 0; i < RUNS_MAX - 1; i++)
        assert_int_equal(bench.runs[i].pending, i < 5 ? 19 : 20);
    while (old->pending > 0)
        bench_turn(&bench);
    assert_ptr_not_equal(pass_oldest(&bench.queue), old);
    bench_close(&bench);
}

/* Wide generations beside a stream of narrow ones, of which each leaves less than they need. */
static void oldest_generation_is_not_overtaken(void **state) {
    static struct bench bench;
    bench_open(&bench, "gpt2/text-generation");
    for (uint32_t i = 1; i < RUNS_MAX; i++) /* a few of them end at each turn */
        bench_run(&bench, i, 100, 1, 4 + i);
    bench_turn(&bench);
    struct run *wide = bench_run(&bench, 0, 1, 1, 2);
    struct generation_config *config =
        arena_copy(&bench.of.arena, wide->items->config, sizeof(*config));
    config->num_return_sequences = LIMIT_RETURN_SEQUENCES;
    config->do_sample = true;
    wide->items->config = config;
    wide->asked_ns = 1;
    for (int turn = 0; turn < 15 && wide->pending > 0; turn++)
        bench_turn(&bench);
    assert_int_equal(wide->pending, 0);
    for (size_t i = 1; i < RUNS_MAX; i++)
        pass_drop(&bench.queue, &bench.runs[i]);
    bench_close(&bench);
}

/* Too much for the pages there are, when nobody else holds any: waiting would not help. */
static void what_never_fits_is_too_large(void **state) {
    static const struct {
        const char *model;
        uint32_t count; /* texts of the same pass hold pages, too, until they have begun */
    } rows[] = {{"gpt2/text-generation", 1}, {"bart/summarization", 3}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static struct bench bench;
        bench_open_pages(&bench, rows[i].model, 1);
        struct run *run = bench_run(&bench, 0, rows[i].count, 20, 30);
        for (int turn = 0; turn < 8 && run->error.code == ERROR_NONE; turn++)
            bench_turn(&bench);
        assert_int_equal(run->error.code, ERROR_TOO_LARGE);
        assert_non_null(strstr(run->error.text, "max_new_tokens"));
        pass_drop(&bench.queue, run);
        bench_close(&bench);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_each_request_in_turn),
        cmocka_unit_test(next_pass_goes_on_behind_the_last),
        cmocka_unit_test(steps_before_new_work),
        cmocka_unit_test(encoder_then_decoder),
        cmocka_unit_test(dropped_runs_hold_nothing),
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(proposals_fill_small_passes),
        cmocka_unit_test(failed_run_stands_in_nobodys_way),
        cmocka_unit_test(pages_stay_tight_only_while_somebody_holds_some),
        cmocka_unit_test(width_counts_what_the_pass_has_taken),
        cmocka_unit_test(long_texts_get_their_turn),
        cmocka_unit_test(oldest_request_has_half),
        cmocka_unit_test(oldest_generation_is_not_overtaken),
        cmocka_unit_test(what_never_fits_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
