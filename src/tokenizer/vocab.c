/* Open addressing over FNV-1a (Fowler, Noll, Vo) from a start of the process's own, finished by a
 * multiplication. Load at most 1/2. */
#include "tokenizer/vocab.h"

#include "base/random.h"
#include "base/banned.h"

_Atomic uint64_t vocab_seed;

/* The first vocabulary of the process draws; of several at once, one is heard. */
static void seed_draw(void) {
    uint64_t none = 0;
    if (atomic_load_explicit(&vocab_seed, memory_order_relaxed) == 0)
        atomic_compare_exchange_strong(&vocab_seed, &none, random_seed_fresh() | 1);
}

static uint32_t tag_of(uint64_t hash) {
    return (uint32_t)(hash >> 32);
}

static struct vocab_slot *slots_create(uint32_t bits) {
    const size_t n = (size_t)1 << bits;
    struct vocab_slot *slots = mem_zalloc(n, sizeof *slots);
    for (size_t i = 0; i < n; i++)
        slots[i].id = -1;
    return slots;
}

void vocab_init(struct vocab *vocab) {
    seed_draw();
    *vocab = (struct vocab){.slot_bits = 4};
    vocab->slots = slots_create(vocab->slot_bits);
}

void vocab_deinit(struct vocab *vocab) {
    mem_free(vocab->strings);
    mem_free(vocab->tokens);
    mem_free(vocab->slots);
    *vocab = (struct vocab){0};
}

const char *vocab_token(const struct vocab *vocab, int32_t id, size_t *len) {
    if (id < 0 || (uint32_t)id >= vocab->size || !vocab->tokens[id].present)
        return NULL;
    *len = vocab->tokens[id].len;
    return vocab->strings + vocab->tokens[id].offset;
}

static bool is_token(const struct vocab *vocab, int32_t id, const char *head, size_t head_len,
                     const char *tail, size_t tail_len) {
    const struct vocab_token *token = &vocab->tokens[id];
    const char *string = vocab->strings + token->offset;
    return token->len == head_len + tail_len &&
           (head_len == 0 || memcmp(string, head, head_len) == 0) &&
           (tail_len == 0 || memcmp(string + head_len, tail, tail_len) == 0);
}

bool vocab_is(const struct vocab *vocab, int32_t id, const char *head, size_t head_len,
              const char *tail, size_t tail_len) {
    return id >= 0 && (uint32_t)id < vocab->size && vocab->tokens[id].present &&
           is_token(vocab, id, head, head_len, tail, tail_len);
}

int32_t vocab_find_hashed(const struct vocab *vocab, uint64_t hash, const char *head,
                          size_t head_len, const char *tail, size_t tail_len) {
    const size_t mask = ((size_t)1 << vocab->slot_bits) - 1;
    for (size_t i = vocab_slot_of(vocab, hash);; i = (i + 1) & mask) {
        const struct vocab_slot slot = vocab->slots[i];
        if (slot.id < 0)
            return -1;
        if (slot.tag == tag_of(hash) && is_token(vocab, slot.id, head, head_len, tail, tail_len))
            return slot.id;
    }
}

int32_t vocab_find(const struct vocab *vocab, const char *token, size_t len) {
    return vocab_find_hashed(vocab, vocab_hash(VOCAB_HASH_START, token, len), token, len, NULL, 0);
}

static void slots_insert(struct vocab *vocab, uint64_t hash, int32_t id) {
    const size_t mask = ((size_t)1 << vocab->slot_bits) - 1;
    size_t i = vocab_slot_of(vocab, hash);
    while (vocab->slots[i].id >= 0)
        i = (i + 1) & mask;
    vocab->slots[i] = (struct vocab_slot){tag_of(hash), id};
}

/* Every token that a slot points at is hashed again. */
static void slots_grow(struct vocab *vocab, uint32_t bits) {
    struct vocab_slot *old = vocab->slots;
    const size_t n = (size_t)1 << vocab->slot_bits;
    vocab->slot_bits = bits;
    vocab->slots = slots_create(vocab->slot_bits);
    for (size_t i = 0; i < n; i++) {
        if (old[i].id < 0)
            continue;
        const struct vocab_token *token = &vocab->tokens[old[i].id];
        slots_insert(vocab,
                     vocab_hash(VOCAB_HASH_START, vocab->strings + token->offset, token->len),
                     old[i].id);
    }
    mem_free(old);
}

/* Takes a token's old slot out and closes the gap behind it (Knuth, algorithm 6.4R). */
static void slots_remove(struct vocab *vocab, uint64_t hash, int32_t id) {
    const size_t mask = ((size_t)1 << vocab->slot_bits) - 1;
    size_t gap = vocab_slot_of(vocab, hash);
    while (vocab->slots[gap].id != id) {
        if (vocab->slots[gap].id < 0)
            return; /* an alias */
        gap = (gap + 1) & mask;
    }
    vocab->slots[gap].id = -1;
    for (size_t i = (gap + 1) & mask; vocab->slots[i].id >= 0; i = (i + 1) & mask) {
        const struct vocab_slot moved = vocab->slots[i];
        const struct vocab_token *token = &vocab->tokens[moved.id];
        vocab->slots[i].id = -1;
        slots_insert(vocab,
                     vocab_hash(VOCAB_HASH_START, vocab->strings + token->offset, token->len),
                     moved.id);
    }
}

static void tokens_reserve(struct vocab *vocab, uint32_t id) {
    if (id < vocab->size)
        return;
    vocab->tokens =
        mem_grow(vocab->tokens, &vocab->tokens_cap, (size_t)id + 1, sizeof *vocab->tokens);
    memset(vocab->tokens + vocab->size, 0, (id + 1 - vocab->size) * sizeof *vocab->tokens);
    vocab->size = id + 1;
}

void vocab_reserve(struct vocab *vocab, size_t n) {
    uint32_t bits = vocab->slot_bits;
    while (bits < 31 && (size_t)1 << bits < 2 * (vocab->count + n))
        bits++;
    if (bits > vocab->slot_bits)
        slots_grow(vocab, bits);
    vocab->tokens =
        mem_grow(vocab->tokens, &vocab->tokens_cap, vocab->size + n, sizeof *vocab->tokens);
}

static void set_string(struct vocab *vocab, const char *token, size_t len, uint32_t id) {
    vocab->strings = mem_grow(vocab->strings, &vocab->strings_cap, vocab->strings_len + len + 1, 1);
    memcpy(vocab->strings + vocab->strings_len, token, len);
    vocab->strings[vocab->strings_len + len] = 0;
    vocab->tokens[id] = (struct vocab_token){vocab->strings_len, (uint32_t)len, true};
    vocab->strings_len += len + 1;
}

void vocab_put(struct vocab *vocab, const char *token, size_t len, uint32_t id) {
    const uint64_t hash = vocab_hash(VOCAB_HASH_START, token, len);
    const int32_t before = vocab_find_hashed(vocab, hash, token, len, NULL, 0);
    if (before == (int32_t)id)
        return;
    tokens_reserve(vocab, id);
    if (before >= 0) {
        slots_remove(vocab, hash, before);
        vocab->tokens[before].present = false;
        vocab->count--;
    }
    if (vocab->tokens[id].present) { /* two tokens with one id: the later is the id's token */
        const struct vocab_token *other = &vocab->tokens[id];
        slots_remove(vocab,
                     vocab_hash(VOCAB_HASH_START, vocab->strings + other->offset, other->len),
                     (int32_t)id);
        vocab->count--;
    }
    if (2 * (vocab->count + 1) > (1u << vocab->slot_bits))
        slots_grow(vocab, vocab->slot_bits + 1);
    set_string(vocab, token, len, id);
    vocab->count++;
    if (len > vocab->longest)
        vocab->longest = (uint32_t)len;
    slots_insert(vocab, hash, (int32_t)id);
}

void vocab_alias(struct vocab *vocab, const char *token, size_t len, uint32_t id) {
    tokens_reserve(vocab, id);
    if (!vocab->tokens[id].present)
        set_string(vocab, token, len, id);
}
