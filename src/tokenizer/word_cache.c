/* The table behind word_cache.h: each entry is guarded by a sequence number (a seqlock), odd while
 * it is written. All of an entry is atomic words: data is stored with release and loaded with
 * acquire, so a reader that saw any of a writer's data sees its odd number or a later one at the
 * second look, and drops what it read. (Boehm, "Can seqlocks get along with programming language
 * memory models?", 2012.) On x86 these are plain loads and stores. */
#include "tokenizer/word_cache.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/banned.h"

#define ENTRY_BITS 14 /* 16384 entries of 128 bytes: 2 MiB when all are used */
#define WORDS      (WORD_CACHE_BYTES / 8)
#define PAIRS      (WORD_CACHE_TOKENS / 2)
#define ID_BITS    22

static_assert(LIMIT_VOCAB_SIZE <= 1 << ID_BITS, "an id and a length share 32 bits");
static_assert(WORD_CACHE_BYTES < 1 << (32 - ID_BITS), "an id and a length share 32 bits");

/* The first line is all of a word of 24 bytes and 8 tokens. */
struct entry {
    _Atomic uint32_t sequence;
    _Atomic uint32_t meta; /* 0: empty; bytes, tokens << 8, kind << 16 */
    _Atomic uint64_t data[WORDS + PAIRS];
};
static_assert(sizeof(struct entry) == 128, "two cache lines");

/* Where in `data` a word's bytes (as key_of writes them) and its tokens (two each: id, and
 * length << ID_BITS) are. */
static size_t word_at(size_t i) {
    return i < 3 ? i : i + 4;
}
static size_t pair_at(size_t i) {
    return i < 4 ? i + 3 : i + 6;
}

struct word_cache {
    void *block;           /* zeroed by the system page by page, when a page is first touched */
    struct entry *entries; /* in it, aligned */
};

struct key {
    uint64_t word[WORDS];
    uint32_t n; /* of them */
    uint32_t slot;
};

struct word_cache *word_cache_create(void) {
    const size_t line = sizeof(struct entry);
    struct word_cache *cache = mem_alloc(sizeof *cache);
    cache->block = mem_zalloc((1 << ENTRY_BITS) + 1, line);
    cache->entries = (struct entry *)(((uintptr_t)cache->block + line - 1) / line * line);
    return cache;
}

void word_cache_destroy(struct word_cache *cache) {
    if (!cache)
        return;
    mem_free(cache->block);
    mem_free(cache);
}

static uint64_t load8(const char *data) {
    uint64_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

static uint64_t load4(const char *data) {
    uint32_t word;
    memcpy(&word, data, sizeof word);
    return word;
}

/* The product's halves, folded: every bit of both counts (wyhash's step, Wang Yi). */
static uint64_t fold(uint64_t a, uint64_t b) {
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The bytes by words that may overlap: one to one for a given length. */
static struct key key_of(const char *word, size_t len) {
    struct key key;
    key.n = (uint32_t)(len + 7) / 8;
    if (len >= 8) {
        for (uint32_t i = 0; i + 1 < key.n; i++)
            key.word[i] = load8(word + 8 * i);
        key.word[key.n - 1] = load8(word + len - 8);
    } else if (len >= 4) {
        key.word[0] = load4(word) | load4(word + len - 4) << 32;
    } else {
        key.word[0] = (uint64_t)(uint8_t)word[0] | (uint64_t)(uint8_t)word[len / 2] << 8 |
                      (uint64_t)(uint8_t)word[len - 1] << 16;
    }
    uint64_t hash = 0x9E3779B97F4A7C15ull ^ len;
    for (uint32_t i = 0; i < key.n; i++)
        hash = fold(hash ^ key.word[i], 0xC2B2AE3D27D4EB4Full);
    key.slot = (uint32_t)(hash >> (64 - ENTRY_BITS));
    return key;
}

static bool fits(size_t len) {
    return len > 0 && len <= WORD_CACHE_BYTES;
}

size_t word_cache_get(const struct word_cache *cache, const char *word, size_t len, int kind,
                      struct word_token tokens[WORD_CACHE_TOKENS]) {
    if (!fits(len))
        return 0;
    const struct key key = key_of(word, len);
    const struct entry *entry = &cache->entries[key.slot];
    const uint32_t sequence = atomic_load_explicit(&entry->sequence, memory_order_acquire);
    const uint32_t meta = atomic_load_explicit(&entry->meta, memory_order_acquire);
    const size_t n = meta >> 8 & 0xFF;
    if (sequence % 2 || (meta & 0xFF) != len || meta >> 16 != (uint32_t)kind)
        return 0;
    for (size_t i = 0; i < key.n; i++)
        if (atomic_load_explicit(&entry->data[word_at(i)], memory_order_acquire) != key.word[i])
            return 0;
    for (size_t i = 0; i < n && i < WORD_CACHE_TOKENS; i += 2) {
        const uint64_t pair =
            atomic_load_explicit(&entry->data[pair_at(i / 2)], memory_order_acquire);
        for (size_t k = 0; k < 2; k++) {
            const uint32_t token = (uint32_t)(pair >> (32 * k));
            tokens[i + k].id = (int32_t)(token & ((1u << ID_BITS) - 1));
            tokens[i + k].len = token >> ID_BITS;
        }
    }
    return atomic_load_explicit(&entry->sequence, memory_order_relaxed) == sequence ? n : 0;
}

void word_cache_put(struct word_cache *cache, const char *word, size_t len, int kind,
                    const struct word_token *tokens, size_t n) {
    if (!fits(len) || n == 0 || n > WORD_CACHE_TOKENS)
        return;
    const struct key key = key_of(word, len);
    struct entry *entry = &cache->entries[key.slot];
    uint32_t sequence = atomic_load_explicit(&entry->sequence, memory_order_relaxed);
    if (sequence % 2 ||
        !atomic_compare_exchange_strong_explicit(&entry->sequence, &sequence, sequence + 1,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return;
    atomic_store_explicit(&entry->meta, (uint32_t)len | (uint32_t)n << 8 | (uint32_t)kind << 16,
                          memory_order_release);
    for (size_t i = 0; i < key.n; i++)
        atomic_store_explicit(&entry->data[word_at(i)], key.word[i], memory_order_release);
    uint32_t packed[WORD_CACHE_TOKENS] = {0};
    for (size_t i = 0; i < n; i++)
        packed[i] = (uint32_t)tokens[i].id | tokens[i].len << ID_BITS;
    for (size_t i = 0; 2 * i < n; i++)
        atomic_store_explicit(&entry->data[pair_at(i)],
                              packed[2 * i] | (uint64_t)packed[2 * i + 1] << 32,
                              memory_order_release);
    atomic_store_explicit(&entry->sequence, sequence + 2, memory_order_release);
}
