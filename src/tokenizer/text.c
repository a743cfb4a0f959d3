/* Texts with the origin of every byte: slicing, writing, and the library's transform(). See text.h
 * for what an origin is. */
#include "tokenizer/text.h"

#include "tokenizer/unicode.h"
#include "base/banned.h"

struct text text_slice(const struct text *text, size_t start, size_t end) {
    struct text slice = {
        .data = text->data + start,
        .len = end - start,
        .from = text->from ? text->from + start : NULL,
    };
    slice.origin = text->origin + (uint32_t)start;
    slice.base = text->from && start < text->len ? text->from[start].start : slice.origin;
    return slice;
}

struct span text_origin(const struct text *text, size_t start, size_t end) {
    if (!text->from)
        return (struct span){text->origin + (uint32_t)start, text->origin + (uint32_t)end};
    if (start == end)
        return (struct span){text->base + (uint32_t)start, text->base + (uint32_t)end};
    if (end > text->len || start > end) /* the library then leaves the offsets as they are */
        return (struct span){(uint32_t)start, (uint32_t)end};
    return (struct span){text->from[start].start, text->from[end - 1].end};
}

bool text_is_ascii(const char *data, size_t len) {
    size_t i = 0;
    uint64_t seen = 0;
    for (; i + 8 <= len; i += 8) {
        uint64_t word;
        memcpy(&word, data + i, 8);
        seen |= word;
    }
    for (; i < len; i++)
        seen |= (unsigned char)data[i];
    return (seen & 0x8080808080808080ull) == 0;
}

size_t text_leading(const char *data, size_t len, uint32_t properties, size_t *bytes) {
    size_t count = 0, pos = 0;
    while (pos < len) {
        size_t next = pos;
        if (!unicode_is(text_next(data, len, &next), properties))
            break;
        pos = next;
        count++;
    }
    *bytes = pos;
    return count;
}

size_t text_trailing(const char *data, size_t len, uint32_t properties, size_t *bytes) {
    size_t count = 0, end = len;
    while (end > 0) {
        size_t start = end - 1;
        while (start > 0 && ((unsigned char)data[start] & 0xC0) == 0x80)
            start--;
        size_t next = start;
        if (!unicode_is(text_next(data, len, &next), properties))
            break;
        end = start;
        count++;
    }
    *bytes = len - end;
    return count;
}

/* ---- writing ------------------------------------------------------------------------------- */

static const char lost[] = "";

bool text_is_lost(const struct text *text) {
    return text->data == lost;
}

void text_lose(struct text *text) {
    text->data = lost;
    text->len = 0;
}

/* Twice LIMIT_TEXT at most, as byte_level_map of the longest text needs; places have 32 bits. */
size_t text_most(size_t len) {
    if (len <= LIMIT_REWRITTEN / 4)
        return LIMIT_REWRITTEN;
    return len <= LIMIT_TEXT / 2 ? 4 * len : 2 * LIMIT_TEXT;
}

struct writer writer_begin(struct arena *arena, size_t expected) {
    const size_t most = text_most(expected);
    const size_t cap = expected < 16 || expected > most ? 16 : expected;
    return (struct writer){
        .arena = arena,
        .data = arena_alloc(arena, cap),
        .from = arena_alloc(arena, cap * sizeof(struct span)),
        .cap = cap,
        .most = most,
    };
}

void writer_grow(struct writer *writer, size_t more) {
    if (writer->len + more > writer->most) { /* what is written is given up, its room used again */
        writer->overflow = true;
        writer->len = 0;
        if (more <= writer->cap)
            return;
    }
    const size_t cap = 2 * writer->cap + more;
    char *data = arena_alloc(writer->arena, cap);
    struct span *from = arena_alloc(writer->arena, cap * sizeof *from);
    memcpy(data, writer->data, writer->len);
    memcpy(from, writer->from, writer->len * sizeof *from);
    writer->data = data;
    writer->from = from;
    writer->cap = cap;
}

void writer_put(struct writer *writer, uint32_t code_point, struct span from) {
    writer_reserve(writer, 4);
    size_t n = 1;
    if (code_point < 0x80)
        writer->data[writer->len] = (char)code_point;
    else
        n = utf8_put(writer->data + writer->len, code_point);
    for (size_t i = 0; i < n; i++)
        writer->from[writer->len + i] = from;
    writer->len += n;
}

void writer_append(struct writer *writer, const char *data, size_t len, struct span from) {
    writer_reserve(writer, len);
    memcpy(writer->data + writer->len, data, len);
    for (size_t i = 0; i < len; i++)
        writer->from[writer->len + i] = from;
    writer->len += len;
}

void writer_copy(struct writer *writer, const struct text *text, size_t start, size_t end) {
    writer_reserve(writer, end - start);
    if (text->from) {
        memcpy(writer->data + writer->len, text->data + start, end - start);
        memcpy(writer->from + writer->len, text->from + start, (end - start) * sizeof(struct span));
        writer->len += end - start;
        return;
    }
    memcpy(writer->data + writer->len, text->data + start, end - start);
    struct span *from = writer->from + writer->len;
    for (size_t pos = start; pos < end;) {
        size_t next = pos;
        text_next(text->data, end, &next);
        const struct span span = text_from(text, pos, next);
        for (; pos < next; pos++)
            *from++ = span;
    }
    writer->len += end - start;
}

void writer_end(const struct writer *writer, struct text *text) {
    text->data = writer->data;
    text->len = writer->len;
    text->from = writer->from;
    if (writer->overflow)
        text_lose(text);
}

void text_prepend(struct text *text, struct arena *scratch, const char *data, size_t len) {
    if (text->len == 0 || len == 0)
        return;
    size_t first = 0;
    text_next(text->data, text->len, &first);
    struct writer writer = writer_begin(scratch, text->len + len);
    writer_append(&writer, data, len, text_from(text, 0, first));
    writer_copy(&writer, text, 0, text->len);
    writer_end(&writer, text);
}

void writer_put_lower(struct writer *writer, uint32_t code_point, struct span from) {
    uint32_t lower[2];
    const size_t n = unicode_lower(code_point, lower);
    for (size_t i = 0; i < n; i++)
        writer_put(writer, lower[i], from);
}

void text_lowercase(struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len + 8);
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t code_point = text_next(text->data, text->len, &next);
        writer_put_lower(&writer, code_point, text_from(text, pos, next));
        pos = next;
    }
    writer_end(&writer, text);
}

void text_drop(struct text *text, struct arena *scratch, uint32_t properties) {
    struct writer writer = writer_begin(scratch, text->len);
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t code_point = text_next(text->data, text->len, &next);
        if (!unicode_is(code_point, properties))
            writer_put(&writer, code_point, text_from(text, pos, next));
        pos = next;
    }
    writer_end(&writer, text);
}

void text_drop_marks(struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len);
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t code_point = text_next(text->data, text->len, &next);
        if (unicode_category(code_point) != CATEGORY_MN)
            writer_put(&writer, code_point, text_from(text, pos, next));
        pos = next;
    }
    writer_end(&writer, text);
}

/* ---- transform ----------------------------------------------------------------------------- */

struct transform transform_begin(struct arena *arena, const struct text *text) {
    return (struct transform){
        .writer = writer_begin(arena, text->len + 8),
        .text = text,
        .last = {text->base, text->base},
    };
}

void transform_skip(struct transform *transform, size_t characters) {
    const struct text *text = transform->text;
    for (; characters > 0 && transform->pos < text->len; characters--) {
        size_t next = transform->pos;
        text_next(text->data, text->len, &next);
        transform->last = text_from(text, transform->pos, next);
        transform->pos = next;
    }
}

void transform_put(struct transform *transform, uint32_t code_point, int change) {
    if (change <= 0) {
        transform_skip(transform, 1);
        writer_put(&transform->writer, code_point, transform->last);
        transform_skip(transform, (size_t)-change);
        return;
    }
    writer_put(&transform->writer, code_point, transform->last);
}

void transform_end(struct transform *transform, struct text *text) {
    writer_end(&transform->writer, text);
}
