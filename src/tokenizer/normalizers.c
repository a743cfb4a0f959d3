/* Normalizers: what rewrites the text before it is split. One row a type.
 *
 * Origins are kept exactly as the library keeps them, see transform() in text.h. Plain ASCII takes
 * short cuts: normal forms leave it alone, and lower case keeps every byte's place. */
#include "tokenizer/pipeline.h"

#include "tokenizer/normal_forms.h"
#include "tokenizer/unicode.h"
#include "base/banned.h"

/* ---- sequence ------------------------------------------------------------------------------ */

static enum status sequence_parse(struct stage *stage, struct loader *loader,
                                  const struct json *config, struct error *err) {
    return stage_parse_children(stage, loader, json_get(config, "normalizers"), normalizer_parse,
                                err);
}

/* The stages of all Sequences inside each other share what they may add to the text. */
static void sequence_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    struct growth whole = {.len = text->len};
    struct growth *growth = text->growth ? text->growth : &whole;
    for (size_t i = 0; i < stage->n_children && !text_is_lost(text); i++) {
        const struct stage *child = stage->children[i];
        text->growth = growth;
        child->kind->normalize(child, text, scratch);
        if (child->kind->normalize == sequence_run)
            continue;
        growth->added += text->len > growth->len ? text->len - growth->len : 0;
        if (growth->added > text_most(growth->len))
            text_lose(text);
    }
    text->growth = growth == &whole ? NULL : growth;
}

/* ---- normal forms -------------------------------------------------------------------------- */

static void nfc_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    normal_form(text, scratch, (struct normal_form){.compose = true});
}

static void nfd_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    normal_form(text, scratch, (struct normal_form){0});
}

static void nfkc_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    normal_form(text, scratch, (struct normal_form){.compose = true, .compatible = true});
}

static void nfkd_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    normal_form(text, scratch, (struct normal_form){.compatible = true});
}

/* ---- characters ---------------------------------------------------------------------------- */

/* ASCII to ASCII, byte by byte: origins stay as they are. */
static void ascii_lower(struct text *text, struct arena *scratch) {
    char *data = arena_alloc(scratch, text->len);
    for (size_t i = 0; i < text->len; i++)
        data[i] = text->data[i] >= 'A' && text->data[i] <= 'Z' ? (char)(text->data[i] + 32)
                                                               : text->data[i];
    text->data = data;
}

static void lowercase_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    if (text_is_ascii(text->data, text->len))
        ascii_lower(text, scratch);
    else
        text_lowercase(text, scratch);
}

static void strip_accents_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    if (!text_is_ascii(text->data, text->len))
        text_drop(text, scratch, UNICODE_MARK);
}

struct strip {
    bool left, right;
};

static enum status strip_parse(struct stage *stage, struct loader *loader,
                               const struct json *config, struct error *err) {
    struct strip *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    state->left = json_get_bool(config, "strip_left", false);
    state->right = json_get_bool(config, "strip_right", false);
    stage->state = state;
    return STATUS_OK;
}

static void strip_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    const struct strip *strip = stage->state;
    size_t start = 0, end = text->len, bytes;
    if (strip->left) {
        text_leading(text->data, text->len, UNICODE_WHITE, &bytes);
        start = bytes;
    }
    if (strip->right && start < end) {
        text_trailing(text->data, text->len, UNICODE_WHITE, &bytes);
        end -= bytes;
    }
    const uint32_t base = text->base;
    *text = text_slice(text, start, end);
    text->base = base;
}

/* ---- replacing ----------------------------------------------------------------------------- */

struct replace {
    struct pattern *pattern;
    const char *content;
    size_t content_len;
};

static enum status replace_parse(struct stage *stage, struct loader *loader,
                                 const struct json *config, struct error *err) {
    struct replace *state = arena_zalloc(loader_arena(loader), 1, sizeof *state);
    const struct json *content = json_get(config, "content");
    if (!json_is(content, JSON_STRING))
        return ERR(err, MODEL, "\"content\" is missing");
    if (stage_parse_pattern(&state->pattern, loader, json_get(config, "pattern"), err) != STATUS_OK)
        return STATUS_ERROR;
    state->content = arena_strndup(loader_arena(loader), content->text, content->len);
    state->content_len = content->len;
    stage->state = state;
    return STATUS_OK;
}

/* What the character that ends at `end` stands for; nothing at the start. */
static struct span before(const struct text *text, size_t end) {
    if (end == 0)
        return (struct span){text->base, text->base};
    size_t start = end - 1;
    while (start > 0 && ((unsigned char)text->data[start] & 0xC0) == 0x80)
        start--;
    return text_from(text, start, end);
}

/* The content stands for the last character of what it replaces. */
static void replace_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    const struct replace *replace = stage->state;
    struct search search = search_begin(replace->pattern, text->data, text->len);
    struct writer writer = {0};
    size_t start, end, last = 0;
    while (!writer.overflow && search_next(&search, &start, &end)) {
        if (!writer.data)
            writer = writer_begin(scratch, text->len + 64);
        writer_copy(&writer, text, last, start);
        writer_append(&writer, replace->content, replace->content_len, before(text, end));
        last = end;
    }
    search_end(&search);
    if (!writer.data)
        return;
    writer_copy(&writer, text, last, text->len);
    writer_end(&writer, text);
}

static enum status prepend_parse(struct stage *stage, struct loader *loader,
                                 const struct json *config, struct error *err) {
    stage->state = arena_strndup(loader_arena(loader), json_get_string(config, "prepend", ""),
                                 strlen(json_get_string(config, "prepend", "")));
    return STATUS_OK;
}

static void prepend_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    text_prepend(text, scratch, stage->state, strlen(stage->state));
}

static void byte_level_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    byte_level_map(text, scratch);
}

/* ---- Nmt ----------------------------------------------------------------------------------- */

static bool nmt_drops(uint32_t c) {
    return (c >= 0x1 && c <= 0x8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F ||
           c == 0x8F || c == 0x9F;
}

static bool nmt_is_space(uint32_t c) {
    static const uint32_t spaces[] = {0x9,    0xA,    0xC,    0xD,    0x1680,
                                      0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD};
    for (size_t i = 0; i < ARRAY_LEN(spaces); i++)
        if (spaces[i] == c)
            return true;
    return c >= 0x200B && c <= 0x200F;
}

/* SentencePiece's cleaning for translation: controls go, odd spaces become plain. */
static void nmt_run(const struct stage *stage, struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len);
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t c = text_next(text->data, text->len, &next);
        if (!nmt_drops(c))
            writer_put(&writer, nmt_is_space(c) ? ' ' : c, text_from(text, pos, next));
        pos = next;
    }
    writer_end(&writer, text);
}

/* ---- the table ----------------------------------------------------------------------------- */

static const struct stage_kind kinds[] = {
    {.type = "Sequence", .parse = sequence_parse, .normalize = sequence_run},
    {.type = "NFC", .normalize = nfc_run},
    {.type = "NFD", .normalize = nfd_run},
    {.type = "NFKC", .normalize = nfkc_run},
    {.type = "NFKD", .normalize = nfkd_run},
    {.type = "Lowercase", .normalize = lowercase_run},
    {.type = "Strip", .parse = strip_parse, .normalize = strip_run},
    {.type = "StripAccents", .normalize = strip_accents_run},
    {.type = "BertNormalizer", .parse = bert_normalizer_parse, .normalize = bert_normalizer_run},
    {.type = "Replace", .parse = replace_parse, .normalize = replace_run},
    {.type = "Prepend", .parse = prepend_parse, .normalize = prepend_run},
    {.type = "ByteLevel", .normalize = byte_level_run},
    {.type = "Nmt", .normalize = nmt_run},
    {.type = "Precompiled", .parse = precompiled_parse, .normalize = precompiled_run},
};

enum status normalizer_parse(struct stage **out, struct loader *loader, const struct json *config,
                             struct error *err) {
    return stage_parse(out, loader, config, kinds, ARRAY_LEN(kinds), "normalizer", err);
}
