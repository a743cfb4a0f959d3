/* The UnicodeScripts pre-tokenizer: a word ends where the script changes; spaces and unassigned
 * characters belong to what is around them. */
#include "tokenizer/pipeline.h"

#include "tokenizer/unicode.h"
#include "base/banned.h"

/* As the library does it, the first word starts at the first character of a script: what stands in
 * front of it is lost. */
static void split_scripts(const struct piece *piece, struct pieces *out) {
    const struct text *text = &piece->text;
    size_t start = 0;
    uint32_t last = UINT32_MAX;
    bool open = false;
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t script = unicode_script(text_next(text->data, text->len, &next));
        if (script != 0 && script != last) {
            if (open)
                pieces_add(out, (struct piece){.text = text_slice(text, start, pos), .id = -1});
            open = true;
            start = pos;
            last = script;
        }
        pos = next;
    }
    if (open)
        pieces_add(out, (struct piece){.text = text_slice(text, start, text->len), .id = -1});
}

void unicode_scripts_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    struct pieces out = {.arena = scratch, .lost = pieces->lost};
    for (size_t i = 0; i < pieces->n; i++) {
        if (pieces->items[i].id >= 0)
            pieces_add(&out, pieces->items[i]);
        else
            split_scripts(&pieces->items[i], &out);
    }
    *pieces = out;
}
