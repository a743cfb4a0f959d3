/* A ticket: one request from brisk_submit to its answer. Private to runtime.
 *
 * It belongs to one thread at a time: the one that submitted it, then a worker, the shelf while
 * its model loads, the scheduler while its items run, and a worker again. Handing it on is the last
 * thing each does with it. Only `cancelled` and `refs` are touched from elsewhere. */
#ifndef BRISK_RUNTIME_TICKET_H
#define BRISK_RUNTIME_TICKET_H

#include "brisk.h"
#include "runtime/run.h"

struct shelf_entry;

enum ticket_stage {
    TICKET_NEW,    /* nothing is known of it but the request */
    TICKET_READY,  /* its model is loaded and referenced */
    TICKET_RAN,    /* its items are done */
    TICKET_FAILED, /* error says why */
};

struct brisk_ticket {
    atomic_uint refs;      /* the runtime's and the caller's; the last one frees */
    atomic_bool cancelled; /* set by brisk_cancel, read by whoever works on it */
    struct brisk *brisk;
    enum ticket_stage stage;
    struct error error;

    char *model, *task, *body; /* task may be NULL */
    size_t body_len;
    bool wait_for_model, no_cache, zero_shot_list;
    bool heavy; /* much to parse and write: workers keep it from the small ones */
    brisk_done done;
    void *user;
    uint64_t taken_ns, deadline_ns;

    struct arena arena; /* of the body */
    const struct json *json;
    char *key; /* of the response cache, or NULL: not to be cached */
    size_t key_len;
    struct shelf_entry *entry; /* referenced while not NULL */
    struct loaded *loaded;     /* of the entry */
    struct job *job;
    struct run run;
    double queue_s, load_s;
    size_t held_bytes; /* of arena and job, as counted in brisk->held_bytes */

    /* While it waits for its model; guarded by the shelf's lock. */
    struct shelf_entry *waits_for;
    uint64_t hold_until_ns, held_since_ns;

    struct brisk_ticket *next, *prev; /* in the queue or among those that wait */

    /* brisk_run: the caller's thread does the worker's part. */
    bool owned;
    struct lock lock;
    struct condition wake;
    bool ready, finished; /* guarded by lock */
};

/* Hands the ticket to a worker, or to the thread in brisk_run. */
void ticket_dispatch(struct brisk_ticket *ticket);
/* Does what its stage asks for and hands it on. */
void ticket_step(struct brisk_ticket *ticket);

#endif
