/* LongT5's transient-global self-attention: a token sees those around it, and for each block of the
 * text a key and a value made of the sum of what its tokens' are made of. Local scores get T5's
 * learned distances, those of blocks others, by the distance from the token's own block. Tokens
 * behind the last whole block are part of it; a text shorter than one has none
 * (transformers' _make_global_fixed_block_ids). */
#include "models/longt5.h"
#include "models/parts.h"

#include <math.h>
#include <string.h>

#define SELF      "encoder.block.%u.layer.0.TransientGlobalSelfAttention."
#define PART_ROWS 64

struct layer {
    struct norm norm; /* of the sums */
    /* Of the first layer alone: */
    const float *blocks; /* [max_positions] of a token at this place */
    const float *side;   /* [heads, 2 * reach - 1], of block - own block + reach - 1 */
};

static uint32_t block_size(const struct stack_spec *spec) {
    return spec->hook.options[LONGT5_BLOCK];
}

/* Blocks of a text, and their keys. */
static uint32_t extra_keys(const struct stack_spec *spec, uint32_t tokens) {
    return tokens / block_size(spec);
}

static uint32_t reach_of(const struct stack_spec *spec) {
    return extra_keys(spec, spec->max_positions) + 1;
}

/* ---- loading ---- */

/* In single precision as there, where sums of 1 / size that is no power of two are not whole. */
static void fill_blocks(const void *user, uint32_t first, uint32_t n, float *out) {
    const struct stack_spec *spec = user;
    const float share = 1.0f / (float)block_size(spec);
    double sum = 0;
    (void)first;
    (void)n;
    for (uint32_t i = 0; i < spec->max_positions; i++) {
        sum += share;
        const float before = (float)sum - share, shifted = 1 + before;
        out[i] = floorf(shifted - 1);
    }
}

struct side {
    const struct stack_spec *spec;
    const struct tensor *learned; /* [buckets, heads] */
};

static void fill_side(const void *user, uint32_t first, uint32_t n, float *out) {
    const struct side *side = user;
    const struct stack_spec *spec = side->spec;
    const int64_t reach = reach_of(spec);
    float *learned = mem_alloc((size_t)spec->buckets * spec->heads * sizeof *learned);
    (void)first;
    (void)n;
    tensor_to_floats(side->learned, 0, (size_t)spec->buckets * spec->heads, learned);
    for (uint32_t h = 0; h < spec->heads; h++)
        for (int64_t d = 1 - reach; d < reach; d++)
            *out++ = learned[(size_t)hook_bucket(spec, d) * spec->heads + h];
    mem_free(learned);
}

static enum status load_first(const struct hook_loader *l, struct layer *layer, struct error *err) {
    const struct stack_spec *spec = l->spec;
    struct side side = {.spec = spec};
    if (hook_tensor(l, SELF "global_relative_attention_bias.weight", spec->buckets, spec->heads,
                    &side.learned, err) != STATUS_OK)
        return STATUS_ERROR;
    char words[64];
    snprintf(words, sizeof words, "blocks of %u", block_size(spec));
    const struct hook_made blocks = {.words = words, .user = spec, .fill = fill_blocks};
    const struct hook_made made = {
        .words = words, .from = &side.learned, .n_from = 1, .user = &side, .fill = fill_side};
    if (hook_made_floats(l, &layer->blocks, spec->max_positions, &blocks, err) != STATUS_OK)
        return STATUS_ERROR;
    return hook_made_floats(l, &layer->side, spec->heads * (2 * reach_of(spec) - 1), &made, err);
}

static enum status load(const struct hook_loader *l, void *own, struct error *err) {
    struct layer *layer = own;
    if (hook_norm(l, &layer->norm, l->spec->hidden_size, SELF "global_input_layer_norm", err) !=
        STATUS_OK)
        return STATUS_ERROR;
    return l->layer == 0 ? load_first(l, layer, err) : STATUS_OK;
}

static size_t packed_floats(const struct stack_spec *spec) {
    return spec->max_positions + (size_t)2 * spec->heads * reach_of(spec) +
           (size_t)spec->layers * spec->hidden_size;
}

/* ---- scratch: sums [blocks, hidden], what qkv makes of them, parts ---- */

static size_t max_parts(uint32_t rows) {
    return rows / PART_ROWS + LIMIT_BATCH_SEQS;
}

static size_t max_pages(const struct stack_spec *spec, uint32_t rows) {
    const size_t around = PART_ROWS + 2 * (size_t)spec->hook.options[LONGT5_RADIUS];
    const size_t near = (around < rows ? around : rows) / KV_PAGE_TOKENS + 2;
    return max_parts(rows) * (near + extra_keys(spec, rows) / KV_PAGE_TOKENS + 2);
}

static size_t row_floats(const struct stack_spec *spec) {
    return spec->hidden_size + (size_t)3 * spec->heads * spec->head_size;
}

static size_t block_floats(const struct stack_spec *spec, uint32_t rows) {
    return (extra_keys(spec, rows) * row_floats(spec) + 15) / 16 * 16;
}

static size_t scratch_floats(const struct stack_spec *spec, uint32_t max_rows) {
    return block_floats(spec, max_rows) +
           parts_floats(max_parts(max_rows), max_pages(spec, max_rows));
}

/* ---- a pass ---- */

static uint32_t block_of(const struct layer *first, uint32_t token, uint32_t n_blocks) {
    const uint32_t block = (uint32_t)first->blocks[token];
    return block < n_blocks ? block : n_blocks - 1;
}

/* The first token of a block, near where it would be without rounding. */
static uint32_t block_begin(const struct layer *first, const struct stack_spec *spec,
                            uint32_t block, uint32_t tokens) {
    uint32_t at = block * block_size(spec);
    while (at > 0 && first->blocks[at - 1] >= (float)block)
        at--;
    while (at < tokens && first->blocks[at] < (float)block)
        at++;
    return at;
}

/* What a block's tokens have in x, added up. */
static void sum_block(const struct hook_pass *p, const struct attention_seq *text, uint32_t block,
                      float *sum) {
    const struct layer *first = p->first;
    const size_t hidden = p->spec->hidden_size;
    const bool last = block + 1 == extra_keys(p->spec, text->rows);
    const uint32_t from = block_begin(first, p->spec, block, text->rows);
    const uint32_t to =
        last ? text->rows : block_begin(first, p->spec, block + 1, text->rows);
    memset(sum, 0, hidden * sizeof *sum);
    for (uint32_t r = from; r < to; r++)
        for (size_t j = 0; j < hidden; j++)
            sum[j] += p->x[(text->row + r) * hidden + j];
}

/* seqs [n_seqs]: where the blocks' keys of each text stand, behind the tokens'; returns all. */
static uint32_t find_blocks(const struct hook_pass *p, struct attention_seq *seqs) {
    uint32_t total = 0;
    for (uint32_t s = 0; s < p->n_seqs; s++) {
        const struct attention_seq *text = &p->seqs[s];
        const uint32_t n = extra_keys(p->spec, text->rows);
        seqs[s] = (struct attention_seq){.row = total,
                                         .rows = n,
                                         .past = text->rows,
                                         .keys = text->rows + n,
                                         .pages = text->pages};
        total += n;
    }
    return total;
}

static void write_blocks(const struct hook_pass *p, const struct layer *layer) {
    struct attention_seq seqs[LIMIT_BATCH_SEQS];
    const uint32_t n = find_blocks(p, seqs);
    const size_t hidden = p->spec->hidden_size;
    float *sums = p->own, *qkv = sums + n * hidden;
    size_t from, to;
    lane_range(p->lane, n, 1, &from, &to);
    for (uint32_t s = 0; s < p->n_seqs; s++)
        for (uint32_t i = 0; i < seqs[s].rows; i++)
            if (seqs[s].row + i >= from && seqs[s].row + i < to)
                sum_block(p, &p->seqs[s], i, sums + (seqs[s].row + i) * hidden);
    lane_barrier(p->lane);
    if (n == 0)
        return;
    const float *k = qkv + p->spec->heads * p->spec->head_size;
    p->device->norm(p->lane, &layer->norm, sums, sums, n);
    p->device->linear(p->lane, p->scratch, p->qkv_linear, sums, hidden, qkv, p->ldqkv, n, NULL);
    p->device->kv_write(p->lane, &p->shape, seqs, p->n_seqs, 0, k, p->ldqkv,
                        k + p->spec->heads * p->spec->head_size, p->ldqkv);
}

static void add_parts(const struct hook_pass *p, struct parts *parts, uint32_t text) {
    const struct attention_seq *seq = &p->seqs[text];
    const uint32_t radius = p->spec->hook.options[LONGT5_RADIUS], n = seq->rows;
    for (uint32_t at = 0; at < n; at += PART_ROWS) {
        const uint32_t end = n - at < PART_ROWS ? n : at + PART_ROWS;
        parts_add(parts,
                  &(struct part){.text = text,
                                 .row = seq->row + at,
                                 .rows = end - at,
                                 .at = at,
                                 .near = {.pages = seq->pages,
                                          .from = at > radius ? at - radius : 0,
                                          .to = n - end < radius ? n : end + radius},
                                 .far = {.pages = seq->pages,
                                         .from = n,
                                         .to = n + extra_keys(p->spec, n)}});
    }
}

static void add_bias(const void *user, const struct part *part, uint32_t row, uint32_t h,
                     float *near, float *far) {
    const struct hook_pass *p = user;
    const struct layer *first = p->first;
    const uint32_t radius = p->spec->hook.options[LONGT5_RADIUS], at = part->at + row;
    const size_t reach = p->shape.bias_reach, side = reach_of(p->spec);
    const float *local = p->shape.bias + h * (2 * reach - 1) + reach - 1 - at;
    const uint32_t n = part->far.to - part->far.from;
    uint32_t from = at > radius ? at - radius : 0, to = at + radius + 1;
    from = from > part->near.from ? from : part->near.from;
    to = to < part->near.to ? to : part->near.to;
    for (uint32_t k = from; k < to; k++)
        near[k - part->near.from] = local[k];
    if (n == 0)
        return;
    const float *blocks =
        first->side + h * (2 * side - 1) + side - 1 - block_of(first, at, n);
    for (uint32_t i = 0; i < n; i++)
        far[i] = blocks[i];
}

static void attention(const struct hook_pass *p, const void *own) {
    const size_t columns = (size_t)p->spec->heads * p->spec->head_size;
    float *list = p->own + block_floats(p->spec, p->rows);
    p->device->kv_write(p->lane, &p->shape, p->seqs, p->n_seqs, 0, p->qkv + columns, p->ldqkv,
                        p->qkv + 2 * columns, p->ldqkv);
    if (p->lane->index == 0) {
        struct parts *parts = parts_begin(list, max_parts(p->rows), max_pages(p->spec, p->rows));
        for (uint32_t s = 0; s < p->n_seqs; s++)
            add_parts(p, parts, s);
    }
    write_blocks(p, own);
    parts_attend(p, list, add_bias, p);
}

const struct hook_table longt5_attention = {
    .layer_bytes = sizeof(struct layer),
    .floats = packed_floats,
    .scratch_floats = scratch_floats,
    .load = load,
    .attention = attention,
    .extra_keys = extra_keys,
};
