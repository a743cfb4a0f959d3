/* Padding: encodings of a batch brought to one length, as `tokenizers` utils/padding does it. The
 * engine packs ragged batches and needs none of this; it is for those who ask for rectangles. */
#include "tokenizer/tokenizer.h"

#include "base/banned.h"

struct padding tokenizer_padding(const struct tokenizer *tokenizer) {
    const int32_t pad = tokenizer_special(tokenizer, TOKEN_PAD);
    return (struct padding){.left = tokenizer_pads_left(tokenizer), .id = pad < 0 ? 0 : pad};
}

/* Overflow windows do not count, as in the library. */
static uint64_t target_length(const struct encoding *encodings, size_t n,
                              const struct padding *padding) {
    uint64_t length = padding->length;
    for (size_t i = 0; padding->length == 0 && i < n; i++)
        if (encodings[i].n > length)
            length = encodings[i].n;
    const uint64_t over = padding->multiple_of ? length % padding->multiple_of : 0;
    return over ? length + padding->multiple_of - over : length;
}

/* The new arrays of one window: [padding] + the old ones, or the other way round. */
static void pad_window(struct encoding *window, struct arena *arena, size_t length,
                       const struct padding *padding) {
    if (window->n >= length)
        return;
    const size_t shift = padding->left ? length - window->n : 0, end = shift + window->n;
    struct encoding out = {
        .n = length,
        .ids = arena_alloc(arena, length * sizeof *out.ids),
        .type_ids = arena_alloc(arena, length * sizeof *out.type_ids),
        .offsets = arena_zalloc(arena, length, sizeof *out.offsets),
        .special = arena_alloc(arena, length),
        .sequence = arena_alloc(arena, length),
        .words = arena_alloc(arena, length * sizeof *out.words),
        .attention = arena_zalloc(arena, length, 1),
        .truncated = window->truncated,
        .next = window->next,
    };
    for (size_t i = 0; i < length; i++) {
        const bool old = i >= shift && i < end;
        const size_t from = old ? i - shift : 0;
        out.ids[i] = old ? window->ids[from] : padding->id;
        out.type_ids[i] = old ? window->type_ids[from] : padding->type_id;
        out.special[i] = old ? window->special[from] : 1;
        out.sequence[i] = old ? window->sequence[from] : -1;
        out.words[i] = old ? window->words[from] : -1;
        if (old) {
            out.offsets[i] = window->offsets[from];
            out.attention[i] = window->attention ? window->attention[from] : 1;
        }
    }
    *window = out;
}

enum status tokenizer_pad(struct encoding *encodings, size_t n, struct arena *arena,
                          const struct padding *padding, struct error *err) {
    const uint64_t length = target_length(encodings, n, padding);
    if (length > LIMIT_TEXT)
        return ERR(err, INPUT, "padding to %llu tokens, at most %llu are allowed",
                   (unsigned long long)length, LIMIT_TEXT);
    for (size_t i = 0; i < n; i++)
        for (struct encoding *window = &encodings[i]; window; window = window->next)
            pad_window(window, arena, (size_t)length, padding);
    return STATUS_OK;
}
