/* PreTrainedTokenizer (tokenization_utils.py): splitting at added tokens as its Trie does, the
 * rules of lstrip, rstrip and single_word, do_lower_case, and _decode. What a class does with the
 * text in between is its own business (legacy_*.c). */
#include "tokenizer/slow.h"

#include "tokenizer/trie.h"
#include "tokenizer/unicode.h"
#include "base/banned.h"

/* ---- making -------------------------------------------------------------------------------- */

struct slow *slow_begin(struct loader *loader, const struct slow_kind *kind,
                        const struct model_kind *model) {
    struct slow *slow = mem_zalloc(1, sizeof *slow);
    slow->kind = kind;
    slow->unk_id = -1;
    loader->tokenizer->slow = slow;
    loader->tokenizer->model.kind = model;
    return slow;
}

void slow_destroy(struct slow *slow) {
    if (!slow)
        return;
    if (slow->state && slow->kind->destroy)
        slow->kind->destroy(slow->state);
    if (slow->read_as)
        vocab_deinit(slow->read_as);
    mem_free(slow->read_as);
    trie_destroy(slow->kept);
    mem_free(slow);
}

struct stage *slow_stage(struct loader *loader, const struct stage_kind *kind, void *state) {
    struct stage *stage = arena_zalloc(loader_arena(loader), 1, sizeof *stage);
    stage->kind = kind;
    stage->state = state;
    return stage;
}

void slow_put(struct tokenizer *tokenizer, struct added_token token, uint32_t id) {
    struct slow *slow = tokenizer->slow;
    if (tokenizer_token_to_id(tokenizer, token.content, token.len) < 0)
        slow->extra_count++;
    added_put(tokenizer, token, id);
}

/* len(get_vocab()) numbers what is new: holes and ids far behind do not count. */
void slow_add(struct tokenizer *tokenizer, struct added_token token) {
    const int32_t known = tokenizer_token_to_id(tokenizer, token.content, token.len);
    const uint32_t next = tokenizer->vocab.count + tokenizer->slow->extra_count;
    slow_put(tokenizer, token, known >= 0 ? (uint32_t)known : next);
}

/* One trie finds all added tokens in the raw text, whatever they say of normalization. */
void slow_added_finish(struct tokenizer *tokenizer) {
    struct added *added = &tokenizer->added;
    struct slow *slow = tokenizer->slow;
    slow->kept = trie_create();
    for (uint32_t id = 0; id < added->vocab.size; id++) {
        size_t len;
        const char *token = vocab_token(&added->vocab, (int32_t)id, &len);
        if (!token)
            continue;
        trie_add(added->plain, token, len, (int32_t)id);
        if (added_is_special(added, token, len) || added->by_id[id].normalized)
            trie_add(slow->kept, token, len, (int32_t)id);
    }
    for (uint32_t id = 0; slow->splits_vocab && id < tokenizer->vocab.size; id++) {
        size_t len;
        const char *token = vocab_token(&tokenizer->vocab, (int32_t)id, &len);
        if (token)
            trie_add(added->plain, token, len, (int32_t)id);
    }
}

/* ---- ids ----------------------------------------------------------------------------------- */

int32_t slow_id(const struct tokenizer *tokenizer, const char *token, size_t len) {
    const int32_t id = tokenizer_token_to_id(tokenizer, token, len);
    if (id >= 0)
        return id;
    return tokenizer->slow->unk_id >= 0 ? tokenizer->slow->unk_id : tokenizer->roles[TOKEN_UNK];
}

void slow_token(const struct tokenizer *tokenizer, struct model_call *call, const char *token,
                size_t len, size_t start, size_t end) {
    const int32_t id = slow_id(tokenizer, token, len);
    if (id < 0)
        call->failed = true;
    else
        model_token(call, id, start, end);
}

/* ---- splitting ----------------------------------------------------------------------------- */

bool slow_is_space(uint32_t c) {
    return (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Each character by itself, but those of tokens that keep their case, and line feeds. */
static void lower(const struct tokenizer *tokenizer, struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len + text->len / 2 + 8);
    size_t start = SIZE_MAX, end = 0;
    bool more = true;
    for (size_t pos = 0; pos < text->len;) {
        if (more && (start == SIZE_MAX || pos >= end))
            more = trie_find(tokenizer->slow->kept, text->data, text->len, pos, &start, &end) >= 0;
        if (more && pos == start) {
            writer_copy(&writer, text, start, end);
            pos = end;
            continue;
        }
        size_t next = pos;
        const uint32_t code_point = text_next(text->data, text->len, &next);
        writer_put_lower(&writer, code_point, text_from(text, pos, next));
        pos = next;
    }
    writer_end(&writer, text);
}

struct part {
    size_t start, end;
    int32_t id; /* of the added token, -1: text */
};

struct part_list {
    struct part *items;
    size_t n, cap;
    struct arena *arena;
};

static void part_add(struct part_list *list, size_t start, size_t end, int32_t id) {
    if (start >= end)
        return;
    if (list->n == list->cap) {
        const size_t cap = list->cap ? 2 * list->cap : 16;
        struct part *items = arena_alloc(list->arena, cap * sizeof *items);
        if (list->n > 0)
            memcpy(items, list->items, list->n * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = (struct part){start, end, id};
}

static void find_parts(const struct tokenizer *tokenizer, const struct text *text,
                       struct part_list *list) {
    size_t last = 0, start, end;
    while (!tokenizer->splits_special &&
           trie_find(tokenizer->added.plain, text->data, text->len, last, &start, &end) >= 0) {
        part_add(list, last, start, -1);
        part_add(list, start, end,
                 vocab_find(&tokenizer->added.vocab, text->data + start, end - start));
        last = end;
    }
    part_add(list, last, text->len, -1);
}

static void strip_left(const struct text *text, struct part *part) {
    size_t next = part->start;
    while (part->start < part->end && slow_is_space(text_next(text->data, part->end, &next)))
        part->start = next;
}

static void strip_right(const struct text *text, struct part *part) {
    while (part->end > part->start) {
        size_t start = part->end - 1;
        while (start > part->start && ((unsigned char)text->data[start] & 0xC0) == 0x80)
            start--;
        size_t next = start;
        if (!slow_is_space(text_next(text->data, part->end, &next)))
            return;
        part->end = start;
    }
}

/* What an added token does to the parts beside it. */
static void apply_flags(const struct tokenizer *tokenizer, const struct text *text,
                        struct part_list *list, size_t i) {
    struct part *part = &list->items[i];
    struct part *left = i > 0 ? part - 1 : NULL, *right = i + 1 < list->n ? part + 1 : NULL;
    const struct added_token *token = &tokenizer->added.by_id[part->id];
    const bool in_word = left && left->start < left->end && text->data[left->end - 1] != ' ';
    const bool has_right = right && right->start < right->end;
    const bool out_word = has_right && text->data[right->start] != ' ';
    if (token->rstrip && has_right)
        strip_left(text, right);
    if (token->lstrip && left)
        strip_right(text, left);
    if (!token->single_word || (!in_word && !out_word))
        return;
    if (in_word)
        *left = (struct part){left->start, part->end, -1};
    else
        *right = (struct part){part->start, right->end, -1};
    part->end = part->start;
}

static void put_text(const struct tokenizer *tokenizer, const struct text *text,
                     const struct part *part, struct pieces *pieces, struct arena *scratch) {
    const struct slow_kind *kind = tokenizer->slow->kind;
    size_t start = part->start;
    const size_t head = kind->head ? kind->head(text->data + start, part->end - start) : 0;
    if (head > 0) {
        const int32_t id = slow_id(tokenizer, text->data + start, head);
        pieces_add(pieces, (struct piece){.text = text_slice(text, start, start + head),
                                          .id = id < 0 ? 0 : id});
        start += head;
    }
    struct text rest = text_slice(text, start, part->end);
    if (tokenizer->normalizer && rest.len > 0)
        tokenizer->normalizer->kind->normalize(tokenizer->normalizer, &rest, scratch);
    pieces_add(pieces, (struct piece){.text = rest, .id = -1});
}

void slow_split(const struct tokenizer *tokenizer, const char *text, size_t len,
                struct pieces *pieces, struct arena *scratch) {
    struct text whole = {.data = text, .len = len};
    struct part_list list = {.arena = scratch};
    if (tokenizer->slow->kind->prepare)
        tokenizer->slow->kind->prepare(&whole, scratch);
    if (tokenizer->slow->lowers)
        lower(tokenizer, &whole, scratch);
    find_parts(tokenizer, &whole, &list);
    for (size_t i = 0; i < list.n; i++)
        if (list.items[i].id >= 0)
            apply_flags(tokenizer, &whole, &list, i);
    for (size_t i = 0; i < list.n; i++) {
        const struct part *part = &list.items[i];
        if (part->id >= 0)
            pieces_add(pieces, (struct piece){.text = text_slice(&whole, part->start, part->end),
                                              .id = part->id});
        else if (part->start < part->end)
            put_text(tokenizer, &whole, part, pieces, scratch);
    }
}

/* ---- words --------------------------------------------------------------------------------- */

/* The separators of Python's re (and str.split), which the package regex has but four of. */
static bool separates(uint32_t c, bool regex) {
    return slow_is_space(c) && !(regex && c >= 0x1C && c <= 0x1F);
}

static void split_words(struct pieces *pieces, struct arena *scratch, bool newline, bool regex) {
    struct pieces out = {.arena = scratch};
    for (size_t i = 0; i < pieces->n; i++) {
        const struct text *text = &pieces->items[i].text;
        if (pieces->items[i].id >= 0) {
            pieces_add(&out, pieces->items[i]);
            continue;
        }
        size_t start = 0;
        for (size_t pos = 0; pos < text->len;) {
            const size_t at = pos;
            if (!separates(text_next(text->data, text->len, &pos), regex))
                continue;
            if (start < at) {
                const size_t end = newline && text->data[at] == '\n' ? pos : at;
                pieces_add(&out, (struct piece){.text = text_slice(text, start, end), .id = -1});
            }
            start = pos;
        }
        if (start < text->len)
            pieces_add(&out, (struct piece){.text = text_slice(text, start, text->len), .id = -1});
    }
    *pieces = out;
}

static void words_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    split_words(pieces, scratch, false, false);
}

static void words_newline_run(const struct stage *stage, struct pieces *pieces,
                              struct arena *scratch) {
    split_words(pieces, scratch, true, false);
}

static void words_regex_run(const struct stage *stage, struct pieces *pieces,
                            struct arena *scratch) {
    split_words(pieces, scratch, true, true);
}

const struct stage_kind slow_words_regex = {.type = "words and line feeds of regex",
                                            .split = words_regex_run};
const struct stage_kind slow_words = {.type = "words", .split = words_run};
const struct stage_kind slow_words_newline = {.type = "words and line feeds",
                                              .split = words_newline_run};

/* ---- decoding ------------------------------------------------------------------------------ */

/* In the way of the run of tokens that are decoded together: added, and not special; or one of the
 * additional special tokens that the vocabulary does not have. */
bool slow_is_apart(const struct tokenizer *tokenizer, const char *token, size_t len) {
    const int32_t id = vocab_find(&tokenizer->added.vocab, token, len);
    if (id < 0 || tokenizer->slow->kind->joins_added)
        return false;
    if (!added_is_special(&tokenizer->added, token, len))
        return true;
    for (int role = 0; role < TOKEN_ROLES; role++)
        if (tokenizer->roles[role] == id)
            return false;
    return (uint32_t)id >= tokenizer->slow->base_size;
}

const char *slow_token_of(const struct tokenizer *tokenizer, int32_t id, size_t *len) {
    const struct vocab *read_as = tokenizer->slow->read_as;
    const char *token = vocab_token(&tokenizer->added.vocab, id, len);
    if (!token)
        token = vocab_token(read_as ? read_as : &tokenizer->vocab, id, len);
    if (!token && !tokenizer->slow->keeps_unknown && tokenizer->roles[TOKEN_UNK] >= 0)
        token = tokenizer_token_n(tokenizer, tokenizer->roles[TOKEN_UNK], len);
    return token;
}

/* Appends text behind a space, but the first. */
static void put_part(struct buf *out, size_t *n, const char *data, size_t len) {
    if ((*n)++ > 0)
        buf_putc(out, ' ');
    buf_append(out, data, len);
}

static void flush(const struct tokenizer *tokenizer, struct strings *run, struct buf *out,
                  size_t *n, bool last) {
    struct buf text;
    if (run->n == 0)
        return;
    buf_init(&text, 4 * LIMIT_TEXT);
    tokenizer->slow->kind->join(tokenizer, run, &text);
    if (text.len > 0 || last)
        put_part(out, n, text.data ? text.data : "", text.len);
    buf_deinit(&text);
    run->n = 0;
}

void slow_decode(const struct tokenizer *tokenizer, struct buf *out, const int32_t *ids, size_t n,
                 struct decode_options options) {
    struct arena scratch = {0};
    struct strings run = {.arena = &scratch};
    run.items = arena_alloc(&scratch, n * sizeof *run.items);
    size_t n_parts = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *token = slow_token_of(tokenizer, ids[i], &len);
        if (!token || (!options.keep_special && added_is_special(&tokenizer->added, token, len)))
            continue;
        if (!slow_is_apart(tokenizer, token, len)) {
            run.items[run.n++] = (struct string){token, len};
            continue;
        }
        flush(tokenizer, &run, out, &n_parts, false);
        put_part(out, &n_parts, token, len);
    }
    flush(tokenizer, &run, out, &n_parts, true);
    arena_deinit(&scratch);
}

/* ---- for the classes ----------------------------------------------------------------------- */

void slow_strip(struct buf *out, size_t start) {
    const struct text text = {.data = out->data, .len = out->len};
    struct part part = {start, out->len, -1};
    if (out->len <= start)
        return;
    strip_left(&text, &part);
    strip_right(&text, &part);
    memmove(out->data + start, out->data + part.start, part.end - part.start);
    out->len = start + (part.end - part.start);
    out->data[out->len] = 0;
}

void slow_concat(const struct strings *tokens, const char *between, struct buf *out) {
    for (size_t i = 0; i < tokens->n; i++) {
        if (i > 0)
            buf_puts(out, between);
        buf_append(out, tokens->items[i].data, tokens->items[i].len);
    }
}

static const char *filled(struct loader *loader, const char *text) {
    struct buf out;
    buf_init(&out, LIMIT_ERROR_TEXT * 8);
    for (const char *at = text; *at; at++) {
        const enum special_token role = at[1] == 'b'   ? TOKEN_BOS
                                        : at[1] == 'c' ? TOKEN_CLS
                                        : at[1] == 's' ? TOKEN_SEP
                                                       : TOKEN_EOS;
        const char *content = *at == '%' ? special_content(loader, role) : NULL;
        if (*at != '%')
            buf_putc(&out, *at);
        else
            buf_puts(&out, content ? content : "");
        at += *at == '%';
    }
    const char *copy = arena_strndup(&loader->arena, out.data ? out.data : "", out.len);
    buf_deinit(&out);
    return copy;
}

void slow_post(struct loader *loader, const char *single, const char *pair) {
    legacy_post(loader, (struct legacy_post){.single = filled(loader, single),
                                             .pair = filled(loader, pair)});
}
