/* Python classes on subword-nmt's byte-pair encoding: PhoBERT and BERTweet (vocab.txt, bpe.codes),
 * CTRL and BlenderbotSmall (vocab.json, merges.txt). A word's last symbol ends in "</w>" while it
 * is merged; the tokens are its parts, all but the last with "@@" behind. The merging itself is
 * bpe.c's, in a tokenizer of its own whose vocabulary are the symbols of the merges. */
#include "tokenizer/legacy_codes.h"

#include "tokenizer/unicode.h"
#include "base/banned.h"

#define UNKNOWN_SYMBOL "<unknown symbol>"

/* ---- merges -------------------------------------------------------------------------------- */

struct line {
    const char *at, *end;
};

/* The next field of a line; false: there is none. */
static bool next_field(struct line *line, const char **field, size_t *len) {
    size_t pos = 0, next = 0;
    const size_t all = (size_t)(line->end - line->at);
    while (pos < all && slow_is_space(text_next(line->at, all, &next)))
        pos = next;
    const size_t start = pos;
    for (next = pos; pos < all && !slow_is_space(text_next(line->at, all, &next));)
        pos = next;
    *field = line->at + start;
    *len = pos - start;
    line->at += pos;
    return *len > 0;
}

struct pair_list {
    struct merge_pair *items;
    size_t n, cap;
};

static void put_pair(struct tokenizer *inner, struct pair_list *list, struct arena *arena,
                     const char *left, size_t left_len, const char *right, size_t right_len) {
    char *token = arena_alloc(arena, left_len + right_len + 1);
    memcpy(token, left, left_len);
    memcpy(token + left_len, right, right_len);
    struct vocab *vocab = &inner->vocab;
    const struct string parts[] = {
        {left, left_len}, {right, right_len}, {token, left_len + right_len}};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (vocab_find(vocab, parts[i].data, parts[i].len) < 0)
            vocab_put(vocab, parts[i].data, parts[i].len, vocab->size);
    list->items = mem_grow(list->items, &list->cap, list->n + 1, sizeof *list->items);
    list->items[list->n++] =
        (struct merge_pair){token, (uint32_t)(left_len + right_len), (uint32_t)left_len};
}

/* The fields behind the first two count nothing, but must be as many as said. What stands behind
 * the last line feed is no line, as Python splits them. */
static enum status read_pairs(struct tokenizer *inner, struct pair_list *list,
                              struct loader *loader, const char *file, size_t fields, bool head,
                              struct error *err) {
    char *data;
    size_t len;
    if (legacy_read(loader, file, &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!utf8_valid(data, len, NULL))
        return ERR(err, MODEL, "%s is not valid UTF-8", file);
    const char *at = data, *end;
    for (bool first = head; (end = memchr(at, '\n', len - (size_t)(at - data))) != NULL;
         at = end + 1, first = false) {
        struct line line = {at, end};
        const char *left, *right, *more;
        size_t left_len, right_len, more_len, n = 2;
        if (first || !next_field(&line, &left, &left_len) || !next_field(&line, &right, &right_len))
            continue;
        while (next_field(&line, &more, &more_len))
            n++;
        if (fields > 0 && n != fields)
            continue;
        if (list->n >= LIMIT_MERGES / 4 || left_len + right_len > LIMIT_PIECE)
            return ERR(err, MODEL, "%s: line %zu is too much: at most %d merges of %d bytes", file,
                       list->n, LIMIT_MERGES / 4, LIMIT_PIECE);
        put_pair(inner, list, &loader->arena, left, left_len, right, right_len);
    }
    return STATUS_OK;
}

static enum status inner_model(struct tokenizer *inner, const struct pair_list *list,
                               struct error *err) {
    struct loader loader = {.tokenizer = inner, .legacy = true};
    vocab_put(&inner->vocab, UNKNOWN_SYMBOL, strlen(UNKNOWN_SYMBOL), inner->vocab.size);
    enum status status =
        inner->vocab.size > LIMIT_VOCAB_SIZE
            ? ERR(err, MODEL, "the merges have more than %d symbols", LIMIT_VOCAB_SIZE)
            : legacy_model(&loader,
                           "{\"type\":\"BPE\",\"merges\":[],\"unk_token\":\"" UNKNOWN_SYMBOL
                           "\",\"fuse_unk\":false,\"end_of_word_suffix\":\"</w>\"}",
                           err);
    if (status == STATUS_OK)
        status = bpe_add_pairs(&inner->model, &loader, list->items, list->n, err);
    arena_deinit(&loader.arena);
    return status;
}

enum status codes_read(struct tokenizer *inner, struct loader *loader, const char *file,
                       size_t fields, bool head, struct error *err) {
    struct pair_list list = {0};
    enum status status = read_pairs(inner, &list, loader, file, fields, head, err);
    if (status == STATUS_OK && inner_model(inner, &list, err) != STATUS_OK)
        status = error_prefix(err, "%s: ", file);
    mem_free(list.items);
    return status;
}

struct tokenizer *codes_create(void) {
    struct tokenizer *inner = mem_zalloc(1, sizeof *inner);
    vocab_init(&inner->vocab);
    added_init(&inner->added);
    return inner;
}

/* ---- the model ----------------------------------------------------------------------------- */

static void tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                     struct model_call *call) {
    struct tokens parts = {0};
    struct model_call inner = {
        .scratch = call->scratch, .tokens = &parts, .text_len = piece->text.len};
    bpe_tokenize(tokenizer->slow->state, piece, &inner);
    char *name = arena_alloc(call->scratch, piece->text.len + 3);
    for (size_t i = 0; i < parts.n; i++) {
        const struct span span = parts.items[i].offsets;
        size_t len = span.end - span.start;
        memcpy(name, piece->text.data + span.start, len);
        if (i + 1 < parts.n) {
            memcpy(name + len, "@@", 2);
            len += 2;
        }
        slow_token(tokenizer, call, name, len, span.start, span.end);
    }
}

static void join(const struct tokenizer *tokenizer, const struct strings *tokens, struct buf *out) {
    const size_t start = out->len;
    struct buf text;
    buf_init(&text, LIMIT_TEXT);
    slow_concat(tokens, " ", &text);
    buf_append_replaced(out, text.data, text.len, "@@ ", "");
    slow_strip(out, start);
    buf_deinit(&text);
}

static void destroy(void *state) {
    tokenizer_destroy(state);
}

static const struct slow_kind kind = {.join = join, .destroy = destroy, .joint = "@@"};
static const struct model_kind model = {.type = "codes", .tokenize = tokenize};

static struct tokenizer *begin(struct loader *loader) {
    struct tokenizer *inner = codes_create();
    slow_begin(loader, &kind, &model)->state = inner;
    loader->tokenizer->pre_tokenizer = slow_stage(loader, &slow_words_newline, NULL);
    return inner;
}

/* ---- vocab.json and merges.txt ------------------------------------------------------------- */

static enum status json_and_merges(struct loader *loader, struct error *err) {
    struct tokenizer *inner = begin(loader);
    loader->tokenizer->pre_tokenizer = slow_stage(loader, &slow_words_regex, NULL);
    if (legacy_vocab_json(loader, "vocab.json", err) != STATUS_OK ||
        codes_read(inner, loader, "merges.txt", 2, true, err) != STATUS_OK)
        return STATUS_ERROR;
    loader->tokenizer->slow->base_size = loader->tokenizer->vocab.count;
    return STATUS_OK;
}

enum status legacy_ctrl(struct loader *loader, struct error *err) {
    return json_and_merges(loader, err);
}

static void put_newline(struct pieces *out, struct text *text, size_t pos, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, 16);
    struct text name = *text;
    writer_append(&writer, "__newln__", 9, text_from(text, pos, pos + 1));
    writer_end(&writer, &name);
    pieces_add(out, (struct piece){.text = name, .id = -1});
}

/* A word starts before .,!?() and on both sides of an apostrophe; a line feed at its end is a word
 * of its own, but behind an apostrophe, where two spaces become one. */
static void split_word(struct pieces *out, struct text text, struct arena *scratch) {
    size_t start = 0;
    text_lowercase(&text, scratch);
    for (size_t pos = 0; pos < text.len; pos++) {
        const char c = text.data[pos];
        if (c == 0 || !strchr(".,!?()'\n", c))
            continue;
        pieces_add(out, (struct piece){.text = text_slice(&text, start, pos), .id = -1});
        start = pos;
        if (c == '\'') {
            pieces_add(out, (struct piece){.text = text_slice(&text, pos, pos + 1), .id = -1});
            start = pos + 1;
        } else if (c == '\n') {
            if (pos > 0 && text.data[pos - 1] != '\'')
                put_newline(out, &text, pos, scratch);
            start = pos + 1;
        }
    }
    if (start < text.len)
        pieces_add(out, (struct piece){.text = text_slice(&text, start, text.len), .id = -1});
}

static void small_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    struct pieces out = {.arena = scratch};
    slow_words_regex.split(stage, pieces, scratch);
    for (size_t i = 0; i < pieces->n; i++) {
        if (pieces->items[i].id >= 0)
            pieces_add(&out, pieces->items[i]);
        else
            split_word(&out, pieces->items[i].text, scratch);
    }
    *pieces = out;
}

static const struct stage_kind small_words = {.type = "BlenderbotSmall", .split = small_run};

enum status legacy_blenderbot_small(struct loader *loader, struct error *err) {
    if (json_and_merges(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    loader->tokenizer->pre_tokenizer = slow_stage(loader, &small_words, NULL);
    return STATUS_OK;
}

/* ---- vocab.txt and bpe.codes --------------------------------------------------------------- */

/* "token count" a line, behind the four first tokens. */
static enum status counted_vocabulary(struct loader *loader, struct error *err) {
    static const enum special_token roles[] = {TOKEN_BOS, TOKEN_PAD, TOKEN_EOS, TOKEN_UNK};
    struct vocab *vocab = &loader->tokenizer->vocab;
    for (uint32_t i = 0; i < ARRAY_LEN(roles); i++) {
        const char *token = special_content(loader, roles[i]);
        if (token)
            vocab_put(vocab, token, strlen(token), i);
    }
    char *data;
    size_t len;
    if (legacy_read(loader, "vocab.txt", &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!utf8_valid(data, len, NULL))
        return ERR(err, MODEL, "vocab.txt is not valid UTF-8");
    for (size_t pos = 0; pos < len;) {
        const char *stop = memchr(data + pos, '\n', len - pos);
        const size_t end = stop ? (size_t)(stop - data) : len;
        struct buf line;
        buf_init(&line, LIMIT_JSON_FILE);
        buf_append(&line, data + pos, end - pos);
        slow_strip(&line, 0);
        const char *space = line.len > 0 ? memrchr(line.data, ' ', line.len) : NULL;
        if (space && vocab->count < LIMIT_VOCAB_SIZE)
            vocab_put(vocab, line.data, (size_t)(space - line.data), vocab->count);
        buf_deinit(&line);
        if (!space)
            return ERR(err, MODEL, "vocab.txt: a line must be a token and its count, at byte %zu",
                       pos);
        pos = end + 1;
    }
    return STATUS_OK;
}

enum status legacy_phobert(struct loader *loader, struct error *err) {
    struct tokenizer *inner = begin(loader);
    if (counted_vocabulary(loader, err) != STATUS_OK ||
        codes_read(inner, loader, "bpe.codes", 3, false, err) != STATUS_OK)
        return STATUS_ERROR;
    loader->tokenizer->slow->base_size = loader->tokenizer->vocab.count;
    slow_post(loader, "%c $A %s", "%c $A %s %s $B %s");
    return STATUS_OK;
}

enum status legacy_bertweet(struct loader *loader, struct error *err) {
    if (legacy_flag(loader, "normalization", false))
        return ERR(err, MODEL,
                   "\"normalization\": true is not supported; normalize tweets before "
                   "and set it to false");
    return legacy_phobert(loader, err);
}
