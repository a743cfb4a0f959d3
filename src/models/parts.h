/* Attention of a hook in parts: some queries of a text and the pages they look at, so that it costs
 * what is seen and not the text's square. A part's keys are first those near it, then others:
 * global ones, or one of its own. Private to this room. */
#ifndef BRISK_MODELS_PARTS_H
#define BRISK_MODELS_PARTS_H

#include "engine/engine.h"

/* Keys [from, to) of a list of pages, which hold finite numbers in every slot. */
struct part_keys {
    float *const *pages;
    size_t offset; /* of the layer in a page */
    uint32_t from, to;
};

struct part {
    uint32_t text;      /* of the pass's seqs */
    uint32_t row, rows; /* queries, of the batch */
    uint32_t at;        /* position of the first of them in the text */
    struct part_keys near, far;
};

/* The parts of a pass, a list that one lane makes for all in the hook's scratch. */
struct parts;
size_t parts_floats(size_t parts, size_t pages); /* for so many parts, of so many pages in all */
struct parts *parts_begin(float *memory, size_t parts, size_t pages);
void parts_add(struct parts *parts, const struct part *part);

/* Writes what is added to the scores of query `row` of a part at head h: near[i] and far[i] are for
 * keys near.from + i and far.from + i. What it does not write is not seen. */
typedef void part_bias(const void *user, const struct part *part, uint32_t row, uint32_t h,
                       float *near, float *far);
/* Attention of the parts that stand in `memory`, of the queries in p->qkv, to p->y. */
void parts_attend(const struct hook_pass *p, const float *memory, part_bias *bias,
                  const void *user);

/* Pages that hold keys [from, to). */
static inline uint32_t part_pages(const struct part_keys *keys) {
    return keys->from < keys->to
               ? (keys->to - 1) / KV_PAGE_TOKENS - keys->from / KV_PAGE_TOKENS + 1
               : 0;
}

#endif
