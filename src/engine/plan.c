/* Lays segments out as one ragged batch: ids and positions row by row, whose keys are where, which
 * rows are wanted and where they go. Runs on the calling thread before the lanes start; takes the
 * pages that new tokens need, within what the sequences reserved. */
#include "engine/model.h"

#include <string.h>

static uint32_t pages_for(uint32_t tokens) {
    return (tokens + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS;
}

/* Segments from the front that fit one pass together. */
static uint32_t count_fitting(const struct step *step, const struct segment *segments, uint32_t n) {
    uint32_t rows = 0, i = 0;
    while (i < n && i < LIMIT_BATCH_SEQS && segments[i].n <= step->max_rows - rows)
        rows += segments[i++].n;
    ASSERT(i > 0); /* a segment longer than model_max_rows */
    return i;
}

static void plan_rows(struct pass *pass, const struct segment *segment, uint32_t past) {
    struct step *step = &pass->model->step;
    const struct stack_spec *spec = pass->model->stacks[pass->stack].spec;
    ASSERT(past + segment->n <= spec->max_positions || spec->positions == POSITIONS_NONE);
    memcpy(step->tokens + pass->rows, segment->tokens, segment->n * sizeof *step->tokens);
    int32_t *positions = step->positions + pass->rows, *types = step->types + pass->rows;
    for (uint32_t i = 0; i < segment->n; i++) {
        ASSERT(segment->tokens[i] >= 0 && (uint32_t)segment->tokens[i] < spec->vocab_size);
        positions[i] = (int32_t)(past + i + spec->position_offset);
        const int32_t type = segment->types ? segment->types[i] : 0;
        types[i] = type >= 0 && (uint32_t)type < spec->token_types ? type : 0;
    }
}

/* Rows that someone looks at, and where they are to be written. */
static void plan_outputs(struct pass *pass, const struct segment *segment) {
    struct step *step = &pass->model->step;
    const struct arch *arch = &pass->model->arch;
    const size_t hidden_size = arch->stacks[pass->stack].hidden_size;
    const bool has_logits =
        segment->logits && arch->head.n_steps > 0 && arch->head.stack == pass->stack;
    ASSERT(segment->n_rows <= segment->n && (segment->rows || segment->n_rows % segment->n == 0));
    for (uint32_t i = 0; i < segment->n_rows; i++) {
        const uint32_t row = segment->rows ? segment->rows[i] : i, at = pass->n_wanted;
        ASSERT(row < segment->n);
        if (pass->rows + row != at)
            pass->all_wanted = false;
        step->wanted[at] = pass->rows + row;
        step->hidden_out[at] = segment->hidden ? segment->hidden + i * hidden_size : NULL;
        if (has_logits) {
            step->head_ids[pass->n_head] = at;
            step->logits_out[pass->n_head++] = segment->logits + (size_t)i * arch->head.outputs;
        }
        pass->n_wanted++;
    }
}

/* Keys of a text that is kept: in its own pages. */
static struct attention_seq plan_kept(struct pass *pass, const struct segment *segment) {
    struct step *step = &pass->model->step;
    struct sequence *sequence = segment->sequence;
    ASSERT(sequence->model == pass->model && sequence->stack == pass->stack);
    ASSERT(segment->n <= sequence->capacity - sequence->length);
    pages_extend(&sequence->pages, sequence->length, segment->n, &step->copies[pass->n_copies]);
    if (step->copies[pass->n_copies].to)
        pass->n_copies++;
    return (struct attention_seq){
        .row = pass->rows,
        .rows = segment->n,
        .past = sequence->length,
        .keys = sequence->length + segment->n,
        .pages = sequence->pages.data,
    };
}

/* Keys of a text that is not: in the scratch's pages, each layer's over the last one's. */
static struct attention_seq plan_passing(struct pass *pass, const struct segment *segment) {
    struct step *step = &pass->model->step;
    const uint32_t page = pass->n_pages;
    pass->n_pages += pages_for(segment->n);
    ASSERT(pass->n_pages <= step->max_pages);
    return (struct attention_seq){
        .row = pass->rows,
        .rows = segment->n,
        .keys = segment->n,
        .pages = step->pages + page,
    };
}

static void plan_memory(struct pass *pass, const struct segment *segment) {
    struct step *step = &pass->model->step;
    if (stack_has(pass->model->stacks[pass->stack].spec, STACK_CROSS)) {
        const struct memory *memory = segment->memory;
        ASSERT(memory && memory->stack == pass->stack && memory->stored > 0);
        step->cross[pass->n_cross++] = (struct attention_seq){
            .row = pass->rows,
            .rows = segment->n,
            .keys = memory->stored,
            .pages = memory->pages.data,
        };
    }
    if (segment->remember) {
        struct memory *memory = segment->remember;
        ASSERT(memory->model == pass->model && segment->n <= memory->capacity);
        ASSERT(pass->model->arch.stacks[memory->stack].cross_from == pass->stack);
        ASSERT(pass->n_remember == 0 || pass->remember_stack == memory->stack);
        memory->stored = segment->n;
        pass->remember_stack = memory->stack;
        step->remember[pass->n_remember++] = (struct attention_seq){
            .row = pass->rows,
            .rows = segment->n,
            .keys = segment->n,
            .pages = memory->pages.data,
        };
    }
}

/* Pointers into page_data for pages of this stack's size. */
static void point_pages(struct step *step, const struct stack_spec *spec) {
    const size_t floats = kv_page_floats(spec->kv_heads, spec->head_size);
    for (uint32_t i = 0; i < step->max_pages; i++)
        step->pages[i] = step->page_data + i * floats;
}

static uint32_t count_kept(const struct segment *segments, uint32_t n) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++)
        kept += segments[i].sequence != NULL;
    return kept;
}

/* Rows stand in the order of the segments; step.seqs has those with a sequence in front, because
 * one attention call has one page offset. */
uint32_t pass_plan(struct pass *pass, struct model *model, uint32_t stack,
                   const struct segment *segments, uint32_t n) {
    struct step *step = &model->step;
    const uint32_t taken = count_fitting(step, segments, n);
    *pass = (struct pass){.model = model, .stack = stack, .n_seqs = taken, .all_wanted = true};
    pass->n_kept = count_kept(segments, taken);
    if (pass->n_kept < taken)
        point_pages(step, model->stacks[stack].spec);
    uint32_t kept = 0, passing = pass->n_kept;
    for (uint32_t i = 0; i < taken; i++) {
        const struct segment *segment = &segments[i];
        plan_rows(pass, segment, segment->sequence ? segment->sequence->length : 0);
        if (segment->sequence)
            step->seqs[kept++] = plan_kept(pass, segment);
        else
            step->seqs[passing++] = plan_passing(pass, segment);
        plan_memory(pass, segment);
        plan_outputs(pass, segment);
        pass->rows += segment->n;
    }
    if (pass->n_wanted != pass->rows)
        pass->all_wanted = false;
    pass->pools = model->arch.head.rows == ROWS_MEAN && pass->n_head > 0;
    return taken;
}
