/* The Precompiled normalizer: SentencePiece's table of replacements ("charsmap"), a double array of
 * 32-bit units (darts-clone) whose values are places in a text of zero-terminated replacements.
 *
 * It is what `tokenizers` makes of it (normalizers/precompiled.rs and the spm_precompiled crate),
 * not SentencePiece's own longest match: a grapheme of less than six bytes is looked up as a whole,
 * and the shortest key that it starts with decides for all of it; other graphemes go character by
 * character. A damaged table is refused when it is loaded. */
#include "tokenizer/pipeline.h"

#include "tokenizer/charsmap.h"
#include "tokenizer/unicode.h"
#include "base/banned.h"

#define GRAPHEME_MOST 5 /* bytes of a grapheme that is looked up as a whole */

struct precompiled {
    struct charsmap map;
    bool ascii[128]; /* the character is replaced */
};

/* The replacement of the shortest key that data[0, len) starts with; NULL: there is none. Places
 * were checked at loading, but those of units that no key leads to. */
static const char *look_up(const struct charsmap *map, const char *data, size_t len,
                           size_t *out_len) {
    uint32_t at = unit_offset(map->units[0]);
    for (size_t i = 0; i < len && data[i]; i++) {
        at ^= (uint8_t)data[i];
        if (at >= map->n_units || unit_label(map->units[at]) != (uint8_t)data[i])
            return NULL;
        const uint32_t unit = map->units[at];
        at ^= unit_offset(unit);
        if (unit_has_value(unit)) {
            const char *text = map->texts + unit_value(map->units[at]);
            *out_len = strlen(text);
            return text;
        }
    }
    return NULL;
}

/* ---- loading ------------------------------------------------------------------------------- */

/* Padded base64 with nothing behind its last byte; NULL when it is not. */
static uint8_t *decoded(struct arena *arena, const char *text, size_t len, size_t *out_len) {
    const size_t room = len / 4 * 3;
    uint8_t *out = arena_alloc(arena, room + 1);
    if (!base64_decode(out, out_len, text, len) || (*out_len < room && out[*out_len] != 0))
        return NULL;
    return out;
}

static bool value_is_sane(const struct charsmap *map, size_t at, uint32_t unit) {
    const size_t leaf = at ^ unit_offset(unit);
    return leaf < map->n_units && charsmap_is_place(map, unit_value(map->units[leaf]));
}

static enum status check_map(const struct charsmap *map, struct error *err) {
    if (map->n_units == 0)
        return ERR(err, MODEL, "the table of \"precompiled_charsmap\" is empty");
    if (!utf8_valid(map->texts, map->texts_len, NULL))
        return ERR(err, MODEL, "the replacements of \"precompiled_charsmap\" are not valid UTF-8");
    for (size_t i = 0; i < map->n_units; i++)
        if (!(map->units[i] & 1u << 31) && unit_has_value(map->units[i]) &&
            !value_is_sane(map, i, map->units[i]))
            return ERR(err, MODEL, "unit %zu of \"precompiled_charsmap\" points outside of it", i);
    return STATUS_OK;
}

enum status precompiled_parse(struct stage *stage, struct loader *loader, const struct json *config,
                              struct error *err) {
    struct arena *arena = loader_arena(loader);
    const struct json *text = json_get(config, "precompiled_charsmap");
    if (!json_is(text, JSON_STRING))
        return ERR(err, MODEL, "\"precompiled_charsmap\" is missing");
    size_t len;
    const uint8_t *bytes = decoded(&loader->arena, text->text, text->len, &len);
    if (!bytes)
        return ERR(err, MODEL, "\"precompiled_charsmap\" must be base64");
    struct precompiled *state = arena_zalloc(arena, 1, sizeof *state);
    if (!charsmap_read(&state->map, arena, bytes, len))
        return ERR(err, MODEL, "\"precompiled_charsmap\" is cut off: it has %zu bytes", len);
    if (check_map(&state->map, err) != STATUS_OK)
        return STATUS_ERROR;
    for (int c = 1; c < 128; c++) {
        const char key = (char)c;
        state->ascii[c] = look_up(&state->map, &key, 1, &len) != NULL;
    }
    stage->state = state;
    return STATUS_OK;
}

/* ---- running ------------------------------------------------------------------------------- */

/* The new text as it is written. The last character waits, as what follows may still have it
 * consume more of the old text. */
struct rewrite {
    struct transform transform;
    const struct text *text;
    bool begun, waits;
    uint32_t code_point;
    int change;
    struct arena *scratch;
};

static void put(struct rewrite *rewrite, uint32_t code_point, int change) {
    if (rewrite->waits)
        transform_put(&rewrite->transform, rewrite->code_point, rewrite->change);
    rewrite->waits = true;
    rewrite->code_point = code_point;
    rewrite->change = change;
}

/* [start, end) as it is. */
static void keep(struct rewrite *rewrite, size_t start, size_t end) {
    const char *data = rewrite->text->data;
    for (size_t pos = start; pos < end;)
        put(rewrite, text_next(data, end, &pos), 0);
}

/* Characters that are more than the old ones are inserted behind them; when they are fewer, the
 * last consumes what is left. At the start of the text there is none yet: the library then loses
 * count, and all origins stay behind by as many characters. */
static void replace(struct rewrite *rewrite, const char *old, size_t old_len, const char *new,
                    size_t new_len) {
    const int old_count = (int)utf8_count(old, old_len), new_count = (int)utf8_count(new, new_len);
    int i = 0;
    for (size_t pos = 0; pos < new_len; i++)
        put(rewrite, text_next(new, new_len, &pos), i >= old_count ? 1 : 0);
    if (new_count < old_count && rewrite->waits)
        rewrite->change -= old_count - new_count;
}

/* What is in front of the first replacement stays as it is. */
static void begin(struct rewrite *rewrite, size_t pos) {
    if (rewrite->begun)
        return;
    rewrite->begun = true;
    rewrite->transform = transform_begin(rewrite->scratch, rewrite->text);
    keep(rewrite, 0, pos);
}

/* Character by character. */
static void long_grapheme(const struct charsmap *map, struct rewrite *rewrite, size_t pos,
                          size_t end) {
    const char *data = rewrite->text->data;
    while (pos < end) {
        size_t next = pos, len;
        text_next(data, end, &next);
        const char *new = look_up(map, data + pos, next - pos, &len);
        if (new) {
            begin(rewrite, pos);
            replace(rewrite, data + pos, next - pos, new, len);
        } else if (rewrite->begun) {
            keep(rewrite, pos, next);
        }
        pos = next;
    }
}

static void grapheme(const struct charsmap *map, struct rewrite *rewrite, size_t pos, size_t end) {
    const char *data = rewrite->text->data;
    size_t len;
    const char *new = end - pos <= GRAPHEME_MOST ? look_up(map, data + pos, end - pos, &len) : NULL;
    if (!new) {
        long_grapheme(map, rewrite, pos, end);
        return;
    }
    begin(rewrite, pos);
    replace(rewrite, data + pos, end - pos, new, len);
}

/* The end of the ASCII from pos on that stays as it is: graphemes of one character each. */
static size_t plain_end(const struct precompiled *state, const struct text *text, size_t pos) {
    size_t end = pos;
    while (end < text->len && (unsigned char)text->data[end] < 0x80 &&
           !state->ascii[(unsigned char)text->data[end]] && text->data[end] != '\r')
        end++;
    /* The last one may be the start of a longer grapheme. */
    return end > pos && end < text->len && (unsigned char)text->data[end] >= 0x80 ? end - 1 : end;
}

void precompiled_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    const struct precompiled *state = stage->state;
    struct rewrite rewrite = {.text = text, .scratch = scratch};
    for (size_t pos = 0; pos < text->len;) {
        const size_t plain = plain_end(state, text, pos);
        if (rewrite.begun)
            keep(&rewrite, pos, plain);
        if (plain == text->len)
            break;
        const size_t end = unicode_grapheme_end(text->data, text->len, plain);
        grapheme(&state->map, &rewrite, plain, end);
        pos = end;
    }
    if (!rewrite.begun)
        return;
    put(&rewrite, 0, 0); /* lets the last one go; this one is never put */
    transform_end(&rewrite.transform, text);
}
