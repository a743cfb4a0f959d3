/* Merges of a SentencePiece vocabulary of the BPE kind, which a GGUF file does not hold: every way
 * to cut a piece in two pieces is a merge; the piece's score is its rank, and where one piece has
 * several cuts, the better halves come first. As GGUFTokenizerSkeleton of transformers does it,
 * order of equals included. */
#include <math.h>
#include <xxhash.h>

#include "formats/gguf.h"

#define PIECE_BYTES                                                                                \
    512 /* a longer token takes part in no merge: bounds the work; real ones have 64 */

struct piece {
    const char *text;
    size_t len;
    float score;
};

struct merge {
    uint32_t left, right; /* pieces */
    float score;          /* of the whole */
    uint32_t order;       /* as found */
};

struct pieces {
    struct piece *piece; /* [n] */
    uint32_t n;
    uint32_t *slots; /* [mask + 1]: piece + 1, 0 empty; of equal texts the last */
    uint32_t mask;
    uint64_t seed; /* fresh: a vocabulary that is slow for one is not for the next */
};

static uint32_t *slot_of(const struct pieces *pieces, const char *text, size_t len) {
    uint32_t i = (uint32_t)XXH3_64bits_withSeed(text, len, pieces->seed) & pieces->mask;
    while (pieces->slots[i] != 0) {
        const struct piece *piece = &pieces->piece[pieces->slots[i] - 1];
        if (piece->len == len && memcmp(piece->text, text, len) == 0)
            break;
        i = (i + 1) & pieces->mask;
    }
    return &pieces->slots[i];
}

static void read_pieces(struct pieces *pieces, const struct gguf_value *tokens,
                        const struct gguf_value *scores, struct arena *scratch) {
    pieces->n = (uint32_t)tokens->len;
    pieces->piece = arena_zalloc(scratch, pieces->n, sizeof *pieces->piece);
    uint32_t size = 16;
    while (size < 2 * pieces->n)
        size *= 2;
    pieces->mask = size - 1;
    pieces->seed = random_seed_fresh();
    pieces->slots = arena_zalloc(scratch, size, sizeof *pieces->slots);
    const uint8_t *at = tokens->data;
    for (uint32_t i = 0; i < pieces->n; i++) {
        struct piece *piece = &pieces->piece[i];
        const struct gguf_value item = gguf_item(scores, i);
        double score = 0;
        piece->text = gguf_next_string(&at, &piece->len);
        (void)gguf_float(&item, &score);
        piece->score = isnan(score) ? 0 : (float)score;
        if (piece->len <= PIECE_BYTES)
            *slot_of(pieces, piece->text, piece->len) = i + 1;
    }
}

struct merges {
    struct merge *items;
    size_t n, cap;
    const struct pieces *pieces;
};

static int by_halves(const void *a, const void *b, void *arg) {
    const struct merge *x = a, *y = b;
    const struct piece *piece = ((const struct pieces *)arg)->piece;
    if (piece[x->left].score != piece[y->left].score)
        return piece[x->left].score > piece[y->left].score ? -1 : 1;
    if (piece[x->right].score != piece[y->right].score)
        return piece[x->right].score > piece[y->right].score ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static int by_score(const void *a, const void *b) {
    const struct merge *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* All cuts of one piece, the better ones first. */
static void cut(struct merges *merges, struct pieces *pieces, const struct piece *whole) {
    const size_t first = merges->n;
    for (size_t i = 1; i < whole->len; i++) {
        if (((uint8_t)whole->text[i] & 0xc0) == 0x80) /* within a character */
            continue;
        const uint32_t left = *slot_of(pieces, whole->text, i);
        const uint32_t right = left ? *slot_of(pieces, whole->text + i, whole->len - i) : 0;
        if (right == 0)
            continue;
        merges->items = mem_grow(merges->items, &merges->cap, merges->n + 1, sizeof(struct merge));
        merges->items[merges->n] =
            (struct merge){left - 1, right - 1, whole->score, (uint32_t)merges->n};
        merges->n++;
    }
    if (merges->n == first)
        return;
    qsort_r(merges->items + first, merges->n - first, sizeof(struct merge), by_halves, pieces);
    for (size_t i = first; i < merges->n; i++)
        merges->items[i].order = (uint32_t)i;
}

void gguf_write_merges(struct json_out *out, const struct gguf_value *tokens,
                       const struct gguf_value *scores, struct arena *scratch) {
    struct pieces pieces = {0};
    struct merges merges = {0};
    read_pieces(&pieces, tokens, scores, scratch);
    for (uint32_t i = 0; i < pieces.n; i++) {
        if (pieces.piece[i].len <= PIECE_BYTES && merges.n < LIMIT_JSON_VALUES)
            cut(&merges, &pieces, &pieces.piece[i]);
    }
    if (merges.n > 0)
        qsort(merges.items, merges.n, sizeof(struct merge), by_score);
    json_key(out, "merges");
    json_open_array(out);
    for (size_t i = 0; i < merges.n; i++) {
        const struct piece *left = &pieces.piece[merges.items[i].left];
        const struct piece *right = &pieces.piece[merges.items[i].right];
        json_open_array(out);
        json_string_n(out, left->text, left->len);
        json_string_n(out, right->text, right->len);
        json_close_array(out);
    }
    json_close_array(out);
    mem_free(merges.items);
}
