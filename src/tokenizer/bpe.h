/* Byte-pair encoding, private: what loading (bpe.c) makes and a call (bpe_words.c) reads. */
#ifndef BRISK_TOKENIZER_BPE_H
#define BRISK_TOKENIZER_BPE_H

#include "tokenizer/pipeline.h"

struct merge {
    int32_t left, right;
    uint32_t rank;
    int32_t id; /* of the merged token, -1: empty slot */
};

struct bpe {
    struct merge *merges;
    uint32_t bits;              /* 2^bits slots, at most half full */
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

static inline size_t merge_slot(const struct bpe *bpe, int32_t left, int32_t right) {
    const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    return (size_t)((key * 0x9E3779B97F4A7C15ull) >> (64 - bpe->bits));
}

static inline const struct merge *merge_find(const struct bpe *bpe, int32_t left, int32_t right) {
    const size_t mask = ((size_t)1 << bpe->bits) - 1;
    for (size_t i = merge_slot(bpe, left, right);; i = (i + 1) & mask) {
        const struct merge *merge = &bpe->merges[i];
        if (merge->id < 0)
            return NULL;
        if (merge->left == left && merge->right == right)
            return merge;
    }
}

#endif
