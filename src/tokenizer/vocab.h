/* A vocabulary: token strings to ids by a hash table, ids to strings by an array.
 *
 * The hash can be built up byte by byte and from two parts, so that WordPiece tries all prefixes
 * of a word in one pass. Strings may hold any bytes, zeros too. */
#ifndef BRISK_TOKENIZER_VOCAB_H
#define BRISK_TOKENIZER_VOCAB_H

#include <stdatomic.h>

#include "base/base.h"

struct vocab_slot {
    uint32_t tag; /* upper half of the hash */
    int32_t id;   /* -1: empty */
};

struct vocab_token {
    size_t offset;
    uint32_t len;
    bool present;
};

struct vocab {
    char *strings; /* zero-terminated, one behind the other */
    size_t strings_len, strings_cap;
    struct vocab_token *tokens; /* [size], by id */
    size_t tokens_cap;
    uint32_t size;    /* highest id + 1 */
    uint32_t count;   /* tokens in it */
    uint32_t longest; /* bytes of the longest token */
    struct vocab_slot *slots;
    uint32_t slot_bits; /* 2^slot_bits slots */
};

void vocab_init(struct vocab *vocab);
void vocab_deinit(struct vocab *vocab);
/* Room for n tokens at once, so that the table need not grow on the way. */
void vocab_reserve(struct vocab *vocab, size_t n);
/* Adds or re-points a token; ids must be below LIMIT_VOCAB_SIZE (the caller checks). */
void vocab_put(struct vocab *vocab, const char *token, size_t len, uint32_t id);
/* An id, not in use yet, that reads as a token which is found under another id. */
void vocab_alias(struct vocab *vocab, const char *token, size_t len, uint32_t id);
int32_t vocab_find(const struct vocab *vocab, const char *token, size_t len); /* -1: absent */
const char *vocab_token(const struct vocab *vocab, int32_t id, size_t *len);  /* NULL: absent */

/* Where hashes start: drawn once a process, so that nobody writes a vocabulary whose tokens all
 * meet in one slot. */
extern _Atomic uint64_t vocab_seed;
#define VOCAB_HASH_START atomic_load_explicit(&vocab_seed, memory_order_relaxed)
static inline uint64_t vocab_hash(uint64_t state, const char *data, size_t len) {
    for (size_t i = 0; i < len; i++)
        state = (state ^ (unsigned char)data[i]) * 0x100000001B3ull;
    return state;
}
/* Where a hash's token would be; and what a slot keeps of it besides. */
static inline size_t vocab_slot_of(const struct vocab *vocab, uint64_t hash) {
    return (size_t)((hash * 0x9E3779B97F4A7C15ull) >> (64 - vocab->slot_bits));
}
/* Finding takes three loads, each of which waits for the one before; who finds many tokens calls
 * these for all of them first, in this order. */
static inline void vocab_prefetch_slot(const struct vocab *vocab, uint64_t hash) {
    __builtin_prefetch(&vocab->slots[vocab_slot_of(vocab, hash)]);
}
static inline void vocab_prefetch_token(const struct vocab *vocab, uint64_t hash) {
    const int32_t id = vocab->slots[vocab_slot_of(vocab, hash)].id;
    if (id >= 0)
        __builtin_prefetch(&vocab->tokens[id]);
}
static inline void vocab_prefetch_string(const struct vocab *vocab, uint64_t hash) {
    const int32_t id = vocab->slots[vocab_slot_of(vocab, hash)].id;
    if (id >= 0)
        __builtin_prefetch(vocab->strings + vocab->tokens[id].offset);
}
/* Whether the id's token is head + tail. */
bool vocab_is(const struct vocab *vocab, int32_t id, const char *head, size_t head_len,
              const char *tail, size_t tail_len);
/* Finds head + tail, whose hash is given. */
int32_t vocab_find_hashed(const struct vocab *vocab, uint64_t hash, const char *head,
                          size_t head_len, const char *tail, size_t tail_len);

#endif
