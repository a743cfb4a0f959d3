/* Unigram (Kudo 2018): of all ways to cut a word into pieces the one whose log probabilities have
 * the largest sum; Viterbi over the bytes, as `tokenizers` models/unigram does it
 * (encode_optimized), which takes doubles and keeps the first of equal sums.
 *
 * The text may be one piece of any length: where no vocabulary piece crosses a place, the best way
 * up to it is settled, its tokens go out, and the lattice starts anew there. Unknown characters
 * that follow each other are one token. */
#include "tokenizer/piece_trie.h"
#include "tokenizer/serde_number.h"

#include <math.h>

#include "base/banned.h"

#define UNK_PENALTY 10.0 /* an unknown character costs so much more than the rarest piece */
#define NO_START    UINT32_MAX
#define UNKNOWN     UINT32_MAX /* as a cell: a character that no piece stands for */

struct unigram {
    struct piece_trie trie;
    double unk_score;
    int32_t unk_id; /* -1: none */
    bool byte_fallback;
    int32_t byte_ids[256]; /* "<0x00>"… , -1: absent */
    size_t longest;        /* bytes of the longest piece, at least a character's */
};

/* The best way to a place, which is counted from the start of the lattice. */
struct step {
    double score;
    uint32_t start; /* of the last piece, NO_START: not reached yet */
    uint32_t cell;  /* the last piece's, or UNKNOWN */
};

struct unigram_call {
    struct step *steps;
    size_t cap;
};

/* ---- loading ------------------------------------------------------------------------------- */

static void find_bytes(struct unigram *unigram, const struct vocab *vocab) {
    for (int byte = 0; byte < 256; byte++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)byte);
        unigram->byte_ids[byte] = vocab_find(vocab, name, strlen(name));
    }
}

static enum status check_pieces(const struct scored_piece *pieces, size_t n, int32_t unk_id,
                                struct error *err) {
    size_t bytes = 0;
    if (n > LIMIT_VOCAB_SIZE)
        return ERR(err, MODEL, "the vocabulary has %zu pieces, at most %d are allowed", n,
                   LIMIT_VOCAB_SIZE);
    if (unk_id < -1 || (unk_id >= 0 && (size_t)unk_id >= n))
        return ERR(err, MODEL, "unk_id is %d, must be below the %zu pieces of the vocabulary",
                   unk_id, n);
    for (size_t i = 0; i < n; i++) {
        bytes += pieces[i].len;
        if (!(fabs(pieces[i].score) <= LIMIT_PIECE_SCORE))
            return ERR(err, MODEL, "the score of piece %zu must be a number of at most %g", i,
                       LIMIT_PIECE_SCORE);
        if (bytes > LIMIT_PIECES_BYTES)
            return ERR(err, MODEL, "the pieces have more than the %llu bytes that are allowed",
                       LIMIT_PIECES_BYTES);
    }
    return STATUS_OK;
}

enum status unigram_build(struct model *model, struct loader *loader,
                          const struct scored_piece *pieces, size_t n, int32_t unk_id,
                          bool byte_fallback, struct error *err) {
    if (check_pieces(pieces, n, unk_id, err) != STATUS_OK)
        return STATUS_ERROR;
    struct vocab *vocab = &loader->tokenizer->vocab;
    unigram_destroy(model);
    struct unigram *unigram = mem_zalloc(1, sizeof *unigram);
    model->state = unigram;
    double least = INFINITY;
    unigram->longest = 4;
    vocab_reserve(vocab, n);
    for (size_t i = 0; i < n; i++) {
        vocab_put(vocab, pieces[i].data, pieces[i].len, (uint32_t)i);
        if (pieces[i].score < least)
            least = pieces[i].score;
        if (pieces[i].len > unigram->longest)
            unigram->longest = pieces[i].len;
    }
    for (size_t i = 0; i < n; i++) /* of equal pieces the last is found, each is read */
        vocab_alias(vocab, pieces[i].data, pieces[i].len, (uint32_t)i);
    unigram->unk_score = least - UNK_PENALTY;
    unigram->unk_id = unk_id;
    model->has_text_id = unk_id >= 0;
    model->text_id = unk_id;
    unigram->byte_fallback = byte_fallback;
    find_bytes(unigram, vocab);
    piece_trie_create(&unigram->trie, pieces, n);
    return STATUS_OK;
}

void unigram_destroy(struct model *model) {
    struct unigram *unigram = model->state;
    if (!unigram)
        return;
    piece_trie_deinit(&unigram->trie);
    mem_free(unigram);
    model->state = NULL;
}

static enum status piece_parse(struct scored_piece *out, const struct json *pair, uint32_t i,
                               struct error *err) {
    const struct json *text = json_at(pair, 0), *score = json_at(pair, 1);
    if (!json_is(text, JSON_STRING) || !json_is(score, JSON_NUMBER) || pair->len != 2)
        return ERR(err, MODEL, "piece %u of \"vocab\" must be a text and its score", i);
    *out = (struct scored_piece){text->text, text->len, NAN}; /* "NaN" and "Infinity" stay so */
    if (isfinite(score->number)) /* without text: a number that was in no JSON text */
        out->score = score->text ? serde_number(score->text, score->len) : score->number;
    return STATUS_OK;
}

enum status unigram_parse(struct model *model, struct loader *loader, const struct json *config,
                          struct error *err) {
    const struct json *list = json_get(config, "vocab"), *unk = json_get(config, "unk_id");
    int64_t unk_id = -1;
    if (!list && loader->legacy) /* unigram_build follows */
        return STATUS_OK;
    if (!json_is(list, JSON_ARRAY))
        return ERR(err, MODEL, "\"vocab\" must be a list of pieces and their scores");
    if (!json_is_null(unk) && (!json_to_int(unk, &unk_id) || unk_id < 0 || unk_id >= list->len))
        return ERR(err, MODEL, "\"unk_id\" must be below the %u pieces of the vocabulary",
                   list->len);
    struct scored_piece *pieces =
        arena_alloc(&loader->arena, ((size_t)list->len + 1) * sizeof *pieces);
    for (uint32_t i = 0; i < list->len; i++)
        if (piece_parse(&pieces[i], json_at(list, i), i, err) != STATUS_OK)
            return STATUS_ERROR;
    return unigram_build(model, loader, pieces, list->len, (int32_t)unk_id,
                         json_get_bool(config, "byte_fallback", false), err);
}

/* ---- tokens -------------------------------------------------------------------------------- */

/* One piece being tokenized. Places without "lattice" in their comment count from its start. */
struct run {
    const struct tokenizer *tokenizer;
    const struct unigram *unigram;
    struct model_call *call;
    struct unigram_call *state;
    const char *data;
    size_t len;
    size_t origin;                     /* where the lattice starts */
    size_t unknown_start, unknown_end; /* unknown characters that are no token yet */
};

/* Unknown characters: a piece after all when several make one, else their bytes, else unk. */
static void flush_unknown(struct run *run) {
    const struct unigram *unigram = run->unigram;
    const size_t start = run->unknown_start, end = run->unknown_end;
    run->unknown_start = run->unknown_end = 0;
    if (start == end)
        return;
    if (end - start <= run->tokenizer->vocab.longest) {
        const int32_t id = vocab_find(&run->tokenizer->vocab, run->data + start, end - start);
        if (id >= 0) {
            model_token(run->call, id, start, end);
            return;
        }
    }
    bool all = unigram->byte_fallback;
    for (size_t i = start; all && i < end; i++)
        all = unigram->byte_ids[(uint8_t)run->data[i]] >= 0;
    if (!all)
        model_token(run->call, unigram->unk_id, start, end);
    for (size_t i = start; all && i < end; i++)
        model_token(run->call, unigram->byte_ids[(uint8_t)run->data[i]], start, end);
}

static void put_token(struct run *run, size_t start, size_t end, uint32_t cell) {
    const int32_t id = cell == UNKNOWN ? run->unigram->unk_id : run->unigram->trie.ids[cell];
    if (id == run->unigram->unk_id) {
        if (run->unknown_end == run->unknown_start)
            run->unknown_start = start;
        run->unknown_end = end;
        return;
    }
    flush_unknown(run);
    model_token(run->call, id, start, end);
}

/* Gives out the best way to `end` of the lattice, which then starts there. */
static void settle(struct run *run, size_t end) {
    struct step *steps = run->state->steps;
    uint32_t next = NO_START;
    for (uint32_t at = (uint32_t)end; at > 0;) { /* turns the links round */
        const uint32_t start = steps[at].start;
        steps[at].start = next;
        next = at;
        at = start;
    }
    for (uint32_t at = 0; next != NO_START;) {
        const uint32_t stop = next;
        put_token(run, run->origin + at, run->origin + stop, steps[stop].cell);
        next = steps[stop].start;
        at = stop;
    }
    steps[0] = (struct step){.score = steps[end].score};
    run->origin += end;
}

/* ---- the lattice --------------------------------------------------------------------------- */

static void steps_reserve(struct run *run, size_t need) {
    struct unigram_call *state = run->state;
    if (need <= state->cap)
        return;
    const size_t cap = need < 64 ? 128 : 2 * need;
    struct step *steps = arena_alloc(run->call->scratch, cap * sizeof *steps);
    if (state->cap > 0)
        memcpy(steps, state->steps, state->cap * sizeof *steps);
    state->steps = steps;
    state->cap = cap;
}

static inline void offer(struct step *step, double score, size_t start, uint32_t cell) {
    if (step->start == NO_START || score > step->score)
        *step = (struct step){score, (uint32_t)start, cell};
}

/* Places up to `end` are not reached yet. */
static inline size_t open_steps(struct step *steps, size_t furthest, size_t end) {
    while (furthest < end)
        steps[++furthest].start = NO_START;
    return furthest;
}

static size_t char_len(char first) {
    const unsigned char c = (unsigned char)first;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

/* All pieces that start `at` of the lattice; the furthest place reached. False: an unknown
 * character, and nothing to stand for it. */
static bool reach(struct run *run, size_t at, size_t *furthest, size_t *taken) {
    const struct unigram *unigram = run->unigram;
    const struct piece_trie *trie = &unigram->trie;
    struct step *steps = run->state->steps;
    const char *data = run->data + run->origin;
    const size_t len = run->len - run->origin, next = at + char_len(data[at]);
    const double here = steps[at].score;
    bool single = false; /* a piece that is this character alone */
    uint32_t cell = 0;
    for (size_t end = at; end < len;) {
        cell = piece_trie_step(trie, cell, (uint8_t)data[end++]);
        if (cell == UINT32_MAX)
            break;
        if (!trie->cells[cell].is_piece)
            continue;
        *furthest = open_steps(steps, *furthest, end);
        offer(&steps[end], trie->cells[cell].score + here, at, cell);
        single = single || end == next;
    }
    if (!single) {
        *furthest = open_steps(steps, *furthest, next);
        const double score = unigram->unk_score + here;
        if (unigram->unk_id < 0 && (steps[next].start == NO_START || score > steps[next].score))
            return false;
        offer(&steps[next], score, at, UNKNOWN);
    }
    *taken = next;
    return true;
}

static void tokenize_word(struct run *run) {
    size_t at = 0, furthest = 0; /* of the lattice */
    steps_reserve(run, 1);
    run->state->steps[0] = (struct step){0};
    while (run->origin + at < run->len) {
        if (at > 0 && furthest == at) {
            settle(run, at);
            at = furthest = 0;
        }
        const size_t rest = run->len - run->origin - at, most = run->unigram->longest;
        steps_reserve(run, at + (rest < most ? rest : most) + 1);
        if (!reach(run, at, &furthest, &at)) {
            run->call->failed = true;
            return;
        }
    }
    settle(run, at);
    flush_unknown(run);
}

void unigram_tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                      struct model_call *call) {
    if (!call->state)
        call->state = arena_zalloc(call->scratch, 1, sizeof(struct unigram_call));
    struct run run = {.tokenizer = tokenizer,
                      .unigram = tokenizer->model.state,
                      .call = call,
                      .state = call->state,
                      .data = piece->text.data,
                      .len = piece->text.len};
    tokenize_word(&run);
}
