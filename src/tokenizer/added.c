/* Added tokens: found in the text before the model sees it, and kept whole.
 *
 * Two rounds, as in the library: tokens that are not `normalized` are looked for in the raw text;
 * what lies between is normalized, and the others, normalized themselves, are looked for in that.
 * A token added twice keeps its first entry in the search but takes the flags of the last. */
#include "tokenizer/pipeline.h"

#include "tokenizer/slow.h"
#include "tokenizer/trie.h"
#include "tokenizer/unicode.h"
#include "base/banned.h"

void added_init(struct added *added) {
    *added = (struct added){0};
    vocab_init(&added->vocab);
    vocab_init(&added->special_set);
}

void added_deinit(struct added *added) {
    vocab_deinit(&added->vocab);
    vocab_deinit(&added->special_set);
    mem_free(added->by_id);
    mem_free(added->ordinary);
    mem_free(added->special);
    trie_destroy(added->plain);
    trie_destroy(added->normalized);
    *added = (struct added){0};
}

bool added_is_special(const struct added *added, const char *content, size_t len) {
    return vocab_find(&added->special_set, content, len) >= 0;
}

static bool same_flags(const struct added_token *a, const struct added_token *b) {
    return a->single_word == b->single_word && a->lstrip == b->lstrip && a->rstrip == b->rstrip &&
           a->normalized == b->normalized && a->special == b->special;
}

static void list_push(struct added_token **list, size_t *n, size_t *cap, struct added_token token) {
    *list = mem_grow(*list, cap, *n + 1, sizeof **list);
    (*list)[(*n)++] = token;
}

/* The id a new token gets: behind the model's vocabulary and the tokens added before. The list of
 * a Unigram model counts tokens that are there twice, the maps of the others do not. */
static uint32_t next_id(const struct tokenizer *tokenizer) {
    const struct model_kind *kind = tokenizer->model.kind;
    const bool is_list = kind && kind->reads_vocab;
    const uint32_t model = is_list ? tokenizer->vocab.size : tokenizer->vocab.count;
    const uint32_t added = tokenizer->added.vocab.size;
    return added > model || (model == 0 && added > 0) ? added : model;
}

void added_put(struct tokenizer *tokenizer, struct added_token token, uint32_t id) {
    struct added *added = &tokenizer->added;
    if (id >= LIMIT_VOCAB_SIZE)
        return;
    const size_t had = added->vocab.size;
    vocab_put(&added->vocab, token.content, token.len, id);
    if (added->vocab.size > had) {
        added->by_id =
            mem_grow(added->by_id, &added->by_id_cap, added->vocab.size, sizeof *added->by_id);
        memset(added->by_id + had, 0, (added->vocab.size - had) * sizeof *added->by_id);
    }
    added->by_id[id] = token;
    if (!added_is_special(added, token.content, token.len))
        list_push(&added->ordinary, &added->n_ordinary, &added->ordinary_cap, token);
}

void added_special(struct tokenizer *tokenizer, struct added_token token) {
    struct added *added = &tokenizer->added;
    if (added_is_special(added, token.content, token.len))
        return;
    list_push(&added->special, &added->n_special, &added->special_cap, token);
    vocab_put(&added->special_set, token.content, token.len, added->special_set.size);
}

void added_add(struct tokenizer *tokenizer, struct added_token token) {
    struct added *added = &tokenizer->added;
    if (token.len == 0)
        return;
    if (token.special)
        added_special(tokenizer, token);
    const int32_t before = vocab_find(&added->vocab, token.content, token.len);
    if (before >= 0 && same_flags(&added->by_id[before], &token))
        return;
    const int32_t known = tokenizer_token_to_id(tokenizer, token.content, token.len);
    added_put(tokenizer, token, known >= 0 ? (uint32_t)known : next_id(tokenizer));
}

static void trie_fill(const struct tokenizer *tokenizer, const struct added_token *list, size_t n) {
    const struct added *added = &tokenizer->added;
    struct arena scratch = {0};
    for (size_t i = 0; i < n; i++) {
        const struct added_token *token = &list[i];
        const int32_t id = tokenizer_token_to_id(tokenizer, token->content, token->len);
        if (!token->normalized) {
            trie_add(added->plain, token->content, token->len, id);
            continue;
        }
        struct text text = {.data = token->content, .len = token->len};
        if (tokenizer->normalizer)
            tokenizer->normalizer->kind->normalize(tokenizer->normalizer, &text, &scratch);
        trie_add(added->normalized, text.data, text.len, id);
        arena_reset(&scratch);
    }
    arena_deinit(&scratch);
}

void added_finish(struct tokenizer *tokenizer) {
    struct added *added = &tokenizer->added;
    added->plain = trie_create();
    added->normalized = trie_create();
    if (tokenizer->slow) {
        slow_added_finish(tokenizer);
        return;
    }
    trie_fill(tokenizer, added->special, added->n_special);
    trie_fill(tokenizer, added->ordinary, added->n_ordinary);
}

/* ---- splitting ----------------------------------------------------------------------------- */

static bool ends_with_word(const struct text *text, size_t end) {
    size_t start = end;
    do
        start--;
    while (start > 0 && ((unsigned char)text->data[start] & 0xC0) == 0x80);
    return unicode_is(text_next(text->data, text->len, &start), UNICODE_WORD);
}

static bool starts_with_word(const struct text *text, size_t start) {
    return unicode_is(text_next(text->data, text->len, &start), UNICODE_WORD);
}

static bool is_single_word(const struct text *text, size_t start, size_t end) {
    return (start == 0 || !ends_with_word(text, start)) &&
           (end == text->len || !starts_with_word(text, end));
}

/* Takes the white space around a match, if the token asks for it, back to `last`, where the match
 * before ended. False: that one reaches beyond this one's end, which then is part of it; the
 * library fails there. */
static bool strip_around(const struct added_token *token, const struct text *text, size_t last,
                         size_t *start, size_t *end) {
    size_t bytes = 0;
    if (token->lstrip) {
        if (*start > last)
            text_trailing(text->data + last, *start - last, UNICODE_WHITE, &bytes);
        *start = *start > last ? *start - bytes : last;
    }
    if (token->rstrip) {
        text_leading(text->data + *end, text->len - *end, UNICODE_WHITE, &bytes);
        *end += bytes;
    }
    return *start <= *end;
}

static void split_text(const struct tokenizer *tokenizer, const struct trie *trie,
                       const struct text *text, struct pieces *out) {
    size_t last = 0, from = 0, start, end;
    int32_t id;
    while ((id = trie_find(trie, text->data, text->len, from, &start, &end)) >= 0) {
        const struct added_token *token = &tokenizer->added.by_id[id];
        from = end;
        if (tokenizer->splits_special &&
            added_is_special(&tokenizer->added, token->content, token->len))
            continue;
        if (token->single_word && !is_single_word(text, start, end))
            continue;
        if (!strip_around(token, text, last, &start, &end))
            continue;
        if (last < start)
            pieces_add(out, (struct piece){.text = text_slice(text, last, start), .id = -1});
        pieces_add(out, (struct piece){.text = text_slice(text, start, end), .id = id});
        last = end;
    }
    if (last < text->len || text_is_lost(text))
        pieces_add(out, (struct piece){.text = text_slice(text, last, text->len), .id = -1});
}

void added_split(const struct tokenizer *tokenizer, const char *text, size_t len,
                 struct pieces *pieces, struct arena *scratch) {
    const struct added *added = &tokenizer->added;
    if (tokenizer->slow) {
        slow_split(tokenizer, text, len, pieces, scratch);
        return;
    }
    struct pieces raw = {.arena = scratch};
    struct text whole = {.data = text, .len = len};
    split_text(tokenizer, added->plain, &whole, &raw);
    size_t total = 0;
    for (size_t i = 0; i < raw.n && !pieces->lost; i++) {
        if (raw.items[i].id >= 0) {
            pieces_add(pieces, raw.items[i]);
            continue;
        }
        struct text *part = &raw.items[i].text;
        if (tokenizer->normalizer)
            tokenizer->normalizer->kind->normalize(tokenizer->normalizer, part, scratch);
        total += part->len;
        if (total > text_most(len))
            text_lose(part);
        /* With nothing to find, too: the library cuts the part out, and its start is then where
         * its first character is from, behind what the normalizer removed. */
        split_text(tokenizer, added->normalized, part, pieces);
    }
}
