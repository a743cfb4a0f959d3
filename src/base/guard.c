/* A table of guarded addresses and a handler of SIGBUS, which may only use what POSIX allows in
 * one: it reads the table through atomics and maps zeros over the rest of the mapping (a plain
 * system call on Linux). */
#include "base/guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/thread.h"
#include "base/banned.h"

#define GUARDS 4096 /* files of two checkpoints at their limit, and more */

struct guard {
    _Atomic uintptr_t start; /* 0: free; published with `end` written, to the handler */
    _Atomic uintptr_t end;
    atomic_bool needed;
};

static struct guard guards[GUARDS];
static struct lock table_lock; /* of those who take a guard */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction before;

/* The guard of the address and where its mapping ends, or NULL. The mapping of the address is in
 * use, so its row does not change; others may meanwhile, between the looks at start and end, and
 * two such looks must not be taken for one mapping: start is looked at again. */
static struct guard *guard_of(uintptr_t address, uintptr_t *end) {
    for (size_t i = 0; i < GUARDS; i++) {
        const uintptr_t start = atomic_load(&guards[i].start);
        *end = atomic_load(&guards[i].end);
        if (start != 0 && address >= start && address < *end &&
            atomic_load(&guards[i].start) == start)
            return &guards[i];
    }
    return NULL;
}

/* Zeros from the page of the address to the mapping's end: where a file ends, all behind is gone.
 */
static bool replace(struct guard *guard, uintptr_t address, uintptr_t end) {
    const uintptr_t page = address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
    atomic_store(&guard->needed, true);
    return mmap((void *)page, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                0) != MAP_FAILED;
}

static void on_bus_error(int signal_number, siginfo_t *info, void *context) {
    const int error = errno;
    uintptr_t end = 0;
    struct guard *guard = guard_of((uintptr_t)info->si_addr, &end);
    const bool replaced = guard != NULL && replace(guard, (uintptr_t)info->si_addr, end);
    errno = error;
    if (replaced)
        return;
    if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != NULL)
        before.sa_sigaction(signal_number, info, context);
    else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        before.sa_handler(signal_number);
    else
        signal(signal_number, SIG_DFL); /* the fault comes again, and ends the process */
}

static void make_lock(void) {
    lock_init(&table_lock);
}

/* Anew where another part of the process has taken the handler since. */
static void install(void) {
    struct sigaction now, action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, NULL, &now);
    if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_bus_error)
        return;
    before = now;
    sigaction(SIGBUS, &action, NULL);
}

struct guard *guard_take(const void *start, size_t size) {
    struct guard *guard = NULL;
    pthread_once(&once, make_lock);
    lock_take(&table_lock);
    install();
    for (size_t i = 0; i < GUARDS && guard == NULL; i++) {
        if (atomic_load(&guards[i].start) == 0)
            guard = &guards[i];
    }
    if (guard != NULL) {
        atomic_store(&guard->needed, false);
        atomic_store(&guard->end, (uintptr_t)start + size);
        atomic_store(&guard->start, (uintptr_t)start);
    }
    lock_drop(&table_lock);
    return guard;
}

void guard_drop(struct guard *guard) {
    if (guard != NULL)
        atomic_store(&guard->start, 0);
}

bool guard_was_needed(const struct guard *guard) {
    return guard != NULL && atomic_load(&guard->needed);
}
