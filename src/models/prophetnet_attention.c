/* ProphetNet's decoder self-attention (transformers' ProphetNetNgramSelfAttention). A token has a
 * row in the main stream, and beside it one in the first predicting stream, which begins as a
 * learned row that knows no token. Main rows see main rows up to their own; a predicting row sees the same
 * ones and itself, and stands one further on. What a distance adds to a score is a product of the
 * query's row: one number a bucket and head. */
#include "models/parts.h"
#include "models/prophetnet.h"

#include <math.h>

#define SELF "decoder.layers.%u.self_attn."

struct layer {
    struct linear relative; /* [buckets * heads, hidden]; heads of a bucket side by side */
    /* Of the first layer alone: */
    const float *begin;   /* [hidden] of the predicting stream */
    const float *buckets; /* [max_positions + 1] by distance */
};

static uint32_t option(const struct stack_spec *spec, uint32_t which) {
    return spec->hook.options[which];
}

static size_t columns_of(const struct stack_spec *spec) {
    return (size_t)option(spec, PROPHETNET_BUCKETS) * spec->heads;
}

/* ---- loading ---- */

/* transformers' compute_relative_buckets, in its single precision: of the distance to a key behind
 * the query, which is `i`. */
static void fill_buckets(const void *user, uint32_t first, uint32_t n, float *out) {
    const struct stack_spec *spec = user;
    const uint32_t buckets = option(spec, PROPHETNET_BUCKETS), exact = buckets / 2;
    const float log_reach = (float)log((double)option(spec, PROPHETNET_REACH) / exact);
    (void)first;
    (void)n;
    for (uint32_t i = 0; i <= spec->max_positions; i++) {
        const float share = i < exact ? 0 : logf((float)i / (float)exact) / log_reach;
        const float far = (float)exact + share * (float)(buckets - exact);
        out[i] = i < exact ? (float)i : floorf(fminf(far, (float)(buckets - 1)));
    }
}

/* Of the n-gram streams' table the last row, which transformers gives to the first of them. */
static void fill_begin(const void *user, uint32_t first, uint32_t n, float *out) {
    const struct tensor *tensor = user;
    const size_t hidden = (size_t)tensor->dims[1];
    (void)first;
    (void)n;
    tensor_to_floats(tensor, tensor->elements - hidden, hidden, out);
}

static enum status load_first(const struct hook_loader *l, struct layer *layer, struct error *err) {
    const struct stack_spec *spec = l->spec;
    const struct tensor *tensor;
    if (hook_tensor(l, "decoder.ngram_embeddings.weight", option(spec, PROPHETNET_NGRAM),
                    spec->hidden_size, &tensor, err) != STATUS_OK)
        return STATUS_ERROR;
    char words[64];
    snprintf(words, sizeof words, "%u buckets to %u", option(spec, PROPHETNET_BUCKETS),
             option(spec, PROPHETNET_REACH));
    const struct hook_made buckets = {.words = words, .user = spec, .fill = fill_buckets};
    const struct hook_made begin = {
        .words = "last row", .from = &tensor, .n_from = 1, .user = tensor, .fill = fill_begin};
    if (hook_made_floats(l, &layer->buckets, spec->max_positions + 1, &buckets, err) != STATUS_OK)
        return STATUS_ERROR;
    return hook_made_floats(l, &layer->begin, spec->hidden_size, &begin, err);
}

static enum status load(const struct hook_loader *l, void *own, struct error *err) {
    static const char *const name = SELF "relative_pos_embeddings";
    struct layer *layer = own;
    const uint32_t outputs = (uint32_t)columns_of(l->spec);
    if (hook_linear(l, &layer->relative, l->spec->hidden_size, &name, &outputs, 1, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    return l->layer == 0 ? load_first(l, layer, err) : STATUS_OK;
}

static size_t packed_floats(const struct stack_spec *spec) {
    return spec->layers * columns_of(spec) * spec->hidden_size + spec->hidden_size +
           spec->max_positions;
}

/* ---- scratch: relative [rows, columns], parts, one a predicting row ---- */

static size_t relative_floats(const struct stack_spec *spec, uint32_t rows) {
    return (rows * columns_of(spec) + 15) / 16 * 16;
}

static size_t max_pages(const struct stack_spec *spec, uint32_t rows) {
    return (size_t)rows * (spec->max_positions / KV_PAGE_TOKENS + 2);
}

static size_t scratch_floats(const struct stack_spec *spec, uint32_t max_rows) {
    return relative_floats(spec, max_rows) + parts_floats(max_rows, max_pages(spec, max_rows));
}

/* ---- a pass ---- */

static uint32_t side_rows(const struct stack_spec *spec, uint32_t tokens) {
    (void)spec;
    return tokens;
}

/* A predicting row's position is its token's and one more, up to the table's last. */
static void embed_row(const struct hook_pass *p, const struct layer *first, uint32_t main,
                      float *row) {
    const size_t hidden = p->spec->hidden_size, next = (size_t)p->positions[main] + 1;
    const size_t last = p->spec->max_positions + p->spec->position_offset - 1;
    const float *position = p->position_table + (next < last ? next : last) * hidden;
    for (size_t j = 0; j < hidden; j++)
        row[j] = first->begin[j] + position[j];
}

static void embed(const struct hook_pass *p, const void *own, float *x) {
    const uint32_t lanes = p->lane->count;
    for (uint32_t s = 0; s < p->n_seqs; s++)
        for (uint32_t i = 0; i < p->sides[s].rows; i++)
            if ((p->sides[s].row + i) % lanes == p->lane->index)
                embed_row(p, own, p->seqs[s].row + i,
                          x + (size_t)(p->sides[s].row + i) * p->spec->hidden_size);
    lane_barrier(p->lane);
}

/* Texts of seqs [first, ...). */
struct asked {
    const struct hook_pass *p;
    uint32_t first;
};

/* What the buckets' numbers of row `row` of the batch are at head h. */
static const float *relative_of(const struct hook_pass *p, uint32_t row, uint32_t h) {
    return p->own + row * columns_of(p->spec) + h;
}

static void main_bias(const void *user, uint32_t seq, uint32_t row, uint32_t h, uint32_t from,
                      uint32_t to, float *out) {
    const struct asked *asked = user;
    const struct hook_pass *p = asked->p;
    const struct attention_seq *text = &p->seqs[asked->first + seq];
    const float *relative = relative_of(p, text->row + row, h);
    const float *buckets = ((const struct layer *)p->first)->buckets;
    const uint32_t at = text->past + row;
    for (uint32_t k = from; k < to; k++)
        out[k] = relative[(size_t)buckets[at - k] * p->spec->heads];
}

static void side_bias(const void *user, const struct part *part, uint32_t row, uint32_t h,
                      float *near, float *far) {
    const struct hook_pass *p = user;
    const float *relative = relative_of(p, part->row + row, h);
    const float *buckets = ((const struct layer *)p->first)->buckets;
    for (uint32_t k = 0; k <= part->at; k++)
        near[k] = relative[(size_t)buckets[part->at + 1 - k] * p->spec->heads];
    far[0] = relative[0];
}

/* Main rows of texts [first, first + n), whose pages of this layer are at `offset`. */
static void attend_main(const struct hook_pass *p, uint32_t first, uint32_t n, size_t offset) {
    const size_t columns = (size_t)p->spec->heads * p->spec->head_size;
    const struct asked asked = {p, first};
    struct attention_shape shape = p->shape;
    if (n == 0)
        return;
    shape.row_bias = main_bias;
    shape.row_bias_user = &asked;
    p->device->kv_write(p->lane, &shape, p->seqs + first, n, offset, p->qkv + columns, p->ldqkv,
                        p->qkv + 2 * columns, p->ldqkv);
    p->device->attention(p->lane, p->scratch, &shape, p->seqs + first, n, offset, p->qkv, p->ldqkv,
                         p->y, p->ldy);
}

static void add_parts(const struct hook_pass *p, struct parts *parts, uint32_t text) {
    const struct attention_seq *seq = &p->seqs[text], *side = &p->sides[text];
    const size_t offset = text < p->n_kept ? p->kept_offset : 0;
    for (uint32_t i = 0; i < side->rows; i++)
        parts_add(parts, &(struct part){
                             .text = text,
                             .row = side->row + i,
                             .rows = 1,
                             .at = seq->past + i,
                             .near = {.pages = seq->pages,
                                      .offset = offset,
                                      .to = seq->past + i + 1},
                             .far = {.pages = side->pages,
                                     .from = side->past + i,
                                     .to = side->past + i + 1},
                         });
}

static void attention(const struct hook_pass *p, const void *own) {
    const struct layer *layer = own;
    const size_t hidden = p->spec->hidden_size;
    const size_t columns = (size_t)p->spec->heads * p->spec->head_size;
    float *list = p->own + relative_floats(p->spec, p->rows);
    if (p->lane->index == 0) {
        struct parts *parts = parts_begin(list, p->rows, max_pages(p->spec, p->rows));
        for (uint32_t s = 0; s < p->n_seqs; s++)
            add_parts(p, parts, s);
    }
    p->device->linear(p->lane, p->scratch, &layer->relative, p->x, hidden, p->own,
                      columns_of(p->spec), p->rows, NULL);
    attend_main(p, 0, p->n_kept, p->kept_offset);
    attend_main(p, p->n_kept, p->n_seqs - p->n_kept, 0);
    p->device->kv_write(p->lane, &p->shape, p->sides, p->n_seqs, 0, p->qkv + columns, p->ldqkv,
                        p->qkv + 2 * columns, p->ldqkv);
    parts_attend(p, list, side_bias, p);
}

const struct hook_table prophetnet_attention = {
    .layer_bytes = sizeof(struct layer),
    .floats = packed_floats,
    .scratch_floats = scratch_floats,
    .load = load,
    .attention = attention,
    .side_rows = side_rows,
    .side_pages = true,
    .side_heads = true,
    .keeps = true,
    .embed = embed,
};
