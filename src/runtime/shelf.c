/* States of models and who waits for them. The loading thread is in loader.c; both work on the
 * table under one lock.
 *
 * LOADABLE -> WAITING -> LOADING -> LOADED -> (RETIRING ->) LOADABLE, or FAILED. A failure is
 * remembered until the folder changes or some time has passed: a broken model costs one load. */
#include "runtime/shelf_table.h"

#include <string.h>

#include "base/banned.h"

/* A failed load is tried again after so long: what was wrong may not have been the folder. */
#define RETRY_NS (60ull * 1000 * 1000 * 1000)

/* ---- the table ---- */

static uint32_t bucket_of(const char *id) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; id[i] != '\0'; i++)
        hash = (hash ^ (uint8_t)id[i]) * 16777619u;
    return hash % SHELF_BUCKETS;
}

static struct shelf_entry *entry_find(struct shelf *shelf, const char *id) {
    struct shelf_entry *entry = shelf->buckets[bucket_of(id)];
    while (entry != NULL && strcmp(entry->id, id) != 0)
        entry = entry->chain;
    return entry;
}

static struct shelf_entry *entry_make(struct shelf *shelf, const char *id, const char *folder) {
    struct shelf_entry *entry = entry_find(shelf, id);
    if (entry == NULL) {
        entry = mem_zalloc(1, sizeof(*entry));
        entry->id = mem_strdup(id);
        entry->chain = shelf->buckets[bucket_of(id)];
        shelf->buckets[bucket_of(id)] = entry;
    }
    if (entry->folder == NULL || strcmp(entry->folder, folder) != 0) {
        mem_free(entry->folder);
        entry->folder = mem_strdup(folder);
    }
    return entry;
}

static void entry_reference(struct shelf_entry *entry, struct brisk_ticket *ticket) {
    entry->refs++;
    entry->last_used_ns = clock_now_ns();
    ticket->entry = entry;
    ticket->loaded = entry->loaded;
}

/* ---- waiting tickets ---- */

static void held_add(struct shelf *shelf, struct shelf_entry *entry, struct brisk_ticket *ticket) {
    ticket->waits_for = entry;
    ticket->held_since_ns = clock_now_ns();
    ticket->prev = NULL;
    ticket->next = shelf->held;
    if (shelf->held != NULL)
        shelf->held->prev = ticket;
    shelf->held = ticket;
    shelf->n_held++;
    entry->waiting++;
    condition_wake_one(&shelf->hold); /* the clock may have to ring earlier */
}

static void held_remove(struct shelf *shelf, struct brisk_ticket *ticket) {
    if (ticket->prev != NULL)
        ticket->prev->next = ticket->next;
    else
        shelf->held = ticket->next;
    if (ticket->next != NULL)
        ticket->next->prev = ticket->prev;
    ticket->next = ticket->prev = NULL;
    shelf->n_held--;
    ticket->waits_for->waiting--;
    ticket->waits_for = NULL;
    ticket->load_s += clock_seconds_since(ticket->held_since_ns);
}

void shelf_answer_held(struct shelf *shelf, struct shelf_entry *entry,
                       const struct error *failure) {
    struct brisk_ticket *next = NULL;
    for (struct brisk_ticket *ticket = shelf->held; ticket != NULL; ticket = next) {
        next = ticket->next;
        if (ticket->waits_for != entry)
            continue;
        held_remove(shelf, ticket);
        if (failure != NULL) {
            ticket->error = *failure;
            ticket->stage = TICKET_FAILED;
        } else {
            entry_reference(entry, ticket);
            ticket->stage = TICKET_READY;
        }
        ticket_dispatch(ticket);
    }
    for (struct shelf_watcher *watcher = entry->watchers; watcher != NULL;
         watcher = watcher->next) {
        watcher->done = true;
        if (failure != NULL)
            watcher->error = *failure;
    }
    entry->watchers = NULL;
    condition_wake_all(&shelf->changed);
}

double shelf_estimated_s(const struct shelf_entry *entry) {
    double left = entry->estimate_s;
    if (entry->state == SHELF_LOADING)
        left -= clock_seconds_since(entry->load_started_ns);
    return left < 1 ? 1 : left;
}

static enum status patience_over(const struct shelf_entry *entry, const struct brisk_ticket *ticket,
                                 struct error *err) {
    if (ticket->hold_until_ns >= ticket->deadline_ns)
        return ERR(err, TIMEOUT, "Model %s time out", entry->id);
    error_set(err, ERROR_LOADING, "Model %s is currently loading", entry->id);
    err->estimated_time_s = shelf_estimated_s(entry);
    return STATUS_ERROR;
}

/* The clock: answers tickets whose patience is over. */
static uint64_t ring(struct shelf *shelf) {
    const uint64_t now = clock_now_ns();
    uint64_t earliest = UINT64_MAX;
    struct brisk_ticket *next = NULL;
    for (struct brisk_ticket *ticket = shelf->held; ticket != NULL; ticket = next) {
        next = ticket->next;
        if (ticket->hold_until_ns > now) {
            earliest = ticket->hold_until_ns < earliest ? ticket->hold_until_ns : earliest;
            continue;
        }
        patience_over(ticket->waits_for, ticket, &ticket->error);
        held_remove(shelf, ticket);
        ticket->stage = TICKET_FAILED;
        ticket_dispatch(ticket);
    }
    return earliest;
}

static void clock_main(void *arg) {
    struct shelf *shelf = arg;
    lock_take(&shelf->lock);
    while (!shelf->stopping) {
        const uint64_t until = ring(shelf);
        if (until == UINT64_MAX)
            condition_wait(&shelf->hold, &shelf->lock);
        else
            condition_wait_until(&shelf->hold, &shelf->lock, until);
    }
    lock_drop(&shelf->lock);
}

void shelf_cancel(struct shelf *shelf, struct brisk_ticket *ticket) {
    lock_take(&shelf->lock);
    if (ticket->waits_for != NULL) {
        held_remove(shelf, ticket);
        error_set(&ticket->error, ERROR_CANCELLED, "the request was cancelled");
        ticket->stage = TICKET_FAILED;
        ticket_dispatch(ticket);
    }
    lock_drop(&shelf->lock);
}

/* ---- asking for a model ---- */

/* Puts the model in line for the loader unless it is there, or says why it cannot. */
static enum status want(struct shelf *shelf, struct shelf_entry *entry, uint64_t stamp,
                        struct error *err) {
    if (entry->state == SHELF_FAILED) {
        const bool again =
            stamp != entry->stamp || clock_now_ns() - entry->load_started_ns > RETRY_NS;
        if (!again) {
            *err = entry->failure;
            return STATUS_ERROR;
        }
        entry->state = SHELF_LOADABLE;
    }
    entry->asked_ns = clock_now_ns();
    if (entry->state == SHELF_LOADABLE) {
        entry->state = SHELF_WAITING;
        entry->estimate_s = 0.5 + (double)repos_weight_bytes(entry->folder) / 300e6;
        shelf_queue(shelf, entry);
    }
    return STATUS_OK;
}

/* The entry for a model that is not loaded; NULL: err says why there is none. Takes the lock,
 * and leaves it taken on success. */
static struct shelf_entry *seek(struct shelf *shelf, const char *id, struct error *err) {
    struct arena arena = {0};
    char *folder = NULL;
    struct shelf_entry *entry = NULL;
    if (repos_find(shelf->options.repos, id, true, &arena, &folder, err) != STATUS_OK)
        goto out;
    const uint64_t stamp = repos_stamp(shelf->options.repos, folder);
    lock_take(&shelf->lock);
    entry = entry_make(shelf, id, folder);
    if (entry->state != SHELF_LOADED && want(shelf, entry, stamp, err) != STATUS_OK) {
        lock_drop(&shelf->lock);
        entry = NULL;
    }
out:
    arena_deinit(&arena);
    return entry;
}

enum status shelf_acquire(struct shelf *shelf, struct brisk_ticket *ticket, struct error *err) {
    lock_take(&shelf->lock);
    struct shelf_entry *entry = entry_find(shelf, ticket->model);
    if (entry == NULL || entry->state != SHELF_LOADED) {
        lock_drop(&shelf->lock);
        entry = seek(shelf, ticket->model, err);
        if (entry == NULL)
            return STATUS_ERROR;
    }
    enum status status = STATUS_OK;
    if (entry->state == SHELF_LOADED) {
        entry_reference(entry, ticket);
    } else if (atomic_load(&ticket->cancelled)) {
        status = ERR(err, CANCELLED, "the request was cancelled");
    } else if (ticket->hold_until_ns <= clock_now_ns()) {
        status = patience_over(entry, ticket, err); /* it is loaded nevertheless, for the next */
    } else {
        held_add(shelf, entry, ticket);
        status = STATUS_AGAIN;
    }
    lock_drop(&shelf->lock);
    return status;
}

void shelf_release(struct shelf *shelf, struct shelf_entry *entry) {
    lock_take(&shelf->lock);
    ASSERT(entry->refs > 0);
    entry->refs--;
    if (entry->refs == 0)
        condition_wake_all(&shelf->changed);
    if (shelf->kept != NULL)
        condition_wake_one(&shelf->keep);
    lock_drop(&shelf->lock);
}

enum status shelf_load(struct shelf *shelf, const char *id,
                       void (*progress)(void *user, double share), void *user, struct error *err) {
    struct shelf_watcher watcher = {.progress = progress, .user = user};
    struct shelf_entry *entry = seek(shelf, id, err);
    if (entry == NULL)
        return STATUS_ERROR;
    if (entry->state != SHELF_LOADED) {
        watcher.next = entry->watchers;
        entry->watchers = &watcher;
        while (!watcher.done)
            condition_wait(&shelf->changed, &shelf->lock);
    }
    lock_drop(&shelf->lock);
    if (watcher.error.code == ERROR_NONE)
        return STATUS_OK;
    *err = watcher.error;
    return STATUS_ERROR;
}

enum status shelf_hold(struct shelf *shelf, const char *id, struct shelf_entry **entry,
                       struct loaded **loaded, struct error *err) {
    enum status status = STATUS_OK;
    lock_take(&shelf->lock);
    struct shelf_entry *found = entry_find(shelf, id);
    if (found != NULL && found->state == SHELF_LOADED) {
        found->refs++;
        found->last_used_ns = clock_now_ns();
        *entry = found;
        *loaded = found->loaded;
    } else {
        status = ERR(err, LOADING, "Model %s is not loaded", id);
    }
    lock_drop(&shelf->lock);
    return status;
}

void shelf_hurry(struct shelf *shelf) {
    lock_take(&shelf->lock);
    keeper_hurry(shelf);
    lock_drop(&shelf->lock);
}

struct shelf_view shelf_view(struct shelf *shelf, const char *id) {
    struct shelf_view view = {.state = SHELF_LOADABLE};
    lock_take(&shelf->lock);
    const struct shelf_entry *entry = entry_find(shelf, id);
    if (entry != NULL) {
        view.state = entry->state;
        view.failure = entry->failure;
        view.estimated_time_s = shelf_estimated_s(entry);
        if (entry->loaded != NULL) {
            view.compute_type = entry->loaded->compute_type;
            view.precision = precision_name(model_precision(entry->loaded->model));
            view.bytes = entry->loaded->bytes;
        }
    }
    lock_drop(&shelf->lock);
    return view;
}

struct shelf_figures shelf_figures(struct shelf *shelf) {
    lock_take(&shelf->lock);
    struct shelf_figures figures = shelf->figures;
    figures.held = shelf->n_held;
    lock_drop(&shelf->lock);
    return figures;
}

/* ---- making it ---- */

enum status shelf_create(struct shelf **out, const struct shelf_options *options,
                         struct error *err) {
    struct shelf *shelf = mem_zalloc(1, sizeof(*shelf));
    shelf->options = *options;
    shelf->queue_end = &shelf->queue;
    lock_init(&shelf->lock);
    condition_init(&shelf->hold);
    condition_init(&shelf->changed);
    condition_init(&shelf->work);
    condition_init(&shelf->keep);
    shelf->kept_end = &shelf->kept;
    if (team_create(&shelf->load_team, team_threads(options->team), err) != STATUS_OK ||
        thread_start(&shelf->clock, "brisk-clock", clock_main, shelf, err) != STATUS_OK ||
        thread_start(&shelf->loader, "brisk-load", loader_main, shelf, err) != STATUS_OK ||
        thread_start(&shelf->keeper, "brisk-keep", keeper_main, shelf, err) != STATUS_OK) {
        shelf_destroy(shelf);
        return STATUS_ERROR;
    }
    *out = shelf;
    return STATUS_OK;
}

void shelf_destroy(struct shelf *shelf) {
    if (shelf == NULL)
        return;
    lock_take(&shelf->lock);
    shelf->stopping = true;
    if (shelf->kept != NULL && model_is_from_cache(shelf->kept->loaded->model))
        atomic_store(&shelf->keep_stop, true); /* a move is no use any more, a file is */
    condition_wake_all(&shelf->hold);
    condition_wake_all(&shelf->work);
    condition_wake_all(&shelf->changed);
    condition_wake_all(&shelf->keep);
    lock_drop(&shelf->lock);
    thread_join(shelf->clock);
    thread_join(shelf->loader);
    thread_join(shelf->keeper);
    for (size_t i = 0; i < SHELF_BUCKETS; i++) {
        struct shelf_entry *next = NULL;
        for (struct shelf_entry *entry = shelf->buckets[i]; entry != NULL; entry = next) {
            next = entry->chain;
            loaded_destroy(entry->loaded);
            mem_free(entry->id);
            mem_free(entry->folder);
            mem_free(entry);
        }
    }
    team_destroy(shelf->load_team);
    condition_deinit(&shelf->keep);
    condition_deinit(&shelf->work);
    condition_deinit(&shelf->changed);
    condition_deinit(&shelf->hold);
    lock_deinit(&shelf->lock);
    mem_free(shelf);
}
