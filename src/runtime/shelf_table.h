/* What shelf.c and loader.c share: the table of models under its lock. Private to the two;
 * everybody else goes through shelf.h. */
#ifndef BRISK_RUNTIME_SHELF_TABLE_H
#define BRISK_RUNTIME_SHELF_TABLE_H

#include "runtime/shelf.h"

#define SHELF_BUCKETS 256

/* Somebody in shelf_load; lives on that thread's stack. Guarded by the shelf's lock. */
struct shelf_watcher {
    void (*progress)(void *user, double share);
    void *user;
    bool done;
    struct error error;
    struct shelf_watcher *next;
};

struct shelf_entry { /* guarded by the shelf's lock */
    char *id, *folder;
    enum shelf_state state;
    struct loaded *loaded; /* when LOADED or RETIRING */
    uint32_t refs;         /* tickets that use it, and the keeper */
    uint32_t waiting;      /* tickets held for it */
    uint64_t last_used_ns, load_started_ns, loaded_ns;
    uint64_t asked_ns;    /* the last request for it that found it not loaded */
    double estimate_s;    /* how long a load should take */
    uint64_t stamp;       /* of the folder when loading began */
    struct error failure; /* when FAILED */
    struct shelf_watcher *watchers;
    struct shelf_entry *chain;  /* in the bucket */
    struct shelf_entry *queued; /* behind this one in the loader's line */
    struct shelf_entry *kept;   /* behind this one in the keeper's */
};

struct shelf {
    struct shelf_options options;
    struct team *load_team; /* packs weights; passes go on beside it on the other team */
    struct thread *clock, *loader, *keeper;
    struct lock lock;         /* guards all below */
    struct condition hold;    /* the clock waits here */
    struct condition work;    /* the loader waits here */
    struct condition changed; /* a load has ended, a model is no longer in use */
    struct condition keep;    /* the keeper waits here */
    bool stopping;
    struct shelf_entry *buckets[SHELF_BUCKETS];
    struct shelf_entry *queue, **queue_end; /* models to be loaded */
    struct shelf_entry *kept, **kept_end;   /* models to be settled; the keeper is at the first */
    atomic_bool keep_stop;                  /* tells the keeper's work to end; publishes nothing */
    bool hurry;                             /* nothing more is to be settled */
    struct brisk_ticket *held;
    size_t n_held;
    struct shelf_figures figures; /* models and bytes: those loaded */
};

/* All of these are called with the lock taken. */
void shelf_queue(struct shelf *shelf, struct shelf_entry *entry);
/* The tickets held for the entry go on: READY, or FAILED when failure is not NULL. */
void shelf_answer_held(struct shelf *shelf, struct shelf_entry *entry, const struct error *failure);
double shelf_estimated_s(const struct shelf_entry *entry);

void loader_main(void *shelf);

/* keeper.c; with the lock taken. A model just loaded is settled later. */
void keeper_add(struct shelf *shelf, struct shelf_entry *entry);
/* The entry must go: its settling, if it goes on, ends early. */
void keeper_let_go(struct shelf *shelf, const struct shelf_entry *entry);
void keeper_hurry(struct shelf *shelf); /* the program ends: what is unsettled stays so */
void keeper_main(void *shelf);

#endif
