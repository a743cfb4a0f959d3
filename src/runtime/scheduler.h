/* The scheduler: one thread that owns the compute team and runs every forward pass. It gathers
 * items of different requests into ragged batches, keeps generations going side by side
 * (continuous batching), and shares the time fairly between models and requests. Private to
 * runtime. It sees items only: no JSON, no text but for stop strings. */
#ifndef BRISK_RUNTIME_SCHEDULER_H
#define BRISK_RUNTIME_SCHEDULER_H

#include "runtime/run.h"

struct scheduler;
struct scheduler_figures { /* since the start; read without a lock */
    uint64_t passes, rows, segments, items, generated_tokens;
    uint64_t proposed_tokens, accepted_tokens; /* of speculation */
    uint64_t reused_tokens;                    /* of prompts, read for other texts before */
    double busy_s;
    size_t queued_items;
};

/* The team (borrowed) is bound to its cores by the scheduler's thread. */
enum status scheduler_create(struct scheduler **out, struct team *team,
                             struct error *err) MUST_CHECK;
void scheduler_destroy(struct scheduler *scheduler); /* all runs must have finished */
/* Checks the items against the model's limits and takes the run over. On an error (INPUT,
 * OVERLOADED) nothing was taken. Thread-safe; wakes the thread at once. */
enum status scheduler_submit(struct scheduler *scheduler, struct run *run,
                             struct error *err) MUST_CHECK;
struct scheduler_figures scheduler_figures(const struct scheduler *scheduler);

#endif
