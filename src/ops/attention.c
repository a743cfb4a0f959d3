/* Attention and the writing of keys and values into pages, on all lanes. The arithmetic of one
 * block is the attend kernel's.
 *
 * A block is up to six queries of one sequence that read the same keys: consecutive rows, and with
 * grouped heads the heads of a group as well. Lanes take consecutive blocks as they go, by cost. */
#include "ops/ops_private.h"

#define LEAST_COST 8 /* pages and blocks; of what a lane takes */

/* One pass of attention, the same for all blocks. */
struct pass {
    const struct attention_shape *shape;
    const struct attention_seq *seqs;
    size_t page_offset, bias_stride;
    const float *q;
    size_t ldq;
    float *y;
    size_t ldy;
    const struct kernels *kernels;
    struct lane_scratch *scratch;
};

/* Queries of a sequence that share one KV head. */
static uint32_t queries(const struct attention_shape *shape, const struct attention_seq *seq) {
    return seq->rows * (shape->heads / shape->kv_heads);
}

static uint32_t blocks(const struct attention_shape *shape, const struct attention_seq *seq) {
    return (queries(shape, seq) + KERNEL_TILE_ROWS - 1) / KERNEL_TILE_ROWS;
}

/* Keys [*from, *to) that row r of the sequence sees. */
static void visible(const struct attention_shape *shape, const struct attention_seq *seq,
                    uint32_t r, uint32_t *from, uint32_t *to) {
    const uint32_t at = seq->past + r, around = shape->window / 2;
    uint64_t end = seq->keys;
    uint32_t begin = 0;
    if (shape->causal) {
        end = at + 1;
    } else if (shape->window > 0) {
        end = (uint64_t)at + around + 1;
        begin = at > around ? at - around : 0;
    }
    *to = end < seq->keys ? (uint32_t)end : seq->keys;
    if (shape->causal && shape->window > 0 && *to > shape->window) {
        begin = *to - shape->window;
    }
    *from = begin < *to ? begin : *to;
}

/* What key k adds to a score of head h at row r is at [k]; NULL: nothing. */
static const float *bias_of(const struct attention_shape *shape, const struct attention_seq *seq,
                            uint32_t r, uint32_t h) {
    if (shape->bias == NULL) {
        return NULL;
    }
    const size_t reach = shape->bias_reach;
    const size_t query = shape->bias_by_key ? 0 : seq->past + r;
    return shape->bias + h * (2 * reach - 1) + (reach - 1 - query);
}

/* Pages that a block looks at, plus one for what does not depend on them. */
static uint64_t block_cost(const struct attention_shape *shape, const struct attention_seq *seq,
                           uint32_t block) {
    const uint32_t group = shape->heads / shape->kv_heads;
    uint32_t last = ((block + 1) * KERNEL_TILE_ROWS - 1) / group, from, to;
    last = last < seq->rows ? last : seq->rows - 1;
    visible(shape, seq, last, &from, &to);
    return 1 + (to - from) / KV_PAGE_TOKENS;
}

/* The caller's own additions to the scores of one query, in row i of the block. */
static const float *made_bias(const struct pass *pass, uint32_t seq, const struct attend *a,
                              uint32_t i, uint32_t r, uint32_t h) {
    const struct attention_shape *shape = pass->shape;
    float *out = pass->scratch->bias + (size_t)i * pass->bias_stride;
    shape->row_bias(shape->row_bias_user, seq, r, h, a->from[i], a->to[i], out);
    return out;
}

static void run_block(const struct pass *pass, uint32_t at, uint32_t kv_head, uint32_t block) {
    const struct attention_shape *shape = pass->shape;
    const struct attention_seq *seq = &pass->seqs[at];
    const uint32_t group = shape->heads / shape->kv_heads, size = shape->head_size;
    const uint32_t first = block * KERNEL_TILE_ROWS, all = queries(shape, seq);
    const size_t head = (size_t)kv_head * size * KV_PAGE_TOKENS;
    const size_t values = (size_t)shape->kv_heads * size * KV_PAGE_TOKENS;
    struct attend a = {
        .rows = all - first < KERNEL_TILE_ROWS ? all - first : KERNEL_TILE_ROWS,
        .head_size = size,
        .scale = shape->scale,
        .softcap = shape->softcap,
        .q = pass->scratch->q,
        .y = pass->scratch->y,
        .pages = seq->pages,
        .keys_at = pass->page_offset + head,
        .values_at = pass->page_offset + values + head,
        .scores = pass->scratch->scores,
    };
    for (uint32_t i = 0; i < a.rows; i++) {
        const uint32_t r = (first + i) / group, h = kv_head * group + (first + i) % group;
        visible(shape, seq, r, &a.from[i], &a.to[i]);
        a.bias[i] = shape->row_bias ? made_bias(pass, at, &a, i, r, h) : bias_of(shape, seq, r, h);
        memcpy(pass->scratch->q + (size_t)i * size,
               pass->q + (seq->row + r) * pass->ldq + (size_t)h * size, size * sizeof(float));
    }
    pass->kernels->attend(&a);
    for (uint32_t i = 0; i < a.rows; i++) {
        const uint32_t r = (first + i) / group, h = kv_head * group + (first + i) % group;
        memcpy(pass->y + (seq->row + r) * pass->ldy + (size_t)h * size,
               pass->scratch->y + (size_t)i * size, size * sizeof(float));
    }
}

static uint32_t head_count(const struct attention_shape *shape) {
    return shape->n_heads > 0 ? shape->n_heads : shape->kv_heads;
}

static uint64_t total_cost(const struct attention_shape *shape, const struct attention_seq *seqs,
                           uint32_t n_seqs) {
    uint64_t a_head = 0;
    for (uint32_t s = 0; s < n_seqs; s++) {
        for (uint32_t b = 0; b < blocks(shape, seqs + s); b++) {
            a_head += block_cost(shape, seqs + s, b);
        }
    }
    return a_head * head_count(shape);
}

/* The next block in the order of texts, heads and queries, and the cost of those before it. */
struct place {
    uint32_t seq, head, block;
    uint64_t cost;
};

static void step_place(struct place *place, const struct pass *pass, uint64_t cost) {
    place->cost += cost;
    if (++place->block < blocks(pass->shape, &pass->seqs[place->seq])) {
        return;
    }
    place->block = 0;
    if (++place->head == head_count(pass->shape)) {
        place->head = 0;
        place->seq++;
    }
}

/* The blocks whose middle lies in [from, to) of all costs; none lies before the place. */
static void run_blocks(const struct pass *pass, struct place *place, uint32_t n_seqs, uint64_t from,
                       uint64_t to) {
    while (place->seq < n_seqs) {
        const struct attention_seq *seq = &pass->seqs[place->seq];
        if (blocks(pass->shape, seq) == 0) {
            place->seq++;
            continue;
        }
        const uint64_t cost = block_cost(pass->shape, seq, place->block);
        const uint64_t middle = place->cost + cost / 2;
        if (middle >= to) {
            return;
        }
        if (middle >= from) {
            run_block(pass, place->seq, pass->shape->first_head + place->head, place->block);
        }
        step_place(place, pass, cost);
    }
}

void cpu_attention(struct lane *lane, struct scratch *scratch, const struct attention_shape *shape,
                   const struct attention_seq *seqs, uint32_t n_seqs, size_t page_offset,
                   const float *q, size_t ldq, float *y, size_t ldy) {
    ASSERT(lane->count <= scratch->lanes && shape->head_size <= scratch->max_in);
    const struct pass pass = {
        .shape = shape,
        .seqs = seqs,
        .page_offset = page_offset,
        .bias_stride = key_stride(scratch),
        .q = q,
        .ldq = ldq,
        .y = y,
        .ldy = ldy,
        .kernels = kernels_best(),
        .scratch = &scratch->lane[lane->index],
    };
    for (uint32_t s = 0; s < n_seqs; s++) {
        ASSERT(seqs[s].keys <= scratch->max_keys);
        ASSERT(shape->bias == NULL || (seqs[s].keys <= shape->bias_reach &&
                                       seqs[s].past + seqs[s].rows <= shape->bias_reach));
    }
    const uint64_t total = total_cost(shape, seqs, n_seqs);
    struct place place = {0};
    size_t from, to;
    while (lane_take(lane, total, LEAST_COST, &from, &to)) {
        run_blocks(&pass, &place, n_seqs, from, to);
    }
    lane_barrier(lane);
}

static void write_token(const struct attention_shape *shape, float *page, uint32_t slot,
                        const float *k, const float *v) {
    const uint32_t size = shape->head_size, all = shape->kv_heads * size;
    float *values = page + (size_t)all * KV_PAGE_TOKENS;
    for (uint32_t i = 0; i < all; i++) {
        page[(size_t)i * KV_PAGE_TOKENS + slot] = k[i];
    }
    for (uint32_t h = 0; h < shape->kv_heads; h++) {
        memcpy(values + ((size_t)h * KV_PAGE_TOKENS + slot) * size, v + (size_t)h * size,
               size * sizeof(float));
    }
}

/* What stands behind a text's last token becomes zero when it begins the page: masked or not it is
 * multiplied, and what another text left there need not be finite. */
static void clear_behind(const struct attention_shape *shape, float *page, uint32_t last) {
    const size_t head_floats = (size_t)shape->head_size * KV_PAGE_TOKENS;
    float *values = page + shape->kv_heads * head_floats + (size_t)(last + 1) * shape->head_size;
    const size_t bytes = (KV_PAGE_TOKENS - 1 - last) * (size_t)shape->head_size * sizeof(float);
    for (size_t i = 0; i < (size_t)shape->kv_heads * shape->head_size; i++) {
        memset(page + i * KV_PAGE_TOKENS + last + 1, 0,
               (KV_PAGE_TOKENS - 1 - last) * sizeof(float));
    }
    for (uint32_t h = 0; h < shape->kv_heads; h++) {
        memset(values + h * head_floats, 0, bytes);
    }
}

void cpu_kv_write(struct lane *lane, const struct attention_shape *shape,
                  const struct attention_seq *seqs, uint32_t n_seqs, size_t page_offset,
                  const float *k, size_t ldk, const float *v, size_t ldv) {
    size_t total = 0, from, to, at = 0;
    for (uint32_t s = 0; s < n_seqs; s++) {
        total += seqs[s].rows;
    }
    lane_range(lane, total, 1, &from, &to);
    for (uint32_t s = 0; s < n_seqs; s++) {
        for (uint32_t r = 0; r < seqs[s].rows; r++, at++) {
            if (at < from || at >= to) {
                continue;
            }
            const uint32_t position = seqs[s].past + r;
            const uint32_t slot = position % KV_PAGE_TOKENS;
            const size_t row = seqs[s].row + r;
            float *page = seqs[s].pages[position / KV_PAGE_TOKENS] + page_offset;
            write_token(shape, page, slot, k + row * ldk, v + row * ldv);
            if (r + 1 == seqs[s].rows && position - slot >= seqs[s].past) {
                clear_behind(shape, page, slot);
            }
        }
    }
    lane_barrier(lane);
}
