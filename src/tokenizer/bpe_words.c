/* Byte-pair encoding of a word: the adjacent pair of lowest rank is merged, leftmost first, until
 * none has a rank. (Sennrich et al. 2016; `tokenizers` models/bpe/word.rs.)
 *
 * Short words scan an array of ranks; long ones keep a heap, so that a word of n symbols takes
 * n log n steps. Byte-level pieces come unmapped: their symbols are bytes. */
#include "tokenizer/bpe.h"

#include "base/banned.h"

#define SHORT_WORD 32 /* symbols; measured: the heap wins above */

struct symbol {
    int32_t id;
    uint32_t len;        /* bytes; 0: merged into the one before */
    uint32_t prev, next; /* for long words; UINT32_MAX: none */
};

struct candidate { /* a pair that may be merged: ordered by rank, then place */
    uint32_t rank, place;
    int32_t id;
};

struct bpe_call {
    struct symbol *symbols;
    size_t n, cap;
    struct candidate *heap;
    size_t heap_n, heap_cap;
    char *buffer; /* for look-ups of composed strings */
    size_t buffer_cap;
};

static struct bpe_call *call_state(struct model_call *call) {
    if (call->state)
        return call->state;
    struct bpe_call *state = arena_zalloc(call->scratch, 1, sizeof *state);
    state->cap = 256;
    state->symbols = arena_alloc(call->scratch, state->cap * sizeof *state->symbols);
    call->state = state;
    return state;
}

static void add_symbol(struct model_call *call, struct bpe_call *state, int32_t id, size_t len) {
    if (state->n == state->cap) {
        struct symbol *symbols =
            arena_alloc(call->scratch, 2 * state->cap * sizeof *state->symbols);
        memcpy(symbols, state->symbols, state->n * sizeof *symbols);
        state->symbols = symbols;
        state->cap *= 2;
    }
    state->symbols[state->n++] = (struct symbol){.id = id, .len = (uint32_t)len};
}

/* ---- merging ------------------------------------------------------------------------------- */

static void merge_short(const struct bpe *bpe, struct bpe_call *state) {
    struct symbol *symbols = state->symbols;
    size_t n = state->n;
    const struct merge *pairs[SHORT_WORD]; /* of symbols i and i+1 */
    for (size_t i = 0; i + 1 < n; i++)
        pairs[i] = merge_find(bpe, symbols[i].id, symbols[i + 1].id);
    while (n > 1) {
        const struct merge *first = NULL;
        size_t best = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            if (pairs[i] && (!first || pairs[i] < first)) {
                first = pairs[i];
                best = i;
            }
        }
        if (!first)
            break;
        symbols[best].id = first->id;
        symbols[best].len += symbols[best + 1].len;
        n--;
        memmove(symbols + best + 1, symbols + best + 2, (n - best - 1) * sizeof *symbols);
        if (best + 1 < n)
            memmove(pairs + best + 1, pairs + best + 2, (n - best - 2) * sizeof *pairs);
        if (best > 0)
            pairs[best - 1] = merge_find(bpe, symbols[best - 1].id, symbols[best].id);
        if (best + 1 < n)
            pairs[best] = merge_find(bpe, symbols[best].id, symbols[best + 1].id);
    }
    state->n = n;
}

static bool candidate_less(struct candidate a, struct candidate b) {
    return a.rank != b.rank ? a.rank < b.rank : a.place < b.place;
}

static void heap_push(struct model_call *call, struct bpe_call *state, struct candidate item) {
    if (state->heap_n == state->heap_cap) {
        const size_t cap = state->heap_cap ? 2 * state->heap_cap : 256;
        struct candidate *heap = arena_alloc(call->scratch, cap * sizeof *heap);
        if (state->heap_n > 0)
            memcpy(heap, state->heap, state->heap_n * sizeof *heap);
        state->heap = heap;
        state->heap_cap = cap;
    }
    size_t i = state->heap_n++;
    for (; i > 0 && candidate_less(item, state->heap[(i - 1) / 2]); i = (i - 1) / 2)
        state->heap[i] = state->heap[(i - 1) / 2];
    state->heap[i] = item;
}

static struct candidate heap_pop(struct bpe_call *state) {
    const struct candidate top = state->heap[0], item = state->heap[--state->heap_n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= state->heap_n)
            break;
        if (child + 1 < state->heap_n && candidate_less(state->heap[child + 1], state->heap[child]))
            child++;
        if (!candidate_less(state->heap[child], item))
            break;
        state->heap[i] = state->heap[child];
        i = child;
    }
    state->heap[i] = item;
    return top;
}

static void push_pair(const struct bpe *bpe, struct model_call *call, struct bpe_call *state,
                      uint32_t left, uint32_t right) {
    const struct merge *merge = merge_find(bpe, state->symbols[left].id, state->symbols[right].id);
    if (merge)
        heap_push(call, state,
                  (struct candidate){(uint32_t)(merge - bpe->merges), left, merge->id});
}

static void merge_long(const struct bpe *bpe, struct model_call *call, struct bpe_call *state) {
    struct symbol *symbols = state->symbols;
    state->heap_n = 0;
    for (uint32_t i = 0; i < state->n; i++) {
        symbols[i].prev = i > 0 ? i - 1 : UINT32_MAX;
        symbols[i].next = i + 1 < state->n ? i + 1 : UINT32_MAX;
        if (i > 0)
            push_pair(bpe, call, state, i - 1, i);
    }
    while (state->heap_n > 0) {
        const struct candidate top = heap_pop(state);
        struct symbol *left = &symbols[top.place];
        if (left->len == 0 || left->next == UINT32_MAX)
            continue;
        struct symbol *right = &symbols[left->next];
        const struct merge *merge = merge_find(bpe, left->id, right->id);
        if (!merge || merge->id != top.id)
            continue; /* one of the two has been merged elsewhere since */
        left->id = top.id;
        left->len += right->len;
        left->next = right->next;
        right->len = 0;
        if (left->next != UINT32_MAX)
            symbols[left->next].prev = top.place;
        if (left->prev != UINT32_MAX)
            push_pair(bpe, call, state, left->prev, top.place);
        if (left->next != UINT32_MAX)
            push_pair(bpe, call, state, top.place, left->next);
    }
    size_t n = 0;
    for (size_t i = 0; i < state->n; i++)
        if (symbols[i].len > 0)
            symbols[n++] = symbols[i];
    state->n = n;
}

/* ---- words to symbols ---------------------------------------------------------------------- */

static void byte_symbols(const struct bpe *bpe, struct model_call *call, struct bpe_call *state,
                         const struct text *text) {
    for (size_t i = 0; i + 1 < text->len; i++)
        add_symbol(call, state, bpe->byte_ids[(uint8_t)text->data[i]], 1);
    add_symbol(call, state, bpe->last_byte_ids[(uint8_t)text->data[text->len - 1]], 1);
}

static char *call_buffer(struct model_call *call, struct bpe_call *state, size_t need) {
    if (state->buffer_cap < need) {
        state->buffer_cap = 2 * need;
        state->buffer = arena_alloc(call->scratch, state->buffer_cap);
    }
    return state->buffer;
}

/* An unknown character: its bytes, the unknown token, or nothing. */
static void unknown_symbol(const struct bpe *bpe, struct model_call *call, struct bpe_call *state,
                           const char *string, size_t string_len, size_t len, size_t *unknown) {
    if (bpe->byte_fallback) {
        bool all = true;
        for (size_t i = 0; i < string_len; i++)
            all = all && bpe->fallback_ids[(uint8_t)string[i]] >= 0;
        for (size_t i = 0; all && i < string_len; i++)
            add_symbol(call, state, bpe->fallback_ids[(uint8_t)string[i]], 1);
        if (all)
            return;
    }
    if (bpe->unk_id == -2)
        return;
    if (bpe->unk_id < 0) {
        call->failed = true;
        return;
    }
    if (*unknown > 0 && !bpe->fuse_unk) {
        add_symbol(call, state, bpe->unk_id, *unknown);
        *unknown = 0;
    }
    *unknown += len;
}

static void char_symbols(const struct bpe *bpe, const struct vocab *vocab, struct model_call *call,
                         struct bpe_call *state, const struct text *text) {
    char *buffer = call_buffer(call, state, bpe->prefix_len + bpe->suffix_len + 8);
    size_t unknown = 0; /* bytes of the unknown token that is not added yet */
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos, n = 0;
        text_next(text->data, text->len, &next);
        if (pos > 0) {
            memcpy(buffer, bpe->prefix, bpe->prefix_len);
            n = bpe->prefix_len;
        }
        memcpy(buffer + n, text->data + pos, next - pos);
        n += next - pos;
        if (next == text->len) {
            memcpy(buffer + n, bpe->suffix, bpe->suffix_len);
            n += bpe->suffix_len;
        }
        const int32_t id =
            n == 1 ? bpe->char_ids[(uint8_t)buffer[0] & 127] : vocab_find(vocab, buffer, n);
        if (id >= 0) {
            if (unknown > 0)
                add_symbol(call, state, bpe->unk_id, unknown);
            unknown = 0;
            add_symbol(call, state, id, next - pos);
        } else {
            unknown_symbol(bpe, call, state, buffer, n, next - pos, &unknown);
        }
        pos = next;
    }
    if (unknown > 0)
        add_symbol(call, state, bpe->unk_id, unknown);
}

/* ---- words to tokens ----------------------------------------------------------------------- */

/* The whole word as the vocabulary writes it, -1 when it is no token. */
static int32_t whole_word(const struct vocab *vocab, struct model_call *call,
                          struct bpe_call *state, const struct piece *piece) {
    const struct text *text = &piece->text;
    if (text->len > vocab->longest)
        return -1;
    if (!piece->byte_level)
        return vocab_find(vocab, text->data, text->len);
    char *buffer = call_buffer(call, state, 2 * text->len + 8);
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++)
        n += utf8_put(buffer + n, byte_level_char((uint8_t)text->data[i]));
    return vocab_find(vocab, buffer, n);
}

void bpe_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                  struct model_call *call) {
    const struct bpe *bpe = tokenizer->model.state;
    struct bpe_call *state = call_state(call);
    if (bpe->ignore_merges) {
        const int32_t id = whole_word(&tokenizer->vocab, call, state, piece);
        if (id >= 0) {
            model_token(call, id, 0, piece->text.len);
            return;
        }
    }
    state->n = 0;
    if (piece->byte_level)
        byte_symbols(bpe, call, state, &piece->text);
    else
        char_symbols(bpe, &tokenizer->vocab, call, state, &piece->text);
    if (state->n <= SHORT_WORD)
        merge_short(bpe, state);
    else
        merge_long(bpe, call, state);
    size_t pos = 0;
    for (size_t i = 0; i < state->n; i++) {
        model_token(call, state->symbols[i].id, pos, pos + state->symbols[i].len);
        pos += state->symbols[i].len;
    }
}
