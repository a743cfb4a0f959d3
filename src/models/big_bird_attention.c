/* BigBird's attention to long texts (transformers' BigBirdBlockSparseAttention): the tokens of the
 * first and the last block see all and are seen by all; the others see three blocks around them,
 * and some more by chance. Chance is for training alone: where nothing is trained, transformers
 * takes the first block for each of them, which so weighs one more than num_random_blocks times.
 *
 * Each block of a long text is a part: its own and its neighbours' keys are the near ones, those of
 * the first and the last block the far ones. */
#include "models/big_bird.h"
#include "models/parts.h"

#include <math.h>

static uint32_t block_of(const struct stack_spec *spec) {
    return spec->hook.options[BIG_BIRD_BLOCK];
}

/* ---- loading: nothing of its own ---- */

static enum status load(const struct hook_loader *l, void *layer, struct error *err) {
    (void)l, (void)layer, (void)err;
    return STATUS_OK;
}

static size_t no_floats(const struct stack_spec *spec) {
    (void)spec;
    return 0;
}

/* ---- a pass ---- */

static bool is_long(const struct stack_spec *spec, uint32_t tokens) {
    return tokens > big_bird_full_tokens(spec->hook.options);
}

/* Pages that the keys of a block are in, at most. */
static size_t block_pages(const struct stack_spec *spec) {
    return block_of(spec) / KV_PAGE_TOKENS + 2;
}

static size_t most_long(const struct stack_spec *spec, uint32_t rows) {
    return (size_t)(rows / big_bird_full_tokens(spec->hook.options));
}

/* Blocks of all long texts: the last of each may not be full. */
static size_t most_parts(const struct stack_spec *spec, uint32_t rows) {
    return rows / block_of(spec) + most_long(spec, rows);
}

/* Of three neighbours and of the far ones; of two blocks of each text, which see all of it. */
static size_t most_pages(const struct stack_spec *spec, uint32_t rows) {
    return 5 * block_pages(spec) * most_parts(spec, rows) +
           2 * (rows / KV_PAGE_TOKENS + 2 * most_long(spec, rows));
}

/* The list of far pages of each long text, then the parts. */
static size_t list_floats(const struct stack_spec *spec, uint32_t rows) {
    const size_t bytes = most_long(spec, rows) * 2 * block_pages(spec) * sizeof(float *);
    return (bytes + 63) / 64 * 16;
}

static size_t scratch_floats(const struct stack_spec *spec, uint32_t max_rows) {
    return list_floats(spec, max_rows) +
           parts_floats(most_parts(spec, max_rows), most_pages(spec, max_rows));
}

/* Keys of the first block, then of the last, whose first page is not full at its beginning. */
struct ends {
    uint32_t pages; /* of the first block */
    uint32_t page;  /* of the text, where the last block begins */
};

static struct ends ends_of(const struct stack_spec *spec, uint32_t tokens) {
    const uint32_t block = block_of(spec);
    return (struct ends){(block - 1) / KV_PAGE_TOKENS + 1,
                         (tokens - 1) / block * block / KV_PAGE_TOKENS};
}

/* Where a key of the last block, or the end of the text, stands among the far ones. */
static uint32_t far_slot(const struct ends *ends, uint32_t key) {
    return key + ends->pages * KV_PAGE_TOKENS - ends->page * KV_PAGE_TOKENS;
}

static struct part_keys far_keys(const struct hook_pass *p, uint32_t seq, float **pages) {
    const struct attention_seq *text = &p->seqs[seq];
    const struct ends ends = ends_of(p->spec, text->rows);
    uint32_t n = 0;
    for (uint32_t i = 0; i < ends.pages; i++)
        pages[n++] = text->pages[i];
    for (uint32_t i = ends.page; i <= (text->rows - 1) / KV_PAGE_TOKENS; i++)
        pages[n++] = text->pages[i];
    return (struct part_keys){.pages = pages, .to = far_slot(&ends, text->rows)};
}

/* The first and the last block see all keys; those between see no near one of the two. */
static void add_parts(const struct hook_pass *p, struct parts *parts, uint32_t seq, float **pages) {
    const struct attention_seq *text = &p->seqs[seq];
    const uint32_t block = block_of(p->spec), last = (text->rows - 1) / block;
    const struct part_keys far = far_keys(p, seq, pages);
    for (uint32_t b = 0; b <= last; b++) {
        const uint32_t end = b == last ? text->rows : (b + 1) * block;
        struct part part = {.text = seq,
                            .row = text->row + b * block,
                            .rows = end - b * block,
                            .at = b * block,
                            .near = {.pages = text->pages, .to = text->rows}};
        if (b > 0 && b < last) {
            part.near.from = (b > 1 ? b - 1 : 1) * block;
            part.near.to = (b + 1 < last ? b + 2 : last) * block;
            part.far = far;
        }
        parts_add(parts, &part);
    }
}

static void list_parts(const struct hook_pass *p, struct parts *parts) {
    float **pages = (void *)p->own;
    for (uint32_t s = 0; s < p->n_seqs; s++)
        if (is_long(p->spec, p->seqs[s].rows)) {
            add_parts(p, parts, s, pages);
            pages += 2 * block_pages(p->spec);
        }
}

static void weigh_blocks(const void *user, const struct part *part, uint32_t row, uint32_t h,
                         float *near, float *far) {
    const struct hook_pass *p = user;
    const uint32_t block = block_of(p->spec), tokens = p->seqs[part->text].rows;
    const struct ends ends = ends_of(p->spec, tokens);
    const uint32_t last = (tokens - 1) / block * block; /* its first token */
    const float first = logf(1 + (float)p->spec->hook.options[BIG_BIRD_RANDOM]);
    (void)row, (void)h;
    for (uint32_t k = part->near.from; k < part->near.to; k++)
        near[k - part->near.from] = 0;
    for (uint32_t k = 0; part->far.to > 0 && k < block; k++)
        far[k] = first;
    for (uint32_t k = last; part->far.to > 0 && k < tokens; k++)
        far[far_slot(&ends, k)] = 0;
}

/* The others, as every text is attended to. */
static void attend_in_full(const struct hook_pass *p) {
    struct attention_seq seqs[LIMIT_BATCH_SEQS];
    uint32_t n = 0;
    for (uint32_t s = 0; s < p->n_seqs; s++)
        if (!is_long(p->spec, p->seqs[s].rows))
            seqs[n++] = p->seqs[s];
    if (n > 0)
        p->device->attention(p->lane, p->scratch, &p->shape, seqs, n, 0, p->qkv, p->ldqkv, p->y,
                             p->ldy);
}

static void attention(const struct hook_pass *p, const void *layer) {
    const size_t width = (size_t)p->spec->heads * p->spec->head_size;
    float *list = p->own + list_floats(p->spec, p->rows);
    bool any = false;
    (void)layer;
    for (uint32_t s = 0; s < p->n_seqs; s++)
        any |= is_long(p->spec, p->seqs[s].rows);
    if (any && p->lane->index == 0)
        list_parts(p,
                   parts_begin(list, most_parts(p->spec, p->rows), most_pages(p->spec, p->rows)));
    p->device->kv_write(p->lane, &p->shape, p->seqs, p->n_seqs, 0, p->qkv + width, p->ldqkv,
                        p->qkv + 2 * width, p->ldqkv);
    attend_in_full(p);
    if (any)
        parts_attend(p, list, weigh_blocks, p);
}

const struct hook_table big_bird_attention = {
    .layer_bytes = 1,
    .floats = no_floats,
    .scratch_floats = scratch_floats,
    .load = load,
    .attention = attention,
};
