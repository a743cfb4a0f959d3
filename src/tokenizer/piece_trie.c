/* Building the double array: the pieces are sorted, and each range of them with a common start gets
 * a cell. Ranges wait on a stack, so that a long piece costs no call depth. A cell with one child
 * takes any free cell for it; one with more is tried at a few free places, then gets a new block.
 */
#include "tokenizer/piece_trie.h"

#include <stdlib.h>

#include "base/banned.h"

#define BLOCK  256
#define FREE   UINT32_MAX
#define ROOT   (UINT32_MAX - 1) /* the root's parent */
#define PLACES 48               /* tried before a new block is added */

struct key {
    uint64_t head; /* first eight bytes, so that most comparisons look no further */
    const struct scored_piece *piece;
};

struct range {
    size_t low, high; /* keys with the cell's bytes in front */
    size_t depth;
    uint32_t cell;
};

struct build {
    struct piece_trie *trie;
    size_t cells_cap;
    uint32_t first, last; /* of the free cells, FREE: none */
    const struct scored_piece *pieces;
    const struct key *keys;
    struct range *stack;
    size_t n, cap;
};

static uint64_t head_of(const struct scored_piece *piece) {
    uint64_t head = 0;
    for (size_t i = 0; i < 8; i++)
        head = head << 8 | (i < piece->len ? (uint8_t)piece->data[i] : 0);
    return head;
}

/* Bytes, then length, then place in the list. */
static int compare_keys(const void *a, const void *b) {
    const struct key *left = a, *right = b;
    if (left->head != right->head)
        return left->head < right->head ? -1 : 1;
    const struct scored_piece *x = left->piece, *y = right->piece;
    const size_t least = x->len < y->len ? x->len : y->len;
    const int order = least > 0 ? memcmp(x->data, y->data, least) : 0;
    if (order != 0)
        return order;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* ---- cells --------------------------------------------------------------------------------- */

static void add_block(struct build *build) {
    struct piece_trie *trie = build->trie;
    trie->cells = mem_grow(trie->cells, &build->cells_cap, trie->n + BLOCK, sizeof *trie->cells);
    for (uint32_t i = 0; i < BLOCK; i++) {
        const uint32_t cell = (uint32_t)trie->n + i;
        trie->cells[cell] = (struct piece_cell){
            .parent = FREE, .next = i + 1 < BLOCK ? cell + 1 : FREE, .previous = cell - 1};
    }
    trie->cells[trie->n].previous = build->last;
    if (build->last == FREE)
        build->first = (uint32_t)trie->n;
    else
        trie->cells[build->last].next = (uint32_t)trie->n;
    trie->n += BLOCK;
    build->last = (uint32_t)trie->n - 1;
}

static void take(struct build *build, uint32_t cell, uint32_t parent) {
    struct piece_cell *cells = build->trie->cells;
    ASSERT(cells[cell].parent == FREE);
    const uint32_t next = cells[cell].next, previous = cells[cell].previous;
    if (previous == FREE)
        build->first = next;
    else
        cells[previous].next = next;
    if (next == FREE)
        build->last = previous;
    else
        cells[next].previous = previous;
    cells[cell] = (struct piece_cell){.parent = parent};
}

static bool fits(const struct build *build, uint32_t base, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (build->trie->cells[base ^ bytes[i]].parent != FREE)
            return false;
    return true;
}

static uint32_t find_base(struct build *build, const uint8_t *bytes, size_t n) {
    uint32_t cell = build->first;
    for (size_t i = 0; i < PLACES && cell != FREE; i++, cell = build->trie->cells[cell].next)
        if (fits(build, cell ^ bytes[0], bytes, n))
            return cell ^ bytes[0];
    const uint32_t base = (uint32_t)build->trie->n;
    add_block(build);
    return base;
}

/* ---- ranges -------------------------------------------------------------------------------- */

static void push(struct build *build, struct range range) {
    build->stack = mem_grow(build->stack, &build->cap, build->n + 1, sizeof *build->stack);
    build->stack[build->n++] = range;
}

/* The end of the keys from low on that go on with the same byte. */
static size_t same_byte(const struct build *build, size_t low, size_t high, size_t depth) {
    const char byte = build->keys[low].piece->data[depth];
    size_t end = low + 1;
    while (end < high && build->keys[end].piece->data[depth] == byte)
        end++;
    return end;
}

static void place(struct build *build, struct range range) {
    struct piece_trie *trie = build->trie;
    const struct key *keys = build->keys;
    size_t low = range.low;
    while (low < range.high && keys[low].piece->len == range.depth) {
        trie->cells[range.cell].is_piece = range.depth > 0;
        trie->cells[range.cell].next = (uint32_t)(keys[low++].piece - build->pieces);
    }
    uint8_t bytes[BLOCK];
    size_t ends[BLOCK], n = 0;
    for (size_t at = low; at < range.high; at = ends[n - 1]) {
        ASSERT(n < BLOCK);
        bytes[n] = (uint8_t)keys[at].piece->data[range.depth];
        ends[n] = same_byte(build, at, range.high, range.depth);
        n++;
    }
    if (n == 0)
        return;
    const uint32_t base = find_base(build, bytes, n);
    trie->cells[range.cell].base = base & 0x7FFFFFFF;
    for (size_t i = 0; i < n; i++) {
        take(build, base ^ bytes[i], range.cell);
        push(build,
             (struct range){i > 0 ? ends[i - 1] : low, ends[i], range.depth + 1, base ^ bytes[i]});
    }
}

/* Cells of pieces hold the piece's place in the list until here. */
static void put_scores(struct piece_trie *trie, const struct scored_piece *pieces) {
    trie->ids = mem_zalloc(trie->n, sizeof *trie->ids);
    for (size_t i = 0; i < trie->n; i++) {
        if (!trie->cells[i].is_piece)
            continue;
        const uint32_t place = trie->cells[i].next;
        trie->ids[i] = (int32_t)place;
        trie->cells[i].score = pieces[place].score;
    }
}

void piece_trie_create(struct piece_trie *trie, const struct scored_piece *pieces, size_t n) {
    struct key *keys = mem_zalloc(n + 1, sizeof *keys);
    for (size_t i = 0; i < n; i++)
        keys[i] = (struct key){head_of(&pieces[i]), &pieces[i]};
    qsort(keys, n, sizeof *keys, compare_keys);
    *trie = (struct piece_trie){0};
    struct build build = {
        .trie = trie, .first = FREE, .last = FREE, .pieces = pieces, .keys = keys};
    add_block(&build);
    take(&build, 0, ROOT);
    push(&build, (struct range){0, n, 0, 0});
    while (build.n > 0)
        place(&build, build.stack[--build.n]);
    mem_free(build.stack);
    mem_free(keys);
    put_scores(trie, pieces);
}

void piece_trie_deinit(struct piece_trie *trie) {
    mem_free(trie->cells);
    mem_free(trie->ids);
    *trie = (struct piece_trie){0};
}
