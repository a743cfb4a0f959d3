/* A vocabulary: token strings to ids by a hash table, ids to strings by an array.
 *
 * The hash can be built up byte by byte and from two parts, so that WordPiece tries all prefixes
 * of a word in one pass. Strings may hold any bytes, zeros too. */
#ifndef BRISK_TOKENIZER_VOCAB_H
#define BRISK_TOKENIZER_VOCAB_H

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
/* Adds or re-points a token; ids must be below LIMIT_VOCAB_SIZE (the caller checks). */
void vocab_put(struct vocab *vocab, const char *token, size_t len, uint32_t id);
/* An id, not in use yet, that reads as a token which is found under another id. */
void vocab_alias(struct vocab *vocab, const char *token, size_t len, uint32_t id);
int32_t vocab_find(const struct vocab *vocab, const char *token, size_t len); /* -1: absent */
const char *vocab_token(const struct vocab *vocab, int32_t id, size_t *len);  /* NULL: absent */

#define VOCAB_HASH_START 0xCBF29CE484222325ull
static inline uint64_t vocab_hash(uint64_t state, const char *data, size_t len) {
    for (size_t i = 0; i < len; i++)
        state = (state ^ (unsigned char)data[i]) * 0x100000001B3ull;
    return state;
}
/* Finds head + tail, whose hash is given. */
int32_t vocab_find_hashed(const struct vocab *vocab, uint64_t hash, const char *head,
                          size_t head_len, const char *tail, size_t tail_len);

#endif
