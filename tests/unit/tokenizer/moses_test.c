/* The Moses scripts by themselves, and the classes on them: words, offsets, languages that are
 * refused, long texts of what a rule looks at. Equality with transformers is in the goldens. */
#include "tokenizer/moses.h"
#include "tokenizer/moses_tables.h"

#include "folder.h"

#include "base/banned.h"

#define GOLDENS "tests/golden/tokenizer-moses/"

static const char *words_of(struct arena *arena, const char *language, bool escapes,
                            const char *data) {
    struct text text = {.data = data, .len = strlen(data)};
    struct moses_rules rules;
    struct moses_line line;
    moses_rules_init(&rules, language);
    rules.splits_dashes = rules.escapes = escapes;
    moses_line_init(&line, &text);
    moses_normalize(&line, &rules);
    moses_tokenize(&line, &rules);
    moses_line_text(&line, &text, arena);
    moses_line_deinit(&line);
    moses_rules_deinit(&rules);
    return arena_strndup(arena, text.data, text.len);
}

static void words_are_cut_as_the_language_says(void **state) {
    static const struct {
        const char *language, *text, *words;
        bool escapes;
    } rows[] = {
        {"en", "No. 5, No. Never.", "No. 5 , No . Never .", false},
        {"de", "Nr. 5. bzw. Ende.", "Nr. 5. bzw. Ende .", false},
        {"en", "it's l'eau", "it 's l 'eau", false},
        {"fr", "it's l'eau", "it' s l' eau", false},
        {"ru", "it's X. Y", "it ' s X. Y", false},
        {"en", "a-b & 1,000...", "a @-@ b &amp; 1,000 ...", true},
        {"en", "a-b & 1,000...", "a-b & 1,000 ...", false},
        {"en", "\"x\", y", "\" x , \" y", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        const char *words = words_of(&arena, rows[i].language, rows[i].escapes, rows[i].text);
        char *at = arena_strndup(&arena, words, strlen(words));
        size_t n = 0; /* spaces do not count: words do */
        for (size_t k = 0; words[k]; k++)
            if (words[k] != ' ' || (n > 0 && at[n - 1] != ' '))
                at[n++] = words[k];
        while (n > 0 && at[n - 1] == ' ')
            n--;
        at[n] = 0;
        if (strcmp(at, rows[i].words) != 0)
            fail_msg("row %zu: wanted \"%s\", got \"%s\"", i, rows[i].words, at);
        arena_deinit(&arena);
    }
}

static void characters_have_the_classes_of_the_package(void **state) {
    static const struct {
        uint32_t c;
        unsigned properties;
        bool has;
    } rows[] = {
        {'a', MOSES_ALPHA, true},      {'a', MOSES_LOWER, true},    {'A', MOSES_LOWER, false},
        {0x101, MOSES_LOWER, true},    {0x102, MOSES_LOWER, false}, {0x4E2D, MOSES_ALNUM, false},
        {0x94D, MOSES_ALPHA, false},   {0x94D, MOSES_LETTER, true}, {0xB2, MOSES_NUMBER, true},
        {0xB2, MOSES_ALNUM, false},    {0x663, MOSES_ALNUM, true},  {0x20AC, MOSES_CURRENCY, true},
        {0x10FFFF, MOSES_ALNUM, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (moses_is(rows[i].c, rows[i].properties) != rows[i].has)
            fail_msg("row %zu: U+%04X", i, rows[i].c);
}

static const char *joined(struct arena *arena, const char *language, const char *text) {
    struct moses_joiner *joiner = moses_joiner_create(language);
    struct buf out;
    buf_init(&out, MiB);
    moses_joiner_push(joiner, text, strlen(text), &out);
    moses_joiner_finish(joiner, &out);
    const char *copy = arena_strndup(arena, out.data ? out.data : "", out.len);
    buf_deinit(&out);
    moses_joiner_destroy(joiner);
    return copy;
}

static void words_are_joined_as_the_language_says(void **state) {
    static const struct {
        const char *language, *words, *text;
    } rows[] = {
        {"en", "it &apos;s a @-@ b , ( c ) .", "it's a-b, (c)."},
        {"fr", "l&apos; eau ? d' un", "l'eau ? d'un"},
        {"de", "\" a \" b \" c", "\"a\" b \"c"},
        {"en", "@-@ @-@ x @-@", "-@-@ x-"},
        {"en", "$ 5 the Jones ' house", "$5 the Jones' house"},
        {"ru", "\xE4\xBD\xA0 \xE5\xA5\xBD a", "\xE4\xBD\xA0\xE5\xA5\xBD a"},
        {"en", "", ""},
    };
    struct arena arena = {0};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *text = joined(&arena, rows[i].language, rows[i].words);
        if (strcmp(text, rows[i].text) != 0)
            fail_msg("row %zu: wanted \"%s\", got \"%s\"", i, rows[i].text, text);
    }
    arena_deinit(&arena);
}

static void languages_out_of_reach_are_named(void **state) {
    static const struct {
        const char *langs, *reason;
    } rows[] = {
        {"", "must be the codes of two languages"},
        {",\"langs\":[\"en\"]", "must be the codes of two languages"},
        {",\"langs\":[\"en\",7]", "must be the codes of two languages"},
        {",\"langs\":{\"en\":1,\"ru\":2}", "must be the codes of two languages"},
        {",\"langs\":[\"zh\",\"en\"]", "texts of \"zh\" cannot be prepared"},
        {",\"langs\":[\"it\",\"en\"]", "those of de, en, fr and ru are"},
        {",\"langs\":[\"en\",\"fi\"]", "texts of \"fi\" cannot be made"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        char config[200];
        folder_make(&folder);
        snprintf(config, sizeof config, "{\"tokenizer_class\":\"FSMTTokenizer\"%s}", rows[i].langs);
        folder_write(&folder, "tokenizer_config.json", config);
        folder_write(&folder, "vocab-src.json", "{\"<unk>\":0}");
        folder_write(&folder, "vocab-tgt.json", "{\"<unk>\":0}");
        folder_write(&folder, "merges.txt", "");
        folder_is_refused(&folder, i, rows[i].reason);
    }
}

static struct encoding encode(const struct tokenizer *tokenizer, struct arena *arena,
                              const char *text, size_t len) {
    const struct encode_options options = {.no_special_tokens = true};
    struct encoding encoding;
    struct error err;
    if (tokenizer_encode(tokenizer, &encoding, arena, text, len, NULL, 0, &options, &err) !=
        STATUS_OK)
        fail_msg("%s", err.text);
    return encoding;
}

/* Every character that is no space lies in the span of a token. */
static void offsets_cover_the_text(void **state) {
    static const char *const names[] = {"xlm", "flaubert-lower", "fsmt-en-ru", "biogpt"};
    static const char text[] = "the QUICK fox's a-b 1,200 \"dogs\". Well... (x) & y.'";
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct arena arena = {0};
        struct tokenizer *tokenizer = tokenizer_of(arena_printf(&arena, "%s%s", GOLDENS, names[i]));
        const struct encoding encoding = encode(tokenizer, &arena, text, strlen(text));
        uint32_t end = 0;
        for (size_t k = 0; k < encoding.n; k++) {
            const struct span span = encoding.offsets[k];
            assert_true(span.start <= span.end && span.end <= strlen(text));
            for (uint32_t at = end; at < span.start; at++)
                if (text[at] != ' ')
                    fail_msg("%s: character %u is in no token", names[i], at);
            end = span.end > end ? span.end : end;
        }
        assert_int_equal(end, strlen(text));
        tokenizer_destroy(tokenizer);
        arena_deinit(&arena);
    }
}

/* A pass that looks twice at what it looked at would take hours. */
static void a_long_text_is_read_once(void **state) {
    static const char *const units[] = {".",     "'",        "\"",       "-",           ".\"",
                                        "a.",    "a'",       "a-",       "DOT",         "1,",
                                        "&",     "\"., ",    "\xC2\xA0", "\xCE\xA3.",   "Mr. ",
                                        "\x01 ", "@-@ @-@ ", "( ",       "\xE2\x80\xA6"};
    static const char *const names[] = {"xlm-cased", "flaubert-lower", "fsmt-de-en", "biogpt"};
    const size_t most = 200000;
    char *text = mem_alloc(most);
    for (size_t i = 0; i < ARRAY_LEN(names) * ARRAY_LEN(units); i++) {
        struct arena arena = {0};
        const char *unit = units[i / ARRAY_LEN(names)], *name = names[i % ARRAY_LEN(names)];
        struct tokenizer *tokenizer = tokenizer_of(arena_printf(&arena, "%s%s", GOLDENS, name));
        const size_t unit_len = strlen(unit);
        size_t len = 0;
        for (; len + unit_len <= most; len += unit_len)
            memcpy(text + len, unit, unit_len);
        const struct encoding encoding = encode(tokenizer, &arena, text, len);
        struct buf out;
        buf_init(&out, 64 * MiB);
        tokenizer_decode(tokenizer, &out, encoding.ids, encoding.n, (struct decode_options){0});
        assert_false(out.overflow);
        buf_deinit(&out);
        tokenizer_destroy(tokenizer);
        arena_deinit(&arena);
    }
    mem_free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_cut_as_the_language_says),
        cmocka_unit_test(characters_have_the_classes_of_the_package),
        cmocka_unit_test(words_are_joined_as_the_language_says),
        cmocka_unit_test(languages_out_of_reach_are_named),
        cmocka_unit_test(offsets_cover_the_text),
        cmocka_unit_test(a_long_text_is_read_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
