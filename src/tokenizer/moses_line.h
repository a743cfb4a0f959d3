/* A text as the Moses rules rewrite it: code points, each with what of the input it stands for.
 * A pass reads all of it and writes it anew; a pass that looks for characters which never occurred
 * is not run. Private to moses*.c. */
#ifndef BRISK_TOKENIZER_MOSES_LINE_H
#define BRISK_TOKENIZER_MOSES_LINE_H

#include "tokenizer/text.h"

struct glyph {
    uint32_t c;
    struct span from; /* bytes of the input */
};

struct moses_line {
    struct glyph *items;
    size_t n, cap;
    struct glyph *old; /* while a pass runs: what it reads */
    size_t old_n, old_cap;
    size_t most;    /* glyphs; with more of them the text is lost */
    bool seen[256]; /* of ASCII by itself, of others by their lowest seven bits */
    bool overflow;
};

void moses_line_init(struct moses_line *line, const struct text *text);
void moses_line_deinit(struct moses_line *line);

/* What was written becomes what is read. */
void moses_line_turn(struct moses_line *line);
void moses_line_grow(struct moses_line *line);

static inline size_t moses_seen_slot(uint32_t c) {
    return c < 0x80 ? c : 0x80 | (c & 0x7F);
}

static inline bool moses_seen(const struct moses_line *line, uint32_t c) {
    return line->seen[moses_seen_slot(c)];
}

static inline void moses_put(struct moses_line *line, uint32_t c, struct span from) {
    if (line->n == line->cap)
        moses_line_grow(line);
    if (line->n < line->cap)
        line->items[line->n++] = (struct glyph){c, from};
    line->seen[moses_seen_slot(c)] = true;
}

/* Each character of an ASCII string. */
static inline void moses_puts(struct moses_line *line, const char *text, struct span from) {
    for (; *text; text++)
        moses_put(line, (unsigned char)*text, from);
}

/* The input that both stand for, and what lies between. */
static inline struct span moses_span(const struct glyph *first, const struct glyph *last) {
    return (struct span){first->from.start < last->from.start ? first->from.start
                                                              : last->from.start,
                         first->from.end > last->from.end ? first->from.end : last->from.end};
}

/* Every `from` becomes `to`, from the left; UTF-8, of at most MOSES_LITERAL characters. */
#define MOSES_LITERAL 6
void moses_replace(struct moses_line *line, const char *from, const char *to);
/* str.strip of what stands there. */
void moses_strip(struct moses_line *line);
/* The line as text; lost when there was too much of it. */
void moses_line_text(const struct moses_line *line, struct text *text, struct arena *scratch);

#endif
