/* Lays segments out as one ragged batch: ids and positions row by row, whose keys are where, which
 * rows are wanted and where they go. Runs on the calling thread before the lanes start; takes the
 * pages that new tokens need, within what the sequences reserved. */
#include "engine/model.h"

#include <string.h>

static uint32_t pages_for(uint32_t tokens) {
    return (tokens + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS;
}

/* Segments from the front that fit one pass together, with their side rows; *tokens: of them. */
static uint32_t count_fitting(const struct step *step, const struct stack_spec *spec,
                              const struct segment *segments, uint32_t n, uint32_t *tokens) {
    uint32_t rows = 0, i = 0;
    *tokens = 0;
    for (; i < n && i < LIMIT_BATCH_SEQS; i++) {
        const uint32_t more = segments[i].n + stack_side_rows(spec, segments[i].n);
        if (more > step->max_rows - rows)
            break;
        rows += more;
        *tokens += segments[i].n;
    }
    ASSERT(i > 0); /* a segment longer than model_max_rows */
    return i;
}

static void plan_types(struct step *step, uint32_t row, const struct stack_spec *spec,
                       const struct segment *segment) {
    const int32_t *from = segment->types;
    uint32_t table = 0;
    do { /* the first is there for hooks, whether the stack has a table or not */
        const uint32_t most = stack_types(spec, table);
        int32_t *types = step->types[table] + row;
        for (uint32_t i = 0; i < segment->n; i++)
            types[i] = from && from[i] >= 0 && (uint32_t)from[i] < most ? from[i] : 0;
        from = from ? from + segment->n : NULL;
    } while (stack_types(spec, ++table) > 0);
}

/* Each cell counts from its own first token. */
static void restart_positions(struct step *step, uint32_t row, uint32_t n) {
    const int32_t *columns = step->types[1] + row, *rows = step->types[2] + row;
    int32_t *positions = step->positions + row;
    uint32_t start = 0;
    for (uint32_t i = 1; i < n; i++) {
        if (columns[i] != columns[i - 1] || rows[i] != rows[i - 1])
            start = i;
        positions[i] -= (int32_t)start;
    }
}

static void plan_rows(struct pass *pass, const struct segment *segment, uint32_t past) {
    struct step *step = &pass->model->step;
    const struct stack_spec *spec = pass->model->stacks[pass->stack].spec;
    ASSERT(past + segment->n <= spec->max_positions || spec->positions == POSITIONS_NONE);
    memcpy(step->tokens + pass->rows, segment->tokens, segment->n * sizeof *step->tokens);
    int32_t *positions = step->positions + pass->rows;
    const bool shared = stack_has(spec, STACK_SHARED_POSITION);
    const uint32_t last = stack_position_rows(spec) - 1;
    const uint32_t end = past + segment->n, length = segment->length > 0 ? segment->length : end;
    ASSERT(length >= end);
    for (uint32_t i = 0; i < segment->n; i++) {
        const uint32_t position = past + i + spec->position_offset;
        ASSERT(segment->tokens[i] >= 0 && (uint32_t)segment->tokens[i] < spec->vocab_size);
        positions[i] = (int32_t)(shared && position > last ? last : position);
        step->lengths[pass->rows + i] = length;
    }
    plan_types(step, pass->rows, spec, segment);
    if (stack_has(spec, STACK_POSITIONS_BY_CELL))
        restart_positions(step, pass->rows, segment->n);
}

/* The row of the batch that is looked at for a token's. What the head makes of side rows, which are
 * those of the last tokens, is asked for by the tokens' rows; `side` is the first of the segment's.
 */
static uint32_t wanted_row(const struct pass *pass, const struct segment *segment, uint32_t row,
                           bool has_logits, uint32_t side) {
    const struct stack_spec *spec = pass->model->stacks[pass->stack].spec;
    if (!has_logits || !spec->hook.table || !spec->hook.table->side_heads)
        return pass->rows + row;
    const uint32_t without = segment->n - stack_side_rows(spec, segment->n);
    ASSERT(row >= without && row < segment->n);
    return side + row - without;
}

/* Rows that someone looks at, and where they are to be written. */
static void plan_outputs(struct pass *pass, const struct segment *segment, uint32_t side) {
    struct step *step = &pass->model->step;
    const struct arch *arch = &pass->model->arch;
    const size_t out_size = stack_out_size(&arch->stacks[pass->stack]);
    const bool has_logits =
        segment->logits && arch->head.n_steps > 0 && arch->decoder_stack == pass->stack;
    ASSERT(segment->n_rows <= segment->n && (segment->rows || segment->n_rows % segment->n == 0));
    for (uint32_t i = 0; i < segment->n_rows; i++) {
        const uint32_t at = pass->n_wanted, row = wanted_row(
            pass, segment, segment->rows ? segment->rows[i] : i, has_logits, side);
        if (row != at)
            pass->all_wanted = false;
        step->wanted[at] = row;
        step->hidden_out[at] = segment->hidden ? segment->hidden + i * out_size : NULL;
        if (has_logits) {
            step->head_ids[pass->n_head] = at;
            step->logits_out[pass->n_head++] = segment->logits + (size_t)i * arch->head.outputs;
        }
        pass->n_wanted++;
    }
}

static void plan_second(struct pass *pass, const struct segment *segment) {
    struct step *step = &pass->model->step;
    const struct head_spec *head = &pass->model->arch.second;
    if (!segment->second || segment->n_rows == 0 || head->n_steps == 0 ||
        pass->model->arch.decoder_stack != pass->stack)
        return;
    step->second_ids[pass->n_second] = pass->n_wanted; /* its rows come next */
    step->second_out[pass->n_second++] = segment->second;
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
    const uint32_t extra = stack_extra_keys(pass->model->stacks[pass->stack].spec, segment->n);
    pass->n_pages += pages_for(segment->n + extra);
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

/* The rows beside a segment's, from `row` on; seq is where the tokens' are. */
static void plan_sides(struct pass *pass, const struct segment *segment, uint32_t seq,
                       uint32_t row) {
    struct step *step = &pass->model->step;
    const struct stack_spec *spec = pass->model->stacks[pass->stack].spec;
    const struct attention_seq *text = &step->seqs[seq];
    const bool own = spec->hook.table->side_pages, keyed = own || spec->hook.table->extra_keys;
    const uint32_t past = own ? text->past % KV_PAGE_TOKENS : text->keys;
    struct attention_seq side = {
        .row = row,
        .rows = stack_side_rows(spec, segment->n),
        .past = past,
        .pages = own ? step->pages + pass->n_pages : text->pages,
    };
    side.keys = keyed ? past + side.rows : text->keys;
    pass->n_pages += own ? pages_for(side.keys) : 0;
    ASSERT(pass->n_pages <= step->max_pages);
    for (uint32_t i = 0; i < side.rows; i++) { /* the hook embeds them */
        step->tokens[row + i] = step->types[0][row + i] = 0; /* none has more types */
        step->positions[row + i] = step->positions[text->row];
        step->lengths[row + i] = step->lengths[text->row];
    }
    if (stack_has(spec, STACK_CROSS)) {
        struct attention_seq cross = step->cross[pass->n_cross - 1];
        cross.row = row;
        cross.rows = side.rows;
        step->cross[pass->n_cross++] = cross;
    }
    step->sides[seq] = side;
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
    const struct stack_spec *spec = model->stacks[stack].spec;
    uint32_t tokens;
    const uint32_t taken = count_fitting(step, spec, segments, n, &tokens);
    *pass = (struct pass){.model = model,
                          .stack = stack,
                          .n_tokens = tokens,
                          .n_seqs = taken,
                          .all_wanted = true};
    pass->n_kept = count_kept(segments, taken);
    const bool has_sides = spec->hook.table && spec->hook.table->side_rows;
    if (pass->n_kept < taken || has_sides)
        point_pages(step, spec);
    uint32_t kept = 0, passing = pass->n_kept, side = tokens;
    for (uint32_t i = 0; i < taken; i++) {
        const struct segment *segment = &segments[i];
        plan_rows(pass, segment, segment->sequence ? segment->sequence->length : 0);
        const uint32_t seq = segment->sequence ? kept++ : passing++;
        step->seqs[seq] =
            segment->sequence ? plan_kept(pass, segment) : plan_passing(pass, segment);
        plan_memory(pass, segment);
        plan_second(pass, segment);
        plan_outputs(pass, segment, side);
        if (has_sides)
            plan_sides(pass, segment, seq, side);
        side += stack_side_rows(spec, segment->n);
        pass->rows += segment->n;
    }
    pass->rows = side;
    if (pass->n_wanted != pass->rows)
        pass->all_wanted = false;
    pass->pools = model->arch.head.rows == ROWS_MEAN && pass->n_head > 0;
    return taken;
}
