/* Cutting a normalized text into SentencePiece's pieces: unigram_model.cc's EncodeOptimized,
 * bpe_model.cc's SampleEncode without sampling, and characters; then unknown pieces as
 * PopulateSentencePieceText writes them. */
#include "tokenizer/spm_model.h"

#include "base/banned.h"

#define UNK_PENALTY 10.0f

struct cut {
    size_t start, end;
    int32_t id;
};

struct cuts {
    struct cut *items;
    size_t n, cap;
    struct arena *arena;
};

static void cut_add(struct cuts *cuts, size_t start, size_t end, int32_t id) {
    if (cuts->n == cuts->cap) {
        const size_t cap = cuts->cap ? 2 * cuts->cap : 64;
        struct cut *items = arena_alloc(cuts->arena, cap * sizeof *items);
        if (cuts->n > 0)
            memcpy(items, cuts->items, cuts->n * sizeof *items);
        cuts->items = items;
        cuts->cap = cap;
    }
    cuts->items[cuts->n++] = (struct cut){start, end, id};
}

static size_t char_len(const char *data, size_t len, size_t pos) {
    size_t next = pos;
    text_next(data, len, &next);
    return next - pos;
}

/* ---- unigram ------------------------------------------------------------------------------- */

struct node { /* the best path that ends here */
    size_t start;
    float score;
    int32_t id; /* -1: no path yet */
};

static void offer(struct node *node, size_t start, float score, int32_t id) {
    if (node->id < 0 || score > node->score)
        *node = (struct node){start, score, id};
}

/* In single precision, as the library: near ties are decided by its rounding. */
static void paths_from(const struct spm *spm, const char *data, size_t len, size_t pos,
                       struct node *nodes) {
    const float here = nodes[pos].score;
    const size_t mblen = char_len(data, len, pos);
    bool has_single = false;
    uint32_t cell = 0;
    for (size_t end = pos; end < len;) {
        cell = piece_trie_step(&spm->trie, cell, (uint8_t)data[end++]);
        if (cell == UINT32_MAX)
            break;
        if (!spm->trie.cells[cell].is_piece)
            continue;
        const int32_t id = (int32_t)spm->trie.cells[cell].score;
        const struct spm_piece *piece = &spm->pieces[id];
        if (piece->type == SENTENCEPIECE_UNUSED)
            continue;
        const size_t n = end - pos;
        const float score = piece->type == SENTENCEPIECE_USER_DEFINED
                                ? (float)((double)((float)n * spm->max_score) - 0.1)
                                : piece->score;
        offer(&nodes[end], pos, score + here, id);
        has_single = has_single || n == mblen;
    }
    if (!has_single)
        offer(&nodes[pos + mblen], pos, spm->min_score - UNK_PENALTY + here, spm->unk_id);
}

static void unigram(const struct spm *spm, const char *data, size_t len, struct cuts *cuts) {
    struct node *nodes = arena_alloc(cuts->arena, (len + 1) * sizeof *nodes);
    for (size_t i = 0; i <= len; i++)
        nodes[i] = (struct node){.id = -1};
    for (size_t pos = 0; pos < len; pos += char_len(data, len, pos))
        paths_from(spm, data, len, pos, nodes);
    size_t first = cuts->n;
    for (size_t end = len; end > 0; end = nodes[end].start)
        cut_add(cuts, nodes[end].start, end, nodes[end].id);
    for (size_t last = cuts->n; first + 1 < last; first++) {
        last--;
        const struct cut swap = cuts->items[first];
        cuts->items[first] = cuts->items[last];
        cuts->items[last] = swap;
    }
}

/* ---- BPE ----------------------------------------------------------------------------------- */

struct symbol {
    size_t start, end; /* empty: merged into another */
    int64_t prev, next;
    bool frozen;
};

struct merge_try {
    float score;
    int64_t left, right;
    size_t len;
};

struct bpe_state {
    const struct spm *spm;
    const char *data;
    struct symbol *symbols;
    struct merge_try *heap;
    size_t heap_n, heap_cap;
    uint32_t *unused_left; /* [pieces]: where an unused piece was merged; NULL: none are unused */
};

static bool before(const struct merge_try *a, const struct merge_try *b) {
    return a->score > b->score || (a->score == b->score && a->left < b->left);
}

static void heap_push(struct bpe_state *state, struct merge_try item) {
    state->heap = mem_grow(state->heap, &state->heap_cap, state->heap_n + 1, sizeof *state->heap);
    size_t i = state->heap_n++;
    for (; i > 0 && before(&item, &state->heap[(i - 1) / 2]); i = (i - 1) / 2)
        state->heap[i] = state->heap[(i - 1) / 2];
    state->heap[i] = item;
}

static struct merge_try heap_pop(struct bpe_state *state) {
    const struct merge_try top = state->heap[0], item = state->heap[--state->heap_n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < state->heap_n; i = child) {
        if (child + 1 < state->heap_n && before(&state->heap[child + 1], &state->heap[child]))
            child++;
        if (!before(&state->heap[child], &item))
            break;
        state->heap[i] = state->heap[child];
    }
    if (state->heap_n > 0)
        state->heap[i] = item;
    return top;
}

static bool is_text(enum sentencepiece_type type) {
    return type == SENTENCEPIECE_NORMAL || type == SENTENCEPIECE_USER_DEFINED ||
           type == SENTENCEPIECE_UNUSED;
}

static void try_pair(struct bpe_state *state, int64_t left, int64_t right) {
    if (left < 0 || right < 0 || state->symbols[left].frozen || state->symbols[right].frozen)
        return;
    const size_t start = state->symbols[left].start, end = state->symbols[right].end;
    const int32_t id = vocab_find(&state->spm->vocab, state->data + start, end - start);
    if (id < 0 || !is_text(state->spm->pieces[id].type))
        return;
    heap_push(state, (struct merge_try){state->spm->pieces[id].score, left, right, end - start});
    if (state->unused_left && state->spm->pieces[id].type == SENTENCEPIECE_UNUSED)
        state->unused_left[id] = (uint32_t)(state->symbols[left].end - start);
}

static size_t split_symbols(struct bpe_state *state, size_t len, struct arena *arena) {
    state->symbols = arena_alloc(arena, len * sizeof *state->symbols);
    size_t n = 0;
    for (size_t pos = 0; pos < len; n++) {
        size_t taken;
        const bool frozen =
            state->spm->has_user_defined &&
            trie_starts(state->spm->user_defined, state->data + pos, len - pos, &taken);
        const size_t end = pos + (frozen ? taken : char_len(state->data, len, pos));
        state->symbols[n] = (struct symbol){pos, end, (int64_t)n - 1, (int64_t)n + 1, frozen};
        pos = end;
    }
    if (n > 0)
        state->symbols[n - 1].next = -1;
    return n;
}

static void merge_all(struct bpe_state *state) {
    while (state->heap_n > 0) {
        const struct merge_try top = heap_pop(state);
        struct symbol *left = &state->symbols[top.left], *right = &state->symbols[top.right];
        if (left->start == left->end || right->start == right->end ||
            left->end - left->start + right->end - right->start != top.len)
            continue;
        left->end = right->end;
        left->next = right->next;
        if (right->next >= 0)
            state->symbols[right->next].prev = top.left;
        right->start = right->end;
        try_pair(state, left->prev, top.left);
        try_pair(state, top.left, left->next);
    }
}

/* An unused piece is taken apart again; a piece has 1024 bytes at most, hence as many levels. */
static void put_symbol(const struct bpe_state *state, size_t start, size_t end, struct cuts *cuts) {
    const int32_t id = spm_id(state->spm, state->data + start, end - start);
    const uint32_t left = state->unused_left ? state->unused_left[id] : 0;
    if (state->spm->pieces[id].type != SENTENCEPIECE_UNUSED || left == 0 || left >= end - start) {
        cut_add(cuts, start, end, id);
        return;
    }
    put_symbol(state, start, start + left, cuts);
    put_symbol(state, start + left, end, cuts);
}

static void bpe(const struct spm *spm, const char *data, size_t len, struct cuts *cuts) {
    struct bpe_state state = {.spm = spm, .data = data};
    if (spm->has_unused)
        state.unused_left = arena_zalloc(cuts->arena, spm->n, sizeof *state.unused_left);
    const size_t n = split_symbols(&state, len, cuts->arena);
    for (size_t i = 1; i < n; i++)
        try_pair(&state, (int64_t)i - 1, (int64_t)i);
    merge_all(&state);
    for (int64_t i = n > 0 ? 0 : -1; i >= 0; i = state.symbols[i].next)
        put_symbol(&state, state.symbols[i].start, state.symbols[i].end, cuts);
    mem_free(state.heap);
}

/* ---- characters ---------------------------------------------------------------------------- */

static void characters(const struct spm *spm, const char *data, size_t len, struct cuts *cuts) {
    for (size_t pos = 0; pos < len;) {
        size_t n = 0;
        if (!spm->has_user_defined || !trie_starts(spm->user_defined, data + pos, len - pos, &n))
            n = char_len(data, len, pos);
        cut_add(cuts, pos, pos + n, spm_id(spm, data + pos, n));
        pos += n;
    }
}

/* ---- public -------------------------------------------------------------------------------- */

static void put_bytes(const char *data, const struct cut *cut, spm_put *put, void *user) {
    char name[8];
    for (size_t i = cut->start; i < cut->end; i++) {
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)(uint8_t)data[i]);
        put(user, name, 6, i, i + 1);
    }
}

void spm_encode(const struct spm *spm, const char *data, size_t len, struct arena *scratch,
                spm_put *put, void *user) {
    struct cuts cuts = {.arena = scratch};
    if (spm->type == SENTENCEPIECE_UNIGRAM)
        unigram(spm, data, len, &cuts);
    else if (spm->type == SENTENCEPIECE_BPE)
        bpe(spm, data, len, &cuts);
    else
        characters(spm, data, len, &cuts);
    for (size_t i = 0; i < cuts.n; i++) {
        struct cut cut = cuts.items[i];
        const bool unknown = spm->pieces[cut.id].type == SENTENCEPIECE_UNKNOWN;
        if (unknown && spm->byte_fallback) {
            put_bytes(data, &cut, put, user);
            continue;
        }
        while (unknown && i + 1 < cuts.n &&
               spm->pieces[cuts.items[i + 1].id].type == SENTENCEPIECE_UNKNOWN)
            cut.end = cuts.items[++i].end;
        put(user, data + cut.start, cut.end - cut.start, cut.start, cut.end);
    }
}
