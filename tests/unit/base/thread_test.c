/* Threads, locks and conditions: names, signals, exclusion, handing over, deadlines.
 * The compute team has team_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "base/base.h"

struct shared {
    struct lock lock;
    struct condition changed;
    int value; /* guarded by lock */
    char name[16];
    bool term_blocked;
};

static void note_self(void *arg) {
    struct shared *shared = arg;
    pthread_getname_np(pthread_self(), shared->name, sizeof shared->name);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    shared->term_blocked = sigismember(&mask, SIGTERM) == 1;
}

static void threads_are_named_and_take_no_signals(void **state) {
    static const struct {
        const char *name, *want;
    } rows[] = {{"worker", "worker"}, {"", ""}, {"a-name-longer-than-it", "a-name-longer-t"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct shared shared = {0};
        struct error err = {0};
        struct thread *thread = NULL;
        assert_int_equal(thread_start(&thread, rows[i].name, note_self, &shared, &err), STATUS_OK);
        thread_join(thread);
        assert_string_equal(shared.name, rows[i].want);
        assert_true(shared.term_blocked);
    }
    thread_join(NULL);
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

static void count_up(void *arg) {
    struct shared *shared = arg;
    for (int i = 0; i < 10000; i++) {
        lock_take(&shared->lock);
        shared->value++;
        lock_drop(&shared->lock);
    }
}

static void locks_exclude(void **state) {
    struct shared shared = {0};
    struct thread *threads[4];
    struct error err = {0};
    lock_init(&shared.lock);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(thread_start(&threads[i], "count", count_up, &shared, &err), STATUS_OK);
    for (size_t i = 0; i < 4; i++)
        thread_join(threads[i]);
    assert_int_equal(shared.value, 40000);
    lock_deinit(&shared.lock);
}

/* Answers each odd value with the next even one, until 100. */
static void answer(void *arg) {
    struct shared *shared = arg;
    lock_take(&shared->lock);
    while (shared->value < 100) {
        while (shared->value % 2 == 0)
            condition_wait(&shared->changed, &shared->lock);
        shared->value++;
        condition_wake_one(&shared->changed);
    }
    lock_drop(&shared->lock);
}

static void conditions_hand_over(void **state) {
    struct shared shared = {0};
    struct thread *thread;
    struct error err = {0};
    lock_init(&shared.lock);
    condition_init(&shared.changed);
    assert_int_equal(thread_start(&thread, "answer", answer, &shared, &err), STATUS_OK);
    lock_take(&shared.lock);
    while (shared.value < 100) {
        shared.value++;
        condition_wake_all(&shared.changed);
        while (shared.value % 2 == 1)
            condition_wait(&shared.changed, &shared.lock);
    }
    lock_drop(&shared.lock);
    thread_join(thread);
    assert_int_equal(shared.value, 100);
    condition_deinit(&shared.changed);
    lock_deinit(&shared.lock);
}

static void waiting_ends_at_the_deadline(void **state) {
    struct shared shared = {0};
    lock_init(&shared.lock);
    condition_init(&shared.changed);
    lock_take(&shared.lock);
    assert_false(condition_wait_until(&shared.changed, &shared.lock, 0));
    const uint64_t deadline = clock_now_ns() + 3000000;
    while (condition_wait_until(&shared.changed, &shared.lock, deadline)) {
        /* a spurious wake-up */
    }
    assert_true(clock_now_ns() >= deadline);
    lock_drop(&shared.lock);
    condition_deinit(&shared.changed);
    lock_deinit(&shared.lock);
}

static void count_allocations(void *arg) {
    uint64_t *count = arg;
    mem_free(mem_alloc(1));
    *count = mem_alloc_count();
}

static void allocations_are_counted_by_thread(void **state) {
    uint64_t count = 0;
    struct thread *thread;
    struct error err;
    mem_free(mem_alloc(1));
    assert_int_equal(thread_start(&thread, "count", count_allocations, &count, &err), STATUS_OK);
    const uint64_t before = mem_alloc_count();
    thread_join(thread);
    assert_int_equal(count, 1);
    assert_int_equal(mem_alloc_count(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_are_named_and_take_no_signals),
        cmocka_unit_test(locks_exclude),
        cmocka_unit_test(conditions_hand_over),
        cmocka_unit_test(waiting_ends_at_the_deadline),
        cmocka_unit_test(allocations_are_counted_by_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
