/* Texts whose prompt cannot be read in pieces (XLNet): a prompt that is longer than what a pass takes
 * beside others gets its turn while they go on, texts that are skipped have theirs, and all are
 * what they are alone, bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "unit/runtime/finish.h"
#include "unit/runtime/runs.h"

#define MODEL "xlnet/text-generation" /* a context of 2048 tokens */

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
    struct run alone[ARRAY_LEN(texts)], together[ARRAY_LEN(texts)];
    struct scheduler *scheduler = finish_open(&runs, MODEL, 0);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        alone[i] = runs_run(&runs, 1, texts[i].prompt, texts[i].new_tokens);
        together[i] = runs_run(&runs, 1, texts[i].prompt, texts[i].new_tokens);
        finish_runs(scheduler, &alone[i], 1);
    }
    const struct run *first = finish_runs(scheduler, together, ARRAY_LEN(texts));
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
    finish_close(&runs, scheduler);
}

/* The long text is done before the one that it found running. */
static void a_long_prompt_does_not_wait_for_the_end(void **state) {
    (void)state;
    struct bench_of_runs runs;
    struct scheduler *scheduler = finish_open(&runs, MODEL, 0);
    struct run both[2] = {runs_run(&runs, 1, 40, 1000), runs_run(&runs, 1, 600, 3)};
    assert_ptr_equal(finish_runs(scheduler, both, 2), &both[1]);
    finish_close(&runs, scheduler);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_prompts_get_their_turn),
        cmocka_unit_test(a_long_prompt_does_not_wait_for_the_end),
    };
    return cmocka_run_group_tests(tests, finish_set_up, finish_tear_down);
}
