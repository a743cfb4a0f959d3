/* Decoding: ids to token strings, the decoder over them, then transformers' cleaning up of spaces
 * before punctuation. Streaming is in stream.c. */
#include "tokenizer/slow.h"

#include "base/banned.h"

static void run_decoder(const struct tokenizer *tokenizer, struct strings *strings,
                        struct buf *out) {
    if (tokenizer->slow) {
        tokenizer->slow->kind->join(tokenizer, strings, out);
        return;
    }
    if (tokenizer->decoder)
        tokenizer->decoder->kind->decode(tokenizer->decoder, strings);
    for (size_t i = 0; i < strings->n; i++) {
        if (i > 0 && !tokenizer->decoder)
            buf_putc(out, ' ');
        buf_append(out, strings->items[i].data, strings->items[i].len);
    }
}

/* clean_up_tokenization of transformers, in its order. */
static const char *const cleanups[][2] = {
    {" .", "."},     {" ?", "?"},   {" !", "!"},   {" ,", ","},     {" ' ", "'"},
    {" n't", "n't"}, {" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

bool decode_may_clean(const char *data, size_t at, size_t len) {
    for (size_t i = 0; i < ARRAY_LEN(cleanups); i++) {
        const char *from = cleanups[i][0];
        for (size_t n = strlen(from) - 1; n > 0; n--) {
            const size_t rest = strlen(from) - n, known = len - at < rest ? len - at : rest;
            if (at >= n && memcmp(data + at - n, from, n) == 0 &&
                memcmp(data + at, from + n, known) == 0)
                return true;
        }
    }
    return false;
}

/* In place from `start`: no replacement is longer than what it replaces. */
static void replace_in_place(struct buf *out, size_t start, const char *from, const char *to) {
    const size_t from_len = strlen(from), to_len = strlen(to);
    size_t read = start, write = start;
    if (from_len == 0 || to_len > from_len)
        return;
    while (read < out->len) {
        const char *found = memmem(out->data + read, out->len - read, from, from_len);
        const size_t stop = found ? (size_t)(found - out->data) : out->len;
        memmove(out->data + write, out->data + read, stop - read);
        write += stop - read;
        read = stop;
        if (!found)
            break;
        memcpy(out->data + write, to, to_len);
        write += to_len;
        read += from_len;
    }
    out->len = write;
    if (out->data)
        out->data[write] = 0;
}

void decode_clean(struct buf *out, size_t start) {
    for (size_t i = 0; i < ARRAY_LEN(cleanups); i++)
        replace_in_place(out, start, cleanups[i][0], cleanups[i][1]);
}

/* What transformers' CLIP tokenizer does to every decoded text: suffixes to spaces, then strip. */
static void strip_decoded(const struct tokenizer *tokenizer, struct buf *out, size_t start) {
    const char *suffix = tokenizer->model.end_of_word_suffix;
    if (suffix)
        replace_in_place(out, start, suffix, " ");
    slow_strip(out, start);
}

bool decode_cleans(const struct tokenizer *tokenizer, struct decode_options options) {
    if (tokenizer->slow && tokenizer->slow->kind->never_cleans)
        return false;
    return options.clean_up > 0 || (options.clean_up == 0 && tokenizer->clean_up);
}

static void decode_tokens(const struct tokenizer *tokenizer, struct buf *out, const int32_t *ids,
                          size_t n, struct decode_options options) {
    struct arena scratch = {0};
    struct strings strings = {.arena = &scratch};
    strings.items = arena_alloc(&scratch, n * sizeof *strings.items);
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *token = tokenizer_token_n(tokenizer, ids[i], &len);
        if (!token || (!options.keep_special && added_is_special(&tokenizer->added, token, len)))
            continue;
        strings.items[strings.n++] = (struct string){token, len};
    }
    run_decoder(tokenizer, &strings, out);
    arena_deinit(&scratch);
}

void tokenizer_decode(const struct tokenizer *tokenizer, struct buf *out, const int32_t *ids,
                      size_t n, struct decode_options options) {
    const size_t start = out->len;
    if (tokenizer->slow)
        slow_decode(tokenizer, out, ids, n, options);
    else
        decode_tokens(tokenizer, out, ids, n, options);
    if (tokenizer->strip_decoded)
        strip_decoded(tokenizer, out, start);
    if (decode_cleans(tokenizer, options))
        decode_clean(out, start);
}

void tokenizer_join(const struct tokenizer *tokenizer, struct buf *out, const char *const *tokens,
                    size_t n) {
    struct arena scratch = {0};
    struct strings strings = {.arena = &scratch, .n = n};
    strings.items = arena_alloc(&scratch, n * sizeof *strings.items);
    for (size_t i = 0; i < n; i++)
        strings.items[i] = (struct string){tokens[i], strlen(tokens[i])};
    run_decoder(tokenizer, &strings, out);
    arena_deinit(&scratch);
}
