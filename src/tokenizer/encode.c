/* Encoding: the text through the stages, then offsets from bytes to code points. Truncation and
 * special tokens are post_process.c's. */
#include "tokenizer/slow.h"

#include "tokenizer/unicode.h"
#include "base/banned.h"

/* ---- bytes to code points ------------------------------------------------------------------ */

/* Index of the code point that each byte belongs to; NULL for ASCII, where it is the byte's own. */
static uint32_t *code_points(const char *text, size_t len, struct arena *scratch) {
    if (text_is_ascii(text, len))
        return NULL;
    uint32_t *index = arena_alloc(scratch, len * sizeof *index);
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && ((unsigned char)text[i] & 0xC0) != 0x80)
            n++;
        index[i] = n;
    }
    return index;
}

/* As the library converts: the end is that of the character the last byte is in. */
static struct span to_code_points(struct span bytes, const uint32_t *index, size_t len) {
    if (bytes.start >= len)
        return bytes;
    const uint32_t start = index ? index[bytes.start] : bytes.start;
    if (bytes.end <= bytes.start)
        return (struct span){
            start, bytes.end == bytes.start ? start : (index ? index[bytes.end] : bytes.end)};
    if (bytes.end > len)
        return (struct span){start, start + 2};
    return (struct span){start, (index ? index[bytes.end - 1] : bytes.end - 1) + 1};
}

/* ---- spaces at a token's ends -------------------------------------------------------------- */

#define BYTE_LEVEL_SPACE 0x120 /* how the byte-level alphabet writes a space */

static bool is_space(uint32_t c) {
    return c == BYTE_LEVEL_SPACE || unicode_is(c, UNICODE_WHITE);
}

static void count_spaces(struct token *token, const char *data, size_t len) {
    size_t pos = 0;
    while (pos < len && is_space(text_next(data, len, &pos)))
        token->lead++;
    for (size_t end = len; end > 0;) {
        size_t start = end - 1;
        while (start > 0 && ((unsigned char)data[start] & 0xC0) == 0x80)
            start--;
        size_t next = start;
        if (!is_space(text_next(data, len, &next)))
            break;
        token->trail++;
        end = start;
    }
}

/* The token's offsets are still bytes of the piece. */
static void token_spaces(const struct tokenizer *tokenizer, struct token *token,
                         const struct piece *piece) {
    size_t len;
    const bool is_text = tokenizer->model.has_text_id && token->id == tokenizer->model.text_id;
    if (piece->id >= 0 || is_text) { /* an added token is the text it matched */
        count_spaces(token, piece->text.data + token->offsets.start,
                     token->offsets.end - token->offsets.start);
        return;
    }
    const char *string = vocab_token(&tokenizer->vocab, token->id, &len);
    if (string)
        count_spaces(token, string, len);
}

/* ---- words --------------------------------------------------------------------------------- */

static bool put_known(const struct tokenizer *tokenizer, const struct piece *word, size_t base,
                      struct model_call *call) {
    struct word_token known[WORD_CACHE_TOKENS];
    const size_t n =
        word_cache_get(tokenizer->words, word->text.data, word->text.len, word->byte_level, known);
    for (size_t i = 0; i < n; i++) {
        model_token(call, known[i].id, base, base + known[i].len);
        base += known[i].len;
    }
    return n > 0;
}

/* Tokens from `first` on are the word's; those that leave no gap are remembered. */
static void remember(const struct tokenizer *tokenizer, const struct piece *word,
                     const struct tokens *tokens, size_t first) {
    struct word_token known[WORD_CACHE_TOKENS];
    const size_t n = tokens->n - first;
    if (n > WORD_CACHE_TOKENS)
        return;
    uint32_t end = 0;
    for (size_t i = 0; i < n; i++) {
        const struct token *token = &tokens->items[first + i];
        if (token->offsets.start != end || token->offsets.end > word->text.len)
            return;
        end = token->offsets.end;
        known[i] = (struct word_token){token->id, end - token->offsets.start};
    }
    word_cache_put(tokenizer->words, word->text.data, word->text.len, word->byte_level, known, n);
}

/* Tokens of a word that starts at byte `base` of its piece. */
static void tokenize_word(const struct tokenizer *tokenizer, const struct piece *word, size_t base,
                          struct model_call *call) {
    if (put_known(tokenizer, word, base, call))
        return;
    const size_t first = call->tokens->n;
    tokenizer->model.kind->tokenize(tokenizer, word, call);
    if (!call->failed)
        remember(tokenizer, word, call->tokens, first);
    for (size_t i = first; base > 0 && i < call->tokens->n; i++) {
        call->tokens->items[i].offsets.start += (uint32_t)base;
        call->tokens->items[i].offsets.end += (uint32_t)base;
    }
}

/* The first U+2581 behind `from` that something else stands before. */
static size_t word_end(const struct text *text, size_t from) {
    bool space = true; /* so far, the word is nothing but U+2581 */
    for (size_t pos = from; pos + METASPACE_LEN <= text->len;) {
        const bool here = memcmp(text->data + pos, METASPACE, METASPACE_LEN) == 0;
        if (here && !space)
            return pos;
        space = here;
        pos += here ? METASPACE_LEN : 1;
    }
    return text->len;
}

static void tokenize_piece(const struct tokenizer *tokenizer, const struct piece *piece,
                           struct model_call *call) {
    if (!tokenizer->model.cuts_words || piece->byte_level) {
        tokenize_word(tokenizer, piece, 0, call);
        return;
    }
    for (size_t pos = 0; pos < piece->text.len;) {
        const size_t end = word_end(&piece->text, pos);
        const struct piece word = {.text = {.data = piece->text.data + pos, .len = end - pos}};
        tokenize_word(tokenizer, &word, pos, call);
        pos = end;
    }
}

/* ---- one sequence -------------------------------------------------------------------------- */

#define RESERVED (2 * MiB) /* bytes of text that tokens are reserved for at once */

static enum status run_model(const struct tokenizer *tokenizer, const struct pieces *pieces,
                             struct tokens *tokens, size_t text_len, struct arena *scratch,
                             struct error *err) {
    struct model_call call = {.scratch = scratch, .tokens = tokens, .text_len = text_len};
    tokens->cap = 16 + (text_len < RESERVED ? text_len : RESERVED) / 2;
    tokens->items = arena_alloc(scratch, tokens->cap * sizeof *tokens->items);
    for (size_t i = 0; i < pieces->n; i++) {
        struct piece *piece = &pieces->items[i];
        const size_t first = tokens->n;
        if (piece->id >= 0) {
            model_token(&call, piece->id, 0, piece->text.len);
        } else {
            if (piece->byte_level && !tokenizer->model.maps_bytes) {
                byte_level_map(&piece->text, scratch);
                piece->byte_level = false;
            }
            tokenize_piece(tokenizer, piece, &call);
        }
        for (size_t k = first; k < tokens->n; k++)
            tokens->items[k].word = (int32_t)i;
    }
    if (call.failed)
        return ERR(err, INPUT,
                   "the text has words outside the vocabulary, and the tokenizer's unknown token "
                   "is not in it either");
    return STATUS_OK;
}

/* A bare U+2581 in front of an added token goes, where the class says so. */
static void drop_lead(const struct tokenizer *tokenizer, struct tokens *tokens,
                      const struct pieces *pieces) {
    if (!tokenizer->slow || !tokenizer->slow->kind->drops_lead || tokens->n < 2 ||
        pieces->items[tokens->items[1].word].id < 0 ||
        tokens->items[0].id != vocab_find(&tokenizer->vocab, METASPACE, METASPACE_LEN))
        return;
    tokens->n--;
    memmove(tokens->items, tokens->items + 1, tokens->n * sizeof *tokens->items);
}

static enum status encode_sequence(const struct tokenizer *tokenizer, struct tokens *tokens,
                                   const char *text, size_t len, int8_t sequence,
                                   struct arena *scratch, struct error *err) {
    size_t bad;
    if (!utf8_valid(text, len, &bad))
        return ERR(err, INPUT, "the text is not valid UTF-8 at byte %zu", bad);
    if (len > LIMIT_TEXT)
        return ERR(err, INPUT, "the text has %zu bytes, at most %llu are allowed", len, LIMIT_TEXT);
    struct pieces pieces = {.arena = scratch};
    added_split(tokenizer, text, len, &pieces, scratch);
    if (tokenizer->pre_tokenizer)
        tokenizer->pre_tokenizer->kind->split(tokenizer->pre_tokenizer, &pieces, scratch);
    if (pieces.lost)
        return ERR(err, INPUT,
                   "the tokenizer makes more than %zu MiB of a text of %zu bytes; its files may be "
                   "damaged",
                   text_most(len) / (size_t)MiB, len);
    if (run_model(tokenizer, &pieces, tokens, len, scratch, err) != STATUS_OK)
        return STATUS_ERROR;
    drop_lead(tokenizer, tokens, &pieces);
    const uint32_t *index = code_points(text, len, scratch);
    for (size_t i = 0; i < tokens->n; i++) {
        struct token *token = &tokens->items[i];
        const struct piece *piece = &pieces.items[token->word];
        if (tokenizer->trims_offsets)
            token_spaces(tokenizer, token, piece);
        const struct span bytes =
            text_origin(&piece->text, token->offsets.start, token->offsets.end);
        token->offsets = to_code_points(bytes, index, len);
        token->type_id = sequence;
    }
    return STATUS_OK;
}

/* The end that a text has already is the one that the template adds. */
static void drop_end(const struct tokenizer *tokenizer, struct tokens *tokens,
                     const struct encode_options *options) {
    if (tokenizer->slow && tokenizer->slow->ends_once && !options->no_special_tokens &&
        tokens->n > 0 && tokens->items[tokens->n - 1].id == tokenizer->roles[TOKEN_EOS])
        tokens->n--;
}

enum status tokenizer_encode(const struct tokenizer *tokenizer, struct encoding *out,
                             struct arena *arena, const char *text, size_t text_len,
                             const char *pair, size_t pair_len,
                             const struct encode_options *options, struct error *err) {
    static const struct encode_options defaults;
    struct arena scratch = {0};
    struct tokens sequences[2] = {0};
    enum status status =
        encode_sequence(tokenizer, &sequences[0], text, text_len, 0, &scratch, err);
    if (status == STATUS_OK && pair) {
        status = encode_sequence(tokenizer, &sequences[1], pair, pair_len, 1, &scratch, err);
        if (status != STATUS_OK)
            error_prefix(err, "second text: ");
    }
    for (size_t i = 0; status == STATUS_OK && i < 2; i++) {
        drop_end(tokenizer, &sequences[i], options ? options : &defaults);
    }
    if (status == STATUS_OK)
        status = post_process(tokenizer, out, arena, &scratch, sequences, pair != NULL,
                              options ? options : &defaults, err);
    arena_deinit(&scratch);
    return status;
}
