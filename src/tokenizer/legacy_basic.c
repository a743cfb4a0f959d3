/* Python classes on BERT's BasicTokenizer and WordpieceTokenizer: ProphetNet and Tapas. They differ
 * from BertNormalizer and BertPreTokenizer of the library in a few blocks of Chinese, in composing
 * before they split, and in words that are never split. Tapas' tables are read in table_cells.c. */
#include "tokenizer/slow.h"

#include "tokenizer/normal_forms.h"
#include "tokenizer/python_lower.h"
#include "tokenizer/unicode.h"
#include "base/banned.h"

struct basic {
    const struct tokenizer *tokenizer;
    struct vocab never; /* never_split of the settings */
    bool splits;        /* do_basic_tokenize */
    bool lowercase, strips, chinese;
    bool marks_empty; /* Tapas: a text without letters and digits is [EMPTY] */
    int32_t empty_id;
};

/* ---- words --------------------------------------------------------------------------------- */

static bool is_chinese(uint32_t c) {
    return bert_is_chinese(c) || (c >= 0x2B820 && c <= 0x2B91F);
}

/* unicodedata's categories, which are not those of the library's BertNormalizer. */
static bool is_removed(uint32_t c) {
    if (c < 0x80)
        return c != '\t' && c != '\n' && c != '\r' && (c < ' ' || c == 0x7F);
    return c == 0xFFFD || unicode_category(c) >= CATEGORY_CC;
}

static bool is_punctuation(uint32_t c) {
    const enum unicode_category category = unicode_category(c);
    if (c < 0x80)
        return c > ' ' && c < 0x7F && !(c >= '0' && c <= '9') && category > CATEGORY_LO;
    return category >= CATEGORY_PC && category <= CATEGORY_PO;
}

/* Control characters go, Chinese ones are words of their own; then everything is composed. */
static void clean(const struct basic *basic, struct text *text, struct arena *scratch) {
    struct writer writer = writer_begin(scratch, text->len + text->len / 2 + 8);
    for (size_t pos = 0; pos < text->len;) {
        size_t next = pos;
        const uint32_t c = text_next(text->data, text->len, &next);
        const struct span from = text_from(text, pos, next);
        const bool chinese = basic->chinese && is_chinese(c);
        pos = next;
        if (is_removed(c))
            continue;
        if (chinese)
            writer_put(&writer, ' ', from);
        writer_put(&writer, c == '\t' || c == '\n' || c == '\r' ? ' ' : c, from);
        if (chinese)
            writer_put(&writer, ' ', from);
    }
    writer_end(&writer, text);
    if (!text_is_ascii(text->data, text->len))
        normal_form(text, scratch, (struct normal_form){.compose = true});
}

static bool is_never(const struct basic *basic, const struct text *word) {
    return vocab_find(&basic->never, word->data, word->len) >= 0 ||
           added_is_special(&basic->tokenizer->added, word->data, word->len);
}

static void put_parts(struct pieces *out, const struct text *word) {
    size_t start = 0;
    for (size_t pos = 0; pos < word->len;) {
        const size_t at = pos;
        if (!is_punctuation(text_next(word->data, word->len, &pos)))
            continue;
        pieces_add(out, (struct piece){.text = text_slice(word, start, at), .id = -1});
        pieces_add(out, (struct piece){.text = text_slice(word, at, pos), .id = -1});
        start = pos;
    }
    pieces_add(out, (struct piece){.text = text_slice(word, start, word->len), .id = -1});
}

static void put_word(const struct basic *basic, struct pieces *out, struct text word,
                     struct arena *scratch) {
    if (word.len == 0)
        return;
    bool whole = is_never(basic, &word);
    if (!whole && basic->lowercase)
        python_lower(&word, scratch);
    if (!whole && basic->strips && !text_is_ascii(word.data, word.len)) {
        normal_form(&word, scratch, (struct normal_form){0});
        text_drop_marks(&word, scratch);
    }
    if (text_is_lost(&word))
        out->lost = true;
    whole = whole || is_never(basic, &word);
    if (whole)
        pieces_add(out, (struct piece){.text = word, .id = -1});
    else
        put_parts(out, &word);
}

/* No character of Python's \w but the underscore; "n/a", "?" and "nan" are empty, too. */
static bool is_empty(const struct text *text, struct arena *scratch) {
    struct buf plain;
    bool found = false;
    for (size_t pos = 0; pos < text->len && !found;) {
        const enum unicode_category category =
            unicode_category(text_next(text->data, text->len, &pos));
        found = category <= CATEGORY_LO || (category >= CATEGORY_ND && category <= CATEGORY_NO);
    }
    if (!found || text->len > 64)
        return !found;
    struct text lower = *text;
    python_lower(&lower, scratch);
    buf_init(&plain, LIMIT_ERROR_TEXT);
    buf_append(&plain, lower.data, lower.len);
    slow_strip(&plain, 0);
    const bool empty = strcmp(plain.data, "n/a") == 0 || strcmp(plain.data, "nan") == 0;
    buf_deinit(&plain);
    return empty;
}

static void split_text(const struct basic *basic, struct pieces *out, struct text text,
                       struct arena *scratch) {
    if (basic->marks_empty && is_empty(&text, scratch)) {
        pieces_add(out, (struct piece){.text = text, .id = basic->empty_id});
        return;
    }
    if (basic->splits)
        clean(basic, &text, scratch);
    if (text_is_lost(&text))
        out->lost = true;
    size_t start = 0;
    for (size_t pos = 0; pos < text.len;) {
        const size_t at = pos;
        if (!slow_is_space(text_next(text.data, text.len, &pos)))
            continue;
        const struct text word = text_slice(&text, start, at);
        if (basic->splits)
            put_word(basic, out, word, scratch);
        else
            pieces_add(out, (struct piece){.text = word, .id = -1});
        start = pos;
    }
    const struct text word = text_slice(&text, start, text.len);
    if (basic->splits)
        put_word(basic, out, word, scratch);
    else
        pieces_add(out, (struct piece){.text = word, .id = -1});
}

static void words_run(const struct stage *stage, struct pieces *pieces, struct arena *scratch) {
    struct pieces out = {.arena = scratch, .lost = pieces->lost};
    for (size_t i = 0; i < pieces->n; i++) {
        if (pieces->items[i].id >= 0)
            pieces_add(&out, pieces->items[i]);
        else
            split_text(stage->state, &out, pieces->items[i].text, scratch);
    }
    *pieces = out;
}

static const struct stage_kind words = {.type = "words of BasicTokenizer", .split = words_run};

/* ---- the model ----------------------------------------------------------------------------- */

/* The unknown token may be an added one, which wordpiece.c does not know. */
static void tokenize(const struct tokenizer *tokenizer, const struct piece *piece,
                     struct model_call *call) {
    const struct basic *basic = tokenizer->slow->state;
    const struct text *text = &piece->text;
    const bool failed = call->failed;
    if (vocab_find(&basic->never, text->data, text->len) >= 0) {
        slow_token(tokenizer, call, text->data, text->len, 0, text->len);
        return;
    }
    call->failed = false;
    wordpiece_tokenize(tokenizer, piece, call);
    if (call->failed && tokenizer->roles[TOKEN_UNK] >= 0) {
        call->failed = false;
        model_token(call, tokenizer->roles[TOKEN_UNK], 0, text->len);
    }
    call->failed = call->failed || failed;
}

static void join(const struct tokenizer *tokenizer, const struct strings *tokens, struct buf *out) {
    const size_t start = out->len;
    struct buf text;
    buf_init(&text, LIMIT_TEXT);
    slow_concat(tokens, " ", &text);
    if (text.len > 0)
        buf_append_replaced(out, text.data, text.len, " ##", "");
    slow_strip(out, start);
    buf_deinit(&text);
}

static void destroy(void *state) {
    vocab_deinit(&((struct basic *)state)->never);
    mem_free(state);
}

/* [EMPTY], or the first of the additional special tokens that are given. */
static enum status tapas_finish(struct loader *loader, struct error *err) {
    const struct json *given = json_get(loader->tokenizer_config, "additional_special_tokens");
    const struct json *first = json_is(given, JSON_ARRAY) ? json_at(given, 0) : NULL;
    const char *token = "[EMPTY]";
    if (json_is(first, JSON_OBJECT))
        first = json_get(first, "content");
    if (json_is(first, JSON_STRING))
        token = first->text;
    ((struct basic *)loader->tokenizer->slow->state)->empty_id =
        slow_id(loader->tokenizer, token, strlen(token));
    return STATUS_OK;
}

static const struct slow_kind prophetnet = {.join = join, .destroy = destroy};
static const struct slow_kind tapas = {.join = join, .destroy = destroy, .finish = tapas_finish};
static const struct model_kind model = {.type = "words and their parts", .tokenize = tokenize};

/* ---- loading ------------------------------------------------------------------------------- */

static struct basic *begin(struct loader *loader, const struct slow_kind *kind) {
    const struct json *strip = json_get(loader->tokenizer_config, "strip_accents");
    const struct json *never = json_get(loader->tokenizer_config, "never_split");
    struct basic *basic = mem_zalloc(1, sizeof *basic);
    slow_begin(loader, kind, &model)->state = basic;
    vocab_init(&basic->never);
    basic->tokenizer = loader->tokenizer;
    basic->splits = legacy_flag(loader, "do_basic_tokenize", true);
    basic->lowercase = legacy_flag(loader, "do_lower_case", true);
    basic->chinese = legacy_flag(loader, "tokenize_chinese_chars", true);
    basic->strips = json_is(strip, JSON_BOOL) ? strip->boolean : basic->lowercase;
    for (uint32_t i = 0; basic->splits && json_is(never, JSON_ARRAY) && i < never->len; i++) {
        const struct json *word = json_at(never, i);
        if (json_is(word, JSON_STRING) && basic->never.count < LIMIT_VOCAB_SIZE)
            vocab_put(&basic->never, word->text, word->len, i);
    }
    loader->tokenizer->pre_tokenizer = slow_stage(loader, &words, basic);
    return basic;
}

/* A line feed is in no vocab.txt: what WordPiece does not know is told to tokenize(). */
static enum status vocabulary(struct loader *loader, const char *file, struct error *err) {
    static const char settings[] = "{\"unk_token\":\"\\n\"}";
    const struct json *config;
    if (json_parse(&config, &loader->arena, settings, strlen(settings), JSON_STRICT, err) !=
            STATUS_OK ||
        wordpiece_parse(&loader->tokenizer->model, loader, config, err) != STATUS_OK ||
        legacy_vocab_txt(loader, file, err) != STATUS_OK)
        return STATUS_ERROR;
    loader->tokenizer->slow->base_size = loader->tokenizer->vocab.count;
    return STATUS_OK;
}

enum status legacy_prophetnet(struct loader *loader, struct error *err) {
    begin(loader, &prophetnet);
    if (vocabulary(loader, "prophetnet.tokenizer", err) != STATUS_OK)
        return STATUS_ERROR;
    slow_post(loader, "$A %s", "$A %s $B %s");
    return STATUS_OK;
}

/* The second text is a table, flattened. */
enum status legacy_tapas(struct loader *loader, struct error *err) {
    struct basic *basic = begin(loader, &tapas);
    if (!basic->splits)
        return ERR(err, MODEL,
                   "do_basic_tokenize is false, which TapasTokenizer itself does not work with");
    basic->marks_empty = true;
    loader->tokenizer->slow->lowers = basic->lowercase;
    loader->tokenizer->tables = (struct table_settings){
        .form = TABLES_CELLS,
        .cell_tokens = legacy_count(loader, "cell_trim_length"),
        .max_columns = legacy_count(loader, "max_column_id"),
        .max_rows = legacy_count(loader, "max_row_id"),
        .question_least = legacy_count(loader, "min_question_length"),
        .question_most = legacy_count(loader, "max_question_length"),
        .no_headers = legacy_flag(loader, "strip_column_names", false),
    };
    if (vocabulary(loader, "vocab.txt", err) != STATUS_OK)
        return STATUS_ERROR;
    slow_post(loader, "%c $A %s", "%c $A %s $B:1");
    return STATUS_OK;
}
