/* BertNormalizer in one pass: cleaning, spaces around Chinese characters, accents off, lower case.
 *
 * The library makes four passes of it, the third the decomposition NFD. That one reorders marks;
 * all that reordering moves is dropped right after, but for a few marks with a class that are not
 * "nonspacing". A text that has one of those makes the passes one by one. */
#include "tokenizer/pipeline.h"

#include "tokenizer/normal_forms.h"
#include "tokenizer/unicode.h"
#include "base/banned.h"

enum status bert_normalizer_parse(struct stage *stage, struct loader *loader,
                                  const struct json *config, struct error *err) {
    struct bert_normalizer *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    state->clean_text = json_get_bool(config, "clean_text", true);
    state->handle_chinese_chars = json_get_bool(config, "handle_chinese_chars", true);
    state->lowercase = json_get_bool(config, "lowercase", true);
    const struct json *strip = json_get(config, "strip_accents");
    state->strip_accents = json_is(strip, JSON_BOOL) ? strip->boolean : -1;
    stage->state = state;
    return STATUS_OK;
}

/* The blocks that BERT separates; U+2B820 to U+2B91F are missing there too. */
bool bert_is_chinese(uint32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
           (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static bool strips(const struct bert_normalizer *bert) {
    return bert->strip_accents < 0 ? bert->lowercase : bert->strip_accents > 0;
}

/* ---- ASCII --------------------------------------------------------------------------------- */

/* Cleaning and lowering ASCII; false: a character has to go, so that places change. */
static bool bert_ascii(const struct bert_normalizer *bert, struct text *text,
                       struct arena *scratch) {
    char *data = arena_alloc(scratch, text->len);
    for (size_t i = 0; i < text->len; i++) {
        char c = text->data[i];
        if (bert->clean_text && (c < ' ' || c == 0x7F)) {
            if (c != '\t' && c != '\n' && c != '\r')
                return false;
            c = ' ';
        }
        data[i] = bert->lowercase && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    text->data = data;
    return true;
}

/* ---- one pass ------------------------------------------------------------------------------ */

static void put_lower(const struct bert_normalizer *bert, struct writer *writer, uint32_t c,
                      struct span from) {
    if (bert->lowercase)
        writer_put_lower(writer, c, from);
    else
        writer_put(writer, c, from);
}

/* A character that is not to be removed; false: a mark that may have to be reordered. */
static bool put_stripped(const struct bert_normalizer *bert, struct writer *writer, uint32_t c,
                         struct span from) {
    uint32_t parts[UNICODE_DECOMPOSED_MAX];
    const size_t n = unicode_decompose(c, false, parts);
    for (size_t i = 0; i < n; i++) {
        if (unicode_is(parts[i], UNICODE_NONSPACING))
            continue;
        if (unicode_combining_class(parts[i]) != 0)
            return false;
        put_lower(bert, writer, parts[i], from);
    }
    return true;
}

static bool put_other(const struct bert_normalizer *bert, struct writer *writer, uint32_t c,
                      struct span from) {
    const uint32_t properties = unicode_properties(c);
    if (bert->clean_text && (properties & UNICODE_CONTROL))
        return true;
    if (bert->clean_text && (properties & UNICODE_WHITE))
        c = ' ';
    const bool chinese = bert->handle_chinese_chars && bert_is_chinese(c);
    if (chinese)
        writer_put(writer, ' ', from);
    bool fits = true;
    if (strips(bert))
        fits = put_stripped(bert, writer, c, from);
    else
        put_lower(bert, writer, c, from);
    if (chinese)
        writer_put(writer, ' ', from);
    return fits;
}

/* ASCII from pos on, into room for it; returns where it ends. */
static size_t put_ascii(const struct bert_normalizer *bert, struct writer *writer,
                        const struct text *text, size_t pos) {
    for (; pos < text->len && (unsigned char)text->data[pos] < 0x80; pos++) {
        char c = text->data[pos];
        if (bert->clean_text && (c < ' ' || c == 0x7F)) {
            if (c != '\t' && c != '\n' && c != '\r')
                continue;
            c = ' ';
        }
        writer->data[writer->len] = bert->lowercase && c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        writer->from[writer->len++] = text_from(text, pos, pos + 1);
    }
    return pos;
}

static bool in_one_pass(const struct bert_normalizer *bert, struct text *text,
                        struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len + text->len / 2 + 8);
    for (size_t pos = 0; pos < text->len;) {
        writer_reserve(&writer, text->len - pos);
        pos = put_ascii(bert, &writer, text, pos);
        size_t next = pos;
        if (pos == text->len)
            break;
        const uint32_t c = text_next(text->data, text->len, &next);
        if (!put_other(bert, &writer, c, text_from(text, pos, next)))
            return false;
        pos = next;
    }
    writer_end(&writer, text);
    return true;
}

/* ---- pass by pass -------------------------------------------------------------------------- */

/* Only cleaning and spaces around Chinese characters. */
static const struct bert_normalizer no_more = {.strip_accents = 0};

static void pass_by_pass(const struct bert_normalizer *bert, struct text *text,
                         struct arena *scratch) {
    struct bert_normalizer first = no_more, last = no_more;
    first.clean_text = bert->clean_text;
    first.handle_chinese_chars = bert->handle_chinese_chars;
    last.lowercase = bert->lowercase;
    (void)in_one_pass(&first, text, scratch);
    if (strips(bert)) {
        normal_form(text, scratch, (struct normal_form){0});
        text_drop(text, scratch, UNICODE_NONSPACING);
    }
    (void)in_one_pass(&last, text, scratch);
}

void bert_normalizer_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    const struct bert_normalizer *bert = stage->state;
    if (text_is_ascii(text->data, text->len) && bert_ascii(bert, text, scratch))
        return;
    if (!in_one_pass(bert, text, scratch))
        pass_by_pass(bert, text, scratch);
}
