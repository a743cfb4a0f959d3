/* Watching the connections of suspended requests for clients that leave. Private to server.
 *
 * libmicrohttpd does not look at a suspended connection, so nobody would notice that its client has
 * gone and its model would run for no one. One thread waits here for EPOLLRDHUP on all of them. */
#ifndef BRISK_SERVER_WATCH_H
#define BRISK_SERVER_WATCH_H

#include "runtime/runtime.h"

struct watch;
struct watched { /* guarded by the watch's lock */
    struct brisk_ticket *ticket;
    int fd;
    uint32_t slot, serial;
    bool active;
};

enum status watch_create(struct watch **out, struct error *err) MUST_CHECK;
void watch_destroy(struct watch *watch); /* nothing may be watched any more; NULL is fine */
/* Submits the request and watches its connection, so that neither can overtake the other: `done`
 * must call watch_end first. */
void watch_begin(struct watch *watch, struct watched *watched, int fd, struct brisk *brisk,
                 const struct brisk_request *request, brisk_done done, void *user);
/* Waits until watch_begin is over, stops watching, releases the ticket. */
void watch_end(struct watch *watch, struct watched *watched);
/* Cancels all that is watched. */
void watch_cancel_all(struct watch *watch);

#endif
