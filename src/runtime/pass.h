/* One forward pass in the making, and the works of one model that wait for it. Private to the
 * scheduler (scheduler.c decides whose turn it is, pass.c what goes into the batch). */
#ifndef BRISK_RUNTIME_PASS_H
#define BRISK_RUNTIME_PASS_H

#include "runtime/prefixes.h"
#include "runtime/run.h"

/* What the scheduler keeps of one model. Owned by the scheduler's thread; freed with the model. */
struct model_queue {
    struct loaded *loaded;
    struct run *runs;      /* ring; the next one whose turn it is */
    struct work *active;   /* list: works that have begun and go on */
    uint64_t oldest_ns;    /* when the oldest request that waits here was asked; UINT64_MAX: none */
    uint32_t active_width; /* segments a step of the active ones may need */
    bool pages_tight;      /* a generation found no room: none begins until one ends */
    struct draft_rows drafts;        /* of the generations; n 0: of a model that writes no texts */
    struct prefixes prefixes;        /* of texts that are done, where the model lets them be used */
    struct model_queue *next, *prev; /* ring of models with runs */
};

struct pass {
    struct model_queue *queue;
    uint32_t stack;
    uint32_t rows, row_limit;
    uint32_t taken, taken_width; /* texts that a decoder is to follow, and its segments a step */
    uint32_t n_segments, n_works;
    uint32_t decoded; /* segments that are one step of a generation */
    struct segment segments[LIMIT_BATCH_SEQS];
    struct work *works[LIMIT_BATCH_SEQS];
};

/* A request that has waited so long is old: it comes before those that are younger, with half of
 * what there is. */
#define PASS_OLD_NS (1000ull * 1000 * 1000)

struct model_queue *model_queue_create(struct loaded *loaded);
void model_queue_destroy(struct model_queue *queue); /* before its model; NULL is fine */
/* The run of the oldest request that has something which has not begun, or NULL. */
struct run *pass_oldest(const struct model_queue *queue);
/* Gathers what can run on the model's first stack: a text that was skipped too often, steps of
 * generations, chunks of prompts, then new items: half for the oldest request once it is old, the
 * rest one a request in turn. */
void pass_gather_text(struct pass *pass, struct model_queue *queue);
/* The same for the decoder of a model that has one. */
void pass_gather_decoder(struct pass *pass, struct model_queue *queue);
/* After the forward pass: every work of it goes to its next phase. Returns how many are done. */
uint32_t pass_finish(struct pass *pass);
/* beginnings.c: finds, for a prompt that is about to be read, the text with which it has most tokens
 * in common among those that are kept and those that run, and sets input->known, n_known. */
void beginning_find(struct model_queue *queue, const struct work *work,
                    struct generation_input *input);
/* Whether another text is about to read more of this work's prompt than anyone has: both are done
 * sooner when the work begins behind it. */
bool beginning_is_being_read(const struct model_queue *queue, const struct work *work);
/* What a finished text has read stays for a while, for those that begin as it does. */
void beginning_keep(struct model_queue *queue, struct work *work);
/* Drops all that the run's works hold; the run then is finished with its error. */
void pass_drop(struct model_queue *queue, struct run *run);

#endif
