/* Pegasus-X's encoder self-attention (transformers' PegasusXGlobalLocalAttention): a text has
 * global rows beside its tokens', learned ones that go through the layers with them, through norms
 * of their own before attention. Global rows see all, tokens the global rows and their block. */
#include "models/parts.h"
#include "models/pegasus_x.h"

struct layer {
    struct norm norm;     /* of the global rows */
    const float *globals; /* [globals, hidden], in the first layer */
};

static uint32_t globals_of(const struct stack_spec *spec, uint32_t tokens) {
    (void)tokens;
    return spec->hook.options[PEGASUS_X_GLOBALS];
}

/* ---- loading ---- */

static void fill_globals(const void *user, uint32_t first, uint32_t n, float *out) {
    const struct tensor *tensor = user;
    (void)first;
    (void)n;
    tensor_to_floats(tensor, 0, tensor->elements, out);
}

static enum status load(const struct hook_loader *l, void *own, struct error *err) {
    struct layer *layer = own;
    const uint32_t n = globals_of(l->spec, 0), hidden = l->spec->hidden_size;
    const struct tensor *tensor;
    if (hook_norm(l, &layer->norm, hidden, "encoder.layers.%u.global_self_attn_layer_norm", err) !=
        STATUS_OK)
        return STATUS_ERROR;
    if (l->layer > 0)
        return STATUS_OK;
    if (hook_tensor(l, "encoder.embed_global.weight", n, hidden, &tensor, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct hook_made made = {
        .words = "globals", .from = &tensor, .n_from = 1, .user = tensor, .fill = fill_globals};
    return hook_made_floats(l, &layer->globals, n * hidden, &made, err);
}

static size_t packed_floats(const struct stack_spec *spec) {
    return ((size_t)globals_of(spec, 0) + 2 * spec->layers) * spec->hidden_size;
}

/* ---- scratch: parts, one a block ---- */

static size_t max_parts(const struct stack_spec *spec, uint32_t rows) {
    return rows / spec->hook.options[PEGASUS_X_BLOCK] + 2 * LIMIT_BATCH_SEQS;
}

static size_t max_pages(const struct stack_spec *spec, uint32_t rows) {
    const size_t of_part = globals_of(spec, 0) / KV_PAGE_TOKENS + 4; /* and begun ones */
    return rows / KV_PAGE_TOKENS + max_parts(spec, rows) * of_part;
}

static size_t scratch_floats(const struct stack_spec *spec, uint32_t max_rows) {
    return parts_floats(max_parts(spec, max_rows), max_pages(spec, max_rows));
}

/* ---- a pass ---- */

static void embed(const struct hook_pass *p, const void *own, float *x) {
    const struct layer *first = own;
    const size_t hidden = p->spec->hidden_size, n = globals_of(p->spec, 0);
    size_t from, to;
    lane_range(p->lane, p->rows - p->first_side, 1, &from, &to);
    for (size_t i = from; i < to; i++)
        for (size_t j = 0; j < hidden; j++)
            x[(p->first_side + i) * hidden + j] = first->globals[i % n * hidden + j];
    lane_barrier(p->lane);
}

static void norm_sides(const struct hook_pass *p, const void *own, const float *x, float *t) {
    const struct layer *layer = own;
    const size_t at = (size_t)p->first_side * p->spec->hidden_size;
    p->device->norm(p->lane, &layer->norm, x + at, t + at, p->rows - p->first_side);
}

/* The end of the block that begins at a token: the first may be half a block. */
static uint32_t block_end(const struct hook_pass *p, uint32_t from, uint32_t tokens) {
    const uint32_t block = p->spec->hook.options[PEGASUS_X_BLOCK];
    const bool staggered = p->spec->hook.options[PEGASUS_X_STAGGERS] && p->layer % 2 == 1;
    const uint32_t size = from == 0 && staggered ? block / 2 : block;
    return tokens - from < size ? tokens : from + size;
}

static void add_parts(const struct hook_pass *p, struct parts *parts, uint32_t text) {
    const struct attention_seq *seq = &p->seqs[text], *globals = &p->sides[text];
    for (uint32_t from = 0, to; from < seq->rows; from = to) {
        to = block_end(p, from, seq->rows);
        parts_add(parts, &(struct part){
                             .text = text,
                             .row = seq->row + from,
                             .rows = to - from,
                             .at = from,
                             .near = {.pages = seq->pages, .from = from, .to = to},
                             .far = {.pages = globals->pages,
                                     .from = globals->past,
                                     .to = globals->past + globals->rows},
                         });
    }
}

/* Nothing is added: a part is a block, and sees all it has. */
static void see_all(const void *user, const struct part *part, uint32_t row, uint32_t h,
                    float *near, float *far) {
    (void)user;
    (void)row;
    (void)h;
    for (uint32_t k = part->near.from; k < part->near.to; k++)
        near[k - part->near.from] = 0;
    for (uint32_t k = part->far.from; k < part->far.to; k++)
        far[k - part->far.from] = 0;
}

static void attention(const struct hook_pass *p, const void *own) {
    const size_t columns = (size_t)p->spec->heads * p->spec->head_size;
    const float *k = p->qkv + columns, *v = k + columns;
    (void)own;
    if (p->lane->index == 0) {
        struct parts *parts =
            parts_begin(p->own, max_parts(p->spec, p->rows), max_pages(p->spec, p->rows));
        for (uint32_t s = 0; s < p->n_seqs; s++)
            add_parts(p, parts, s);
    }
    p->device->kv_write(p->lane, &p->shape, p->seqs, p->n_seqs, 0, k, p->ldqkv, v, p->ldqkv);
    p->device->kv_write(p->lane, &p->shape, p->sides, p->n_seqs, 0, k, p->ldqkv, v, p->ldqkv);
    parts_attend(p, p->own, see_all, p);
    struct attention_shape shape = p->shape;
    p->device->attention(p->lane, p->scratch, &shape, p->sides, p->n_seqs, 0, p->qkv, p->ldqkv,
                         p->y, p->ldy);
}

const struct hook_table pegasus_x_attention = {
    .layer_bytes = sizeof(struct layer),
    .floats = packed_floats,
    .scratch_floats = scratch_floats,
    .load = load,
    .attention = attention,
    .extra_keys = globals_of,
    .side_rows = globals_of,
    .embed = embed,
    .norm_sides = norm_sides,
};
