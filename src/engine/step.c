/* The step scratch: every array that one pass needs, made once for the largest pass, so that no
 * pass allocates. One block holds them all; what a small pass does not touch costs no memory. */
#include "engine/model.h"

/* Rows per run of the head where its outputs must be scattered: 32 MiB of logits. */
#define HEAD_SCRATCH (32 * MiB)

struct widths {
    size_t tokens, rows, pages, page_floats, hidden, wide, attn;
    size_t routed, per_token, experts;
    size_t angles[ARCH_ROPES];
    size_t hook; /* floats */
    size_t head_rows, head_inner, head_outputs, head_largest;
    size_t second; /* rows of the second head */
    size_t types;  /* tables of token types */
};

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static void add_stack(struct widths *w, const struct arch *arch, uint32_t stack) {
    const struct stack_spec *spec = &arch->stacks[stack];
    w->hidden = larger(w->hidden, larger(spec->hidden_size, stack_out_size(spec)));
    w->attn = larger(w->attn, stack_attn_out(spec));
    w->wide = larger(w->wide, larger(stack_qkv_size(spec), stack_ffn_size(spec)));
    w->wide = larger(w->wide, larger(stack_project_in(spec), spec->routing.experts));
    w->experts = larger(w->experts, spec->routing.experts);
    w->per_token = larger(w->per_token, spec->routing.per_token);
    if (spec->routing.experts > 0)
        w->routed = larger(w->routed, spec->hidden_size);
    for (uint32_t i = 0; i < ARCH_ROPES; i++)
        w->angles[i] = larger(w->angles[i], spec->ropes[i].size);
    if (spec->hook.table)
        w->hook = larger(w->hook, spec->hook.table->scratch_floats(spec, (uint32_t)w->rows));
    w->page_floats = larger(w->page_floats, kv_page_floats(spec->kv_heads, spec->head_size));
    w->types = larger(w->types, stack_type_tables(spec));
}

static void add_head(struct widths *w, const struct head_spec *head) {
    for (uint32_t i = 0; i < head->n_steps; i++) {
        const size_t outputs = head->steps[i].outputs;
        w->head_largest = larger(w->head_largest, outputs);
        if (i + 1 == head->n_steps)
            w->head_outputs = larger(w->head_outputs, outputs);
        else
            w->head_inner = larger(w->head_inner, outputs);
    }
}

/* Rows of the largest pass, and pages of texts that are not kept: each may begin and end within a
 * page, where side rows' keys begin anywhere twice. */
static void add_rows(struct widths *w, const struct arch *arch) {
    size_t sides = 0, extra = 0, broken = 1;
    for (uint32_t i = 0; i < arch->n_stacks; i++) {
        const struct stack_spec *spec = &arch->stacks[i];
        sides = larger(sides, stack_side_rows(spec, (uint32_t)w->tokens));
        extra = larger(extra, stack_extra_keys(spec, (uint32_t)w->tokens));
        broken = spec->hook.table && spec->hook.table->side_pages ? 3 : broken;
    }
    w->rows = w->tokens + sides;
    w->pages = (w->rows + extra) / KV_PAGE_TOKENS + broken * LIMIT_BATCH_SEQS;
}

static struct widths widths_of(const struct arch *arch) {
    struct widths w = {.tokens = arch_max_tokens(arch), .types = 1, .head_largest = 1};
    add_rows(&w, arch);
    for (uint32_t i = 0; i < arch->n_stacks; i++)
        add_stack(&w, arch, i);
    w.wide = larger(w.wide, larger(w.hidden, w.attn)); /* gathered rows of both pass through it */
    add_head(&w, &arch->head);
    add_head(&w, &arch->second);
    w.second = arch->second.n_steps > 0 ? LIMIT_BATCH_SEQS : 0;
    w.head_rows = larger(HEAD_SCRATCH / (w.head_largest * sizeof(float)) / 16 * 16, 16);
    if (w.head_rows > w.rows)
        w.head_rows = w.rows;
    return w;
}

/* Hands out pieces of the block; with base NULL it only adds up. Pieces begin on cache lines. */
static void *carve(char *base, size_t *used, size_t n, size_t size) {
    void *piece = base ? base + *used : NULL;
    *used += (n * size + 63) / 64 * 64;
    return piece;
}

static size_t layout(struct step *s, const struct widths *w, char *base) {
    size_t used = 0;
    s->x = carve(base, &used, w->rows * w->hidden, sizeof *s->x);
    s->t = carve(base, &used, w->rows * w->hidden, sizeof *s->t);
    s->wide = carve(base, &used, w->rows * w->wide, sizeof *s->wide);
    s->attn = carve(base, &used, w->rows * w->attn, sizeof *s->attn);
    for (uint32_t i = 0; i < ARCH_ROPES; i++)
        s->angles[i] = carve(base, &used, w->rows * w->angles[i], sizeof *s->angles[i]);
    s->routed = carve(base, &used, w->rows * w->routed, sizeof *s->routed);
    s->gathered = carve(base, &used, w->rows * w->routed, sizeof *s->gathered);
    s->chosen = carve(base, &used, w->rows * w->per_token, sizeof *s->chosen);
    s->chosen_weights = carve(base, &used, w->rows * w->per_token, sizeof *s->chosen_weights);
    s->expert_rows = carve(base, &used, w->rows * w->per_token, sizeof *s->expert_rows);
    s->expert_weights = carve(base, &used, w->rows * w->per_token, sizeof *s->expert_weights);
    s->expert_starts = carve(base, &used, w->experts + 2, sizeof *s->expert_starts);
    s->hook = carve(base, &used, w->hook, sizeof *s->hook);
    s->page_data = carve(base, &used, w->pages * w->page_floats, sizeof *s->page_data);
    s->head_a = carve(base, &used, w->head_rows * w->head_inner, sizeof *s->head_a);
    s->head_b = carve(base, &used, w->head_rows * w->head_inner, sizeof *s->head_b);
    s->logits = carve(base, &used, w->head_rows * w->head_outputs, sizeof *s->logits);
    s->tokens = carve(base, &used, w->rows, sizeof *s->tokens);
    s->positions = carve(base, &used, w->rows, sizeof *s->positions);
    s->lengths = carve(base, &used, w->rows, sizeof *s->lengths);
    for (uint32_t i = 0; i < w->types; i++)
        s->types[i] = carve(base, &used, w->rows, sizeof *s->types[i]);
    s->wanted = carve(base, &used, w->rows, sizeof *s->wanted);
    s->head_ids = carve(base, &used, w->rows, sizeof *s->head_ids);
    s->hidden_out = carve(base, &used, w->rows, sizeof *s->hidden_out);
    s->logits_out = carve(base, &used, w->rows, sizeof *s->logits_out);
    s->second_ids = carve(base, &used, w->second, sizeof *s->second_ids);
    s->second_out = carve(base, &used, w->second, sizeof *s->second_out);
    s->pages = carve(base, &used, w->pages, sizeof *s->pages);
    s->seqs = carve(base, &used, LIMIT_BATCH_SEQS, sizeof *s->seqs);
    s->sides = carve(base, &used, LIMIT_BATCH_SEQS, sizeof *s->sides);
    s->cross = carve(base, &used, 2 * LIMIT_BATCH_SEQS, sizeof *s->cross);
    s->remember = carve(base, &used, LIMIT_BATCH_SEQS, sizeof *s->remember);
    s->copies = carve(base, &used, LIMIT_BATCH_SEQS, sizeof *s->copies);
    return used;
}

size_t step_estimate_bytes(const struct arch *arch) {
    const struct widths w = widths_of(arch);
    struct step none;
    /* and what the operations make */
    return layout(&none, &w, NULL) + w.rows * scratch_row_bytes(arch_max_in(arch));
}

/* With extra ones in pages of their own, whose first and last are not full. */
static uint32_t max_keys(const struct arch *arch) {
    uint32_t keys = arch_max_tokens(arch), extra = 0;
    for (uint32_t i = 0; i < arch->n_stacks; i++) {
        const struct stack_spec *spec = &arch->stacks[i];
        keys = spec->max_positions > keys ? spec->max_positions : keys;
        if (spec->hook.table && (spec->hook.table->extra_keys || spec->hook.table->side_pages))
            extra = 4 * KV_PAGE_TOKENS;
    }
    for (uint32_t i = 0, most = keys; i < arch->n_stacks; i++)
        keys = (uint32_t)larger(keys, most + stack_extra_keys(&arch->stacks[i], most));
    return keys + extra;
}

enum status step_create(struct model *model, struct error *err) {
    struct step *s = &model->step;
    const struct widths w = widths_of(&model->arch);
    s->max_tokens = (uint32_t)w.tokens;
    s->max_rows = (uint32_t)w.rows;
    s->max_pages = (uint32_t)w.pages;
    s->head_rows = (uint32_t)w.head_rows;
    s->bytes = layout(s, &w, NULL);
    if (mem_try_alloc(&s->block, s->bytes, err) != STATUS_OK)
        return STATUS_ERROR;
    layout(s, &w, s->block);
    return scratch_create(&s->scratch, model->device, team_threads(model->team), s->max_rows,
                          arch_max_in(&model->arch), max_keys(&model->arch), err);
}

void step_destroy(struct step *step) {
    scratch_destroy(step->scratch);
    mem_free_large(step->block, step->bytes);
}
