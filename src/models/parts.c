/* Lists of parts and their pages, and how attention of ops/ is run over them: to it each part is a
 * text of its own. */
#include "models/parts.h"

#define FLOATS(bytes) (((bytes) + 63) / 64 * 16) /* whole cache lines */

struct parts {
    size_t n, most, n_pages, most_pages;
    struct part *parts;
    struct attention_seq *seqs; /* a part as the operation sees it: a text of these pages */
    float **pages;
};

size_t parts_floats(size_t parts, size_t pages) {
    return FLOATS(sizeof(struct parts)) + FLOATS(parts * sizeof(struct part)) +
           FLOATS(parts * sizeof(struct attention_seq)) + FLOATS(pages * sizeof(float *));
}

struct parts *parts_begin(float *memory, size_t parts, size_t pages) {
    struct parts *list = (void *)memory;
    memory += FLOATS(sizeof *list);
    list->parts = (void *)memory;
    memory += FLOATS(parts * sizeof *list->parts);
    list->seqs = (void *)memory;
    memory += FLOATS(parts * sizeof *list->seqs);
    list->pages = (void *)memory;
    list->most = parts;
    list->most_pages = pages;
    list->n = list->n_pages = 0;
    return list;
}

static void add_pages(struct parts *list, const struct part_keys *keys) {
    const uint32_t n = part_pages(keys), first = keys->from / KV_PAGE_TOKENS;
    ASSERT(n <= list->most_pages - list->n_pages);
    for (uint32_t i = 0; i < n; i++)
        list->pages[list->n_pages++] = keys->pages[first + i] + keys->offset;
}

/* How many keys the first n pages of a list have up to its last. */
static uint32_t slots(const struct part_keys *keys, uint32_t n) {
    return n > 0 ? (n - 1) * KV_PAGE_TOKENS + (keys->to - 1) % KV_PAGE_TOKENS + 1 : 0;
}

void parts_add(struct parts *list, const struct part *part) {
    const uint32_t near = part_pages(&part->near), far = part_pages(&part->far);
    ASSERT(list->n < list->most && near + far > 0);
    list->parts[list->n] = *part;
    list->seqs[list->n++] = (struct attention_seq){
        .row = part->row,
        .rows = part->rows,
        .keys = far > 0 ? near * KV_PAGE_TOKENS + slots(&part->far, far) : slots(&part->near, near),
        .pages = list->pages + list->n_pages,
    };
    add_pages(list, &part->near);
    add_pages(list, &part->far);
}

struct asked {
    const struct parts *list;
    part_bias *bias;
    const void *user;
};

static void row_bias(const void *user, uint32_t seq, uint32_t row, uint32_t h, uint32_t from,
                     uint32_t to, float *out) {
    const struct asked *asked = user;
    const struct part *part = &asked->list->parts[seq];
    for (uint32_t k = from; k < to; k++)
        out[k] = ATTENTION_HIDDEN;
    asked->bias(asked->user, part, row, h, out + part->near.from % KV_PAGE_TOKENS,
                out + part_pages(&part->near) * KV_PAGE_TOKENS + part->far.from % KV_PAGE_TOKENS);
}

void parts_attend(const struct hook_pass *p, const float *memory, part_bias *bias,
                  const void *user) {
    const struct parts *list = (const void *)memory;
    const struct asked asked = {list, bias, user};
    struct attention_shape shape = p->shape;
    shape.causal = false;
    shape.window = 0;
    shape.bias = NULL;
    shape.row_bias = row_bias;
    shape.row_bias_user = &asked;
    p->device->attention(p->lane, p->scratch, &shape, list->seqs, (uint32_t)list->n, 0, p->qkv,
                         p->ldqkv, p->y, p->ldy);
}
