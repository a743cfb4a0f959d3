/* What workers do for a request: parse, look into the response cache, ask for the model, let the
 * task make items, see them run, write the answer. Every step ends with handing the ticket on. */
#include "runtime/ticket.h"

#include <string.h>

#include "runtime/body.h"
#include "runtime/state.h"
#include "base/banned.h"

/* A body of so many bytes is kept from the worker that serves small requests: some milliseconds to
 * tokenize. */
#define HEAVY_BODY_BYTES (16 * KiB)

static void finish(struct brisk_ticket *ticket, struct brisk_answer *answer);

/* ---- making and freeing ---- */

static void ticket_unref(struct brisk_ticket *ticket) {
    /* acquire-release: the last one sees all that others wrote before they let go */
    if (atomic_fetch_sub_explicit(&ticket->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (ticket->owned) {
        condition_deinit(&ticket->wake);
        lock_deinit(&ticket->lock);
    }
    mem_free(ticket->key);
    arena_deinit(&ticket->arena);
    mem_free(ticket->model);
    mem_free(ticket->task);
    mem_free(ticket->body);
    mem_free(ticket);
}

static struct brisk_ticket *ticket_make(struct brisk *brisk, const struct brisk_request *request,
                                        brisk_done done, void *user) {
    struct brisk_ticket *ticket = mem_zalloc(1, sizeof(*ticket));
    atomic_init(&ticket->refs, 1);
    atomic_init(&ticket->cancelled, false);
    ticket->brisk = brisk;
    ticket->model = mem_strdup(request->model);
    ticket->task = request->task == NULL ? NULL : mem_strdup(request->task);
    ticket->body = mem_strndup(request->body, request->body_len);
    ticket->body_len = request->body_len;
    ticket->wait_for_model = request->wait_for_model;
    ticket->no_cache = request->no_cache;
    ticket->zero_shot_list = request->zero_shot_list;
    ticket->heavy = request->body_len >= HEAVY_BODY_BYTES;
    ticket->done = done;
    ticket->user = user;
    ticket->taken_ns = clock_now_ns();
    const double limit = request->timeout_s > 0 && request->timeout_s < LIMIT_REQUEST_SECONDS
                             ? request->timeout_s
                             : (double)LIMIT_REQUEST_SECONDS;
    ticket->deadline_ns = ticket->taken_ns + (uint64_t)(limit * 1e9);
    return ticket;
}

/* Counts the ticket in, or says why no more are taken. */
static enum status admit(struct brisk *brisk, struct brisk_ticket *ticket, struct error *err) {
    enum status status = STATUS_OK;
    lock_take(&brisk->lock);
    if (brisk->draining)
        status = ERR(err, OVERLOADED, "Service Unavailable: the server is stopping");
    else if (brisk->active > 0 && brisk->body_bytes + ticket->body_len > LIMIT_QUEUED_BYTES)
        status = ERR(err, OVERLOADED,
                     "Service overloaded: %zu requests are waiting, try again "
                     "later",
                     brisk->active);
    brisk->active++;
    brisk->body_bytes += ticket->body_len;
    lock_drop(&brisk->lock);
    return status;
}

static void count_out(struct brisk *brisk, size_t body_len, size_t held_bytes) {
    lock_take(&brisk->lock);
    brisk->active--;
    brisk->body_bytes -= body_len;
    brisk->held_bytes -= held_bytes;
    if (brisk->active == 0)
        condition_wake_all(&brisk->idle);
    lock_drop(&brisk->lock);
}

/* Counts what the body's tree and the job hold by now. A tree is up to twenty times its text, and
 * outputs are in no body, so admit() cannot foresee them; a request that is alone may hold more. */
static enum status account(struct brisk_ticket *ticket, struct error *err) {
    struct brisk *brisk = ticket->brisk;
    const size_t bytes =
        ticket->arena.total + (ticket->job == NULL ? 0 : job_arena(ticket->job)->total);
    lock_take(&brisk->lock);
    brisk->held_bytes += bytes - ticket->held_bytes; /* it may wrap and comes out right */
    ticket->held_bytes = bytes;
    const bool over = brisk->active > 1 && brisk->held_bytes > brisk->held_limit;
    const size_t others = brisk->active - 1;
    lock_drop(&brisk->lock);
    if (over)
        return ERR(err, OVERLOADED,
                   "Service overloaded: this request needs %zu MB of memory beside %zu others, try "
                   "again later or send less at once",
                   bytes / (size_t)MiB + 1, others);
    return STATUS_OK;
}

void ticket_dispatch(struct brisk_ticket *ticket) {
    if (!ticket->owned) {
        workers_push(ticket->brisk->workers, ticket);
        return;
    }
    lock_take(&ticket->lock);
    ticket->ready = true;
    condition_wake_one(&ticket->wake);
    lock_drop(&ticket->lock);
}

void brisk_submit(struct brisk *brisk, const struct brisk_request *request, brisk_done done,
                  void *user, struct brisk_ticket **ticket_out) {
    struct brisk_ticket *ticket = ticket_make(brisk, request, done, user);
    if (ticket_out != NULL) {
        atomic_fetch_add_explicit(&ticket->refs, 1, memory_order_relaxed);
        *ticket_out = ticket;
    }
    if (admit(brisk, ticket, &ticket->error) != STATUS_OK)
        ticket->stage = TICKET_FAILED;
    ticket_dispatch(ticket);
}

void brisk_cancel(struct brisk_ticket *ticket) {
    /* Seen by the scheduler before its next pass; nothing else is published with it. */
    if (!atomic_exchange(&ticket->cancelled, true))
        shelf_cancel(ticket->brisk->shelf, ticket);
}

void brisk_ticket_release(struct brisk_ticket *ticket) {
    if (ticket != NULL)
        ticket_unref(ticket);
}

/* ---- answering ---- */

static void fail(struct brisk_ticket *ticket, const struct error *err) {
    struct brisk_answer answer = {0};
    answer_from_error(&answer, err);
    finish(ticket, &answer);
    brisk_answer_free(&answer);
}

static void facts_to_answer(struct brisk_answer *answer, const struct job_facts *facts) {
    answer->characters = facts->characters;
    answer->prompt_tokens = facts->tokens;
    answer->generated_tokens = facts->generated_tokens;
    answer->truncated_tokens = facts->truncated_tokens;
}

/* Lets go of what the request holds, tells the caller, forgets the ticket. */
static void finish(struct brisk_ticket *ticket, struct brisk_answer *answer) {
    struct brisk *brisk = ticket->brisk;
    answer->load_time_s = ticket->load_s;
    answer->queue_time_s = ticket->queue_s;
    answer->compute_time_s = clock_seconds_since(ticket->taken_ns) - ticket->load_s;
    if (answer->compute_time_s < 0)
        answer->compute_time_s = 0;
    if (ticket->loaded != NULL) {
        answer->precision = precision_name(model_precision(ticket->loaded->model));
        if (answer->compute_type == NULL)
            answer->compute_type = ticket->loaded->compute_type;
    }
    figures_count(&brisk->figures, &(struct figures_answer){
                                       .status = answer->status,
                                       .cached = answer->compute_type != NULL &&
                                                 strcmp(answer->compute_type, "cache") == 0,
                                       .time_s = answer->compute_time_s,
                                       .queue_s = answer->queue_time_s,
                                       .characters = answer->characters,
                                       .prompt_tokens = answer->prompt_tokens,
                                       .generated_tokens = answer->generated_tokens,
                                       .truncated_tokens = answer->truncated_tokens,
                                   });
    job_destroy(ticket->job);
    ticket->job = NULL;
    if (ticket->entry != NULL)
        shelf_release(brisk->shelf, ticket->entry);
    ticket->entry = NULL;
    ticket->loaded = NULL;
    const size_t body_len = ticket->body_len, held_bytes = ticket->held_bytes;
    arena_deinit(&ticket->arena); /* whoever can cancel it may keep the ticket for long */
    mem_free(ticket->body);
    ticket->body = NULL;
    ticket->done(ticket->user, answer);
    if (ticket->owned) {
        lock_take(&ticket->lock);
        ticket->finished = true;
        lock_drop(&ticket->lock);
    }
    ticket_unref(ticket);
    count_out(brisk, body_len, held_bytes); /* last: brisk_destroy waits for it */
}

/* ---- the steps ---- */

/* Options of the body count beside those of the request (headers): either may ask. */
static enum status parse(struct brisk_ticket *ticket, struct error *err) {
    struct body_options options = {0};
    if (body_parse(&ticket->json, &ticket->arena, ticket->body, ticket->body_len, &options, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    ticket->no_cache = ticket->no_cache || options.no_cache;
    ticket->wait_for_model = ticket->wait_for_model || options.wait_for_model;
    const uint64_t until = ticket->taken_ns + (uint64_t)(ticket->brisk->load_wait_s * 1e9);
    ticket->hold_until_ns =
        ticket->wait_for_model || until > ticket->deadline_ns ? ticket->deadline_ns : until;
    return account(ticket, err);
}

static bool is_zero_shot(const struct task *task) {
    return strcmp(task_name(task), "zero-shot-classification") == 0;
}

/* Everything that the answer depends on: model, revision, precision, the name that the task was
 * asked under (translation_en_to_fr has settings of its own), body but for options. */
static void make_key(struct brisk_ticket *ticket, const struct task *task, const char *name) {
    struct buf buf;
    buf_init(&buf, LIMIT_CACHE_KEY);
    buf_printf(&buf, "%s\n%016llx\n%s\n%s\n%d\n", ticket->model,
               (unsigned long long)ticket->loaded->stamp,
               precision_name(model_precision(ticket->loaded->model)), name,
               ticket->zero_shot_list && is_zero_shot(task));
    body_write_question(&buf, ticket->json);
    if (!buf.overflow)
        ticket->key = buf_take(&buf, &ticket->key_len);
    buf_deinit(&buf);
}

/* True when the cache had the answer; the ticket is gone then. */
static bool answer_from_cache(struct brisk_ticket *ticket, const struct task *task,
                              const char *name) {
    if (ticket->no_cache)
        return false;
    make_key(ticket, task, name);
    struct cached_answer cached = {0};
    if (ticket->key == NULL ||
        !answers_find(ticket->brisk->answers, ticket->key, ticket->key_len, &cached))
        return false;
    struct brisk_answer answer = {
        .status = 200, .body = cached.body, .body_len = cached.body_len, .compute_type = "cache"};
    facts_to_answer(&answer, &cached.facts);
    finish(ticket, &answer);
    mem_free(cached.body);
    return true;
}

static void write_answer(struct brisk_ticket *ticket) {
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    struct json_out out = json_out_begin(&buf);
    job_write(ticket->job, &out);
    if (buf.overflow) {
        buf_deinit(&buf);
        error_set(&ticket->error, ERROR_TOO_LARGE,
                  "the answer is larger than %llu MB: ask for less", LIMIT_RESPONSE / MiB);
        fail(ticket, &ticket->error);
        return;
    }
    const struct job_facts facts = job_facts(ticket->job);
    if (ticket->key != NULL && facts.deterministic)
        answers_put(ticket->brisk->answers, ticket->key, ticket->key_len,
                    &(struct cached_answer){.body = buf.data, .body_len = buf.len, .facts = facts});
    struct brisk_answer answer = {0};
    answer_from_buf(&answer, &buf);
    facts_to_answer(&answer, &facts);
    finish(ticket, &answer);
    brisk_answer_free(&answer);
}

/* On the scheduler's thread. */
static void run_finished(struct run *run) {
    struct brisk_ticket *ticket =
        (struct brisk_ticket *)((char *)run - offsetof(struct brisk_ticket, run));
    if (run->started_ns > run->submitted_ns)
        ticket->queue_s += (double)(run->started_ns - run->submitted_ns) * 1e-9;
    ticket->stage = TICKET_RAN;
    if (run->error.code != ERROR_NONE) {
        ticket->stage = TICKET_FAILED;
        ticket->error = run->error;
    }
    ticket_dispatch(ticket);
}

static bool has_work(struct job *job) {
    for (const struct item *item = job_items(job); item != NULL; item = item->next) {
        if (!item->done)
            return true;
    }
    return false;
}

/* The job's new items go to the scheduler, or the answer is written when there are none left. */
static void go_on(struct brisk_ticket *ticket) {
    enum status status = STATUS_AGAIN;
    while (status == STATUS_AGAIN && !has_work(ticket->job))
        status = job_next(ticket->job, &ticket->error);
    if (status == STATUS_OK) {
        write_answer(ticket);
        return;
    }
    if (status == STATUS_AGAIN && account(ticket, &ticket->error) == STATUS_OK) {
        ticket->run = (struct run){
            .loaded = ticket->loaded,
            .arena = job_arena(ticket->job),
            .items = job_items(ticket->job),
            .asked_ns = ticket->taken_ns,
            .deadline_ns = ticket->deadline_ns,
            .speculate = ticket->brisk->speculate,
            .reuse = ticket->brisk->reuse,
            .cancelled = &ticket->cancelled,
            .finished = run_finished,
        };
        struct error err = {0};
        if (scheduler_submit(ticket->brisk->scheduler, &ticket->run, &err) == STATUS_OK)
            return; /* the scheduler has it */
        ticket->error = err;
    }
    fail(ticket, &ticket->error);
}

/* Some models do two tasks on one route: when none is named, the body tells which is meant
 * (reference, section 1.4). Old clients send talks to models that write texts (section 5.11). */
static const char *asked_task(const struct brisk_ticket *ticket) {
    const char *own = ticket->loaded->default_task;
    if (ticket->task != NULL || own == NULL)
        return ticket->task;
    const struct json *inputs = json_get(ticket->json, "inputs");
    if (json_is_null(inputs))
        inputs = ticket->json; /* hf_hub 0.28 sends the members at the root */
    if (strcmp(own, "text-generation") == 0 || strcmp(own, "text2text-generation") == 0)
        return json_get(inputs, "text") != NULL ? "conversational" : NULL;
    if (strcmp(own, "text-ranking") == 0) /* its model is a classifier, too */
        return json_get(inputs, "query") != NULL ? NULL : "text-classification";
    if (strcmp(own, "sentence-similarity") != 0 && strcmp(own, "feature-extraction") != 0)
        return NULL;
    return json_get(inputs, "source_sentence") != NULL ? "sentence-similarity"
                                                       : "feature-extraction";
}

static void begin(struct brisk_ticket *ticket) {
    const struct task *task = NULL;
    struct error err = {0};
    const char *asked = asked_task(ticket);
    if (loaded_task(ticket->loaded, asked, &task, &err) != STATUS_OK) {
        fail(ticket, &err);
        return;
    }
    const char *name = asked != NULL ? asked : task_name(task);
    if (answer_from_cache(ticket, task, name))
        return;
    if (ticket->zero_shot_list && is_zero_shot(task))
        ticket->json = body_with_zero_shot_list(ticket->json, &ticket->arena);
    if (job_create_as(&ticket->job, task, name, &ticket->loaded->task_model, ticket->json, &err) ==
        STATUS_OK)
        go_on(ticket);
    else
        fail(ticket, &err);
}

static void acquire(struct brisk_ticket *ticket) {
    struct error err = {0};
    enum status status = parse(ticket, &err);
    if (status == STATUS_OK)
        status = shelf_acquire(ticket->brisk->shelf, ticket, &err);
    if (status == STATUS_OK)
        begin(ticket);
    else if (status == STATUS_ERROR)
        fail(ticket, &err);
}

void ticket_step(struct brisk_ticket *ticket) {
    if (ticket->stage != TICKET_FAILED && atomic_load(&ticket->cancelled)) {
        ticket->stage = TICKET_FAILED;
        error_set(&ticket->error, ERROR_CANCELLED, "the request was cancelled");
    }
    switch (ticket->stage) {
    case TICKET_NEW:
        acquire(ticket);
        break;
    case TICKET_READY:
        begin(ticket);
        break;
    case TICKET_RAN:
        go_on(ticket);
        break;
    case TICKET_FAILED:
        fail(ticket, &ticket->error);
        break;
    }
}

/* ---- running and waiting ---- */

static void copy_answer(void *user, const struct brisk_answer *answer) {
    struct brisk_answer *out = user;
    *out = *answer;
    out->body = mem_strndup(answer->body, answer->body_len);
}

void brisk_run(struct brisk *brisk, const struct brisk_request *request,
               struct brisk_answer *answer) {
    struct brisk_ticket *ticket = ticket_make(brisk, request, copy_answer, answer);
    ticket->owned = true;
    lock_init(&ticket->lock);
    condition_init(&ticket->wake);
    atomic_fetch_add_explicit(&ticket->refs, 1, memory_order_relaxed);
    if (admit(brisk, ticket, &ticket->error) != STATUS_OK)
        ticket->stage = TICKET_FAILED;
    ticket->ready = true;
    bool finished = false;
    while (!finished) {
        lock_take(&ticket->lock);
        while (!ticket->ready)
            condition_wait(&ticket->wake, &ticket->lock);
        ticket->ready = false;
        lock_drop(&ticket->lock);
        ticket_step(ticket);
        lock_take(&ticket->lock);
        finished = ticket->finished;
        lock_drop(&ticket->lock);
    }
    ticket_unref(ticket);
}
