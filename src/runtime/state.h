/* struct brisk: what the parts of a runtime share. Private to runtime; callers see include/brisk.h
 * only. */
#ifndef BRISK_RUNTIME_STATE_H
#define BRISK_RUNTIME_STATE_H

#include "runtime/runtime.h"
#include "runtime/answers.h"
#include "runtime/figures.h"
#include "runtime/scheduler.h"
#include "runtime/shelf.h"
#include "runtime/workers.h"

struct brisk {
    struct repos repos;
    struct precision_choice precision;
    struct team *team;
    struct scheduler *scheduler;
    struct shelf *shelf;
    struct packed_cache *packed; /* or NULL */
    struct workers *workers;
    struct answers *answers;
    struct figures figures;
    size_t memory_bytes;
    size_t held_limit; /* of held_bytes, while others are on their way */
    double load_wait_s;
    bool speculate; /* generations propose tokens */
    bool reuse;     /* prompts are read from where they differ from earlier texts */

    struct lock lock;
    struct condition idle; /* active is 0 */
    size_t active;         /* tickets on their way; guarded by lock, as all below */
    size_t body_bytes;     /* of their bodies */
    size_t held_bytes;     /* of the trees of their bodies, and of their jobs */
    bool draining;
    uint64_t started_ns;
};

/* Fills in an answer that is a JSON text made by the caller (moved out of buf). */
void answer_from_buf(struct brisk_answer *answer, struct buf *buf);
/* {"error": text}, with "estimated_time" where the error has one. */
void answer_from_error(struct brisk_answer *answer, const struct error *err);

#endif
