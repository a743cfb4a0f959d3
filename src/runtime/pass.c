/* What goes into a batch, and what becomes of it. A pass has room for so many rows (tokens) and
 * segments (sequences); nothing is padded. Runs on the scheduler's thread. */
#include "runtime/pass.h"

#include "base/banned.h"

/* Rows of a pass: beyond these a CPU computes no faster per row, and everybody waits longer. One
 * item that is longer still gets its pass. */
#define PASS_ROWS 512
/* Rows of prompts and new items beside running generations: bounds the time between two tokens. */
#define PASS_ROWS_BESIDE 256
/* A text that so many passes had no room for goes before all others: it may be longer than what
 * generations ever leave. It makes one step of theirs longer. */
#define PASS_SKIPS 4
/* Sequences generating at once. */
#define ACTIVE_WIDTH (LIMIT_BATCH_SEQS / 2)

static bool has_decoder(const struct model_queue *queue) {
    return arch_has_decoder(&queue->loaded->arch);
}

struct model_queue *model_queue_create(struct loaded *loaded) {
    const struct arch *arch = &loaded->arch;
    const bool writes = arch->head.kind == HEAD_LM && stack_has(arch_last(arch), STACK_CAUSAL);
    const size_t rows = writes ? DRAFT_ROWS : 0;
    struct model_queue *queue =
        mem_zalloc(1, sizeof(*queue) + rows * arch->head.outputs * sizeof(float));
    queue->loaded = loaded;
    queue->oldest_ns = UINT64_MAX;
    prefixes_init(&queue->prefixes, loaded->model);
    queue->drafts = (struct draft_rows){.logits = (float *)(queue + 1), .n = (uint32_t)rows};
    return queue;
}

void model_queue_destroy(struct model_queue *queue) {
    if (queue == NULL)
        return;
    prefixes_clear(&queue->prefixes);
    mem_free(queue);
}

static void active_add(struct model_queue *queue, struct work *work) {
    work->prev = NULL;
    work->next = NULL;
    queue->active_width += work->width;
    if (queue->active == NULL) {
        queue->active = work;
        return;
    }
    struct work *last = queue->active;
    while (last->next != NULL)
        last = last->next;
    last->next = work;
    work->prev = last;
}

static void active_remove(struct model_queue *queue, struct work *work) {
    queue->active_width -= work->width;
    if (work->prev != NULL)
        work->prev->next = work->next;
    else
        queue->active = work->next;
    if (work->next != NULL)
        work->next->prev = work->prev;
    queue->pages_tight = false;
}

static void run_fail(struct run *run, const struct error *err) {
    if (run->error.code == ERROR_NONE)
        run->error = *err;
}

/* ---- beginning and ending works ---- */

static void decode_text(const void *user, const int32_t *ids, uint32_t n, struct buf *out) {
    tokenizer_decode(user, out, ids, n, (struct decode_options){.clean_up = -1});
}

/* Sequences that the configuration asks for. */
static uint32_t config_width(const struct generation_config *config) {
    const uint32_t beams = config->num_beams > 1 ? config->num_beams : 1;
    return beams > config->num_return_sequences ? beams : config->num_return_sequences;
}

/* With nobody else to wait for, what there is room for will never be more. */
static void fail_too_large(struct work *work, const char *what) {
    struct error err = {0};
    error_set(&err, ERROR_TOO_LARGE,
              "%s of one input (%u tokens) need more memory than one model has for them: ask for "
              "less max_new_tokens, num_beams or num_return_sequences, or shorten the input",
              what, work->item->n);
    run_fail(work->run, &err);
}

/* As generation_create; what is kept of other texts gives way to it. */
static enum status create_generation(struct model_queue *queue, struct work *work,
                                     struct generation_input *input, struct error *err) {
    enum status status;
    do {
        *err = (struct error){0};
        beginning_find(queue, work, input);
        status = generation_create(&work->generation, input, err);
    } while (status != STATUS_OK && err->code == ERROR_MEMORY &&
             prefixes_drop_last(&queue->prefixes));
    queue->prefixes.reused += status == STATUS_OK && input->known ? input->n_known : 0;
    return status;
}

/* OK: it generates from now on; AGAIN: no room until others end, if there are any; ERROR: its run
 * has failed. */
static enum status begin_generation(struct model_queue *queue, struct work *work, bool others) {
    const struct item *item = work->item;
    struct loaded *loaded = queue->loaded;
    const bool decoder = has_decoder(queue);
    struct generation_input input = {
        .model = loaded->model,
        .stack = loaded->arch.decoder_stack,
        .prompt = decoder ? item->decoder_tokens : item->tokens,
        .n_prompt = decoder ? item->n_decoder : item->n,
        .encoder_tokens = decoder ? item->tokens : NULL,
        .n_encoder_tokens = decoder ? item->n : 0,
        .memory = work->memory,
        .config = item->config,
        .text = {.decode = decode_text, .user = loaded->tokenizer},
        .drafts = work->run->speculate && queue->drafts.n > 0 ? &queue->drafts : NULL,
    };
    struct error err = {0};
    if (create_generation(queue, work, &input, &err) != STATUS_OK) {
        work->generation = NULL;
        if (err.code != ERROR_MEMORY) {
            run_fail(work->run, &err);
            return STATUS_ERROR;
        }
        if (!others) {
            fail_too_large(work, "the keys and values of the generation");
            return STATUS_ERROR;
        }
        queue->pages_tight = true;
        return STATUS_AGAIN;
    }
    work->width = generation_width(work->generation);
    work->phase = WORK_GENERATING;
    active_add(queue, work);
    return STATUS_OK;
}

static void work_release(struct work *work) {
    generation_destroy(work->generation);
    work->generation = NULL;
    memory_unref(work->memory);
    work->memory = NULL;
}

static void work_done(struct work *work) {
    work_release(work);
    work->phase = WORK_DONE;
    work->item->done = true;
    work->run->pending--;
}

static void copy_outputs(struct work *work) {
    const struct generation_output *outputs = NULL;
    const uint32_t n = generation_outputs(work->generation, &outputs);
    struct arena *arena = work->run->arena;
    struct item *item = work->item;
    item->outputs = arena_copy(arena, outputs, n * sizeof(*outputs));
    item->n_outputs = n;
    for (uint32_t i = 0; i < n; i++) {
        struct generation_output *out = &item->outputs[i];
        out->ids = arena_copy(arena, out->ids, out->n * sizeof(*out->ids));
        if (out->logprobs != NULL)
            out->logprobs = arena_copy(arena, out->logprobs, out->n * sizeof(*out->logprobs));
    }
}

/* What is kept must not hold the pool as large as many texts at once have made it. */
static void settle_pages(struct model_queue *queue) {
    const struct loaded *loaded = queue->loaded;
    if (queue->active == NULL && queue->prefixes.n > 0 &&
        model_page_bytes(loaded->model, loaded->arch.decoder_stack) >
            queue->prefixes.limit + LIMIT_POOL_IDLE)
        prefixes_clear(&queue->prefixes);
}

void pass_drop(struct model_queue *queue, struct run *run) {
    for (uint32_t i = 0; i < run->n_works; i++) {
        struct work *work = &run->works[i];
        if (work->phase == WORK_GENERATING || work->phase == WORK_DECODING)
            active_remove(queue, work);
        work_release(work);
        work->phase = WORK_DONE;
    }
    run->pending = 0;
    settle_pages(queue);
}

/* ---- gathering ---- */

static void pass_begin(struct pass *pass, struct model_queue *queue, uint32_t stack) {
    pass->queue = queue;
    pass->stack = stack;
    pass->rows = pass->n_segments = pass->n_works = pass->decoded = 0;
    pass->taken = pass->taken_width = 0;
    pass->row_limit = model_max_rows(queue->loaded->model);
}

/* From here on the pass takes no more rows than it should; before, what the model can. */
static void limit_rows(struct pass *pass) {
    if (pass->row_limit > PASS_ROWS)
        pass->row_limit = PASS_ROWS;
    if (pass->decoded > 0 && pass->row_limit > pass->rows + PASS_ROWS_BESIDE)
        pass->row_limit = pass->rows + PASS_ROWS_BESIDE;
}

static bool takes_segments(const struct pass *pass, uint32_t segments) {
    return pass->n_segments + segments <= LIMIT_BATCH_SEQS && pass->n_works < LIMIT_BATCH_SEQS;
}

/* Rows that may still be added, if `segments` more may. An empty pass takes what the model can. */
static uint32_t room(const struct pass *pass, uint32_t segments) {
    if (!takes_segments(pass, segments))
        return 0;
    if (pass->rows == 0)
        return model_max_rows(pass->queue->loaded->model);
    return pass->rows < pass->row_limit ? pass->row_limit - pass->rows : 0;
}

static void pass_add(struct pass *pass, struct work *work, uint32_t segments) {
    for (uint32_t i = 0; i < segments; i++)
        pass->rows += pass->segments[pass->n_segments + i].n;
    pass->n_segments += segments;
    pass->works[pass->n_works++] = work;
    if (work->run->started_ns == 0)
        work->run->started_ns = clock_now_ns();
}

static void plan(struct pass *pass, struct work *work, uint32_t budget) {
    struct segment *segments = &pass->segments[pass->n_segments];
    pass_add(pass, work, generation_plan(work->generation, budget, segments));
}

static bool fails(const struct work *work) {
    return work->run->error.code != ERROR_NONE;
}

static bool reads(const struct work *work) {
    return generation_reads(work->generation);
}

/* Steps of generations whose prompt has been read. ACTIVE_WIDTH sees to it that they always fit,
 * except beside a text that was skipped too often and is about as long as a pass can be. What they
 * propose, the longest running ones first, fills up a small pass: others hardly wait for it. */
static void gather_steps(struct pass *pass) {
    struct draft_rows *drafts = &pass->queue->drafts;
    draft_rows_begin(drafts, pass->queue->active_width + pass->rows);
    for (struct work *work = pass->queue->active; work != NULL; work = work->next) {
        if (work->phase != WORK_GENERATING || reads(work) || fails(work))
            continue;
        const uint32_t least = generation_least(work->generation);
        if (room(pass, work->width) < least)
            continue;
        const uint32_t before = pass->n_segments;
        plan(pass, work, least + drafts->left);
        pass->decoded += pass->n_segments - before;
    }
}

/* Prompts of generations and texts that are read again, as much of each as there is room for. One
 * that cannot be divided and had no room too often makes one step of the others longer. */
static void gather_prompts(struct pass *pass) {
    for (struct work *work = pass->queue->active; work != NULL; work = work->next) {
        if (work->phase != WORK_GENERATING || !reads(work) || fails(work))
            continue;
        uint32_t budget = room(pass, work->width);
        const uint32_t least = generation_least(work->generation);
        if (budget < least) {
            const uint32_t most = model_max_rows(pass->queue->loaded->model);
            if (work->skipped++ < PASS_SKIPS || !takes_segments(pass, work->width) ||
                pass->rows + least > most)
                return;
            budget = least;
        }
        if (budget > pass->row_limit && least <= pass->row_limit)
            budget = pass->row_limit;
        work->skipped = 0;
        plan(pass, work, budget);
    }
}

/* Where the results of a forward item go, on the stack that has them. */
static void want_rows(struct segment *segment, const struct item *item) {
    segment->rows = item->rows;
    segment->n_rows = item->n_rows;
    segment->hidden = item->hidden;
    segment->logits = item->logits;
    segment->second = item->second;
}

static bool decodes(const struct model_queue *queue, const struct item *item) {
    return has_decoder(queue) && (item->kind == ITEM_GENERATE || item->decoder_tokens != NULL);
}

/* Segments of a step, once it has begun. */
static uint32_t work_width(const struct item *item) {
    return item->kind == ITEM_GENERATE ? config_width(item->config) : 1;
}

/* Puts the item's text into the pass; false when there is no room now. */
static bool add_text(struct pass *pass, struct work *work) {
    struct model_queue *queue = pass->queue;
    const struct item *item = work->item;
    if (room(pass, 1) < item->n)
        return false;
    struct segment segment = {.tokens = item->tokens, .types = item->types, .n = item->n};
    if (decodes(queue, item)) {
        struct error err = {0};
        const uint32_t stack = queue->loaded->arch.decoder_stack;
        if (memory_create(&work->memory, queue->loaded->model, stack, item->n, &err) != STATUS_OK) {
            work->memory = NULL;
            if (err.code != ERROR_MEMORY)
                run_fail(work->run, &err);
            else if (queue->active == NULL && pass->taken == 0)
                fail_too_large(work, "the keys and values");
            else
                queue->pages_tight = true;
            return false;
        }
        segment.remember = work->memory;
        pass->taken++;
        pass->taken_width += work_width(item);
    } else {
        want_rows(&segment, item);
    }
    pass->segments[pass->n_segments] = segment;
    pass_add(pass, work, 1);
    return true;
}

/* The next work of the run that has not begun, or NULL. */
static struct work *next_new(struct run *run) {
    while (run->cursor < run->n_works && run->works[run->cursor].phase != WORK_NEW)
        run->cursor++;
    return run->cursor < run->n_works && run->error.code == ERROR_NONE ? &run->works[run->cursor]
                                                                       : NULL;
}

/* A new item of the run goes into the pass or begins to generate. */
static bool take_new(struct pass *pass, struct work *work) {
    struct model_queue *queue = pass->queue;
    if (work->item->kind == ITEM_GENERATE || decodes(queue, work->item)) {
        const uint32_t others = queue->active_width + pass->taken_width;
        const bool full = others > 0 && others + work_width(work->item) > ACTIVE_WIDTH;
        if (full || queue->pages_tight)
            return false;
    }
    const bool at_once = work->item->kind == ITEM_GENERATE && !has_decoder(queue);
    if (at_once && beginning_is_being_read(queue, work))
        return false;
    const bool taken = at_once
                           ? begin_generation(queue, work, queue->active != NULL) == STATUS_OK
                           : add_text(pass, work);
    work->run->cursor += taken;
    return taken;
}

struct run *pass_oldest(const struct model_queue *queue) {
    struct run *oldest = NULL, *run = queue->runs;
    if (run == NULL)
        return NULL;
    do {
        if (next_new(run) != NULL && (oldest == NULL || run->asked_ns < oldest->asked_ns))
            oldest = run;
        run = run->next;
    } while (run != queue->runs);
    return oldest;
}

/* A request of many or long items would wait for a round of all others for each of them, and of
 * pages or width there would never be as much left as it needs. So the oldest request, once it is
 * old, comes before the turns of all: with half of the rows that are left, and nobody younger
 * begins to generate before it. False: it waits for that. */
static bool gather_oldest(struct pass *pass, enum item_kind kind) {
    struct run *run = pass_oldest(pass->queue);
    if (run == NULL || clock_now_ns() < run->asked_ns + PASS_OLD_NS)
        return true;
    const uint32_t half = (pass->rows + pass->row_limit) / 2;
    struct work *work = next_new(run);
    if (work == NULL || work->item->kind != kind)
        return true;
    if (kind == ITEM_GENERATE)
        return take_new(pass, work) || fails(work);
    while (work != NULL && work->item->kind == kind && pass->rows < half && take_new(pass, work))
        work = next_new(run);
    return true;
}

/* A forward item of the run that has not begun, or NULL. */
static struct work *new_forward(struct run *run) {
    struct work *work = next_new(run);
    return work != NULL && work->item->kind == ITEM_FORWARD ? work : NULL;
}

/* The text that was skipped most, if that is too often, into the empty pass. */
static void gather_skipped(struct pass *pass) {
    struct work *most = NULL;
    struct run *run = pass->queue->runs;
    if (run == NULL)
        return;
    do {
        struct work *work = new_forward(run);
        if (work != NULL && work->skipped >= PASS_SKIPS &&
            (most == NULL || work->skipped > most->skipped))
            most = work;
        run = run->next;
    } while (run != pass->queue->runs);
    if (most != NULL)
        (void)take_new(pass, most);
}

/* At the end: those that had no room. */
static void count_skipped(struct pass *pass) {
    struct run *run = pass->queue->runs;
    if (run == NULL)
        return;
    do {
        struct work *work = new_forward(run);
        if (work != NULL)
            work->skipped += work->item->n > room(pass, 1);
        run = run->next;
    } while (run != pass->queue->runs);
}

/* One item of each run in turn, until nothing more fits; the next pass goes on behind the last run
 * that got its turn in this one. Only `kind`s wanted now. */
static void gather_new(struct pass *pass, enum item_kind kind) {
    struct model_queue *queue = pass->queue;
    struct run *last = NULL;
    bool took = queue->runs != NULL;
    while (took) {
        took = false;
        struct run *run = queue->runs;
        do {
            struct work *work = next_new(run);
            if (work != NULL && work->item->kind == kind && take_new(pass, work)) {
                took = true;
                last = run;
            }
            run = run->next;
        } while (run != queue->runs);
    }
    if (last != NULL)
        queue->runs = last->next;
}

void pass_gather_text(struct pass *pass, struct model_queue *queue) {
    pass_begin(pass, queue, ARCH_TEXT_STACK);
    if (queue->active == NULL) /* nobody holds pages: nobody would give some back */
        queue->pages_tight = false;
    gather_skipped(pass);
    if (has_decoder(queue))
        limit_rows(pass);
    if (gather_oldest(pass, ITEM_GENERATE))
        gather_new(pass, ITEM_GENERATE);
    if (!has_decoder(queue)) {
        gather_steps(pass);
        limit_rows(pass);
        gather_prompts(pass);
    }
    (void)gather_oldest(pass, ITEM_FORWARD);
    gather_new(pass, ITEM_FORWARD);
    count_skipped(pass);
}

static bool add_decoding(struct pass *pass, struct work *work) {
    const struct item *item = work->item;
    if (room(pass, 1) < item->n_decoder)
        return false;
    struct segment *segment = &pass->segments[pass->n_segments];
    *segment = (struct segment){
        .tokens = item->decoder_tokens, .n = item->n_decoder, .memory = work->memory};
    want_rows(segment, item);
    pass_add(pass, work, 1);
    return true;
}

/* As gather_skipped: of the forward items whose encoder has run. Returns it, or NULL. */
static const struct work *gather_skipped_decoding(struct pass *pass) {
    struct work *most = NULL;
    for (struct work *work = pass->queue->active; work != NULL; work = work->next) {
        if (work->phase == WORK_DECODING && !fails(work) && work->skipped >= PASS_SKIPS &&
            (most == NULL || work->skipped > most->skipped))
            most = work;
    }
    return most != NULL && add_decoding(pass, most) ? most : NULL;
}

/* Forward items whose encoder has run, but for the one that is in the pass. */
static void gather_decoding(struct pass *pass, const struct work *first) {
    for (struct work *work = pass->queue->active; work != NULL; work = work->next) {
        if (work->phase == WORK_DECODING && !fails(work) && work != first)
            work->skipped += !add_decoding(pass, work);
    }
}

void pass_gather_decoder(struct pass *pass, struct model_queue *queue) {
    pass_begin(pass, queue, queue->loaded->arch.decoder_stack);
    const struct work *first = gather_skipped_decoding(pass);
    gather_steps(pass);
    limit_rows(pass);
    gather_prompts(pass);
    gather_decoding(pass, first);
}

/* ---- after the pass ---- */

/* The text has run: done, or on to the decoder. */
static void after_text(struct pass *pass, struct work *work) {
    struct model_queue *queue = pass->queue;
    if (!decodes(queue, work->item)) {
        work_done(work);
        return;
    }
    pass->taken--; /* what is left of them holds pages, as the active ones do */
    if (work->item->kind == ITEM_FORWARD) {
        work->phase = WORK_DECODING;
        work->width = 1;
        work->skipped = 0;
        active_add(queue, work);
    } else if (begin_generation(queue, work, queue->active != NULL || pass->taken > 0) ==
               STATUS_AGAIN) {
        /* No pages now: its encoder runs again when a generation has ended. */
        work_release(work);
        work->phase = WORK_NEW;
        if (work->run->cursor > (uint32_t)(work - work->run->works))
            work->run->cursor = (uint32_t)(work - work->run->works);
    }
}

static void after_step(struct pass *pass, struct work *work) {
    if (generation_advance(work->generation) == STATUS_AGAIN)
        return;
    active_remove(pass->queue, work);
    copy_outputs(work);
    beginning_keep(pass->queue, work);
    work_done(work);
    settle_pages(pass->queue);
}

uint32_t pass_finish(struct pass *pass) {
    uint32_t done = 0;
    for (uint32_t i = 0; i < pass->n_works; i++) {
        struct work *work = pass->works[i];
        switch (work->phase) {
        case WORK_NEW:
            after_text(pass, work);
            break;
        case WORK_GENERATING:
            after_step(pass, work);
            break;
        case WORK_DECODING:
            active_remove(pass->queue, work);
            work_done(work);
            break;
        case WORK_DONE:
            break;
        }
        done += work->phase == WORK_DONE;
    }
    return done;
}
