/* Python classes that prepare text with the Moses scripts: XLM, FlauBERT, FSMT, BioGPT. Text is cut
 * into words as moses.h says; a word is cut by byte-pair encoding, its last token ends in "</w>".
 * FSMT reads the ids of a translation with the vocabulary of the target language. */
#include "tokenizer/legacy_codes.h"
#include "tokenizer/moses.h"

#include "tokenizer/normal_forms.h"
#include "tokenizer/python_lower.h"
#include "tokenizer/unicode.h"
#include "base/banned.h"

#define WORD_END     "</w>"
#define WORD_END_LEN 4
#define CODE_MOST    16 /* bytes of a language's code and its zero */

struct moses {
    struct tokenizer *merges;
    struct moses_rules rules;
    char target[CODE_MOST]; /* the language of what is decoded */
    bool normalizes;        /* punctuation, and drops what is not printed */
    bool french;            /* FlauBERT's own preparation */
    bool lowers;            /* FlauBERT's do_lowercase */
    bool strips_accents;    /* XLM's, of the words, which are in lower case then */
};

/* ---- words --------------------------------------------------------------------------------- */

/* Two backquotes or two apostrophes are a quote. */
static void join_quotes(struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len);
    size_t start = 0;
    for (size_t pos = 0; pos + 1 < text->len; pos++) {
        const char c = text->data[pos];
        if ((c != '`' && c != '\'') || text->data[pos + 1] != c)
            continue;
        const struct span first = text_from(text, pos, pos + 1);
        const struct span second = text_from(text, pos + 1, pos + 2);
        writer_copy(&writer, text, start, pos);
        writer_put(&writer, '"', (struct span){first.start, second.end});
        start = pos + 2;
        pos++;
    }
    writer_copy(&writer, text, start, text->len);
    writer_end(&writer, text);
}

static void prepare(const struct moses *moses, struct text *text, struct arena *scratch) {
    struct moses_line line;
    if (moses->french) {
        join_quotes(text, scratch);
        normal_form(text, scratch, (struct normal_form){.compose = true});
    }
    if (moses->lowers)
        python_lower(text, scratch);
    moses_line_init(&line, text);
    if (moses->normalizes) {
        moses_replace_punctuation(&line);
        moses_normalize(&line, &moses->rules);
        moses_drop_controls(&line);
    }
    moses_tokenize(&line, &moses->rules);
    moses_line_text(&line, text, scratch);
    moses_line_deinit(&line);
    if (moses->strips_accents) {
        python_lower(text, scratch);
        normal_form(text, scratch, (struct normal_form){.compose = false});
        text_drop_marks(text, scratch);
    }
}

static void put_words(const struct text *text, struct pieces *out) {
    out->lost = out->lost || text_is_lost(text);
    for (size_t pos = 0; pos < text->len;) {
        const char *space = memchr(text->data + pos, ' ', text->len - pos);
        const size_t end = space ? (size_t)(space - text->data) : text->len;
        if (end > pos)
            pieces_add(out, (struct piece){.text = text_slice(text, pos, end), .id = -1});
        pos = end + 1;
    }
}

static void words_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    struct pieces out = {.arena = scratch, .lost = pieces->lost};
    for (size_t i = 0; i < pieces->n; i++) {
        if (pieces->items[i].id >= 0) {
            pieces_add(&out, pieces->items[i]);
            continue;
        }
        prepare(stage->state, &pieces->items[i].text, scratch);
        put_words(&pieces->items[i].text, &out);
    }
    *pieces = out;
}

static const struct stage_kind words = {.type = "Moses", .split = words_run};

/* ---- tokens -------------------------------------------------------------------------------- */

static void tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                     struct model_call *call) {
    const struct moses *moses = tokenizer->slow->state;
    struct tokens parts = {0};
    struct model_call inner = {
        .scratch = call->scratch, .tokens = &parts, .text_len = piece->text.len};
    bpe_tokenize(moses->merges, piece, &inner);
    char *name = arena_alloc(call->scratch, piece->text.len + WORD_END_LEN);
    for (size_t i = 0; i < parts.n; i++) {
        const struct span span = parts.items[i].offsets;
        size_t len = span.end - span.start;
        memcpy(name, piece->text.data + span.start, len);
        if (i + 1 == parts.n) {
            memcpy(name + len, WORD_END, WORD_END_LEN);
            len += WORD_END_LEN;
        }
        slow_token(tokenizer, call, name, len, span.start, span.end);
    }
}

static void join_plain(const struct tokenizer *tokenizer, const struct strings *tokens,
                       struct buf *out) {
    const size_t start = out->len;
    struct buf text;
    buf_init(&text, LIMIT_TEXT);
    slow_concat(tokens, "", &text);
    if (text.len > 0)
        buf_append_replaced(out, text.data, text.len, WORD_END, " ");
    slow_strip(out, start);
    buf_deinit(&text);
}

static void *joining_create(const struct tokenizer *tokenizer) {
    const struct moses *moses = tokenizer->slow->state;
    return moses_joiner_create(moses->target);
}

/* A space behind each word, and none in it. */
static void joining_push(void *run, const char *token, size_t len, struct buf *out) {
    struct buf bare, text;
    buf_init(&bare, LIMIT_TEXT);
    buf_init(&text, LIMIT_TEXT);
    buf_append_replaced(&bare, token, len, " ", "");
    if (bare.len > 0)
        buf_append_replaced(&text, bare.data, bare.len, WORD_END, " ");
    if (text.len > 0)
        moses_joiner_push(run, text.data, text.len, out);
    buf_deinit(&text);
    buf_deinit(&bare);
}

static void joining_finish(void *run, struct buf *out) {
    moses_joiner_finish(run, out);
}

static void joining_destroy(void *run) {
    moses_joiner_destroy(run);
}

static void join_words(const struct tokenizer *tokenizer, const struct strings *tokens,
                       struct buf *out) {
    void *run = joining_create(tokenizer);
    for (size_t i = 0; i < tokens->n; i++)
        joining_push(run, tokens->items[i].data, tokens->items[i].len, out);
    joining_finish(run, out);
    joining_destroy(run);
}

static void destroy(void *state) {
    struct moses *moses = state;
    tokenizer_destroy(moses->merges);
    moses_rules_deinit(&moses->rules);
    mem_free(moses);
}

static const struct slow_joining step_by_step = {.create = joining_create,
                                                 .push = joining_push,
                                                 .finish = joining_finish,
                                                 .destroy = joining_destroy};
static const struct slow_kind plain = {.join = join_plain, .destroy = destroy};
static const struct slow_kind joining = {
    .join = join_words, .joining = &step_by_step, .destroy = destroy};
static const struct model_kind model = {.type = "words of Moses", .tokenize = tokenize};

/* ---- classes ------------------------------------------------------------------------------- */

static struct moses *begin(struct loader *loader, const struct slow_kind *kind,
                           const char *language) {
    struct moses *moses = mem_zalloc(1, sizeof *moses);
    moses->merges = codes_create();
    moses_rules_init(&moses->rules, language);
    snprintf(moses->target, sizeof moses->target, "%s", language);
    slow_begin(loader, kind, &model)->state = moses;
    loader->tokenizer->pre_tokenizer = slow_stage(loader, &words, moses);
    return moses;
}

static enum status read_files(struct loader *loader, const char *vocabulary, struct error *err) {
    struct slow *slow = loader->tokenizer->slow;
    struct moses *moses = slow->state;
    if (legacy_vocab_json(loader, vocabulary, err) != STATUS_OK ||
        codes_read(moses->merges, loader, "merges.txt", 0, false, err) != STATUS_OK)
        return STATUS_ERROR;
    slow->base_size = loader->tokenizer->vocab.count;
    return STATUS_OK;
}

enum status legacy_xlm(struct loader *loader, struct error *err) {
    struct moses *moses = begin(loader, &plain, "en");
    moses->normalizes = true;
    moses->strips_accents = legacy_flag(loader, "do_lowercase_and_remove_accent", true);
    loader->tokenizer->slow->lowers = moses->strips_accents;
    slow_post(loader, "%b $A %s", "%b $A %s $B:1 %s:1");
    return read_files(loader, "vocab.json", err);
}

enum status legacy_flaubert(struct loader *loader, struct error *err) {
    struct moses *moses = begin(loader, &plain, "fr");
    moses->normalizes = moses->french = true;
    moses->lowers = legacy_flag(loader, "do_lowercase", false);
    slow_post(loader, "%b $A %s", "%b $A %s $B:1 %s:1");
    return read_files(loader, "vocab.json", err);
}

enum status legacy_biogpt(struct loader *loader, struct error *err) {
    struct moses *moses = begin(loader, &joining, "en");
    moses->rules.splits_dashes = moses->rules.escapes = true;
    slow_post(loader, "%s $A", "%s $A %s:1 $B:1");
    return read_files(loader, "vocab.json", err);
}

/* The two of `langs`, in tokenizer_config.json or config.json. */
static enum status languages(struct loader *loader, const char *codes[2], struct error *err) {
    const struct json *list = json_get(loader->tokenizer_config, "langs");
    if (json_is_null(list))
        list = json_get(loader->config, "langs");
    for (size_t i = 0; i < 2; i++) {
        const struct json *code = json_at(list, i);
        if (!json_is(list, JSON_ARRAY) || list->len != 2 || !json_is(code, JSON_STRING) ||
            code->len >= CODE_MOST)
            return ERR(err, MODEL,
                       "\"langs\" of tokenizer_config.json must be the codes of two languages, as "
                       "[\"en\", \"ru\"]");
        codes[i] = arena_strndup(&loader->arena, code->text, code->len);
    }
    const char *text = moses_refuses_text(codes[0]), *words_of = moses_refuses_words(codes[1]);
    if (text)
        return ERR(err, MODEL, "\"langs\": texts of \"%s\" cannot be prepared: %s", codes[0], text);
    if (words_of)
        return ERR(err, MODEL, "\"langs\": texts of \"%s\" cannot be made: %s", codes[1], words_of);
    return STATUS_OK;
}

enum status legacy_fsmt(struct loader *loader, struct error *err) {
    const char *codes[2];
    if (languages(loader, codes, err) != STATUS_OK)
        return STATUS_ERROR;
    struct moses *moses = begin(loader, &joining, codes[0]);
    struct slow *slow = loader->tokenizer->slow;
    snprintf(moses->target, sizeof moses->target, "%s", codes[1]);
    moses->normalizes = moses->rules.splits_dashes = moses->rules.escapes = true;
    slow->lowers = legacy_flag(loader, "do_lower_case", false);
    slow->read_as = mem_zalloc(1, sizeof *slow->read_as);
    vocab_init(slow->read_as);
    slow_post(loader, "$A %s", "$A %s $B:1 %s:1");
    if (legacy_vocab_json_into(loader, slow->read_as, "vocab-tgt.json", err) != STATUS_OK)
        return STATUS_ERROR;
    return read_files(loader, "vocab-src.json", err);
}
