/* The shelf: every model that was asked for, with its state; loads on one thread, lets the least
 * recently used go when memory is short, and holds requests for models that are not there yet.
 * Private to runtime. */
#ifndef BRISK_RUNTIME_SHELF_H
#define BRISK_RUNTIME_SHELF_H

#include "runtime/loaded.h"
#include "runtime/repos.h"
#include "runtime/ticket.h"

enum shelf_state {
    SHELF_LOADABLE,
    SHELF_WAITING, /* in line for the loader */
    SHELF_LOADING,
    SHELF_LOADED,
    SHELF_RETIRING, /* to be unloaded when its last request is done */
    SHELF_FAILED,
};

struct shelf_options {
    const struct repos *repos; /* borrowed, as is the team */
    struct team *team;
    struct precision_choice precision;
    size_t memory_bytes;         /* most for weights and scratch of all models */
    size_t page_bytes;           /* most for keys and values of one model */
    struct packed_cache *packed; /* borrowed; or NULL */
};

struct shelf_view { /* what may be told of a model */
    enum shelf_state state;
    const char *compute_type, *precision; /* static, when LOADED */
    size_t bytes;
    struct error failure; /* when FAILED */
    double estimated_time_s;
};

struct shelf_figures {
    uint64_t loads, load_failures, evictions;
    size_t models, bytes, held;
};

struct shelf;
enum status shelf_create(struct shelf **out, const struct shelf_options *options,
                         struct error *err) MUST_CHECK;
void shelf_destroy(struct shelf *shelf); /* no ticket left; NULL is fine */

/* OK: ticket->entry and ->loaded are referenced. AGAIN: the shelf has the ticket, and dispatches it
 * as READY or FAILED. ERROR: not found, failed before. */
enum status shelf_acquire(struct shelf *shelf, struct brisk_ticket *ticket,
                          struct error *err) MUST_CHECK;
void shelf_release(struct shelf *shelf, struct shelf_entry *entry);
/* A ticket that waits for its model is dispatched as FAILED (cancelled) at once. */
void shelf_cancel(struct shelf *shelf, struct brisk_ticket *ticket);
/* Loads and waits; the progress (may be NULL) is called from the loading thread. */
enum status shelf_load(struct shelf *shelf, const char *id,
                       void (*progress)(void *user, double share), void *user,
                       struct error *err) MUST_CHECK;
/* References the model when it is loaded now; LOADING otherwise. Undone by shelf_release. */
enum status shelf_hold(struct shelf *shelf, const char *id, struct shelf_entry **entry,
                       struct loaded **loaded, struct error *err) MUST_CHECK;
/* What goes on behind the answers (writing the packed cache) is given up: the program ends. */
void shelf_hurry(struct shelf *shelf);
struct shelf_view shelf_view(struct shelf *shelf, const char *id);
struct shelf_figures shelf_figures(struct shelf *shelf);

/* How the model would run: bytes of weights and scratch, parameters and precision. */
enum status shelf_estimate(const struct precision_choice *choice, const struct described *described,
                           uint64_t *parameters, enum precision *precision, size_t *bytes,
                           struct error *err) MUST_CHECK;

#endif
