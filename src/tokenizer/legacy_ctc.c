/* Wav2Vec2CTCTokenizer: characters of vocab.json, spaces written as "|"; decoding joins what
 * repeats and drops the blank, which is the padding token. */
#include "tokenizer/legacy_chars.h"

#include "tokenizer/unicode.h"
#include "base/banned.h"

struct ctc {
    const char *delimiter, *space; /* word_delimiter_token, replace_word_delimiter_char */
    const char *pad;               /* or NULL */
    bool lowers;
};

/* ---- text ---------------------------------------------------------------------------------- */

static void normalize(const struct stage *stage, struct text *text, struct arena *scratch) {
    const struct ctc *ctc = stage->state;
    struct writer writer = writer_begin(scratch, text->len + text->len / 2 + 8);
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        uint32_t upper[3] = {text_next(text->data, text->len, &next)};
        const struct span from = text_from(text, pos, next);
        const size_t n = ctc->lowers ? unicode_upper(upper[0], upper) : 1;
        if (upper[0] == ' ')
            writer_append(&writer, ctc->delimiter, strlen(ctc->delimiter), from);
        else
            for (size_t i = 0; i < n; i++)
                writer_put(&writer, upper[i], from);
        pos = next;
    }
    writer_end(&writer, text);
}

static const struct stage_kind normalizer = {.type = "CTC", .normalize = normalize};

/* ---- decoding ------------------------------------------------------------------------------ */

static bool is(const struct string *token, const char *text) {
    return text && token->len == strlen(text) && memcmp(token->data, text, token->len) == 0;
}

static void lower(struct buf *out, size_t start) {
    struct buf text;
    buf_init(&text, LIMIT_TEXT);
    if (out->len > start)
        buf_append(&text, out->data + start, out->len - start);
    out->len = start;
    for (size_t pos = 0; pos < text.len;) {
        uint32_t lower[2];
        char utf8[4];
        const size_t n = unicode_lower(text_next(text.data, text.len, &pos), lower);
        for (size_t i = 0; i < n; i++)
            buf_append(out, utf8, utf8_put(utf8, lower[i]));
    }
    buf_deinit(&text);
}

static void join(const struct tokenizer *tokenizer, const struct strings *tokens, struct buf *out) {
    const struct ctc *ctc = tokenizer->slow->state;
    const size_t start = out->len;
    for (size_t i = 0; i < tokens->n; i++) {
        const struct string *token = &tokens->items[i];
        if (i > 0 && token->len == token[-1].len &&
            memcmp(token->data, token[-1].data, token->len) == 0)
            continue;
        if (is(token, ctc->pad))
            continue;
        if (is(token, ctc->delimiter))
            buf_puts(out, ctc->space);
        else
            buf_append(out, token->data, token->len);
    }
    slow_strip(out, start);
    if (ctc->lowers)
        lower(out, start);
}

/* ---- loading ------------------------------------------------------------------------------- */

/* Tokens of several characters are added ones, which eat the spaces around them. */
static enum status finish(struct loader *loader, struct error *err) {
    struct tokenizer *tokenizer = loader->tokenizer;
    for (uint32_t id = 0; id < tokenizer->vocab.size; id++) {
        size_t len;
        const char *token = vocab_token(&tokenizer->vocab, (int32_t)id, &len);
        if (token && utf8_count(token, len) > 1)
            slow_put(
                tokenizer,
                (struct added_token){.content = arena_strndup(loader_arena(loader), token, len),
                                     .len = len,
                                     .lstrip = true,
                                     .rstrip = true},
                id);
    }
    return STATUS_OK;
}

static const struct slow_kind kind = {.join = join, .finish = finish, .joins_added = true};

/* {"token": id} or, with target_lang, {"language": {"token": id}}. */
static enum status vocabulary(struct loader *loader, struct error *err) {
    const char *language = json_get_string(loader->tokenizer_config, "target_lang", NULL);
    char *data;
    size_t len;
    const struct json *object;
    if (!language)
        return legacy_vocab_json(loader, "vocab.json", err);
    if (legacy_read(loader, "vocab.json", &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (json_parse(&object, &loader->arena, data, len, JSON_PYTHON, err) != STATUS_OK) {
        err->code = ERROR_MODEL;
        return error_prefix(err, "vocab.json: ");
    }
    if (!json_is(json_get(object, language), JSON_OBJECT))
        return ERR(err, MODEL, "vocab.json has no target_lang \"%s\"", language);
    return legacy_vocab_object(json_get(object, language), &loader->tokenizer->vocab, "vocab.json",
                               err);
}

static const char *setting(struct loader *loader, const char *key, const char *otherwise) {
    const char *text = special_setting(loader, key, otherwise);
    return arena_strndup(loader_arena(loader), text ? text : " ", strlen(text ? text : " "));
}

enum status legacy_wav2vec2(struct loader *loader, struct error *err) {
    struct ctc *ctc = arena_zalloc(loader_arena(loader), 1, sizeof *ctc);
    struct slow *slow = slow_begin(loader, &kind, &slow_chars_model);
    const char *pad = special_content(loader, TOKEN_PAD);
    ctc->delimiter = setting(loader, "word_delimiter_token", "|");
    ctc->space = setting(loader, "replace_word_delimiter_char", " ");
    ctc->pad = pad;
    ctc->lowers = legacy_flag(loader, "do_lower_case", false);
    slow->state = ctc;
    slow->lowers = ctc->lowers;
    loader->tokenizer->normalizer = slow_stage(loader, &normalizer, ctc);
    if (vocabulary(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    slow->base_size = loader->tokenizer->vocab.count;
    return STATUS_OK;
}
