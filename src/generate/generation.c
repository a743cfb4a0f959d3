/* The state machine of one generation: feeds the prompt in chunks, then a token a line and pass (or
 * several, where they are proposed), until every line is finished. Where the stack reads texts
 * again that have grown beyond a border, they are fed once more, in chunks as the prompt was.
 * A stack whose tokens see those behind them gets its prompt in one piece, and from then on two
 * tokens a line. Several sequences of one prompt (num_return_sequences, beams) share the prompt's
 * pass and pages. All buffers are made in generation_create; plan and advance allocate nothing. One
 * thread drives a generation; generation_cancel may come from any. */
#include "generate/parts.h"

#include <math.h>

/* Draws of one line stay apart from the next one's: no text is this long. */
#define DRAWS_PER_LINE ((uint64_t)1 << 40)

/* ---- making ---- */

static enum status find_lengths(struct generation *generation, uint32_t max_positions,
                                struct error *err) {
    const struct generation_config *config = &generation->config;
    const uint32_t n_prompt = generation->n_prompt;
    uint64_t max_length = (uint64_t)n_prompt + GENERATION_DEFAULT_LENGTH;
    if (config->max_new_tokens > 0) {
        max_length = (uint64_t)n_prompt + config->max_new_tokens;
    } else if (config->max_length > 0) {
        max_length = config->max_length;
    }
    if (n_prompt > max_positions) {
        return ERR(err, INPUT,
                   "the input has %u tokens and the model takes %u, which leaves no room for a new "
                   "one: shorten the input",
                   n_prompt, max_positions);
    }
    if (n_prompt >= max_length) {
        return ERR(err, INPUT,
                   "the input has %u tokens, but max_length is %u and counts them: make it larger, "
                   "or give max_new_tokens",
                   n_prompt, (uint32_t)max_length);
    }
    /* The last token is never fed: it needs no position. */
    generation->max_length = max_length <= max_positions ? (uint32_t)max_length : max_positions + 1;
    generation->min_length =
        config->min_new_tokens > 0 ? n_prompt + config->min_new_tokens : config->min_length;
    return STATUS_OK;
}

static enum status check_tokens(const struct generation *generation,
                                const struct generation_input *input, uint32_t vocab_size,
                                struct error *err) {
    for (uint32_t i = 0; i < input->n_prompt; i++) {
        if (input->prompt[i] < 0 || (uint32_t)input->prompt[i] >= vocab_size) {
            return ERR(err, INPUT, "token %d of the input is not in the model's vocabulary of %u",
                       input->prompt[i], vocab_size);
        }
    }
    const int32_t forced[] = {generation->config.forced_bos, generation->config.forced_eos};
    for (size_t i = 0; i < ARRAY_LEN(forced); i++) {
        if (forced[i] >= 0 && (uint32_t)forced[i] >= generation->vocab_size) {
            return ERR(err, INPUT, "forced token %d is not in the model's vocabulary of %u",
                       forced[i], generation->vocab_size);
        }
    }
    return STATUS_OK;
}

static enum status create_lines(struct generation *generation, const int32_t *prompt,
                                struct error *err) {
    const struct generation_config *config = &generation->config;
    struct arena *arena = &generation->arena;
    const uint32_t n_new = generation->max_length - generation->n_prompt;
    const uint64_t seed = config->has_seed ? config->seed : random_seed_fresh();
    generation->lines = arena_zalloc(arena, generation->n_lines, sizeof(*generation->lines));
    for (uint32_t i = 0; i < generation->n_lines; i++) {
        struct line *line = &generation->lines[i];
        line->ids = arena_alloc(arena, generation->max_length * sizeof(*line->ids));
        memcpy(line->ids, prompt, generation->n_prompt * sizeof(*line->ids));
        line->n = generation->n_prompt;
        line->logits = arena_alloc(arena, generation->vocab_size * sizeof(*line->logits));
        line->logprobs = arena_alloc(arena, n_new * sizeof(*line->logprobs));
        line->random = (struct random){seed, i * DRAWS_PER_LINE};
        /* The last token is never fed. */
        const enum status status = sequence_create(
            &line->sequence, generation->model, generation->stack, generation->max_length - 1, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* Everything but the lines; nothing here can fail. */
static void create_buffers(struct generation *generation, const struct generation_input *input) {
    const struct generation_config *config = &generation->config;
    struct arena *arena = &generation->arena;
    const bool has_encoder = input->encoder_tokens != NULL;
    generation->n_encoder_ids = has_encoder ? input->n_encoder_tokens : input->n_prompt;
    generation->encoder_ids =
        arena_copy(arena, has_encoder ? input->encoder_tokens : input->prompt,
                   generation->n_encoder_ids * sizeof(*generation->encoder_ids));
    generation->live = arena_alloc(arena, generation->n_lines * sizeof(*generation->live));
    generation->seen = arena_zalloc(arena, generation->vocab_size, 1);
    if (config->do_sample) {
        candidates_create(&generation->candidates, arena, generation->vocab_size);
    }
    stopping_create(&generation->stopping, arena, config, &input->text, generation->n_prompt,
                    generation->max_length);
    generation->n_outputs = config->num_return_sequences;
    generation->outputs = arena_zalloc(arena, generation->n_outputs, sizeof(*generation->outputs));
    generation->start_ns = clock_now_ns();
}

/* Proposals suit one text whose tokens follow from their logits alone. */
static void allow_drafts(struct generation *generation, const struct generation_input *input,
                         uint32_t vocab_size) {
    const bool has_encoder = input->encoder_tokens != NULL;
    if (generation->config.num_beams > 1 || generation->config.do_sample || generation->two_sided) {
        return;
    }
    generation->drafts = input->drafts;
    speculation_begin(&generation->speculation, vocab_size,
                      has_encoder ? generation->encoder_ids : NULL,
                      has_encoder ? generation->n_encoder_ids : 0);
}

enum status generation_create(struct generation **out, const struct generation_input *input,
                              struct error *err) {
    const struct arch *arch = model_arch(input->model);
    enum status status = generation_config_check(input->config, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (arch->head.kind != HEAD_LM || input->n_prompt == 0) {
        return arch->head.kind != HEAD_LM
                   ? ERR(err, INPUT,
                         "this model has no language modelling head: it cannot generate")
                   : ERR(err, INPUT, "the input is empty and the model has no start token");
    }
    struct generation *generation = mem_zalloc(1, sizeof(*generation));
    generation->model = input->model;
    generation->stack = input->stack;
    generation->vocab_size = arch->head.outputs;
    generation->config = *input->config;
    generation->n_prompt = generation->to_feed = input->n_prompt;
    generation->n_lines = generation->config.num_beams > 1
                              ? generation->config.num_beams
                              : generation->config.num_return_sequences;
    const struct stack_spec *stack = &arch->stacks[input->stack];
    generation->border = stack_border(stack);
    generation->two_sided = stack_has(stack, STACK_TWO_SIDED);
    status = find_lengths(generation, stack->max_positions, err);
    if (status == STATUS_OK) {
        status = check_tokens(generation, input, stack->vocab_size, err);
    }
    if (status == STATUS_OK) {
        create_buffers(generation, input);
        allow_drafts(generation, input, stack->vocab_size);
        status = create_lines(generation, input->prompt, err);
    }
    if (status == STATUS_OK && input->known) {
        ASSERT(input->n_known < input->n_prompt && !generation->two_sided);
        sequence_copy_head(generation->lines[0].sequence, input->known, input->n_known);
        generation->fed = input->n_known;
    }
    if (status != STATUS_OK) {
        generation_destroy(generation);
        return status;
    }
    if (generation->config.num_beams > 1) {
        groups_create(generation);
    }
    generation->memory = input->memory ? memory_ref(input->memory) : NULL;
    *out = generation;
    return STATUS_OK;
}

void generation_destroy(struct generation *generation) {
    if (!generation) {
        return;
    }
    for (uint32_t i = 0; generation->lines && i < generation->n_lines; i++) {
        sequence_destroy(generation->lines[i].sequence);
    }
    memory_unref(generation->memory);
    stopping_destroy(&generation->stopping);
    arena_deinit(&generation->arena);
    mem_free(generation);
}

/* ---- planning ---- */

uint32_t generation_width(const struct generation *generation) {
    return generation->n_lines;
}

static struct segment token_segment(const struct generation *generation, struct line *line) {
    line->row = 0;
    return (struct segment){
        .tokens = &line->ids[line->n - 1],
        .n = 1,
        .sequence = line->sequence,
        .memory = generation->memory,
        .rows = &line->row,
        .n_rows = 1,
        .logits = line->logits,
    };
}

/* Tokens that may be read behind ids[n) in the pass of the last of these: the last of all is never
 * read, and the angles of all rows are those of one length. */
static uint32_t draft_room(const struct generation *generation, uint32_t n) {
    const struct stack_spec *stack = &model_arch(generation->model)->stacks[generation->stack];
    uint32_t room = generation->max_length - 1 - n;
    for (uint32_t i = 0; i < ARCH_ROPES; i++) {
        const uint32_t border = stack->ropes[i].border;
        if (n <= border && border - n < room) {
            room = border - n;
        }
    }
    return room;
}

/* The same with what may follow the token, if something is proposed. Proposed tokens stand behind
 * the line's own. */
static struct segment draft_segment(struct generation *generation, struct line *line,
                                    uint32_t budget) {
    struct draft_rows *drafts = generation->drafts;
    struct segment segment = token_segment(generation, line);
    const uint32_t room = draft_room(generation, line->n);
    uint32_t most = budget - 1 < drafts->left ? budget - 1 : drafts->left;
    most = most < room ? most : room;
    const uint32_t n = speculation_propose(&generation->speculation, line->ids, line->n, most);
    if (n == 0) {
        return segment;
    }
    ASSERT(drafts->used + 1 + n <= drafts->n);
    segment.n = segment.n_rows = 1 + n;
    segment.rows = NULL; /* all */
    segment.logits = drafts->logits + (size_t)drafts->used * generation->vocab_size;
    generation->draft_logits = segment.logits;
    drafts->used += 1 + n;
    drafts->left -= n;
    drafts->proposed += n;
    return segment;
}

/* Tokens [fed, fed + n) of what is to be fed. */
static struct segment chunk_segment(const struct generation *generation, struct line *line,
                                    uint32_t n) {
    const bool last = generation->fed + n == generation->to_feed;
    line->row = n - 1;
    return (struct segment){
        .tokens = line->ids + generation->fed,
        .n = n,
        .length = generation->to_feed,
        .sequence = line->sequence,
        .memory = generation->memory,
        .rows = &line->row,
        .n_rows = last ? 1 : 0,
        .logits = last ? line->logits : NULL,
    };
}

/* Lines that go on, all with as many tokens; while the prompt is read the first alone. */
static uint32_t find_live(struct generation *generation) {
    uint32_t n = 0;
    if (!generation->prefilled) {
        generation->live[n++] = &generation->lines[0];
    } else if (generation->config.num_beams > 1) {
        for (uint32_t g = 0; g < generation->n_groups; g++) {
            const struct beams *beams = &generation->groups[g];
            for (uint32_t i = 0; i < beams->n_running && !beams->over; i++) {
                generation->live[n++] = beams->order[i];
            }
        }
    } else {
        for (uint32_t i = 0; i < generation->n_lines; i++) {
            if (generation->lines[i].reason == FINISH_NONE) {
                generation->live[n++] = &generation->lines[i];
            }
        }
    }
    return n;
}

uint32_t generation_unread(const struct generation *generation) {
    return generation->to_feed - generation->fed;
}

bool generation_reads(const struct generation *generation) {
    return generation_unread(generation) > 0 && !(generation->two_sided && generation->prefilled);
}

/* What is read again of each line's end is read together. */
uint32_t generation_least(const struct generation *generation) {
    const uint32_t unread = generation_unread(generation);
    if (!generation->two_sided) {
        return generation->n_lines;
    }
    return generation->prefilled ? unread * generation->n_lines : unread;
}

uint32_t generation_plan(struct generation *generation, uint32_t budget, struct segment *segments) {
    if (generation->finished) {
        return 0;
    }
    const uint32_t n = find_live(generation);
    const uint32_t left = generation_unread(generation);
    const uint32_t most = budget > n ? budget / n : 1;
    const uint32_t chunk = left < most || generation->two_sided ? left : most;
    for (uint32_t i = 0; i < n; i++) {
        struct line *line = generation->live[i];
        segments[i] = left > 0             ? chunk_segment(generation, line, chunk)
                      : generation->drafts ? draft_segment(generation, line, budget)
                                           : token_segment(generation, line);
    }
    generation->fed += chunk;
    generation->n_planned = n;
    return n;
}

/* ---- advancing ---- */

void generation_score(struct generation *generation, struct line *line, uint32_t beam) {
    generation_process(&(struct scoring){
        .config = &generation->config,
        .ids = line->ids,
        .n = line->n,
        .n_prompt = generation->n_prompt,
        .max_length = generation->max_length,
        .min_length = generation->min_length,
        .encoder_ids = generation->encoder_ids,
        .n_encoder_ids = generation->n_encoder_ids,
        .beam = beam,
        .chosen = generation->chosen,
        .n_chosen = generation->n_chosen,
        .scores = line->logits,
        .vocab_size = generation->vocab_size,
        .seen = generation->seen,
    });
}

static void step_line(struct generation *generation, struct line *line, bool out_of_time) {
    int32_t token = 0;
    float logprob = 0;
    generation_score(generation, line, 0);
    if (generation->config.do_sample) {
        candidates_fill(&generation->candidates, line->logits, generation->vocab_size);
        candidates_warp(&generation->candidates, &generation->config, 1);
        token = candidates_draw(&generation->candidates, &line->random, &logprob);
    } else {
        token = (int32_t)ops_argmax(line->logits, generation->vocab_size);
        ops_log_softmax(line->logits, generation->vocab_size);
        logprob = line->logits[token];
    }
    line->reason = stopping_check(&generation->stopping, line->ids, line->n, token);
    if (line->reason == FINISH_NONE && out_of_time) {
        line->reason = FINISH_TIME;
    }
    line->logprobs[line->n - generation->n_prompt] = logprob;
    line->ids[line->n++] = token;
}

/* As step_line, once for each row of the pass, as long as the token that the row was read for is
 * the one chosen before it. The others are forgotten. */
static void step_drafts(struct generation *generation, struct line *line, bool out_of_time) {
    float *own = line->logits;
    const uint32_t proposed = generation->speculation.proposed;
    uint32_t accepted = 0;
    bool good = true;
    for (uint32_t row = 0; row <= proposed && good && line->reason == FINISH_NONE; row++) {
        const int32_t draft = row < proposed ? line->ids[line->n] : -1;
        line->logits = generation->draft_logits + (size_t)row * generation->vocab_size;
        step_line(generation, line, out_of_time);
        good = line->ids[line->n - 1] == draft;
        accepted += good;
    }
    line->logits = own;
    sequence_truncate(line->sequence, line->n - 1);
    speculation_judge(&generation->speculation, accepted);
    generation->drafts->accepted += accepted;
}

static enum status finish(struct generation *generation, enum finish_reason reason) {
    generation->finished = true;
    if (generation->n_groups > 0) {
        (generation->n_groups > 1 ? groups_finish : beams_finish)(generation, reason);
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < generation->n_outputs; i++) {
        struct line *line = &generation->lines[i];
        line->reason = line->reason == FINISH_NONE ? reason : line->reason;
        generation->outputs[i] = (struct generation_output){
            .ids = line->ids + generation->n_prompt,
            .n = line->n - generation->n_prompt,
            .logprobs = line->logprobs,
            .reason = line->reason,
        };
    }
    return STATUS_OK;
}

/* The prompt has gone through line 0: the others begin where it stands. */
static void spread_prompt(struct generation *generation) {
    const struct line *first = &generation->lines[0];
    for (uint32_t i = 1; i < generation->n_lines; i++) {
        struct line *line = &generation->lines[i];
        sequence_copy(line->sequence, first->sequence);
        memcpy(line->logits, first->logits, generation->vocab_size * sizeof(*line->logits));
    }
    generation->prefilled = true;
}

/* From here on the texts' keys are others: those of what was read are forgotten. */
static void cross_border(struct generation *generation) {
    const uint32_t n = find_live(generation), crossed = generation->border + 1;
    if (generation->border == 0 || generation->live[0]->n != crossed) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        ASSERT(generation->live[i]->n == crossed);
        sequence_truncate(generation->live[i]->sequence, 0);
    }
    generation->to_feed = crossed;
    generation->fed = 0;
}

/* The last token that was read is read again, beside the new one. */
static void look_back(struct generation *generation) {
    const uint32_t n = find_live(generation), length = generation->live[0]->n;
    for (uint32_t i = 0; i < n; i++) {
        ASSERT(generation->live[i]->n == length && length >= 2);
        sequence_truncate(generation->live[i]->sequence, length - 2);
    }
    generation->to_feed = length;
    generation->fed = length - 2;
}

/* Every line gets a token from its logits; false: nothing goes on. */
static bool step_all(struct generation *generation) {
    const struct generation_config *config = &generation->config;
    const bool out_of_time =
        config->max_time_s > 0 && clock_seconds_since(generation->start_ns) > config->max_time_s;
    if (generation->n_groups > 0) {
        return !(generation->n_groups > 1 ? groups_step : beams_step)(generation, out_of_time);
    }
    bool live = false;
    for (uint32_t i = 0; i < generation->n_lines; i++) {
        struct line *line = &generation->lines[i];
        if (line->reason == FINISH_NONE) {
            (generation->speculation.proposed > 0 ? step_drafts : step_line)(generation, line,
                                                                             out_of_time);
            live = live || line->reason == FINISH_NONE;
        }
    }
    return live;
}

enum status generation_advance(struct generation *generation) {
    if (generation->finished) {
        return STATUS_OK;
    }
    if (atomic_load(&generation->cancelled)) {
        return finish(generation, FINISH_CANCELLED);
    }
    if (generation->n_planned == 0) {
        return STATUS_AGAIN;
    }
    generation->n_planned = 0;
    if (generation_unread(generation) > 0) {
        return STATUS_AGAIN;
    }
    if (!generation->prefilled) {
        spread_prompt(generation);
    }
    if (!step_all(generation)) {
        return finish(generation, FINISH_LENGTH);
    }
    (generation->two_sided ? look_back : cross_border)(generation);
    return STATUS_AGAIN;
}

void generation_cancel(struct generation *generation) {
    atomic_store(&generation->cancelled, true);
}

uint32_t generation_progress(const struct generation *generation, const int32_t **ids) {
    if (generation->config.num_beams > 1) {
        *ids = generation->finished ? generation->outputs[0].ids : NULL;
        return generation->finished ? generation->outputs[0].n : 0;
    }
    *ids = generation->lines[0].ids + generation->n_prompt;
    return generation->lines[0].n - generation->n_prompt;
}

const struct sequence *generation_sequence(const struct generation *generation, const int32_t **ids,
                                           uint32_t *n) {
    const struct line *line = &generation->lines[0];
    *ids = line->ids;
    *n = line->n;
    return generation->config.num_beams <= 1 ? line->sequence : NULL;
}

struct sequence *generation_take_sequence(struct generation *generation, const int32_t **ids) {
    ASSERT(generation->finished && generation->config.num_beams <= 1);
    struct line *line = &generation->lines[0];
    struct sequence *sequence = line->sequence;
    line->sequence = NULL;
    *ids = line->ids;
    return sequence;
}

uint32_t generation_outputs(const struct generation *generation,
                            const struct generation_output **outputs) {
    *outputs = generation->outputs;
    return generation->finished ? generation->n_outputs : 0;
}
