/* Text on its way through the pipeline: its bytes now, and where each came from.
 *
 * The library calls this a NormalizedString. Here a text is a view: it owns nothing, its arrays
 * live in the call's scratch arena or are the caller's input itself. While nothing has changed,
 * `from` is NULL and byte i stands for byte origin + i of the input. All bytes of one character
 * have the same `from`. A changed text is written by a struct writer. */
#ifndef BRISK_TOKENIZER_TEXT_H
#define BRISK_TOKENIZER_TEXT_H

#include "base/base.h"
#include "tokenizer/tokenizer.h"

struct text {
    const char *data;        /* UTF-8 */
    size_t len;              /* bytes */
    const struct span *from; /* [len] bytes of the input; NULL: nothing changed */
    uint32_t origin;         /* without `from`: the byte of the input that data[0] stands for */
    uint32_t base;           /* where the piece of the input that this was made of starts */
    struct growth *growth;   /* of the normalization that is under way, NULL: none is */
};

/* What the stages of one normalization make of a text of `len` bytes: each counts what its text is
 * longer. */
struct growth {
    size_t len, added;
};

/* Next code point of valid UTF-8; the one way through a text, so it is inline. */
static inline uint32_t text_next(const char *data, size_t len, size_t *pos) {
    const unsigned char c = (unsigned char)data[*pos];
    if (c < 0x80) {
        (*pos)++;
        return c;
    }
    return utf8_next(data, len, pos);
}

/* What the character at [pos, end) stands for. */
static inline struct span text_from(const struct text *text, size_t pos, size_t end) {
    if (text->from)
        return text->from[pos];
    return (struct span){text->origin + (uint32_t)pos, text->origin + (uint32_t)end};
}

struct text text_slice(const struct text *text, size_t start, size_t end);
/* The input bytes that [start, end) stands for, as the library converts offsets. */
struct span text_origin(const struct text *text, size_t start, size_t end);
/* Puts a string in front, unless the text is empty; it stands for the first character. */
void text_prepend(struct text *text, struct arena *scratch, const char *data, size_t len);
bool text_is_ascii(const char *data, size_t len);
/* Code points of data[0, len) that stand before the first without the property, or behind the last.
 */
size_t text_leading(const char *data, size_t len, uint32_t properties, size_t *bytes);
size_t text_trailing(const char *data, size_t len, uint32_t properties, size_t *bytes);

/* Writes a text in an arena, character by character. A stage that makes more than `most` bytes of
 * it (a damaged file's only) loses them, and the text becomes one that text_is_lost. */
struct writer {
    struct arena *arena;
    char *data;
    struct span *from;
    size_t len, cap, most;
    bool overflow;
};

/* What a text of so many bytes may become; a longer one is lost: empty, and marked. */
size_t text_most(size_t len);
void text_lose(struct text *text);
bool text_is_lost(const struct text *text);

struct writer writer_begin(struct arena *arena, size_t expected);
void writer_grow(struct writer *writer, size_t more);
static inline void writer_reserve(struct writer *writer, size_t more) {
    if (writer->cap - writer->len < more)
        writer_grow(writer, more);
}
void writer_put(struct writer *writer, uint32_t code_point, struct span from);
void writer_append(struct writer *writer, const char *data, size_t len, struct span from);
/* Copies [start, end) of a text as it is. */
void writer_copy(struct writer *writer, const struct text *text, size_t start, size_t end);
void writer_put_lower(struct writer *writer, uint32_t code_point, struct span from);
void writer_end(const struct writer *writer, struct text *text);

/* Every character in lower case, by itself; and without those that have one of the properties. */
void text_lowercase(struct text *text, struct arena *scratch);
void text_drop(struct text *text, struct arena *scratch, uint32_t properties);
/* Without Python's category Mn, which is more than UNICODE_NONSPACING. */
void text_drop_marks(struct text *text, struct arena *scratch);

/* The library's transform(): characters come with a change that says which characters of the old
 * text they consume: 1 none (inserted), 0 one, -n one and n more. */
struct transform {
    struct writer writer;
    const struct text *text;
    size_t pos;       /* of the next old character */
    struct span last; /* what the character before it stands for */
};

struct transform transform_begin(struct arena *arena, const struct text *text);
void transform_skip(struct transform *transform, size_t characters);
void transform_put(struct transform *transform, uint32_t code_point, int change);
void transform_end(struct transform *transform, struct text *text);

#endif
