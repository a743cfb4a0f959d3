/* A request answers bit for bit the same alone, token by token, among all others at once in ragged
 * batches, with one compute thread or two, and when it is asked again: for every family under
 * tests/golden, in every precision. This holds the whole way of a request to what the engine
 * promises. All cases are asked in fp32; in the other precisions, which differ in their products
 * alone, every third, and so some of each family. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "runtime/runtime.h"
#include "unit/runtime/goldens.h"

#define ROUNDS 2 /* each request so many times among the others */

static struct goldens goldens;

struct choice {
    const char *precision;
    size_t from, step; /* of the cases */
};

static struct brisk *runtime_of(const char *precision, uint32_t threads, bool no_speculation) {
    struct brisk *brisk = NULL;
    char error[LIMIT_ERROR_TEXT];
    const char *const folders[] = {GOLDEN_FOLDER, NULL};
    const struct brisk_options options = {.model_folders = folders,
                                          .precision = precision,
                                          .threads = threads,
                                          .no_speculation = no_speculation};
    if (brisk_create(&brisk, &options, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return brisk;
}

static struct brisk_request request_of(const struct golden *golden, bool no_cache) {
    return (struct brisk_request){.model = golden->model,
                                  .task = golden->task,
                                  .body = golden->body,
                                  .body_len = golden->body_len,
                                  .wait_for_model = true,
                                  .no_cache = no_cache};
}

/* What each case answers alone, on one thread, without proposals. */
static char **alone(const struct choice *choice) {
    struct brisk *brisk = runtime_of(choice->precision, 1, true);
    char **answers = mem_zalloc(goldens.n, sizeof(*answers));
    for (size_t i = choice->from; i < goldens.n; i += choice->step) {
        struct brisk_answer answer = {0};
        const struct brisk_request request = request_of(&goldens.at[i], true);
        brisk_run(brisk, &request, &answer);
        if (answer.status != 200)
            print_error("%s: %s\n", goldens.at[i].title, answer.body);
        assert_int_equal(answer.status, 200);
        answers[i] = mem_strdup(answer.body);
        brisk_answer_free(&answer);
    }
    brisk_destroy(brisk);
    return answers;
}

struct crowd {
    struct lock lock;
    struct condition done;
    size_t left, different; /* guarded by lock */
    size_t cached;
};

struct asked {
    struct crowd *crowd;
    const struct golden *golden;
    const char *want;
};

static void compare(void *user, const struct brisk_answer *answer) {
    const struct asked *asked = user;
    struct crowd *crowd = asked->crowd;
    const bool equal = answer->status == 200 && strcmp(answer->body, asked->want) == 0;
    lock_take(&crowd->lock);
    if (!equal && crowd->different < 5)
        print_error("%s\n  alone %.300s\n  now   %.300s\n", asked->golden->title, asked->want,
                    answer->body);
    crowd->different += !equal;
    crowd->cached += answer->compute_type != NULL && strcmp(answer->compute_type, "cache") == 0;
    if (--crowd->left == 0)
        condition_wake_all(&crowd->done);
    lock_drop(&crowd->lock);
}

static size_t chosen(const struct choice *choice) {
    return (goldens.n - choice->from + choice->step - 1) / choice->step;
}

/* The chosen cases at once, each `rounds` times; returns how many came from the cache. */
static size_t together(struct brisk *brisk, const struct choice *choice, char **want, size_t rounds,
                       bool no_cache) {
    const size_t n = chosen(choice);
    struct crowd crowd = {.left = n * rounds};
    struct asked *asked = mem_zalloc(n, sizeof(*asked));
    lock_init(&crowd.lock);
    condition_init(&crowd.done);
    for (size_t i = 0; i < n * rounds; i++) {
        const size_t at = choice->from + i % n * choice->step;
        asked[i % n] = (struct asked){&crowd, &goldens.at[at], want[at]};
        const struct brisk_request request = request_of(&goldens.at[at], no_cache);
        brisk_submit(brisk, &request, compare, &asked[i % n], NULL);
    }
    lock_take(&crowd.lock);
    while (crowd.left > 0)
        condition_wait(&crowd.done, &crowd.lock);
    lock_drop(&crowd.lock);
    assert_int_equal(crowd.different, 0);
    condition_deinit(&crowd.done);
    lock_deinit(&crowd.lock);
    mem_free(asked);
    return crowd.cached;
}

static void same_bits(void **state) {
    const struct choice *choice = *state;
    char **want = alone(choice);
    for (uint32_t threads = 1; threads <= 2; threads++) {
        struct brisk *brisk = runtime_of(choice->precision, threads, false);
        assert_int_equal(together(brisk, choice, want, ROUNDS, true), 0);
        together(brisk, choice, want, 1, false); /* fills the cache */
        assert_true(together(brisk, choice, want, 1, false) > chosen(choice) / 2);
        brisk_destroy(brisk);
    }
    for (size_t i = 0; i < goldens.n; i++)
        mem_free(want[i]);
    mem_free(want);
}

int main(void) {
    log_set_level(LOG_ERROR);
    goldens_load(&goldens);
    if (goldens.n == 0) {
        fprintf(stderr, "no goldens under %s, run in the project's root\n", GOLDEN_FOLDER);
        return 1;
    }
    static struct choice fp32 = {"fp32", 0, GOLDENS_STEP}, bf16 = {"bf16", 0, 3 * GOLDENS_STEP},
                         int8 = {"int8", 1, 3 * GOLDENS_STEP},
                         int4 = {"int4", 2, 3 * GOLDENS_STEP};
    const struct CMUnitTest tests[] = {
        {.name = "the_same_bits_in_fp32", .test_func = same_bits, .initial_state = &fp32},
        {.name = "the_same_bits_in_bf16", .test_func = same_bits, .initial_state = &bf16},
        {.name = "the_same_bits_in_int8", .test_func = same_bits, .initial_state = &int8},
        {.name = "the_same_bits_in_int4", .test_func = same_bits, .initial_state = &int4},
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    goldens_free(&goldens);
    return failed;
}
