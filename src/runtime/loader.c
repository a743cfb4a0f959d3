/* The loading thread: takes models out of the line one at a time, makes room for each by letting
 * others go, loads it with the lock dropped, and tells those who wait. Models in use are never
 * taken away: they are marked, take no new requests, and go when their last one is done. */
#include "runtime/shelf_table.h"

#include "base/banned.h"

/* A model that was asked for is worth loading so long after its last request gave up. */
#define WANTED_NS (60ull * 1000 * 1000 * 1000)

void shelf_queue(struct shelf *shelf, struct shelf_entry *entry) {
    entry->queued = NULL;
    *shelf->queue_end = entry;
    shelf->queue_end = &entry->queued;
    condition_wake_one(&shelf->work);
}

static struct shelf_entry *line_pop(struct shelf *shelf) {
    struct shelf_entry *entry = shelf->queue;
    shelf->queue = entry->queued;
    if (shelf->queue == NULL)
        shelf->queue_end = &shelf->queue;
    entry->queued = NULL;
    return entry;
}

static size_t megabytes(size_t bytes) {
    return bytes / (size_t)MiB;
}

static bool waited_for(const struct shelf_entry *entry) {
    return entry->waiting > 0 || entry->watchers != NULL;
}

/* Somebody waits for it, or asked not long ago and is likely to ask again. */
static bool wanted(const struct shelf_entry *entry) {
    return waited_for(entry) || clock_now_ns() - entry->asked_ns < WANTED_NS;
}

/* ---- making room ---- */

/* The least recently used model in this state that has no requests (or any, if busy). */
static struct shelf_entry *oldest(struct shelf *shelf, enum shelf_state state, bool busy) {
    struct shelf_entry *found = NULL;
    for (size_t i = 0; i < SHELF_BUCKETS; i++) {
        for (struct shelf_entry *entry = shelf->buckets[i]; entry != NULL; entry = entry->chain) {
            if (entry->state == state && (busy || entry->refs == 0) &&
                (found == NULL || entry->last_used_ns < found->last_used_ns))
                found = entry;
        }
    }
    return found;
}

/* Drops the lock while memory goes back. */
static void unload(struct shelf *shelf, struct shelf_entry *entry) {
    struct loaded *loaded = entry->loaded;
    entry->loaded = NULL;
    entry->state = SHELF_LOADABLE;
    shelf->figures.evictions++;
    shelf->figures.models--;
    shelf->figures.bytes -= loaded->bytes;
    if (waited_for(entry)) {
        entry->state = SHELF_WAITING;
        shelf_queue(shelf, entry);
    }
    log_info("unloading %s to make room (%zu MB)", entry->id, megabytes(loaded->bytes));
    lock_drop(&shelf->lock);
    loaded_destroy(loaded);
    lock_take(&shelf->lock);
}

static void retire(struct shelf *shelf, struct shelf_entry *entry) {
    entry->state = SHELF_RETIRING;
    keeper_let_go(shelf, entry);
}

/* OK: there is room for so many bytes. AGAIN: nobody waits for the entry any more. */
static enum status make_room(struct shelf *shelf, struct shelf_entry *entry, size_t bytes,
                             struct error *err) {
    const size_t limit = shelf->options.memory_bytes;
    if (bytes > limit)
        return ERR(err, MEMORY,
                   "Model %s needs about %zu MB, the limit for models is %zu MB: raise --memory or "
                   "choose a smaller --precision",
                   entry->id, megabytes(bytes) + 1, megabytes(limit));
    while (shelf->figures.bytes + bytes > limit) {
        if (shelf->stopping || !wanted(entry))
            return STATUS_AGAIN;
        struct shelf_entry *idle = oldest(shelf, SHELF_RETIRING, false);
        if (idle == NULL)
            idle = oldest(shelf, SHELF_LOADED, false);
        if (idle != NULL) {
            unload(shelf, idle);
            continue;
        }
        struct shelf_entry *busy = oldest(shelf, SHELF_LOADED, true);
        if (busy != NULL && oldest(shelf, SHELF_RETIRING, true) == NULL)
            retire(shelf, busy);
        condition_wait(&shelf->changed, &shelf->lock);
    }
    return STATUS_OK;
}

/* Models marked to go that are no longer needed to: the room was found without them. */
static void keep_the_rest(struct shelf *shelf) {
    for (size_t i = 0; i < SHELF_BUCKETS; i++) {
        for (struct shelf_entry *entry = shelf->buckets[i]; entry != NULL; entry = entry->chain) {
            if (entry->state != SHELF_RETIRING)
                continue;
            entry->state = SHELF_LOADED;
            shelf_answer_held(shelf, entry, NULL);
        }
    }
}

/* ---- loading ---- */

enum status shelf_estimate(const struct precision_choice *choice, const struct described *described,
                           uint64_t *parameters, enum precision *precision, size_t *bytes,
                           struct error *err) {
    struct checkpoint *checkpoint = NULL;
    if (checkpoint_open_repository(&checkpoint, &described->repository, err) != STATUS_OK)
        return STATUS_ERROR;
    *parameters = checkpoint_parameters(checkpoint);
    checkpoint_close(checkpoint);
    *precision = precision_for(choice, *parameters);
    *bytes = model_estimate_bytes(&described->arch, *precision);
    return STATUS_OK;
}

static enum status estimate_folder(const struct shelf *shelf, const char *folder, size_t *bytes,
                                   struct error *err) {
    struct described described;
    if (described_open(&described, folder, shelf->options.repos, err) != STATUS_OK)
        return STATUS_ERROR;
    uint64_t parameters = 0;
    enum precision precision = PRECISION_FP32;
    const enum status status =
        shelf_estimate(&shelf->options.precision, &described, &parameters, &precision, bytes, err);
    described_close(&described);
    return status;
}

struct progress {
    struct shelf *shelf;
    struct shelf_entry *entry;
};

/* From the load, on this thread, with the lock dropped. */
static void progress_told(void *user, double share) {
    struct progress *progress = user;
    lock_take(&progress->shelf->lock);
    for (struct shelf_watcher *watcher = progress->entry->watchers; watcher != NULL;
         watcher = watcher->next) {
        if (watcher->progress != NULL)
            watcher->progress(watcher->user, share);
    }
    lock_drop(&progress->shelf->lock);
}

static void load_ended(struct shelf *shelf, struct shelf_entry *entry, struct loaded *loaded,
                       const struct error *err) {
    if (loaded != NULL) {
        entry->loaded = loaded;
        entry->state = SHELF_LOADED;
        entry->last_used_ns = entry->loaded_ns = clock_now_ns();
        shelf->figures.loads++;
        shelf->figures.models++;
        shelf->figures.bytes += loaded->bytes;
        log_info("loaded %s: %s, %s, %zu MB in %.2f s%s", entry->id, loaded->arch.family,
                 precision_name(model_precision(loaded->model)), megabytes(loaded->bytes),
                 clock_seconds_since(entry->load_started_ns),
                 model_is_from_cache(loaded->model) ? ", from the packed cache" : "");
        if (shelf->options.packed != NULL)
            keeper_add(shelf, entry);
        shelf_answer_held(shelf, entry, NULL);
        return;
    }
    entry->state = SHELF_FAILED;
    entry->failure = *err;
    shelf->figures.load_failures++;
    log_error("model %s could not be loaded: %s", entry->id, err->text);
    shelf_answer_held(shelf, entry, err);
}

/* With the lock taken, which it drops while it works. */
static void load_one(struct shelf *shelf, struct shelf_entry *entry) {
    struct error err = {0};
    struct loaded *loaded = NULL;
    struct progress progress = {.shelf = shelf, .entry = entry};
    struct arena arena = {0};
    const struct load load = {
        .id = entry->id,
        .folder = arena_printf(&arena, "%s", entry->folder),
        .repos = shelf->options.repos,
        .precision = shelf->options.precision,
        .team = shelf->options.team,
        .load_team = shelf->load_team,
        .page_bytes = shelf->options.page_bytes,
        .packed = shelf->options.packed,
        .progress = progress_told,
        .user = &progress,
    };
    entry->state = SHELF_LOADING;
    entry->load_started_ns = clock_now_ns();
    lock_drop(&shelf->lock);
    const uint64_t stamp = repos_stamp(load.repos, load.folder);
    size_t bytes = 0;
    enum status status = estimate_folder(shelf, load.folder, &bytes, &err);
    lock_take(&shelf->lock);
    entry->stamp = stamp;
    if (status == STATUS_OK)
        status = make_room(shelf, entry, bytes, &err);
    if (status == STATUS_OK) {
        lock_drop(&shelf->lock);
        status = loaded_create(&loaded, &load, &err);
        lock_take(&shelf->lock);
    }
    if (loaded != NULL)
        loaded->stamp = stamp;
    keep_the_rest(shelf);
    if (status == STATUS_AGAIN)
        entry->state = SHELF_LOADABLE;
    else
        load_ended(shelf, entry, loaded, &err);
    arena_deinit(&arena);
}

void loader_main(void *arg) {
    struct shelf *shelf = arg;
    lock_take(&shelf->lock);
    while (!shelf->stopping) {
        if (shelf->queue == NULL) {
            condition_wait(&shelf->work, &shelf->lock);
            continue;
        }
        struct shelf_entry *entry = line_pop(shelf);
        if (wanted(entry))
            load_one(shelf, entry);
        else
            entry->state = SHELF_LOADABLE;
    }
    lock_drop(&shelf->lock);
}
