/* A run: items of one request on their way through the scheduler. Private to runtime.
 *
 * The owner fills in the first part and hands the run over with scheduler_submit; until `finished`
 * is called everything in it, the items and the arena belong to the scheduler's thread. */
#ifndef BRISK_RUNTIME_RUN_H
#define BRISK_RUNTIME_RUN_H

#include "runtime/loaded.h"

enum work_phase {
    WORK_NEW,        /* nothing has run */
    WORK_GENERATING, /* has a generation */
    WORK_DECODING,   /* the first stack has run, the decoder is to follow */
    WORK_DONE,
};

/* One item of a run. */
struct work {
    struct item *item;
    struct run *run;
    enum work_phase phase;
    struct generation *generation;
    struct memory *memory;    /* what cross-attention reads, or NULL */
    uint32_t width;           /* most segments of a step */
    uint32_t skipped;         /* passes that had no room for it */
    struct work *next, *prev; /* among the active ones of the model */
};

struct run {
    struct loaded *loaded; /* referenced by the owner */
    struct arena *arena;   /* outputs of generations are copied into it */
    struct item *items;    /* the list; those not done are run */
    uint64_t asked_ns;     /* when its request came: the oldest is favoured; 0: now */
    uint64_t deadline_ns;
    bool speculate;                    /* its generations propose tokens: the same texts, sooner */
    bool reuse;                        /* they take over what other texts have read, and lend it */
    const atomic_bool *cancelled;      /* set by anyone, seen before the next step */
    void (*finished)(struct run *run); /* called from the scheduler's thread, last thing it does */
    struct error error;                /* code NONE: all items are done */
    uint64_t submitted_ns, started_ns; /* started: the first pass; 0: none */

    struct work *works;        /* [n_works] in the arena */
    uint32_t n_works, pending; /* pending: not done */
    uint32_t cursor;           /* works before it are not NEW */
    struct run *next, *prev;   /* in the ring of the model, or the inbox (next) */
};

#endif
