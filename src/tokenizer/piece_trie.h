/* Private to the room: the pieces of a unigram vocabulary as a double array (Aoe 1989), which walks
 * a byte of the text with one look at one cell. The child of a cell by a byte is the cell at
 * base ^ byte if that cell names its parent, so that 256 children stay in one block of cells. */
#ifndef BRISK_TOKENIZER_PIECE_TRIE_H
#define BRISK_TOKENIZER_PIECE_TRIE_H

#include "tokenizer/pipeline.h"

struct piece_cell {
    uint32_t base : 31;
    uint32_t is_piece : 1;
    uint32_t parent; /* UINT32_MAX: the cell is free */
    union {
        double score; /* with is_piece */
        struct {
            uint32_t next, previous; /* of the free cells, while building */
        };
    };
};

struct piece_trie {
    struct piece_cell *cells; /* [n], the root first; n is a multiple of 256 */
    int32_t *ids;             /* [n]: of the piece that ends here */
    size_t n;
};

/* Of equal pieces the last counts. Empty pieces are in no text, and left out. */
void piece_trie_create(struct piece_trie *trie, const struct scored_piece *pieces, size_t n);
void piece_trie_deinit(struct piece_trie *trie);

/* The cell that follows, or UINT32_MAX. */
static inline uint32_t piece_trie_step(const struct piece_trie *trie, uint32_t cell, uint8_t byte) {
    const uint32_t next = trie->cells[cell].base ^ byte;
    return trie->cells[next].parent == cell ? next : UINT32_MAX;
}

#endif
