/* Decoders: token strings back to text. One row a type. Each maps a list of strings to another;
 * what the last one gives is joined. */
#include "tokenizer/pipeline.h"

#include "tokenizer/lossy.h"
#include "base/banned.h"

static void strings_set(struct strings *strings, size_t i, struct buf *buf) {
    strings->items[i].data = arena_strndup(strings->arena, buf->data ? buf->data : "", buf->len);
    strings->items[i].len = buf->len;
    buf_reset(buf);
}

static void strings_single(struct strings *strings, struct buf *buf) {
    strings->items = arena_alloc(strings->arena, sizeof *strings->items);
    strings->n = 1;
    strings_set(strings, 0, buf);
}

static char *copy_string(struct loader *loader, const struct json *config, const char *name,
                         const char *otherwise) {
    return arena_printf(loader_arena(loader), "%s", json_get_string(config, name, otherwise));
}

/* ---- sequence ------------------------------------------------------------------------------ */

static enum status sequence_parse(struct stage *stage, struct loader *loader,
                                  const struct json *config, struct error *err) {
    return stage_parse_children(stage, loader, json_get(config, "decoders"), decoder_parse, err);
}

static void sequence_run(const struct stage *stage, struct strings *strings) {
    for (size_t i = 0; i < stage->n_children; i++)
        stage->children[i]->kind->decode(stage->children[i], strings);
}

/* ---- byte level ---------------------------------------------------------------------------- */

/* The bytes a token stands for, or the token as it is when a character is not of the alphabet. */
static void byte_level_token(struct buf *out, const char *data, size_t len) {
    const size_t before = out->len;
    for (size_t pos = 0; pos < len;) {
        const int byte = byte_level_byte(text_next(data, len, &pos));
        if (byte < 0) {
            out->len = before;
            buf_append(out, data, len);
            return;
        }
        buf_putc(out, (char)byte);
    }
}

static void byte_level_run(const struct stage *stage, struct strings *strings) {
    struct buf bytes, text;
    buf_init(&bytes, LIMIT_TEXT);
    buf_init(&text, 4 * LIMIT_TEXT);
    for (size_t i = 0; i < strings->n; i++)
        byte_level_token(&bytes, strings->items[i].data, strings->items[i].len);
    lossy_append(&text, bytes.data, bytes.len);
    strings_single(strings, &text);
    buf_deinit(&bytes);
    buf_deinit(&text);
}

/* ---- WordPiece ----------------------------------------------------------------------------- */

struct wordpiece_decoder {
    const char *prefix;
    size_t prefix_len;
    bool cleanup;
};

static enum status wordpiece_parse_decoder(struct stage *stage, struct loader *loader,
                                           const struct json *config, struct error *err) {
    struct wordpiece_decoder *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    state->prefix = copy_string(loader, config, "prefix", "##");
    state->prefix_len = strlen(state->prefix);
    state->cleanup = json_get_bool(config, "cleanup", true);
    stage->state = state;
    return STATUS_OK;
}

/* The library's own list; transformers' (decode.c) lacks " do not". */
static const char *const cleanups[][2] = {
    {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
    {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
    {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
};

/* Every replaced string starts with a space, so a token with none stays as it is. */
static void clean(struct buf *token, struct buf *other) {
    for (size_t i = 0; i < ARRAY_LEN(cleanups); i++) {
        if (!token->data || !memchr(token->data, ' ', token->len))
            return;
        buf_reset(other);
        buf_append_replaced(other, token->data, token->len, cleanups[i][0], cleanups[i][1]);
        const struct buf swap = *token;
        *token = *other;
        *other = swap;
    }
}

static void wordpiece_run(const struct stage *stage, struct strings *strings) {
    const struct wordpiece_decoder *state = stage->state;
    struct buf token, other;
    buf_init(&token, LIMIT_TEXT);
    buf_init(&other, LIMIT_TEXT);
    for (size_t i = 0; i < strings->n; i++) {
        const struct string *string = &strings->items[i];
        const bool continues = i > 0 && string->len >= state->prefix_len &&
                               memcmp(string->data, state->prefix, state->prefix_len) == 0;
        const size_t skip = continues ? state->prefix_len : 0;
        if (i > 0 && !continues)
            buf_putc(&token, ' ');
        buf_append(&token, string->data + skip, string->len - skip);
        if (state->cleanup)
            clean(&token, &other);
        strings_set(strings, i, &token);
    }
    buf_deinit(&token);
    buf_deinit(&other);
}

/* ---- CTC ----------------------------------------------------------------------------------- */

struct ctc {
    const char *pad, *delimiter;
    bool cleanup;
};

static enum status ctc_parse(struct stage *stage, struct loader *loader, const struct json *config,
                             struct error *err) {
    struct ctc *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    state->pad = copy_string(loader, config, "pad_token", "<pad>");
    state->delimiter = copy_string(loader, config, "word_delimiter_token", "|");
    state->cleanup = json_get_bool(config, "cleanup", true);
    stage->state = state;
    return STATUS_OK;
}

/* A token that repeats is one sound; what is empty without the pad token is none. */
static void ctc_run(const struct stage *stage, struct strings *strings) {
    const struct ctc *state = stage->state;
    struct buf token, other;
    buf_init(&token, LIMIT_TEXT);
    buf_init(&other, LIMIT_TEXT);
    struct string last = {0};
    size_t n = 0;
    for (size_t i = 0; i < strings->n; i++) {
        const struct string string = strings->items[i];
        if (i > 0 && last.len == string.len && memcmp(last.data, string.data, last.len) == 0)
            continue;
        last = string;
        buf_append_replaced(&token, string.data, string.len, state->pad, "");
        if (token.len == 0)
            continue;
        if (state->cleanup) {
            clean(&token, &other);
            buf_reset(&other);
            buf_append_replaced(&other, token.data, token.len, state->delimiter, " ");
            const struct buf swap = token;
            token = other;
            other = swap;
        }
        if (token.len > 0)
            strings_set(strings, n++, &token);
    }
    strings->n = n;
    buf_deinit(&token);
    buf_deinit(&other);
}

/* ---- BPE ----------------------------------------------------------------------------------- */

static enum status bpe_decoder_parse(struct stage *stage, struct loader *loader,
                                     const struct json *config, struct error *err) {
    stage->state = copy_string(loader, config, "suffix", "</w>");
    return STATUS_OK;
}

static void bpe_decoder_run(const struct stage *stage, struct strings *strings) {
    struct buf token;
    buf_init(&token, LIMIT_TEXT);
    for (size_t i = 0; i < strings->n; i++) {
        buf_append_replaced(&token, strings->items[i].data, strings->items[i].len, stage->state,
                            i + 1 == strings->n ? "" : " ");
        strings_set(strings, i, &token);
    }
    buf_deinit(&token);
}

/* ---- the small ones ------------------------------------------------------------------------ */

static void fuse_run(const struct stage *stage, struct strings *strings) {
    struct buf text;
    buf_init(&text, LIMIT_TEXT);
    for (size_t i = 0; i < strings->n; i++)
        buf_append(&text, strings->items[i].data, strings->items[i].len);
    strings_single(strings, &text);
    buf_deinit(&text);
}

struct strip_decoder {
    uint32_t content;
    size_t start, stop;
};

static enum status strip_parse(struct stage *stage, struct loader *loader,
                               const struct json *config, struct error *err) {
    struct strip_decoder *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    const struct json *content = json_get(config, "content");
    const int64_t start = json_get_int(config, "start", 0), stop = json_get_int(config, "stop", 0);
    if (!json_is(content, JSON_STRING) || utf8_count(content->text, content->len) != 1)
        return ERR(err, MODEL, "\"content\" must be one character");
    if (start < 0 || stop < 0)
        return ERR(err, MODEL, "\"start\" and \"stop\" must be 0 or more");
    size_t pos = 0;
    state->content = text_next(content->text, content->len, &pos);
    state->start = (size_t)start;
    state->stop = (size_t)stop;
    stage->state = state;
    return STATUS_OK;
}

static void strip_run(const struct stage *stage, struct strings *strings) {
    const struct strip_decoder *state = stage->state;
    char content[4];
    const size_t n = utf8_put(content, state->content);
    for (size_t i = 0; i < strings->n; i++) {
        struct string *string = &strings->items[i];
        size_t start = 0, end = string->len;
        for (size_t k = 0; k < state->start && start + n <= string->len &&
                           memcmp(string->data + start, content, n) == 0;
             k++)
            start += n;
        for (size_t k = 0;
             k < state->stop && end >= start + n && memcmp(string->data + end - n, content, n) == 0;
             k++)
            end -= n;
        string->data += start;
        string->len = end - start;
    }
}

struct replace_decoder {
    struct pattern *pattern;
    const char *content;
};

static enum status replace_parse(struct stage *stage, struct loader *loader,
                                 const struct json *config, struct error *err) {
    struct replace_decoder *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    state->content = copy_string(loader, config, "content", "");
    stage->state = state;
    return stage_parse_pattern(&state->pattern, loader, json_get(config, "pattern"), err);
}

static void replace_run(const struct stage *stage, struct strings *strings) {
    const struct replace_decoder *state = stage->state;
    struct buf token;
    buf_init(&token, LIMIT_TEXT);
    for (size_t i = 0; i < strings->n; i++) {
        const struct string *string = &strings->items[i];
        struct search search = search_begin(state->pattern, string->data, string->len);
        size_t start, end, last = 0;
        while (string->len > 0 && search_next(&search, &start, &end)) {
            buf_append(&token, string->data + last, start - last);
            buf_puts(&token, state->content);
            last = end;
        }
        search_end(&search);
        buf_append(&token, string->data + last, string->len - last);
        strings_set(strings, i, &token);
    }
    buf_deinit(&token);
}

/* "<0x61>" as a byte, -1 when it is not one. */
static int fallback_byte(const struct string *string) {
    static const char digits[] = "0123456789abcdef";
    if (string->len != 6 || memcmp(string->data, "<0x", 3) != 0 || string->data[5] != '>')
        return -1;
    int value = 0;
    for (size_t i = 3; i < 5; i++) {
        const char c = string->data[i];
        const char *digit = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        if (!digit)
            return -1;
        value = 16 * value + (int)(digit - digits);
    }
    return value;
}

/* A run of bytes is one string when it is UTF-8, else a U+FFFD a byte. */
static size_t put_bytes(struct strings *strings, struct string *items, size_t n,
                        struct buf *bytes) {
    if (bytes->len == 0)
        return n;
    if (utf8_valid(bytes->data, bytes->len, NULL)) {
        items[n].data = arena_strndup(strings->arena, bytes->data, bytes->len);
        items[n].len = bytes->len;
        buf_reset(bytes);
        return n + 1;
    }
    for (size_t i = 0; i < bytes->len; i++)
        items[n++] = (struct string){"\xEF\xBF\xBD", 3};
    buf_reset(bytes);
    return n;
}

static void byte_fallback_run(const struct stage *stage, struct strings *strings) {
    struct string *items = arena_alloc(strings->arena, (strings->n + 1) * sizeof *items);
    struct buf bytes;
    buf_init(&bytes, LIMIT_TEXT);
    size_t n = 0;
    for (size_t i = 0; i < strings->n; i++) {
        const int byte = fallback_byte(&strings->items[i]);
        if (byte >= 0) {
            buf_putc(&bytes, (char)byte);
            continue;
        }
        n = put_bytes(strings, items, n, &bytes);
        items[n++] = strings->items[i];
    }
    strings->n = put_bytes(strings, items, n, &bytes);
    strings->items = items;
    buf_deinit(&bytes);
}

struct metaspace_decoder {
    uint32_t replacement;
    bool drops_first;
};

static enum status metaspace_parse(struct stage *stage, struct loader *loader,
                                   const struct json *config, struct error *err) {
    struct metaspace_decoder *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    const struct json *replacement = json_get(config, "replacement");
    if (!json_is(replacement, JSON_STRING) || utf8_count(replacement->text, replacement->len) != 1)
        return ERR(err, MODEL, "\"replacement\" must be one character");
    size_t pos = 0;
    state->replacement = text_next(replacement->text, replacement->len, &pos);
    state->drops_first =
        strcmp(json_get_string(config, "prepend_scheme", "always"), "never") != 0 &&
        json_get_bool(config, "add_prefix_space", true);
    stage->state = state;
    return STATUS_OK;
}

static void metaspace_run(const struct stage *stage, struct strings *strings) {
    const struct metaspace_decoder *state = stage->state;
    struct buf token;
    buf_init(&token, LIMIT_TEXT);
    for (size_t i = 0; i < strings->n; i++) {
        const struct string *string = &strings->items[i];
        for (size_t pos = 0; pos < string->len;) {
            const size_t start = pos;
            if (text_next(string->data, string->len, &pos) != state->replacement)
                buf_append(&token, string->data + start, pos - start);
            else if (i > 0 || !state->drops_first)
                buf_putc(&token, ' ');
        }
        strings_set(strings, i, &token);
    }
    buf_deinit(&token);
}

/* ---- the table ----------------------------------------------------------------------------- */

static const struct stage_kind kinds[] = {
    {.type = "Sequence", .parse = sequence_parse, .decode = sequence_run},
    {.type = "ByteLevel", .decode = byte_level_run},
    {.type = "WordPiece", .parse = wordpiece_parse_decoder, .decode = wordpiece_run},
    {.type = "BPEDecoder", .parse = bpe_decoder_parse, .decode = bpe_decoder_run},
    {.type = "Fuse", .decode = fuse_run},
    {.type = "Strip", .parse = strip_parse, .decode = strip_run},
    {.type = "Replace", .parse = replace_parse, .decode = replace_run},
    {.type = "ByteFallback", .decode = byte_fallback_run},
    {.type = "Metaspace", .parse = metaspace_parse, .decode = metaspace_run},
    {.type = "CTC", .parse = ctc_parse, .decode = ctc_run},
};

enum status decoder_parse(struct stage **out, struct loader *loader, const struct json *config,
                          struct error *err) {
    return stage_parse(out, loader, config, kinds, ARRAY_LEN(kinds), "decoder", err);
}
