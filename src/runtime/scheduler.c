/* The thread that runs all passes. Requests come in through a locked inbox; everything else is the
 * thread's own and needs no lock. Between two passes it takes in what is new, drops what was
 * cancelled or is late, and gives the next model its turn. It sleeps when there is
 * nothing to run. */
#include "runtime/scheduler.h"

#include "runtime/pass.h"
#include "base/banned.h"

struct scheduler {
    struct thread *thread;
    struct team *team;
    struct lock lock;
    struct condition wake;
    struct run *inbox, **inbox_end; /* guarded by lock; linked by run->next */
    bool stopping;                  /* guarded by lock */

    struct model_queue *ring; /* the thread's own, as all below */
    bool ring_next;           /* whose turn the next one is: the ring's or the oldest request's */
    struct pass pass;

    /* Published to whoever reads figures; relaxed, they order nothing. */
    _Atomic uint64_t passes, rows, segments, items, generated_tokens, busy_ns;
    _Atomic uint64_t proposed_tokens, accepted_tokens, reused_tokens;
    atomic_size_t queued_items;
};

static void count(_Atomic uint64_t *figure, uint64_t n) {
    atomic_fetch_add_explicit(figure, n, memory_order_relaxed);
}

/* ---- taking runs in ---- */

static bool ids_below(const int32_t *ids, uint32_t n, uint32_t limit) {
    for (uint32_t i = 0; i < n; i++) {
        if (ids[i] < 0 || (uint32_t)ids[i] >= limit)
            return false;
    }
    return true;
}

/* `whole`: in one pass, as attention has to see it. Prompts of a stack that generates are read in
 * pieces: only positions limit them. */
static enum status check_text(const struct loaded *loaded, uint32_t stack_index,
                              const int32_t *tokens, uint32_t n, bool whole, struct error *err) {
    const struct stack_spec *stack = &loaded->arch.stacks[stack_index];
    const uint32_t max_rows = whole ? model_max_rows(loaded->model) : UINT32_MAX;
    const uint32_t longest = stack->max_positions > 0 && stack->max_positions < max_rows
                                 ? stack->max_positions
                                 : max_rows;
    if (n == 0)
        return ERR(err, INPUT, "the input has no tokens");
    if (n > longest)
        return ERR(err, INPUT, "the input has %u tokens, the model reads at most %u", n, longest);
    if (!ids_below(tokens, n, stack->vocab_size))
        return ERR(err, MODEL, "the tokenizer makes ids that the model does not have (%u)",
                   stack->vocab_size);
    return STATUS_OK;
}

static enum status check_item(const struct loaded *loaded, const struct item *item,
                              struct error *err) {
    const struct arch *arch = &loaded->arch;
    const bool generates = item->kind == ITEM_GENERATE;
    if (check_text(loaded, ARCH_TEXT_STACK, item->tokens, item->n,
                   arch_has_decoder(arch) || !generates, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct stack_spec *stack = &arch->stacks[ARCH_TEXT_STACK];
    for (uint32_t i = 0; item->types != NULL && i < stack_type_tables(stack); i++) {
        if (!ids_below(item->types + (size_t)i * item->n, item->n, stack_types(stack, i)))
            return ERR(err, MODEL,
                       "the tokenizer makes token types that the model does not have (%u)",
                       stack_types(stack, i));
    }
    if (!arch_has_decoder(arch) || item->decoder_tokens == NULL)
        return STATUS_OK;
    return check_text(loaded, arch->decoder_stack, item->decoder_tokens, item->n_decoder,
                      !generates, err);
}

static enum status make_works(struct run *run, struct error *err) {
    uint32_t n = 0;
    for (const struct item *item = run->items; item != NULL; item = item->next) {
        if (!item->done && check_item(run->loaded, item, err) != STATUS_OK)
            return STATUS_ERROR;
        n += !item->done;
    }
    run->works = arena_zalloc(run->arena, n, sizeof(*run->works));
    run->n_works = run->pending = n;
    run->cursor = 0;
    n = 0;
    for (struct item *item = run->items; item != NULL; item = item->next) {
        if (!item->done)
            run->works[n++] = (struct work){.item = item, .run = run};
    }
    return STATUS_OK;
}

enum status scheduler_submit(struct scheduler *scheduler, struct run *run, struct error *err) {
    if (make_works(run, err) != STATUS_OK)
        return STATUS_ERROR;
    const size_t waiting =
        atomic_fetch_add_explicit(&scheduler->queued_items, run->n_works, memory_order_relaxed);
    if (waiting > 0 && waiting + run->n_works > LIMIT_QUEUED_ITEMS) {
        atomic_fetch_sub_explicit(&scheduler->queued_items, run->n_works, memory_order_relaxed);
        return ERR(err, OVERLOADED, "Service overloaded: %zu texts are waiting, try again later",
                   waiting);
    }
    run->error.code = ERROR_NONE;
    run->next = NULL;
    run->submitted_ns = clock_now_ns();
    if (run->asked_ns == 0)
        run->asked_ns = run->submitted_ns;
    run->started_ns = 0;
    lock_take(&scheduler->lock);
    *scheduler->inbox_end = run;
    scheduler->inbox_end = &run->next;
    condition_wake_one(&scheduler->wake);
    lock_drop(&scheduler->lock);
    return STATUS_OK;
}

static void ring_add(struct scheduler *scheduler, struct model_queue *queue) {
    if (scheduler->ring == NULL) {
        queue->next = queue->prev = queue;
        scheduler->ring = queue;
        return;
    }
    queue->next = scheduler->ring;
    queue->prev = scheduler->ring->prev;
    queue->prev->next = queue;
    queue->next->prev = queue;
}

static void ring_remove(struct scheduler *scheduler, struct model_queue *queue) {
    queue->prev->next = queue->next;
    queue->next->prev = queue->prev;
    if (scheduler->ring == queue)
        scheduler->ring = queue->next == queue ? NULL : queue->next;
    queue->next = queue->prev = NULL;
}

static void run_add(struct model_queue *queue, struct run *run) {
    if (queue->runs == NULL) {
        run->next = run->prev = run;
        queue->runs = run;
        return;
    }
    run->next = queue->runs;
    run->prev = queue->runs->prev;
    run->prev->next = run;
    run->next->prev = run;
}

static void run_remove(struct model_queue *queue, struct run *run) {
    run->prev->next = run->next;
    run->next->prev = run->prev;
    if (queue->runs == run)
        queue->runs = run->next == run ? NULL : run->next;
    run->next = run->prev = NULL;
}

static void take_in(struct scheduler *scheduler, struct run *run) {
    struct loaded *loaded = run->loaded;
    if (loaded->queue == NULL)
        loaded->queue = model_queue_create(loaded);
    struct model_queue *queue = loaded->queue;
    if (run->asked_ns < queue->oldest_ns)
        queue->oldest_ns = run->asked_ns;
    if (queue->runs == NULL)
        ring_add(scheduler, queue);
    run_add(queue, run);
}

/* Waits until there is something to run; false: stop. */
static bool inbox_take(struct scheduler *scheduler) {
    lock_take(&scheduler->lock);
    while (scheduler->inbox == NULL && scheduler->ring == NULL && !scheduler->stopping)
        condition_wait(&scheduler->wake, &scheduler->lock);
    struct run *run = scheduler->inbox;
    scheduler->inbox = NULL;
    scheduler->inbox_end = &scheduler->inbox;
    const bool stop = scheduler->stopping && run == NULL && scheduler->ring == NULL;
    lock_drop(&scheduler->lock);
    while (run != NULL) {
        struct run *next = run->next;
        take_in(scheduler, run);
        run = next;
    }
    return !stop;
}

/* ---- a turn of one model ---- */

/* Runs that nobody waits for any more, or whose time is over. */
static void mark_late(struct model_queue *queue) {
    const uint64_t now = clock_now_ns();
    struct run *run = queue->runs;
    do {
        if (run->error.code == ERROR_NONE) {
            if (atomic_load_explicit(run->cancelled, memory_order_relaxed))
                error_set(&run->error, ERROR_CANCELLED, "the request was cancelled");
            else if (now >= run->deadline_ns)
                error_set(&run->error, ERROR_TIMEOUT, "Model %s time out",
                          queue->loaded->task_model.id);
        }
        if (run->error.code != ERROR_NONE)
            pass_drop(queue, run);
        run = run->next;
    } while (run != queue->runs);
}

/* What the turn has added to the figures of its model. */
static void count_tokens(struct scheduler *scheduler, struct model_queue *queue) {
    struct draft_rows *drafts = &queue->drafts;
    count(&scheduler->proposed_tokens, drafts->proposed);
    count(&scheduler->accepted_tokens, drafts->accepted);
    count(&scheduler->reused_tokens, queue->prefixes.reused);
    drafts->proposed = drafts->accepted = queue->prefixes.reused = 0;
}

static void forward(struct scheduler *scheduler) {
    struct pass *pass = &scheduler->pass;
    if (pass->n_segments == 0)
        return;
    const uint64_t start = clock_now_ns();
    model_forward(pass->queue->loaded->model, pass->stack, pass->segments, pass->n_segments);
    count(&scheduler->busy_ns, clock_now_ns() - start);
    count(&scheduler->passes, 1);
    count(&scheduler->rows, pass->rows);
    count(&scheduler->segments, pass->n_segments);
    count(&scheduler->generated_tokens, pass->decoded);
    count(&scheduler->items, pass_finish(pass));
    count_tokens(scheduler, pass->queue);
}

/* Finished runs go back to their owners. This comes last: an owner may let the model go. */
static void retire(struct scheduler *scheduler, struct model_queue *queue) {
    struct run *finished = NULL, **end = &finished;
    const struct run *tail = queue->runs->prev;
    bool last = false;
    for (struct run *run = queue->runs, *next = NULL; !last; run = next) {
        next = run->next;
        last = run == tail;
        if (run->error.code != ERROR_NONE)
            pass_drop(queue, run);
        if (run->pending == 0) {
            run_remove(queue, run);
            *end = run;
            end = &run->next;
        }
    }
    const struct run *oldest = pass_oldest(queue);
    queue->oldest_ns = oldest == NULL ? UINT64_MAX : oldest->asked_ns;
    if (queue->runs == NULL)
        ring_remove(scheduler, queue);
    while (finished != NULL) {
        struct run *next = finished->next;
        atomic_fetch_sub_explicit(&scheduler->queued_items, finished->n_works,
                                  memory_order_relaxed);
        finished->next = NULL;
        finished->finished(finished);
        finished = next;
    }
}

static void turn(struct scheduler *scheduler, struct model_queue *queue) {
    mark_late(queue);
    pass_gather_text(&scheduler->pass, queue);
    forward(scheduler);
    if (arch_has_decoder(&queue->loaded->arch)) {
        pass_gather_decoder(&scheduler->pass, queue);
        forward(scheduler);
    }
    retire(scheduler, queue);
}

/* Models take turns in a ring, and every second turn goes to the model of the oldest request that
 * waits, once it is old. So a request of many long texts, of which a pass takes one or two, does
 * not wait a round of all models for each of them, and small requests to other models wait no more
 * than twice as long. In one model pass.c does the same. A request that goes through the scheduler
 * several times keeps its age. */
static struct model_queue *next_queue(struct scheduler *scheduler) {
    struct model_queue *queue = scheduler->ring, *oldest = queue;
    scheduler->ring_next = !scheduler->ring_next;
    if (!scheduler->ring_next) {
        for (struct model_queue *at = queue->next; at != queue; at = at->next)
            oldest = at->oldest_ns < oldest->oldest_ns ? at : oldest;
        const uint64_t now = clock_now_ns();
        if (oldest->oldest_ns < now && now - oldest->oldest_ns >= PASS_OLD_NS)
            return oldest;
    }
    scheduler->ring = queue->next;
    return queue;
}

static void scheduler_main(void *arg) {
    struct scheduler *scheduler = arg;
    team_bind(scheduler->team);
    while (inbox_take(scheduler)) {
        if (scheduler->ring != NULL)
            turn(scheduler, next_queue(scheduler));
    }
}

/* ---- making it ---- */

enum status scheduler_create(struct scheduler **out, struct team *team, struct error *err) {
    struct scheduler *scheduler = mem_zalloc(1, sizeof(*scheduler));
    scheduler->team = team;
    lock_init(&scheduler->lock);
    condition_init(&scheduler->wake);
    scheduler->inbox_end = &scheduler->inbox;
    if (thread_start(&scheduler->thread, "brisk-sched", scheduler_main, scheduler, err) !=
        STATUS_OK) {
        scheduler_destroy(scheduler);
        return STATUS_ERROR;
    }
    *out = scheduler;
    return STATUS_OK;
}

void scheduler_destroy(struct scheduler *scheduler) {
    if (scheduler == NULL)
        return;
    lock_take(&scheduler->lock);
    scheduler->stopping = true;
    condition_wake_one(&scheduler->wake);
    lock_drop(&scheduler->lock);
    thread_join(scheduler->thread);
    condition_deinit(&scheduler->wake);
    lock_deinit(&scheduler->lock);
    mem_free(scheduler);
}

struct scheduler_figures scheduler_figures(const struct scheduler *scheduler) {
    return (struct scheduler_figures){
        .passes = atomic_load_explicit(&scheduler->passes, memory_order_relaxed),
        .rows = atomic_load_explicit(&scheduler->rows, memory_order_relaxed),
        .segments = atomic_load_explicit(&scheduler->segments, memory_order_relaxed),
        .items = atomic_load_explicit(&scheduler->items, memory_order_relaxed),
        .generated_tokens =
            atomic_load_explicit(&scheduler->generated_tokens, memory_order_relaxed),
        .proposed_tokens = atomic_load_explicit(&scheduler->proposed_tokens, memory_order_relaxed),
        .accepted_tokens = atomic_load_explicit(&scheduler->accepted_tokens, memory_order_relaxed),
        .reused_tokens = atomic_load_explicit(&scheduler->reused_tokens, memory_order_relaxed),
        .busy_s = (double)atomic_load_explicit(&scheduler->busy_ns, memory_order_relaxed) * 1e-9,
        .queued_items = atomic_load_explicit(&scheduler->queued_items, memory_order_relaxed),
    };
}
