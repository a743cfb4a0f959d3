/* Named, joined threads, and locks and conditions over pthreads. The compute team is in team.c.
 * A call on a lock can only fail by our own bug, so that is a panic and not an error. */
#include "base/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/banned.h"

#define NAME_BYTES 16 /* the kernel's limit, with the zero */

struct thread {
    pthread_t handle;
    char name[NAME_BYTES];
    void (*run)(void *arg);
    void *arg;
};

static void *thread_main(void *arg) {
    struct thread *thread = arg;
    pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->arg);
    return NULL;
}

/* Signals of the process belong to the main thread; those of the thread's own faults stay open. */
static void block_signals(sigset_t *before) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < ARRAY_LEN(faults); i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

enum status thread_start(struct thread **thread, const char *name, void (*run)(void *), void *arg,
                         struct error *err) {
    struct thread *made = mem_zalloc(1, sizeof *made);
    made->run = run;
    made->arg = arg;
    memcpy(made->name, name, strnlen(name, NAME_BYTES - 1));
    sigset_t before;
    block_signals(&before); /* the new thread inherits the mask */
    const int code = pthread_create(&made->handle, NULL, thread_main, made);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) {
        mem_free(made);
        return ERR(err, MEMORY, "thread \"%s\" could not be started: %s; allow more threads", name,
                   strerrordesc_np(code));
    }
    *thread = made;
    return STATUS_OK;
}

void thread_bind(struct thread *thread, uint32_t core) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    (void)pthread_setaffinity_np(thread ? thread->handle : pthread_self(), sizeof one, &one);
}

void thread_yield_to_others(void) {
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 19); /* Linux: of the thread alone */
}

void thread_join(struct thread *thread) {
    if (!thread)
        return;
    const int code = pthread_join(thread->handle, NULL);
    if (code != 0)
        PANIC("thread \"%s\" cannot be joined: %s", thread->name, strerrordesc_np(code));
    mem_free(thread);
}

static void must(int code, const char *call) {
    if (code != 0)
        PANIC("%s: %s", call, strerrordesc_np(code));
}

void lock_init(struct lock *lock) {
    must(pthread_mutex_init(&lock->mutex, NULL), "lock_init");
}

void lock_deinit(struct lock *lock) {
    must(pthread_mutex_destroy(&lock->mutex), "lock_deinit");
}

void lock_take(struct lock *lock) {
    must(pthread_mutex_lock(&lock->mutex), "lock_take");
}

void lock_drop(struct lock *lock) {
    must(pthread_mutex_unlock(&lock->mutex), "lock_drop");
}

void condition_init(struct condition *condition) {
    pthread_condattr_t attributes;
    must(pthread_condattr_init(&attributes), "condition_init");
    must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC), "condition_init");
    must(pthread_cond_init(&condition->cond, &attributes), "condition_init");
    pthread_condattr_destroy(&attributes);
}

void condition_deinit(struct condition *condition) {
    must(pthread_cond_destroy(&condition->cond), "condition_deinit");
}

void condition_wait(struct condition *condition, struct lock *lock) {
    must(pthread_cond_wait(&condition->cond, &lock->mutex), "condition_wait");
}

bool condition_wait_until(struct condition *condition, struct lock *lock, uint64_t deadline_ns) {
    const struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                                      .tv_nsec = (long)(deadline_ns % 1000000000u)};
    const int code = pthread_cond_timedwait(&condition->cond, &lock->mutex, &deadline);
    if (code == ETIMEDOUT)
        return false;
    must(code, "condition_wait_until");
    return true;
}

void condition_wake_all(struct condition *condition) {
    must(pthread_cond_broadcast(&condition->cond), "condition_wake_all");
}

void condition_wake_one(struct condition *condition) {
    must(pthread_cond_signal(&condition->cond), "condition_wake_one");
}
