/* One epoll set and a table of slots. An event names slot and serial, never a pointer: the request
 * may have been answered, and its memory be gone, between the event and our looking at it. */
#include "server/watch.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/banned.h"

#define EVENTS_AT_ONCE 64

struct watch {
    struct thread *thread;
    int epoll, stop; /* stop: an eventfd */
    struct lock lock;
    struct watched **slots; /* [n_slots], NULL: free; guarded by lock, as all below */
    uint32_t *free_slots;   /* [n_free] stack of free ones */
    size_t n_slots, slots_cap, n_free, free_cap;
    uint32_t serial;
};

static void client_left(struct watch *watch, uint64_t name) {
    const uint32_t slot = (uint32_t)name, serial = (uint32_t)(name >> 32);
    lock_take(&watch->lock);
    const struct watched *watched = slot < watch->n_slots ? watch->slots[slot] : NULL;
    if (watched != NULL && watched->serial == serial)
        brisk_cancel(watched->ticket);
    lock_drop(&watch->lock);
}

static void watch_main(void *arg) {
    struct watch *watch = arg;
    for (;;) {
        struct epoll_event events[EVENTS_AT_ONCE];
        const int n = epoll_wait(watch->epoll, events, EVENTS_AT_ONCE, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == UINT64_MAX)
                return;
            client_left(watch, events[i].data.u64);
        }
    }
}

static uint32_t slot_take(struct watch *watch, struct watched *watched) {
    if (watch->n_free == 0) {
        watch->slots =
            mem_grow(watch->slots, &watch->slots_cap, watch->n_slots + 1, sizeof(*watch->slots));
        watch->slots[watch->n_slots] = watched;
        return (uint32_t)watch->n_slots++;
    }
    const uint32_t slot = watch->free_slots[--watch->n_free];
    watch->slots[slot] = watched;
    return slot;
}

static void slot_give(struct watch *watch, uint32_t slot) {
    watch->slots[slot] = NULL;
    watch->free_slots = mem_grow(watch->free_slots, &watch->free_cap, watch->n_free + 1,
                                 sizeof(*watch->free_slots));
    watch->free_slots[watch->n_free++] = slot;
}

void watch_begin(struct watch *watch, struct watched *watched, int fd, struct brisk *brisk,
                 const struct brisk_request *request, brisk_done done, void *user) {
    lock_take(&watch->lock);
    watched->fd = fd;
    watched->serial = watch->serial++ & 0x7fffffff; /* never the name of `stop` */
    watched->slot = slot_take(watch, watched);
    watched->active = true;
    brisk_submit(brisk, request, done, user, &watched->ticket);
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT,
                                .data.u64 = (uint64_t)watched->serial << 32 | watched->slot};
    /* If it cannot be watched it runs to its end, which is all that is lost. */
    if (epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        watched->fd = -1;
    lock_drop(&watch->lock);
}

void watch_end(struct watch *watch, struct watched *watched) {
    lock_take(&watch->lock);
    if (watched->active) {
        if (watched->fd >= 0)
            epoll_ctl(watch->epoll, EPOLL_CTL_DEL, watched->fd, NULL);
        slot_give(watch, watched->slot);
        watched->active = false;
        brisk_ticket_release(watched->ticket);
    }
    lock_drop(&watch->lock);
}

void watch_cancel_all(struct watch *watch) {
    lock_take(&watch->lock);
    for (size_t i = 0; i < watch->n_slots; i++) {
        if (watch->slots[i] != NULL)
            brisk_cancel(watch->slots[i]->ticket);
    }
    lock_drop(&watch->lock);
}

enum status watch_create(struct watch **out, struct error *err) {
    struct watch *watch = mem_zalloc(1, sizeof(*watch));
    lock_init(&watch->lock);
    watch->epoll = epoll_create1(EPOLL_CLOEXEC);
    watch->stop = eventfd(0, EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT64_MAX};
    if (watch->epoll < 0 || watch->stop < 0 ||
        epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watch->stop, &event) != 0) {
        watch_destroy(watch);
        return ERR(err, IO, "no file descriptors left to watch connections: raise `ulimit -n`");
    }
    if (thread_start(&watch->thread, "brisk-watch", watch_main, watch, err) != STATUS_OK) {
        watch_destroy(watch);
        return STATUS_ERROR;
    }
    *out = watch;
    return STATUS_OK;
}

void watch_destroy(struct watch *watch) {
    if (watch == NULL)
        return;
    if (watch->thread != NULL) {
        eventfd_write(watch->stop, 1);
        thread_join(watch->thread);
    }
    if (watch->stop >= 0)
        close(watch->stop);
    if (watch->epoll >= 0)
        close(watch->epoll);
    mem_free(watch->slots);
    mem_free(watch->free_slots);
    lock_deinit(&watch->lock);
    mem_free(watch);
}
