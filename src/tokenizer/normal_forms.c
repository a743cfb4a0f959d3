/* Unicode normalization (UAX 15) that also says, for each character it gives, how many of the old
 * ones it consumes: a decomposition's first part consumes the old character, the others none; a
 * composition consumes what its parts do. Reordering leaves these changes with their characters,
 * so that a reordered mark takes its origin from the place it moved to. So does the library. */
#include "tokenizer/normal_forms.h"

#include "tokenizer/unicode.h"
#include "base/banned.h"

struct mark {
    uint32_t code_point;
    int change;
    uint8_t class;
};

struct marks {
    struct mark *items;
    size_t n, cap;
    struct arena *arena;
};

static void marks_add(struct marks *marks, struct mark mark) {
    if (marks->n == marks->cap) {
        struct mark *items = arena_alloc(marks->arena, 2 * marks->cap * sizeof *items);
        memcpy(items, marks->items, marks->n * sizeof *items);
        marks->items = items;
        marks->cap *= 2;
    }
    marks->items[marks->n++] = mark;
}

/* Stable, by class; runs are short but may be made long, hence merge sort above a few. */
static void marks_sort(struct mark *items, size_t n, struct arena *scratch) {
    if (n <= 32) {
        for (size_t i = 1; i < n; i++) {
            const struct mark mark = items[i];
            size_t k = i;
            for (; k > 0 && items[k - 1].class > mark.class; k--)
                items[k] = items[k - 1];
            items[k] = mark;
        }
        return;
    }
    size_t count[257] = {0}; /* counting sort is stable */
    struct mark *sorted = arena_alloc(scratch, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        count[items[i].class + 1]++;
    for (size_t c = 1; c < 257; c++)
        count[c] += count[c - 1];
    for (size_t i = 0; i < n; i++)
        sorted[count[items[i].class]++] = items[i];
    memcpy(items, sorted, n * sizeof *items);
}

static struct marks decompose(const struct text *text, struct arena *scratch, bool compatible) {
    struct marks marks = {.cap = text->len + 8, .arena = scratch};
    marks.items = arena_alloc(scratch, marks.cap * sizeof *marks.items);
    size_t pending = 0; /* first of the run of marks that is not sorted yet */
    for (size_t pos = 0; pos < text->len;) {
        uint32_t parts[UNICODE_DECOMPOSED_MAX];
        const size_t n =
            unicode_decompose(text_next(text->data, text->len, &pos), compatible, parts);
        for (size_t i = 0; i < n; i++) {
            const uint8_t class = (uint8_t)unicode_combining_class(parts[i]);
            if (class == 0) {
                marks_sort(marks.items + pending, marks.n - pending, scratch);
                pending = marks.n + 1;
            }
            marks_add(&marks, (struct mark){parts[i], i > 0, class});
        }
    }
    if (pending < marks.n)
        marks_sort(marks.items + pending, marks.n - pending, scratch);
    return marks;
}

/* Composes in place: the starter takes what follows, unless a mark of no lower class stands
 * between them. */
static void compose(struct marks *marks) {
    size_t out = 0, starter = SIZE_MAX;
    int last_class = -1; /* of the mark kept behind the starter, -1: none */
    for (size_t i = 0; i < marks->n; i++) {
        const struct mark mark = marks->items[i];
        if (starter != SIZE_MAX && last_class < (int)mark.class) {
            const uint32_t composed =
                unicode_compose(marks->items[starter].code_point, mark.code_point);
            if (composed) {
                marks->items[starter].code_point = composed;
                marks->items[starter].change += mark.change - 1;
                continue;
            }
        }
        if (mark.class == 0) {
            starter = out;
            last_class = -1;
        } else {
            last_class = mark.class;
        }
        marks->items[out++] = mark;
    }
    marks->n = out;
}

void normal_form(struct text *text, struct arena *scratch, struct normal_form form) {
    if (text_is_ascii(text->data, text->len))
        return;
    struct marks marks = decompose(text, scratch, form.compatible);
    if (form.compose)
        compose(&marks);
    struct transform transform = transform_begin(scratch, text);
    for (size_t i = 0; i < marks.n; i++)
        transform_put(&transform, marks.items[i].code_point, marks.items[i].change);
    transform_end(&transform, text);
}
