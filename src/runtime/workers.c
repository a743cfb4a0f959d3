/* Two lines, small and heavy requests, and the threads that serve them. What is done for a request
 * stands in ticket.c. */
#include "runtime/workers.h"

#include <stdio.h>

#include "runtime/line.h"
#include "base/banned.h"

struct workers {
    struct lock lock;
    struct condition wake_small; /* the thread for small ones waits here */
    struct condition wake;       /* the others wait here */
    struct line small, heavy;    /* guarded by lock, as all below */
    bool small_waits;            /* and nobody has woken it yet */
    bool stopping;
    uint32_t n_threads;
    struct thread *threads[LIMIT_WORKERS];
};

/* Waits for a ticket; NULL: stop. */
static struct brisk_ticket *take_small(struct workers *workers) {
    lock_take(&workers->lock);
    struct brisk_ticket *ticket = line_pop(&workers->small);
    while (ticket == NULL && !workers->stopping) {
        workers->small_waits = true;
        condition_wait(&workers->wake_small, &workers->lock);
        workers->small_waits = false;
        ticket = line_pop(&workers->small);
    }
    lock_drop(&workers->lock);
    return ticket;
}

static struct brisk_ticket *pop_any(struct workers *workers) {
    struct brisk_ticket *ticket = line_pop(&workers->heavy);
    return ticket != NULL ? ticket : line_pop(&workers->small);
}

static struct brisk_ticket *take_any(struct workers *workers) {
    lock_take(&workers->lock);
    struct brisk_ticket *ticket = pop_any(workers);
    while (ticket == NULL && !workers->stopping) {
        condition_wait(&workers->wake, &workers->lock);
        ticket = pop_any(workers);
    }
    lock_drop(&workers->lock);
    return ticket;
}

static void small_main(void *arg) {
    for (struct brisk_ticket *t = take_small(arg); t != NULL; t = take_small(arg))
        ticket_step(t);
}

static void any_main(void *arg) {
    for (struct brisk_ticket *t = take_any(arg); t != NULL; t = take_any(arg))
        ticket_step(t);
}

void workers_push(struct workers *workers, struct brisk_ticket *ticket) {
    lock_take(&workers->lock);
    line_push(ticket->heavy ? &workers->heavy : &workers->small, ticket);
    if (!ticket->heavy && workers->small_waits) {
        workers->small_waits = false;
        condition_wake_one(&workers->wake_small);
    } else {
        condition_wake_one(&workers->wake);
    }
    lock_drop(&workers->lock);
}

enum status workers_create(struct workers **out, uint32_t threads, struct error *err) {
    struct workers *workers = mem_zalloc(1, sizeof(*workers));
    lock_init(&workers->lock);
    condition_init(&workers->wake_small);
    condition_init(&workers->wake);
    const uint32_t n = threads < 2 ? 2 : threads > LIMIT_WORKERS ? LIMIT_WORKERS : threads;
    for (uint32_t i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof(name), "brisk-work-%u", i);
        if (thread_start(&workers->threads[i], name, i == 0 ? small_main : any_main, workers,
                         err) != STATUS_OK) {
            workers_destroy(workers);
            return STATUS_ERROR;
        }
        workers->n_threads++;
    }
    *out = workers;
    return STATUS_OK;
}

void workers_destroy(struct workers *workers) {
    if (workers == NULL)
        return;
    lock_take(&workers->lock);
    workers->stopping = true;
    condition_wake_all(&workers->wake_small);
    condition_wake_all(&workers->wake);
    lock_drop(&workers->lock);
    for (uint32_t i = 0; i < workers->n_threads; i++)
        thread_join(workers->threads[i]);
    condition_deinit(&workers->wake);
    condition_deinit(&workers->wake_small);
    lock_deinit(&workers->lock);
    mem_free(workers);
}
