/* Threads: named and joined ones, locks, and the compute team.
 *
 * The team is one thread a core that walks one forward pass together (SPMD): team_run calls the
 * same function on every lane, and lanes meet at lane_barrier between operations. Waiting lanes
 * spin for a few microseconds (barriers come every few), then sleep on a futex. The caller is
 * lane 0. One team_run at a time. */
#ifndef BRISK_BASE_THREAD_H
#define BRISK_BASE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include "base/error.h"

struct thread;
enum status thread_start(struct thread **thread, const char *name, void (*run)(void *), void *arg,
                         struct error *err) MUST_CHECK;
void thread_join(struct thread *thread); /* waits, frees; NULL is fine */
/* Keeps the thread (NULL: the calling one) on one core; best effort. */
void thread_bind(struct thread *thread, uint32_t core);
/* The calling thread works only where no other wants the core; best effort. */
void thread_yield_to_others(void);

struct lock {
    pthread_mutex_t mutex;
};
struct condition {
    pthread_cond_t cond; /* on CLOCK_MONOTONIC */
};
void lock_init(struct lock *lock);
void lock_deinit(struct lock *lock);
void lock_take(struct lock *lock);
void lock_drop(struct lock *lock);
void condition_init(struct condition *condition);
void condition_deinit(struct condition *condition);
void condition_wait(struct condition *condition, struct lock *lock);
/* False when deadline_ns (clock_now_ns) passed. */
bool condition_wait_until(struct condition *condition, struct lock *lock, uint64_t deadline_ns);
void condition_wake_all(struct condition *condition);
void condition_wake_one(struct condition *condition);

struct team;

/* One thread's place in a team; what every device operation takes first. */
struct lane {
    struct team *team;
    uint32_t index, count; /* 0 <= index < count */
    size_t taken;          /* lane_take's, of a lane that is alone */
};

enum status team_create(struct team **team, uint32_t threads, struct error *err) MUST_CHECK;
void team_destroy(struct team *team);
uint32_t team_threads(const struct team *team);
/* Called by the thread that will call team_run: each lane stays on a core of its own from now on,
 * so that two never share one while another idles. Nothing happens unless there is a lane for every
 * core this process may use. */
void team_bind(struct team *team);
/* Runs fn(lane, arg) on all lanes, returns when all have returned. No allocation. */
void team_run(struct team *team, void (*fn)(struct lane *lane, void *arg), void *arg);
/* All lanes wait for each other; what was written before is seen after. */
void lane_barrier(struct lane *lane);
/* This lane's share [*from, *to) of n units, cut at multiples of `grain`. */
void lane_range(const struct lane *lane, size_t n, size_t grain, size_t *from, size_t *to);
/* The next piece [*from, *to) of n units that nobody has taken, for this lane; false: none is left.
 * Pieces begin large and get smaller, `least` units at the end, so that a lane whose core is slower
 * or lent to others for a while does less, and all are done at the same time. All lanes ask with
 * the same numbers until there are none, then meet at lane_barrier: one such work between two
 * barriers. */
bool lane_take(struct lane *lane, size_t n, size_t least, size_t *from, size_t *to);

#endif
