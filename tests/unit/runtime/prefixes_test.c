/* What is kept of earlier texts: which of them a prompt finds, which give way, and that texts which
 * go on from them are those that are read from their first token, bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/prefixes.h"
#include "unit/runtime/finish.h"
#include "unit/runtime/runs.h"

#define MODEL "gpt2/text-generation" /* a context of 64 tokens */

/* ---- the list ---- */

static struct sequence *sequence_of(struct bench_of_runs *runs, const int32_t *ids, uint32_t n,
                                    uint32_t capacity) {
    struct sequence *sequence = NULL;
    struct error err = {0};
    assert_int_equal(sequence_create(&sequence, runs->loaded->model, 0, capacity, &err), STATUS_OK);
    const struct segment segment = {.tokens = ids, .n = n, .sequence = sequence};
    model_forward(runs->loaded->model, 0, &segment, 1);
    return sequence;
}

static void fill(int32_t *ids, uint32_t n, int32_t first) {
    for (uint32_t i = 0; i < n; i++)
        ids[i] = (first + (int32_t)i) % 300;
}

static size_t page_bytes(const struct bench_of_runs *runs) {
    const struct stack_spec *stack = &runs->loaded->arch.stacks[0];
    return stack->layers * kv_page_floats(stack->kv_heads, stack->head_size) * sizeof(float);
}

static uint32_t found(struct prefixes *prefixes, const int32_t *ids, uint32_t n) {
    uint32_t common = 0;
    return prefixes_find(prefixes, ids, n, &common) ? common : 0;
}

static void finds_the_longest(void **state) {
    (void)state;
    struct bench_of_runs runs;
    struct prefixes prefixes;
    int32_t a[40], b[40];
    runs_open(&runs, MODEL);
    prefixes_init(&prefixes, runs.loaded->model);
    fill(a, 40, 0);
    fill(b, 40, 0);
    fill(b + 20, 20, 100); /* parts from a at 20 */
    prefixes_keep(&prefixes, sequence_of(&runs, a, 40, 64), a);
    prefixes_keep(&prefixes, sequence_of(&runs, b, 40, 64), b);
    assert_int_equal(prefixes.n, 2);
    assert_int_equal(found(&prefixes, a, 40), 40);
    assert_int_equal(found(&prefixes, b, 39), 39);
    assert_int_equal(found(&prefixes, a, LIMIT_PREFIX_TOKENS), LIMIT_PREFIX_TOKENS);
    assert_int_equal(found(&prefixes, a, LIMIT_PREFIX_TOKENS - 1), 0); /* too few */
    assert_int_equal(found(&prefixes, a + 1, 39), 0);
    prefixes_clear(&prefixes);
    assert_int_equal(prefixes.n, 0);
    assert_int_equal(prefixes.bytes, 0);
    assert_false(prefixes_drop_last(&prefixes));
    runs_close(&runs); /* asserts that no page is held */
}

static void keeps_one_of_those_that_continue(void **state) {
    (void)state;
    struct bench_of_runs runs;
    struct prefixes prefixes;
    int32_t a[40];
    runs_open(&runs, MODEL);
    prefixes_init(&prefixes, runs.loaded->model);
    fill(a, 40, 7);
    prefixes_keep(&prefixes, sequence_of(&runs, a, 12, 40), a); /* too short to keep */
    assert_int_equal(prefixes.n, 0);
    prefixes_keep(&prefixes, sequence_of(&runs, a, 20, 40), a);
    prefixes_keep(&prefixes, sequence_of(&runs, a, 33, 40), a); /* in its place */
    prefixes_keep(&prefixes, sequence_of(&runs, a, 20, 40), a); /* there already */
    assert_int_equal(prefixes.n, 1);
    assert_int_equal(found(&prefixes, a, 40), 33);
    prefixes_clear(&prefixes);
    runs_close(&runs);
}

static void the_longest_unused_give_way(void **state) {
    (void)state;
    struct bench_of_runs runs;
    struct prefixes prefixes;
    int32_t ids[LIMIT_PREFIXES + 1][17];
    runs_open(&runs, MODEL);
    prefixes_init(&prefixes, runs.loaded->model);
    for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
        fill(ids[i], 17, (int32_t)i);
        if (i == LIMIT_PREFIXES)
            assert_int_equal(found(&prefixes, ids[0], 17), 17); /* used again */
        prefixes_keep(&prefixes, sequence_of(&runs, ids[i], 17, 40), ids[i]);
    }
    assert_int_equal(prefixes.n, LIMIT_PREFIXES);
    assert_int_equal(found(&prefixes, ids[0], 17), 17);
    assert_int_equal(found(&prefixes, ids[1], 17), 0);
    assert_int_equal(found(&prefixes, ids[2], 17), 17);
    prefixes_clear(&prefixes);
    runs_close(&runs);
}

/* Of bytes there are a quarter of the model's: here pages for three texts of 17 tokens. */
static void bytes_have_a_limit(void **state) {
    (void)state;
    struct bench_of_runs runs;
    struct prefixes prefixes;
    int32_t ids[5][17];
    runs_open(&runs, MODEL);
    const size_t page = page_bytes(&runs);
    runs_close(&runs);
    runs_open_pages(&runs, MODEL, 4 * 6 * page);
    prefixes_init(&prefixes, runs.loaded->model);
    for (uint32_t i = 0; i < ARRAY_LEN(ids); i++) {
        fill(ids[i], 17, 20 * (int32_t)i);
        prefixes_keep(&prefixes, sequence_of(&runs, ids[i], 17, 40), ids[i]);
    }
    assert_int_equal(prefixes.n, 3);
    assert_int_equal(prefixes.bytes, 6 * page);
    assert_int_equal(found(&prefixes, ids[1], 17), 0);
    assert_int_equal(found(&prefixes, ids[2], 17), 17);
    prefixes_clear(&prefixes);
    runs_close(&runs);
}

/* ---- texts ---- */

static struct item *written(struct scheduler *scheduler, struct bench_of_runs *runs,
                            const int32_t *ids, uint32_t n, uint32_t new_tokens, bool samples,
                            bool reuse) {
    struct run *run = arena_zalloc(&runs->arena, 1, sizeof *run);
    *run = runs_run(runs, 1, n, new_tokens);
    run->items->tokens = ids;
    run->reuse = reuse;
    if (samples) {
        struct generation_config *config =
            arena_copy(&runs->arena, run->items->config, sizeof *config);
        config->do_sample = config->has_seed = true;
        config->seed = 5;
        config->num_return_sequences = 3;
        run->items->config = config;
    }
    finish_runs(scheduler, run, 1);
    return run->items;
}

static void assert_same(const struct item *a, const struct item *b) {
    assert_int_equal(a->n_outputs, b->n_outputs);
    for (uint32_t i = 0; i < a->n_outputs; i++) {
        const struct generation_output *x = &a->outputs[i], *y = &b->outputs[i];
        assert_int_equal(x->n, y->n);
        assert_memory_equal(x->ids, y->ids, x->n * sizeof *x->ids);
        assert_memory_equal(x->logprobs, y->logprobs, x->n * sizeof *x->logprobs);
    }
}

/* Written with what is kept, and without: the same; returns the tokens that were not read again. */
static uint64_t same_text(struct scheduler *scheduler, struct bench_of_runs *runs,
                          const int32_t *ids, uint32_t n, uint32_t new_tokens, bool samples) {
    const uint64_t before = scheduler_figures(scheduler).reused_tokens;
    const struct item *alone = written(scheduler, runs, ids, n, new_tokens, samples, false);
    assert_int_equal(scheduler_figures(scheduler).reused_tokens, before);
    const struct item *reusing = written(scheduler, runs, ids, n, new_tokens, samples, true);
    assert_same(alone, reusing);
    return scheduler_figures(scheduler).reused_tokens - before;
}

static void texts_go_on_from_where_they_part(void **state) {
    (void)state;
    struct bench_of_runs runs;
    int32_t ids[64], other[64];
    struct scheduler *scheduler = finish_open(&runs, MODEL, 0);
    fill(ids, 64, 3);
    assert_int_equal(same_text(scheduler, &runs, ids, 35, 9, false), 0);
    /* The same prompt: all but its last token. */
    assert_int_equal(same_text(scheduler, &runs, ids, 35, 9, false), 34);
    /* Parts within a page, at its border, one behind it. */
    for (uint32_t at = 31; at <= 33; at++) {
        memcpy(other, ids, sizeof ids);
        fill(other + at, 64 - at, 150 + (int32_t)at);
        assert_int_equal(same_text(scheduler, &runs, other, 45, 12, false), at);
    }
    /* Shorter than what is kept, and sampled, three at once. */
    assert_int_equal(same_text(scheduler, &runs, ids, 21, 8, false), 20);
    assert_int_equal(same_text(scheduler, &runs, ids, 30, 14, true), 29);
    /* A chat: the prompt, what was answered but for the token that was never read, and more. */
    const struct item *answer = written(scheduler, &runs, ids, 35, 9, false, true);
    memcpy(other, ids, 35 * sizeof *ids);
    memcpy(other + 35, answer->outputs[0].ids, 9 * sizeof *ids);
    fill(other + 44, 12, 222);
    assert_int_equal(same_text(scheduler, &runs, other, 56, 6, false), 43);
    finish_close(&runs, scheduler);
}

static struct run run_of(struct bench_of_runs *runs, const int32_t *ids, uint32_t n,
                         uint32_t new_tokens) {
    struct run run = runs_run(runs, 1, n, new_tokens);
    run.items->tokens = ids;
    run.reuse = true;
    return run;
}

static struct scheduler *late_scheduler;
static struct run *late;

/* On the scheduler's thread: the late text comes while the long one runs. */
static void then_comes_the_late(struct run *run) {
    struct error err = {0};
    if (scheduler_submit(late_scheduler, late, &err) != STATUS_OK)
        PANIC("%s", err.text);
    finish_came_back(run);
}

/* A short text ends when the long one has written as much; then a third comes that begins as the
 * long one does, which lends what it has read and goes on. */
static void running_texts_lend(void **state) {
    (void)state;
    struct bench_of_runs runs;
    struct error err = {0};
    int32_t ids[64], other[40];
    struct scheduler *scheduler = finish_open(&runs, MODEL, 0);
    fill(ids, 64, 3);
    fill(other, 40, 120);
    const struct item *alone = written(scheduler, &runs, ids, 40, 6, false, false);
    const struct item *alone_long = written(scheduler, &runs, ids, 35, 25, false, false);
    struct run all[] = {run_of(&runs, ids, 35, 25), run_of(&runs, other, 35, 3),
                        run_of(&runs, ids, 40, 6)};
    late_scheduler = scheduler;
    late = &all[2];
    finishing.back = 0;
    for (uint32_t i = 0; i < ARRAY_LEN(all); i++)
        all[i].finished = i == 1 ? then_comes_the_late : finish_came_back;
    for (uint32_t i = 0; i < 2; i++)
        assert_int_equal(scheduler_submit(scheduler, &all[i], &err), STATUS_OK);
    finish_wait(ARRAY_LEN(all));
    assert_int_equal(scheduler_figures(scheduler).reused_tokens, 35);
    assert_same(alone, all[2].items);
    assert_same(alone_long, all[0].items);
    finish_close(&runs, scheduler);
}

/* Whoever comes while another reads the same prompt begins behind it, in whatever pass that is. */
static void one_of_those_that_come_at_once_reads(void **state) {
    (void)state;
    struct bench_of_runs runs;
    int32_t ids[64], other[64];
    struct scheduler *scheduler = finish_open(&runs, MODEL, 0);
    fill(ids, 64, 3);
    memcpy(other, ids, sizeof ids);
    fill(other + 50, 14, 200);
    const struct item *alone = written(scheduler, &runs, ids, 60, 8, false, false);
    const struct item *alone_other = written(scheduler, &runs, other, 55, 8, false, false);
    struct run all[] = {run_of(&runs, ids, 60, 8), run_of(&runs, ids, 60, 8),
                        run_of(&runs, other, 55, 8), run_of(&runs, ids, 60, 8)};
    finish_runs(scheduler, all, ARRAY_LEN(all));
    assert_int_equal(scheduler_figures(scheduler).reused_tokens, 59 + 50 + 59);
    for (uint32_t i = 0; i < ARRAY_LEN(all); i++)
        assert_same(i == 2 ? alone_other : alone, all[i].items);
    finish_close(&runs, scheduler);
}

/* Three texts at once need all pages there are: what is kept of an earlier one gives way. */
static void kept_texts_give_way(void **state) {
    (void)state;
    struct bench_of_runs runs;
    int32_t a[20], b[40];
    runs_open(&runs, MODEL);
    const size_t page = page_bytes(&runs);
    runs_close(&runs);
    struct scheduler *scheduler = finish_open(&runs, MODEL, 12 * page);
    fill(a, 20, 0);
    fill(b, 40, 100);
    written(scheduler, &runs, a, 20, 10, false, true);
    written(scheduler, &runs, a, 20, 10, false, true);
    assert_int_equal(scheduler_figures(scheduler).reused_tokens, 19);
    written(scheduler, &runs, b, 40, 20, true, true);
    written(scheduler, &runs, a, 20, 10, false, true);
    assert_int_equal(scheduler_figures(scheduler).reused_tokens, 19);
    finish_close(&runs, scheduler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_longest),
        cmocka_unit_test(keeps_one_of_those_that_continue),
        cmocka_unit_test(the_longest_unused_give_way),
        cmocka_unit_test(bytes_have_a_limit),
        cmocka_unit_test(texts_go_on_from_where_they_part),
        cmocka_unit_test(running_texts_lend),
        cmocka_unit_test(one_of_those_that_come_at_once_reads),
        cmocka_unit_test(kept_texts_give_way),
    };
    return cmocka_run_group_tests(tests, finish_set_up, finish_tear_down);
}
