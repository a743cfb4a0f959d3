/* The Precompiled normalizer: SentencePiece's table of replacements ("charsmap"), a double array of
 * 32-bit units (darts-clone) whose values are places in a text of zero-terminated replacements.
 *
 * It is what `tokenizers` makes of it (normalizers/precompiled.rs and the spm_precompiled crate),
 * not SentencePiece's own longest match: a grapheme of less than six bytes is looked up as a whole,
 * and the shortest key that it starts with decides for all of it; other graphemes go character by
 * character. A damaged table is refused when it is loaded. */
#include "tokenizer/pipeline.h"

#include "tokenizer/unicode.h"
#include "base/banned.h"

#define GRAPHEME_MOST 5 /* bytes of a grapheme that is looked up as a whole */

struct precompiled {
    const uint32_t *units;
    size_t n_units;
    const char *texts;
    size_t texts_len;
    bool ascii[128]; /* the character is replaced */
};

/* ---- units --------------------------------------------------------------------------------- */

static bool has_value(uint32_t unit) {
    return unit >> 8 & 1;
}

static uint32_t label(uint32_t unit) {
    return unit & 0x800000FF;
}

static uint32_t offset(uint32_t unit) {
    return (unit >> 10) << ((unit & 1u << 9) >> 6);
}

static uint32_t value(uint32_t unit) {
    return unit & 0x7FFFFFFF;
}

/* The replacement of the shortest key that data[0, len) starts with; NULL: there is none. Places
 * were checked at loading, but those of units that no key leads to. */
static const char *look_up(const struct precompiled *map, const char *data, size_t len,
                           size_t *out_len) {
    uint32_t at = offset(map->units[0]);
    for (size_t i = 0; i < len && data[i]; i++) {
        at ^= (uint8_t)data[i];
        if (at >= map->n_units || label(map->units[at]) != (uint8_t)data[i])
            return NULL;
        const uint32_t unit = map->units[at];
        at ^= offset(unit);
        if (has_value(unit)) {
            const char *text = map->texts + value(map->units[at]);
            *out_len = strlen(text);
            return text;
        }
    }
    return NULL;
}

/* ---- loading ------------------------------------------------------------------------------- */

static int sextet(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *digit = c ? strchr(digits, c) : NULL;
    return digit ? (int)(digit - digits) : -1;
}

/* Padded base64; NULL when it is not. */
static uint8_t *base64_decode(struct arena *arena, const char *text, size_t len, size_t *out_len) {
    uint8_t *out = arena_alloc(arena, len / 4 * 3 + 1);
    size_t n = 0;
    const size_t padding = len >= 4 ? (text[len - 1] == '=') + (size_t)(text[len - 2] == '=') : 0;
    if (len % 4 != 0)
        return NULL;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        const int digit = i >= len - padding ? 0 : sextet(text[i]);
        if (digit < 0)
            return NULL;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 3)
            continue;
        for (int shift = 16; shift >= 0; shift -= 8)
            out[n++] = (uint8_t)(bits >> shift);
        bits = 0;
    }
    *out_len = n - padding;
    if (padding > 0 && (len < 4 || out[n - padding] != 0))
        return NULL;
    return out;
}

static bool value_is_sane(const struct precompiled *map, size_t at, uint32_t unit) {
    const size_t leaf = at ^ offset(unit);
    if (leaf >= map->n_units)
        return false;
    const size_t place = value(map->units[leaf]);
    return place <= map->texts_len &&
           (place == map->texts_len || ((unsigned char)map->texts[place] & 0xC0) != 0x80);
}

static enum status check_map(const struct precompiled *map, struct error *err) {
    if (map->n_units == 0)
        return ERR(err, MODEL, "the table of \"precompiled_charsmap\" is empty");
    if (!utf8_valid(map->texts, map->texts_len, NULL))
        return ERR(err, MODEL, "the replacements of \"precompiled_charsmap\" are not valid UTF-8");
    for (size_t i = 0; i < map->n_units; i++)
        if (!(map->units[i] & 1u << 31) && has_value(map->units[i]) &&
            !value_is_sane(map, i, map->units[i]))
            return ERR(err, MODEL, "unit %zu of \"precompiled_charsmap\" points outside of it", i);
    return STATUS_OK;
}

static uint32_t little_endian(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

enum status precompiled_parse(struct stage *stage, struct loader *loader, const struct json *config,
                              struct error *err) {
    struct arena *arena = loader_arena(loader);
    const struct json *text = json_get(config, "precompiled_charsmap");
    if (!json_is(text, JSON_STRING))
        return ERR(err, MODEL, "\"precompiled_charsmap\" is missing");
    size_t len;
    const uint8_t *bytes = base64_decode(&loader->arena, text->text, text->len, &len);
    if (!bytes)
        return ERR(err, MODEL, "\"precompiled_charsmap\" must be base64");
    const size_t units_len = len >= 4 ? little_endian(bytes) / 4 : 0;
    if (len < 4 || units_len > (len - 4) / 4)
        return ERR(err, MODEL, "\"precompiled_charsmap\" is cut off: it has %zu bytes", len);
    struct precompiled *map = arena_zalloc(arena, 1, sizeof *map);
    uint32_t *units = arena_alloc(arena, (units_len + 1) * sizeof *units);
    for (size_t i = 0; i < units_len; i++)
        units[i] = little_endian(bytes + 4 + 4 * i);
    map->units = units;
    map->n_units = units_len;
    map->texts_len = len - 4 - 4 * units_len;
    map->texts = arena_strndup(arena, (const char *)bytes + 4 + 4 * units_len, map->texts_len);
    if (check_map(map, err) != STATUS_OK)
        return STATUS_ERROR;
    for (int c = 1; c < 128; c++) {
        const char key = (char)c;
        map->ascii[c] = look_up(map, &key, 1, &len) != NULL;
    }
    stage->state = map;
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
static void long_grapheme(const struct precompiled *map, struct rewrite *rewrite, size_t pos,
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

static void grapheme(const struct precompiled *map, struct rewrite *rewrite, size_t pos,
                     size_t end) {
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
static size_t plain_end(const struct precompiled *map, const struct text *text, size_t pos) {
    size_t end = pos;
    while (end < text->len && (unsigned char)text->data[end] < 0x80 &&
           !map->ascii[(unsigned char)text->data[end]] && text->data[end] != '\r')
        end++;
    /* The last one may be the start of a longer grapheme. */
    return end > pos && end < text->len && (unsigned char)text->data[end] >= 0x80 ? end - 1 : end;
}

void precompiled_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    const struct precompiled *map = stage->state;
    struct rewrite rewrite = {.text = text, .scratch = scratch};
    for (size_t pos = 0; pos < text->len;) {
        const size_t plain = plain_end(map, text, pos);
        if (rewrite.begun)
            keep(&rewrite, pos, plain);
        if (plain == text->len)
            break;
        const size_t end = unicode_grapheme_end(text->data, text->len, plain);
        grapheme(map, &rewrite, plain, end);
        pos = end;
    }
    if (!rewrite.begun)
        return;
    put(&rewrite, 0, 0); /* lets the last one go; this one is never put */
    transform_end(&rewrite.transform, text);
}
