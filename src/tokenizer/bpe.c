/* Byte-pair encoding (Sennrich et al. 2016; GPT-2): the adjacent pair of lowest rank is merged,
 * leftmost first, until none has a rank.
 *
 * Short words scan an array of ranks; long ones keep a heap, so that a word of n symbols takes
 * n log n steps. Within a call a small cache remembers words: its entries point at the tokens that
 * the word gave before. Byte-level pieces come unmapped: their symbols are bytes. */
#include "tokenizer/pipeline.h"

#include "base/banned.h"

#define NO_RANK    UINT32_MAX
#define SHORT_WORD 32   /* symbols; measured: the heap wins above */
#define CACHE_MOST 8192 /* words remembered in a call */

struct merge {
    int32_t left, right;
    uint32_t rank;
    int32_t id; /* of the merged token, -1: empty slot */
};

struct bpe {
    struct merge *merges;
    uint32_t bits;              /* 2^bits slots, at most half full */
    int32_t byte_ids[256];      /* the byte's character, -1: not in the vocabulary */
    int32_t last_byte_ids[256]; /* the same with the end-of-word suffix */
    int32_t fallback_ids[256];  /* "<0x00>"… , -1: absent */
    int32_t unk_id;             /* -2: no unknown token, -1: it is not in the vocabulary */
    bool fuse_unk, byte_fallback, ignore_merges;
    const char *prefix, *suffix; /* may be empty */
    size_t prefix_len, suffix_len;
};

/* ---- merges -------------------------------------------------------------------------------- */

static size_t merge_slot(const struct bpe *bpe, int32_t left, int32_t right) {
    const uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    return (size_t)((key * 0x9E3779B97F4A7C15ull) >> (64 - bpe->bits));
}

static const struct merge *merge_find(const struct bpe *bpe, int32_t left, int32_t right) {
    const size_t mask = ((size_t)1 << bpe->bits) - 1;
    for (size_t i = merge_slot(bpe, left, right);; i = (i + 1) & mask) {
        const struct merge *merge = &bpe->merges[i];
        if (merge->id < 0)
            return NULL;
        if (merge->left == left && merge->right == right)
            return merge;
    }
}

static void merges_create(struct bpe *bpe, size_t count) {
    bpe->bits = 4;
    while (((size_t)1 << bpe->bits) < 2 * count + 2)
        bpe->bits++;
    const size_t n = (size_t)1 << bpe->bits;
    bpe->merges = mem_zalloc(n, sizeof *bpe->merges);
    for (size_t i = 0; i < n; i++)
        bpe->merges[i].id = -1;
}

/* The same pair again: the later rank counts. */
static void merge_put(struct bpe *bpe, struct merge merge) {
    const size_t mask = ((size_t)1 << bpe->bits) - 1;
    size_t i = merge_slot(bpe, merge.left, merge.right);
    while (bpe->merges[i].id >= 0 &&
           (bpe->merges[i].left != merge.left || bpe->merges[i].right != merge.right))
        i = (i + 1) & mask;
    bpe->merges[i] = merge;
}

static enum status merge_add(struct bpe *bpe, const struct vocab *vocab, uint32_t rank,
                             const char *left, size_t left_len, const char *right, size_t right_len,
                             struct error *err) {
    const int32_t left_id = vocab_find(vocab, left, left_len);
    const int32_t right_id = vocab_find(vocab, right, right_len);
    int32_t id = -1;
    if (right_len >= bpe->prefix_len) {
        const char *rest = right + bpe->prefix_len;
        const size_t rest_len = right_len - bpe->prefix_len;
        const uint64_t hash =
            vocab_hash(vocab_hash(VOCAB_HASH_START, left, left_len), rest, rest_len);
        id = vocab_find_hashed(vocab, hash, left, left_len, rest, rest_len);
    }
    if (left_id < 0 || right_id < 0 || id < 0)
        return ERR(err, MODEL, "merge %u, \"%.*s %.*s\", is not of tokens in the vocabulary", rank,
                   (int)(left_len > 60 ? 60 : left_len), left,
                   (int)(right_len > 60 ? 60 : right_len), right);
    merge_put(bpe, (struct merge){left_id, right_id, rank, id});
    return STATUS_OK;
}

/* "left right", with one space between. */
static enum status merge_add_line(struct bpe *bpe, const struct vocab *vocab, uint32_t rank,
                                  const char *line, size_t len, struct error *err) {
    const char *space = memchr(line, ' ', len);
    const size_t left_len = space ? (size_t)(space - line) : 0;
    if (!space || memchr(space + 1, ' ', len - left_len - 1))
        return ERR(err, MODEL, "merge %u, \"%.*s\", must be two tokens and a space between", rank,
                   (int)(len > 100 ? 100 : len), line);
    return merge_add(bpe, vocab, rank, line, left_len, space + 1, len - left_len - 1, err);
}

static enum status merges_parse(struct bpe *bpe, const struct vocab *vocab,
                                const struct json *merges, struct error *err) {
    merges_create(bpe, merges->len);
    uint32_t rank = 0;
    for (uint32_t i = 0; i < merges->len; i++) {
        const struct json *merge = json_at(merges, i);
        if (json_is(merge, JSON_STRING)) {
            if (merge->len >= 8 && memcmp(merge->text, "#version", 8) == 0)
                continue;
            if (merge_add_line(bpe, vocab, rank, merge->text, merge->len, err) != STATUS_OK)
                return STATUS_ERROR;
        } else {
            const struct json *left = json_at(merge, 0), *right = json_at(merge, 1);
            if (!json_is(left, JSON_STRING) || !json_is(right, JSON_STRING) || merge->len != 2)
                return ERR(err, MODEL, "merge %u must be a string or a pair of strings", rank);
            if (merge_add(bpe, vocab, rank, left->text, left->len, right->text, right->len, err) !=
                STATUS_OK)
                return STATUS_ERROR;
        }
        rank++;
    }
    return STATUS_OK;
}

enum status bpe_add_merges(struct model *model, struct loader *loader, const char *text, size_t len,
                           struct error *err) {
    struct bpe *bpe = model->state;
    size_t lines = 1;
    for (size_t i = 0; i < len; i++)
        lines += text[i] == '\n';
    mem_free(bpe->merges);
    merges_create(bpe, lines);
    const char *end = text + len;
    const char *line = memchr(text, '\n', len); /* the head line is no merge */
    uint32_t rank = 0;
    for (line = line ? line + 1 : end; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            break; /* as transformers: what has no line end is dropped */
        size_t n = (size_t)(stop - line);
        if (n > 0 && line[n - 1] == '\r')
            n--;
        if (n > 0 &&
            merge_add_line(bpe, &loader->tokenizer->vocab, rank, line, n, err) != STATUS_OK)
            return STATUS_ERROR;
        rank++;
        line = stop + 1;
    }
    return STATUS_OK;
}

enum status bpe_add_pairs(struct model *model, struct loader *loader,
                          const struct merge_pair *pairs, size_t n, struct error *err) {
    struct bpe *bpe = model->state;
    mem_free(bpe->merges);
    merges_create(bpe, n);
    for (size_t i = 0; i < n; i++) {
        const char *right = pairs[i].token + pairs[i].left_len;
        if (merge_add(bpe, &loader->tokenizer->vocab, (uint32_t)i, pairs[i].token,
                      pairs[i].left_len, right, pairs[i].len - pairs[i].left_len, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

/* ---- loading ------------------------------------------------------------------------------- */

static void byte_ids(struct model *model, const struct vocab *vocab) {
    struct bpe *bpe = model->state;
    model->maps_bytes = bpe->prefix_len == 0;
    for (unsigned b = 0; b < 256; b++) {
        char c[4], name[8];
        const size_t n = utf8_put(c, byte_level_char((uint8_t)b));
        bpe->byte_ids[b] = vocab_find(vocab, c, n);
        const uint64_t hash =
            vocab_hash(vocab_hash(VOCAB_HASH_START, c, n), bpe->suffix, bpe->suffix_len);
        bpe->last_byte_ids[b] = vocab_find_hashed(vocab, hash, c, n, bpe->suffix, bpe->suffix_len);
        if (bpe->byte_ids[b] < 0 || bpe->last_byte_ids[b] < 0)
            model->maps_bytes = false;
        snprintf(name, sizeof name, "<0x%02X>", b);
        bpe->fallback_ids[b] = vocab_find(vocab, name, 6);
    }
}

enum status bpe_parse(struct model *model, struct loader *loader, const struct json *config,
                      struct error *err) {
    const struct vocab *vocab = &loader->tokenizer->vocab;
    struct arena *arena = loader_arena(loader);
    struct bpe *bpe = arena_zalloc(arena, 1, sizeof *bpe);
    model->state = bpe;
    const double dropout = json_get_number(config, "dropout", 0);
    if (dropout != 0)
        return ERR(err, MODEL, "BPE with dropout %g is for training; set it to null", dropout);
    bpe->prefix =
        arena_printf(arena, "%s", json_get_string(config, "continuing_subword_prefix", ""));
    bpe->suffix = arena_printf(arena, "%s", json_get_string(config, "end_of_word_suffix", ""));
    bpe->prefix_len = strlen(bpe->prefix);
    bpe->suffix_len = strlen(bpe->suffix);
    model->continuing_subword_prefix = bpe->prefix;
    model->end_of_word_suffix = bpe->suffix;
    const char *unk = json_get_string(config, "unk_token", NULL);
    bpe->unk_id = unk ? vocab_find(vocab, unk, strlen(unk)) : -2;
    bpe->fuse_unk = json_get_bool(config, "fuse_unk", false);
    bpe->byte_fallback = json_get_bool(config, "byte_fallback", false);
    bpe->ignore_merges = json_get_bool(config, "ignore_merges", false);
    byte_ids(model, vocab);
    const struct json *merges = json_get(config, "merges");
    if (!json_is(merges, JSON_ARRAY))
        return ERR(err, MODEL, "\"merges\" is missing");
    return merges_parse(bpe, vocab, merges, err);
}

void bpe_destroy(struct model *model) {
    struct bpe *bpe = model->state;
    if (bpe)
        mem_free(bpe->merges);
}

/* ---- a call -------------------------------------------------------------------------------- */

struct symbol {
    int32_t id;
    uint32_t len;        /* bytes; 0: merged into the one before */
    uint32_t prev, next; /* for long words; UINT32_MAX: none */
};

struct candidate { /* a pair that may be merged: ordered by rank, then place */
    uint32_t rank, place;
    int32_t id;
};

struct remembered {
    uint64_t hash;
    const char *data; /* NULL: empty */
    uint32_t len, n;  /* bytes of the word, its tokens */
    size_t first;     /* of them in the call's tokens */
};

struct bpe_call {
    struct symbol *symbols;
    size_t n, cap;
    struct candidate *heap;
    size_t heap_n, heap_cap;
    struct remembered *cache;
    uint64_t cache_mask; /* 0: no cache */
    char *buffer;        /* for look-ups of composed strings */
    size_t buffer_cap;
};

static struct bpe_call *call_state(struct model_call *call) {
    if (call->state)
        return call->state;
    struct bpe_call *state = arena_zalloc(call->scratch, 1, sizeof *state);
    state->cap = 256;
    state->symbols = arena_alloc(call->scratch, state->cap * sizeof *state->symbols);
    if (call->text_len > 64) {
        size_t entries = 64;
        while (entries < CACHE_MOST && entries < call->text_len / 8)
            entries *= 2;
        state->cache = arena_zalloc(call->scratch, entries, sizeof *state->cache);
        state->cache_mask = entries - 1;
    }
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
        uint32_t best_rank = NO_RANK;
        size_t best = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            if (pairs[i] && pairs[i]->rank < best_rank) {
                best_rank = pairs[i]->rank;
                best = i;
            }
        }
        if (best_rank == NO_RANK)
            break;
        symbols[best].id = pairs[best]->id;
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
        heap_push(call, state, (struct candidate){merge->rank, left, merge->id});
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
        const int32_t id = vocab_find(vocab, buffer, n);
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

static void new_word(const struct tokenizer *tokenizer, struct model_call *call,
                     struct bpe_call *state, const struct piece *piece) {
    const struct bpe *bpe = tokenizer->model.state;
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

void bpe_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                  struct model_call *call) {
    struct bpe_call *state = call_state(call);
    const struct text *text = &piece->text;
    if (state->cache_mask == 0 || text->len > 256) {
        new_word(tokenizer, call, state, piece);
        return;
    }
    const uint64_t hash = vocab_hash(VOCAB_HASH_START, text->data, text->len);
    struct remembered *entry =
        &state->cache[(hash * 0x9E3779B97F4A7C15ull >> 32) & state->cache_mask];
    if (entry->data && entry->hash == hash && entry->len == text->len &&
        memcmp(entry->data, text->data, text->len) == 0) {
        for (size_t i = 0; i < entry->n; i++) {
            const struct token *token = &call->tokens->items[entry->first + i];
            model_token(call, token->id, token->offsets.start, token->offsets.end);
        }
        return;
    }
    const size_t first = call->tokens->n;
    new_word(tokenizer, call, state, piece);
    *entry = (struct remembered){hash, text->data, (uint32_t)text->len,
                                 (uint32_t)(call->tokens->n - first), first};
}
