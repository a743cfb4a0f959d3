/* The keeping thread: what a load leaves for later (model_settle), done when it disturbs least:
 * once the first answer is out, or a second after loading, and at the lowest priority. It holds a
 * reference to the model meanwhile; a model that has to make room is let go at once. */
#include "runtime/shelf_table.h"

#include "base/banned.h"

/* Whoever asked for the model has had his answer by then, or it takes long anyway. */
#define PATIENCE_NS (1000ull * 1000 * 1000)

void keeper_add(struct shelf *shelf, struct shelf_entry *entry) {
    entry->refs++;
    entry->kept = NULL;
    *shelf->kept_end = entry;
    shelf->kept_end = &entry->kept;
    condition_wake_one(&shelf->keep);
}

void keeper_let_go(struct shelf *shelf, const struct shelf_entry *entry) {
    if (entry == shelf->kept)
        atomic_store(&shelf->keep_stop, true);
    condition_wake_one(&shelf->keep);
}

void keeper_hurry(struct shelf *shelf) {
    shelf->hurry = true;
    atomic_store(&shelf->keep_stop, true);
    condition_wake_one(&shelf->keep);
}

/* Nobody uses it now, but somebody has; or nobody can be waited for. */
static bool may_start(const struct shelf *shelf, const struct shelf_entry *entry) {
    return shelf->stopping || shelf->hurry || entry->state != SHELF_LOADED ||
           (entry->refs == 1 && entry->last_used_ns > entry->loaded_ns);
}

static void keep(struct shelf *shelf, struct shelf_entry *entry) {
    const uint64_t until = entry->loaded_ns + PATIENCE_NS;
    while (!may_start(shelf, entry) && condition_wait_until(&shelf->keep, &shelf->lock, until))
        ;
    struct model *model = entry->loaded->model;
    /* To write is worth while even at the end; to move what is mapped is not. */
    const bool wanted = entry->state == SHELF_LOADED && !shelf->hurry &&
                        !(shelf->stopping && model_is_from_cache(model));
    if (wanted) {
        lock_drop(&shelf->lock);
        model_settle(model, &shelf->keep_stop);
        lock_take(&shelf->lock);
    }
    shelf->kept = entry->kept;
    if (shelf->kept == NULL)
        shelf->kept_end = &shelf->kept;
    atomic_store(&shelf->keep_stop, shelf->hurry);
    entry->refs--;
    condition_wake_all(&shelf->changed);
}

void keeper_main(void *arg) {
    struct shelf *shelf = arg;
    thread_yield_to_others();
    lock_take(&shelf->lock);
    while (shelf->kept != NULL || !shelf->stopping) {
        if (shelf->kept != NULL)
            keep(shelf, shelf->kept);
        else
            condition_wait(&shelf->keep, &shelf->lock);
    }
    lock_drop(&shelf->lock);
}
