/* The line that the passes of the Moses rules rewrite: its two buffers, replacing of literals,
 * stripping. No rule is here. */
#include "tokenizer/moses_line.h"

#include "tokenizer/slow.h"
#include "base/banned.h"

void moses_line_init(struct moses_line *line, const struct text *text) {
    *line = (struct moses_line){.most = text_most(text->len)};
    for (size_t pos = 0; pos < text->len;) {
        const size_t at = pos;
        const uint32_t c = text_next(text->data, text->len, &pos);
        moses_put(line, c, text_from(text, at, pos));
    }
}

void moses_line_deinit(struct moses_line *line) {
    mem_free(line->items);
    mem_free(line->old);
    *line = (struct moses_line){0};
}

void moses_line_turn(struct moses_line *line) {
    struct glyph *items = line->old;
    const size_t cap = line->old_cap;
    line->old = line->items;
    line->old_n = line->n;
    line->old_cap = line->cap;
    line->items = items;
    line->n = 0;
    line->cap = cap;
}

void moses_line_grow(struct moses_line *line) {
    if (line->n >= line->most) {
        line->overflow = true;
        return;
    }
    line->items = mem_grow(line->items, &line->cap, line->n + 16, sizeof *line->items);
}

static size_t decode(const char *text, uint32_t out[MOSES_LITERAL]) {
    const size_t len = strlen(text);
    size_t n = 0;
    for (size_t pos = 0; pos < len && n < MOSES_LITERAL;)
        out[n++] = text_next(text, len, &pos);
    return n;
}

static bool stands_at(const struct moses_line *line, size_t at, const uint32_t *literal, size_t n) {
    if (line->old_n - at < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (line->old[at + i].c != literal[i])
            return false;
    return true;
}

void moses_replace(struct moses_line *line, const char *from, const char *to) {
    uint32_t literal[MOSES_LITERAL], with[MOSES_LITERAL];
    const size_t n = decode(from, literal), n_with = decode(to, with);
    for (size_t i = 0; i < n; i++)
        if (!moses_seen(line, literal[i]))
            return;
    moses_line_turn(line);
    for (size_t i = 0; i < line->old_n;) {
        if (!stands_at(line, i, literal, n)) {
            moses_put(line, line->old[i].c, line->old[i].from);
            i++;
            continue;
        }
        const struct span span = moses_span(&line->old[i], &line->old[i + n - 1]);
        for (size_t k = 0; k < n_with; k++)
            moses_put(line, with[k], span);
        i += n;
    }
}

void moses_strip(struct moses_line *line) {
    size_t start = 0;
    while (line->n > 0 && slow_is_space(line->items[line->n - 1].c))
        line->n--;
    while (start < line->n && slow_is_space(line->items[start].c))
        start++;
    if (start > 0)
        memmove(line->items, line->items + start, (line->n - start) * sizeof *line->items);
    line->n -= start;
}

void moses_line_text(const struct moses_line *line, struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, line->n + line->n / 4 + 16);
    for (size_t i = 0; i < line->n; i++)
        writer_put(&writer, line->items[i].c, line->items[i].from);
    writer_end(&writer, text);
    if (line->overflow)
        text_lose(text);
}
