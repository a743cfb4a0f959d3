/* Runs submitted and waited for, and texts compared bit for bit: for the tests of the scheduler that
 * ask whether a text is the same in any company. Included once in a program, behind cmocka.h. */
#ifndef BRISK_TESTS_RUNTIME_FINISH_H
#define BRISK_TESTS_RUNTIME_FINISH_H

#include "runtime/scheduler.h"
#include "unit/runtime/runs.h"

static struct {
    struct lock lock;
    struct condition changed;
    uint32_t back; /* guarded by lock, as the next one */
    struct run *first;
} finishing;

static inline int finish_set_up(void **state) {
    (void)state;
    lock_init(&finishing.lock);
    condition_init(&finishing.changed);
    return 0;
}

static inline int finish_tear_down(void **state) {
    (void)state;
    condition_deinit(&finishing.changed);
    lock_deinit(&finishing.lock);
    return 0;
}

/* A model on a team, and a scheduler for it. page_bytes: 0: no limit. */
static inline struct scheduler *finish_open(struct bench_of_runs *runs, const char *model,
                                            size_t page_bytes) {
    struct scheduler *scheduler = NULL;
    struct error err = {0};
    runs_open_pages(runs, model, page_bytes);
    if (scheduler_create(&scheduler, runs->team, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return scheduler;
}

static inline void finish_close(struct bench_of_runs *runs, struct scheduler *scheduler) {
    scheduler_destroy(scheduler);
    runs_close(runs);
}

static inline void finish_came_back(struct run *run) {
    lock_take(&finishing.lock);
    if (finishing.back++ == 0)
        finishing.first = run;
    condition_wake_all(&finishing.changed);
    lock_drop(&finishing.lock);
}

static inline void finish_wait(uint32_t n) {
    lock_take(&finishing.lock);
    while (finishing.back < n)
        condition_wait(&finishing.changed, &finishing.lock);
    lock_drop(&finishing.lock);
}

/* All at once; none may fail. Returns the run that is done first. */
static inline struct run *finish_runs(struct scheduler *scheduler, struct run *runs, uint32_t n) {
    struct error err = {0};
    finishing.back = 0;
    for (uint32_t i = 0; i < n; i++) {
        runs[i].finished = finish_came_back;
        if (scheduler_submit(scheduler, &runs[i], &err) != STATUS_OK)
            fail_msg("%s", err.text);
    }
    finish_wait(n);
    for (uint32_t i = 0; i < n; i++)
        if (runs[i].error.code != ERROR_NONE)
            fail_msg("%s", runs[i].error.text);
    return finishing.first;
}

#endif
