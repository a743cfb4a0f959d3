/* Texts with proposals, and with what was read for earlier ones, are those without, bit for bit:
 * for every model under tests/golden that writes texts, on prompts that repeat themselves and on
 * others, of different lengths in one batch, with one compute thread and two. All models in fp32,
 * every third in the other precisions, which differ in their products alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "runtime/prefixes.h"
#include "unit/runtime/finish.h"
#include "unit/runtime/goldens.h"
#include "unit/runtime/runs.h"

#define TEXTS      6
#define PROMPT     18 /* of the first text; the next ones are longer */
#define NEW_TOKENS 40 /* or until the context ends: that of most is 64 */

static struct goldens goldens;

struct choice {
    enum precision precision;
    size_t from, step; /* of the models */
};

/* So many tokens over and over; 0: by no rule that the text could repeat. */
static const int32_t *tokens_of(struct arena *arena, uint32_t n, uint32_t period,
                                uint32_t vocab_size) {
    int32_t *tokens = arena_alloc(arena, n * sizeof(*tokens));
    struct random random = {.seed = n};
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = period > 0 && i >= period ? tokens[i - period]
                                              : (int32_t)(random_next(&random) % vocab_size);
    return tokens;
}

static struct run texts_of(struct bench_of_runs *runs, uint32_t first, uint32_t n, bool speculate) {
    static const uint32_t periods[TEXTS] = {0, 1, 2, 5, 0, 9};
    const struct arch *arch = &runs->loaded->arch;
    struct run run = runs_run(runs, n, PROMPT, NEW_TOKENS);
    uint32_t i = first;
    for (struct item *item = run.items; item != NULL; item = item->next, i++) {
        item->n = PROMPT + i;
        item->tokens = tokens_of(&runs->arena, item->n, periods[i], arch->stacks[0].vocab_size);
    }
    run.speculate = run.reuse = speculate;
    return run;
}

static void assert_same_text(const char *model, uint32_t text, const struct item *a,
                             const struct item *b) {
    const struct generation_output *x = &a->outputs[0], *y = &b->outputs[0];
    if (x->n != y->n || memcmp(x->ids, y->ids, x->n * sizeof(*x->ids)) != 0 ||
        memcmp(x->logprobs, y->logprobs, x->n * sizeof(*x->logprobs)) != 0)
        fail_msg("%s: text %u is another one with proposals", model, text);
}

/* Returns the tokens that needed no pass of their own. */
static uint64_t compare(struct bench_of_runs *runs, const char *model) {
    struct scheduler *scheduler = NULL;
    struct error err = {0};
    assert_int_equal(scheduler_create(&scheduler, runs->team, &err), STATUS_OK);
    struct run plain[TEXTS];
    for (uint32_t i = 0; i < TEXTS; i++) {
        plain[i] = texts_of(runs, i, 1, false);
        finish_runs(scheduler, &plain[i], 1);
    }
    assert_int_equal(scheduler_figures(scheduler).proposed_tokens, 0);
    struct run together = texts_of(runs, 0, TEXTS, true);
    finish_runs(scheduler, &together, 1);
    const struct item *item = together.items;
    for (uint32_t i = 0; i < TEXTS; i++, item = item->next) {
        struct run alone = texts_of(runs, i, 1, true);
        finish_runs(scheduler, &alone, 1);
        assert_same_text(model, i, plain[i].items, item);
        assert_same_text(model, i, plain[i].items, alone.items);
    }
    const struct scheduler_figures figures = scheduler_figures(scheduler);
    assert_true(figures.accepted_tokens <= figures.proposed_tokens);
    if (prefixes_suit(&runs->loaded->arch))
        assert_true(figures.reused_tokens >= TEXTS * (PROMPT - 1));
    scheduler_destroy(scheduler);
    return figures.accepted_tokens;
}

static bool writes_texts(const struct loaded *loaded) {
    const struct arch *arch = &loaded->arch;
    return arch->head.kind == HEAD_LM && stack_has(arch_last(arch), STACK_CAUSAL);
}

/* Adapters are their base models, which are not theirs to find here. */
static bool is_next(const char *model, const char *last) {
    struct arena arena = {0};
    const bool is_adapter =
        file_exists(arena_printf(&arena, "%s/%s/adapter_config.json", GOLDEN_FOLDER, model));
    arena_deinit(&arena);
    return strcmp(model, last) != 0 && !is_adapter;
}

/* With so many threads: the tokens that needed no pass of their own. */
static uint64_t compare_on(const char *model, enum precision precision, uint32_t threads) {
    struct bench_of_runs runs;
    runs_open_as(&runs, model, precision, threads, 0);
    const uint64_t accepted = compare(&runs, model);
    runs_close(&runs);
    return accepted;
}

static bool model_writes_texts(const char *model) {
    struct bench_of_runs runs;
    runs_open(&runs, model);
    const bool writes = writes_texts(runs.loaded);
    runs_close(&runs);
    return writes;
}

static void same_texts(void **state) {
    const struct choice *choice = *state;
    const char *last = "";
    size_t models = 0, compared = 0, quick = 0;
    for (size_t i = 0; i < goldens.n; i++) {
        const char *model = goldens.at[i].model;
        if (!is_next(model, last))
            continue;
        last = model;
        if (!model_writes_texts(model) || models++ % choice->step != choice->from)
            continue;
        const uint64_t one = compare_on(model, choice->precision, 1);
        assert_int_equal(compare_on(model, choice->precision, 2), one);
        compared++;
        quick += one > 0;
    }
    print_message("%zu of %zu models had proposals that were right\n", quick, compared);
    assert_true(quick * 10 >= compared * 9 || getenv("GOLDEN") != NULL);
}

int main(void) {
    log_set_level(LOG_ERROR);
    goldens_load(&goldens);
    if (goldens.n == 0) {
        fprintf(stderr, "no goldens under %s, run in the project's root\n", GOLDEN_FOLDER);
        return 1;
    }
    static struct choice fp32 = {PRECISION_FP32, 0, GOLDENS_STEP},
                         bf16 = {PRECISION_BF16, 0, 3 * GOLDENS_STEP},
                         int8 = {PRECISION_INT8, 1, 3 * GOLDENS_STEP},
                         int4 = {PRECISION_INT4, 2, 3 * GOLDENS_STEP};
    const struct CMUnitTest tests[] = {
        {.name = "the_same_texts_in_fp32", .test_func = same_texts, .initial_state = &fp32},
        {.name = "the_same_texts_in_bf16", .test_func = same_texts, .initial_state = &bf16},
        {.name = "the_same_texts_in_int8", .test_func = same_texts, .initial_state = &int8},
        {.name = "the_same_texts_in_int4", .test_func = same_texts, .initial_state = &int4},
    };
    const int failed = cmocka_run_group_tests(tests, finish_set_up, finish_tear_down);
    goldens_free(&goldens);
    return failed;
}
