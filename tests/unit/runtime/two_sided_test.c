/* Texts whose prompt cannot be read in pieces (XLNet): a prompt that is longer than what a pass takes
 * beside others gets its turn while they go on, texts that are skipped have theirs, and all are
 * what they are alone, bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/scheduler.h"
#include "unit/runtime/runs.h"

#define MODEL "xlnet/text-generation" /* a context of 2048 tokens */

static struct {
    struct lock lock;
    struct condition changed;
    uint32_t back; /* guarded by lock, as the next one */
    struct run *first;
} waiting;

static void came_back(struct run *run) {
    lock_take(&waiting.lock);
    if (waiting.back++ == 0)
        waiting.first = run;
    condition_wake_all(&waiting.changed);
    lock_drop(&waiting.lock);
}

static int set_up(void **state) {
    (void)state;
    lock_init(&waiting.lock);
    condition_init(&waiting.changed);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    condition_deinit(&waiting.changed);
    lock_deinit(&waiting.lock);
    return 0;
}

/* All at once; returns the run that is done first. */
static struct run *run_all(struct scheduler *scheduler, struct run *runs, uint32_t n) {
    struct error err = {0};
    waiting.back = 0;
    for (uint32_t i = 0; i < n; i++) {
        runs[i].finished = came_back;
        if (scheduler_submit(scheduler, &runs[i], &err) != STATUS_OK)
            fail_msg("%s", err.text);
    }
    lock_take(&waiting.lock);
    while (waiting.back < n)
        condition_wait(&waiting.changed, &waiting.lock);
    lock_drop(&waiting.lock);
    for (uint32_t i = 0; i < n; i++)
        if (runs[i].error.code != ERROR_NONE)
            fail_msg("%s", runs[i].error.text);
    return waiting.first;
}

static void assert_same(const struct item *a, const struct item *b) {
    const struct generation_output *x = &a->outputs[0], *y = &b->outputs[0];
    assert_int_equal(x->n, y->n);
    assert_memory_equal(x->ids, y->ids, x->n * sizeof *x->ids);
    assert_memory_equal(x->logprobs, y->logprobs, x->n * sizeof *x->logprobs);
}

/* Prompts and new tokens of the texts; 0: hidden states alone. */
static const struct {
    uint32_t prompt, new_tokens;
} texts[] = {{40, 300}, {600, 6}, {1, 20}, {1900, 4}, {700, 0}, {30, 9}, {1200, 0}};

static void long_prompts_get_their_turn(void **state) {
    (void)state;
    struct bench_of_runs runs;
    struct scheduler *scheduler = NULL;
    struct error err = {0};
    struct run alone[ARRAY_LEN(texts)], together[ARRAY_LEN(texts)];
    runs_open(&runs, MODEL);
    assert_int_equal(scheduler_create(&scheduler, runs.team, &err), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        alone[i] = runs_run(&runs, 1, texts[i].prompt, texts[i].new_tokens);
        together[i] = runs_run(&runs, 1, texts[i].prompt, texts[i].new_tokens);
        run_all(scheduler, &alone[i], 1);
    }
    const struct run *first = run_all(scheduler, together, ARRAY_LEN(texts));
    assert_ptr_not_equal(first, &together[0]);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const uint32_t hidden = runs.loaded->arch.stacks[0].hidden_size;
        if (texts[i].new_tokens > 0)
            assert_same(alone[i].items, together[i].items);
        else
            assert_memory_equal(alone[i].items->hidden, together[i].items->hidden,
                                hidden * sizeof(float));
    }
    assert_true(scheduler_figures(scheduler).generated_tokens > 600); /* steps are counted */
    scheduler_destroy(scheduler);
    runs_close(&runs);
}

/* The long text is done before the one that it found running. */
static void a_long_prompt_does_not_wait_for_the_end(void **state) {
    (void)state;
    struct bench_of_runs runs;
    struct scheduler *scheduler = NULL;
    struct error err = {0};
    runs_open(&runs, MODEL);
    assert_int_equal(scheduler_create(&scheduler, runs.team, &err), STATUS_OK);
    struct run both[2] = {runs_run(&runs, 1, 40, 1000), runs_run(&runs, 1, 600, 3)};
    assert_ptr_equal(run_all(scheduler, both, 2), &both[1]);
    scheduler_destroy(scheduler);
    runs_close(&runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_prompts_get_their_turn),
        cmocka_unit_test(a_long_prompt_does_not_wait_for_the_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
