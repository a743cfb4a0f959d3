/* Byte-pair encoding, private: what loading (bpe.c) makes and a call (bpe_words.c) reads. Neither
 * words nor their caching are here. */
#ifndef BRISK_TOKENIZER_BPE_H
#define BRISK_TOKENIZER_BPE_H

#include "tokenizer/pipeline.h"

struct merge {
    int32_t left, right;
    int32_t id; /* of the merged token */
};

/* Of a pair. Small, as most pairs that are asked for have none: a look at the slot tells. */
struct merge_slot {
    uint32_t tag;    /* lower half of the pair's hash */
    uint32_t number; /* of the merge plus 1; 0: empty */
};

struct bpe {
    struct merge *merges; /* [by rank]: of two merges, that at the lower address comes first */
    struct merge_slot *slots;
    uint32_t bits;              /* 2^bits slots, at most two thirds full */
    bool crosses;               /* a merge joins something and a U+2581 behind it */
    int32_t char_ids[128];      /* of ASCII, -1: not in the vocabulary; without prefix and suffix */
    int32_t byte_ids[256];      /* the byte's character, -1: not in the vocabulary */
    int32_t last_byte_ids[256]; /* the same with the end-of-word suffix */
    int32_t fallback_ids[256];  /* "<0x00>"… , -1: absent */
    int32_t unk_id;             /* -2: no unknown token, -1: it is not in the vocabulary */
    bool fuse_unk, byte_fallback, ignore_merges;
    const char *prefix, *suffix; /* may be empty */
    size_t prefix_len, suffix_len;
};

static inline uint64_t merge_hash(int32_t left, int32_t right) {
    const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    const uint64_t mixed = key * 0x9E3779B97F4A7C15ull;
    return mixed ^ mixed >> 32;
}

static inline size_t merge_place(const struct bpe *bpe, uint64_t hash) {
    return (size_t)(hash >> (64 - bpe->bits));
}

/* The slot of the pair, or the empty one where it would be. */
static inline struct merge_slot *merge_slot_find(const struct bpe *bpe, int32_t left, int32_t right,
                                                 uint64_t hash) {
    const size_t mask = ((size_t)1 << bpe->bits) - 1;
    for (size_t i = merge_place(bpe, hash);; i = (i + 1) & mask) {
        struct merge_slot *slot = &bpe->slots[i];
        if (slot->number == 0)
            return slot;
        if (slot->tag != (uint32_t)hash)
            continue;
        const struct merge *merge = &bpe->merges[slot->number - 1];
        if (merge->left == left && merge->right == right)
            return slot;
    }
}

static inline const struct merge *merge_find(const struct bpe *bpe, int32_t left, int32_t right) {
    const struct merge_slot *slot = merge_slot_find(bpe, left, right, merge_hash(left, right));
    return slot->number ? &bpe->merges[slot->number - 1] : NULL;
}

#endif
