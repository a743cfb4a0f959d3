/* The compute team: one thread a core that walks one forward pass together.
 *
 * Two words that only grow do all the talking: `round` counts team_run calls and starts the
 * workers, `phase` counts completed barriers. A lane that waits remembers the word's value from
 * before and waits until it changes: first spinning for some tens of microseconds (the change
 * usually comes within one), then asleep in the kernel. A lane that spun in vain spins half as long
 * the next time: on a machine with other work its spinning may be what keeps the others away. A
 * sleeper announces itself in `sleepers` before it looks at the word a last time; whoever changes
 * the word does so before it looks at `sleepers`. Both are sequentially consistent, so at least one
 * of them sees the other, and no wake-up is lost nor a system call made while nobody sleeps.
 *
 * A team_run ends with a barrier of its own, so when it returns no lane is inside fn, and the
 * plain fields fn and arg may be written again. */
#include "base/thread.h"

#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/system.h"
#include "base/banned.h"

#define SPIN_MOST_NS  32000 /* a barrier takes well below 1000 when the lanes are even */
#define SPIN_LEAST_NS 1000
#define SPIN_LOOKS    32 /* looks at the word between two looks at the clock */
#define CACHE_LINE    64

/* A word that lanes wait on, alone on its cache line: what is spun on is written once a round. */
struct signal {
    _Alignas(CACHE_LINE) atomic_uint word; /* publishes all that its writer did before */
    atomic_uint sleepers;                  /* lanes asleep on word, or about to be */
};

/* What belongs to one lane alone. */
struct seat {
    _Alignas(CACHE_LINE) struct team *team;
    uint64_t spin_ns; /* how long it spins; always 0 when there are more lanes than cores */
    uint32_t index;
    struct thread *thread; /* NULL for lane 0, the caller; the creator's */
};

struct team {
    struct signal round, phase;
    _Alignas(CACHE_LINE) atomic_uint arrived; /* lanes inside the barrier; hands their writes on */
    _Alignas(CACHE_LINE) atomic_size_t taken; /* units of the work since the last barrier */
    _Alignas(CACHE_LINE) void (*fn)(struct lane *lane, void *arg); /* published by round */
    void *arg;                                                     /* published by round */
    bool stop;                                                     /* published by round */
    uint32_t threads;
    struct seat seats[]; /* [threads] */
};

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void futex_wait(atomic_uint *word, unsigned expected) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake_all(atomic_uint *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static bool spin_while(const atomic_uint *word, unsigned before, uint64_t spin_ns) {
    uint64_t start = 0;
    while (spin_ns > 0) {
        for (int i = 0; i < SPIN_LOOKS; i++) {
            if (atomic_load_explicit(word, memory_order_acquire) != before)
                return true;
            relax();
        }
        const uint64_t now = clock_now_ns();
        if (start == 0)
            start = now;
        if (now - start >= spin_ns)
            break;
    }
    return false;
}

/* Returns once the word is no longer `before`, with all its writer had written visible. */
static void signal_wait(struct signal *signal, unsigned before, struct seat *seat) {
    if (spin_while(&signal->word, before, seat->spin_ns)) {
        if (seat->spin_ns < SPIN_MOST_NS)
            seat->spin_ns *= 2;
        return;
    }
    if (seat->spin_ns > SPIN_LEAST_NS)
        seat->spin_ns /= 2;
    atomic_fetch_add(&signal->sleepers, 1);
    while (atomic_load(&signal->word) == before)
        futex_wait(&signal->word, before);
    atomic_fetch_sub(&signal->sleepers, 1);
}

/* Only one thread at a time changes a signal. */
static void signal_send(struct signal *signal) {
    const unsigned next = atomic_load_explicit(&signal->word, memory_order_relaxed) + 1;
    atomic_store(&signal->word, next);
    if (atomic_load(&signal->sleepers) > 0)
        futex_wake_all(&signal->word);
}

void lane_barrier(struct lane *lane) {
    lane->taken = 0;
    if (lane->count == 1)
        return;
    struct team *team = lane->team;
    const unsigned before = atomic_load_explicit(&team->phase.word, memory_order_relaxed);
    const unsigned others = atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel);
    if (others == lane->count - 1) {
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed); /* published by phase */
        atomic_store_explicit(&team->taken, 0, memory_order_relaxed);   /* too */
        signal_send(&team->phase);
    } else {
        signal_wait(&team->phase, before, &team->seats[lane->index]);
    }
}

static void worker_main(void *arg) {
    struct seat *seat = arg;
    struct team *team = seat->team;
    struct lane lane = {.team = team, .index = seat->index, .count = team->threads};
    for (unsigned round = 0;; round++) {
        signal_wait(&team->round, round, seat);
        if (team->stop)
            return;
        team->fn(&lane, team->arg);
        lane_barrier(&lane);
    }
}

static size_t team_size(uint32_t threads) {
    return sizeof(struct team) + threads * sizeof(struct seat);
}

void team_destroy(struct team *team) {
    if (!team)
        return;
    team->stop = true;
    signal_send(&team->round);
    for (uint32_t i = 0; i < team->threads; i++)
        thread_join(team->seats[i].thread);
    mem_free_large(team, team_size(team->threads));
}

enum status team_create(struct team **team, uint32_t threads, struct error *err) {
    if (threads < 1 || threads > LIMIT_THREADS)
        return ERR(err, INPUT, "threads is %u, must be from 1 to %d", threads, LIMIT_THREADS);
    void *block = NULL;
    if (mem_try_alloc(&block, team_size(threads), err) != STATUS_OK)
        return STATUS_ERROR;
    struct team *made = block;
    made->threads = threads;
    const uint64_t spin_ns = threads <= system_cores() ? SPIN_MOST_NS : 0;
    for (uint32_t i = 0; i < threads; i++)
        made->seats[i] = (struct seat){.team = made, .index = i, .spin_ns = spin_ns};
    for (uint32_t i = 1; i < threads; i++) {
        char name[16];
        snprintf(name, sizeof name, "compute-%u", i);
        struct seat *seat = &made->seats[i];
        if (thread_start(&seat->thread, name, worker_main, seat, err) != STATUS_OK) {
            team_destroy(made); /* those that run wait for their first round */
            return STATUS_ERROR;
        }
    }
    *team = made;
    return STATUS_OK;
}

uint32_t team_threads(const struct team *team) {
    return team->threads;
}

void team_bind(struct team *team) {
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) != 0 ||
        (uint32_t)CPU_COUNT(&usable) != team->threads || team->threads != system_cores())
        return;
    uint32_t lane = 0;
    for (uint32_t core = 0; core < CPU_SETSIZE && lane < team->threads; core++) {
        if (CPU_ISSET(core, &usable))
            thread_bind(team->seats[lane++].thread, core); /* lane 0 has none: the caller */
    }
}

void team_run(struct team *team, void (*fn)(struct lane *lane, void *arg), void *arg) {
    struct lane lane = {.team = team, .index = 0, .count = team->threads};
    if (team->threads > 1) {
        team->fn = fn;
        team->arg = arg;
        signal_send(&team->round);
    }
    fn(&lane, arg);
    lane_barrier(&lane);
}

void lane_range(const struct lane *lane, size_t n, size_t grain, size_t *from, size_t *to) {
    if (grain == 0)
        grain = 1;
    const size_t pieces = n / grain + (n % grain != 0);
    const size_t share = pieces / lane->count, left = pieces % lane->count;
    const size_t index = lane->index;
    /* The first `left` lanes take one piece more. */
    const size_t first = index * share + (index < left ? index : left);
    const size_t last = first + share + (index < left);
    *from = first * grain;
    *to = last == pieces ? n : last * grain;
    if (*from > n)
        *from = n;
}

/* Guided self-scheduling (Polychronopoulos and Kuck 1987): of what is left, each piece is three
 * quarters of what a lane's even share of it would be. */
static size_t piece_of(size_t left, uint32_t lanes, size_t least) {
    const size_t piece = left * 3 / (4 * (size_t)lanes);
    return piece > least ? piece : least < left ? least : left;
}

bool lane_take(struct lane *lane, size_t n, size_t least, size_t *from, size_t *to) {
    if (lane->count == 1) {
        *from = lane->taken;
        *to = lane->taken = n;
        return *from < *to;
    }
    /* Relaxed: what the pieces hold is handed on by barriers alone. */
    atomic_size_t *taken = &lane->team->taken;
    size_t at = atomic_load_explicit(taken, memory_order_relaxed);
    while (at < n) {
        const size_t end = at + piece_of(n - at, lane->count, least > 0 ? least : 1);
        if (atomic_compare_exchange_weak_explicit(taken, &at, end, memory_order_relaxed,
                                                  memory_order_relaxed)) {
            *from = at;
            *to = end;
            return true;
        }
    }
    return false;
}
