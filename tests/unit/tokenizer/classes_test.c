/* Rows of classes, what is refused by name, and languages of translation models. What the rows
 * make of files is in the goldens. */
#include "folder.h"

#include "tokenizer/classes.h"

#define GOLDENS "tests/golden/tokenizer/class-"

static void a_class_has_one_row_and_a_model_type_one_class(void **state) {
    static const struct {
        const char *model_type, *name;
    } rows[] = {{"bert", "BertTokenizer"},
                {"xlm-roberta", "XLMRobertaTokenizer"},
                {"mt5", "MT5Tokenizer"},
                {"mbart50", "MBart50Tokenizer"},
                {"nllb-moe", "NllbTokenizer"},
                {"gemma3_text", "GemmaTokenizer"},
                {"umt5", "T5Tokenizer"},
                {"bigbird_pegasus", "PegasusTokenizer"},
                {"deberta-v2", "DebertaV2Tokenizer"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct tokenizer_class *class = class_for_model_type(rows[i].model_type);
        assert_non_null(class);
        assert_string_equal(class->name, rows[i].name);
        assert_ptr_equal(class_named(rows[i].name), class);
    }
    assert_ptr_equal(class_named("LlamaTokenizerFast"), class_named("LlamaTokenizer"));
    assert_null(class_named("Llama"));
    assert_null(class_for_model_type("ber"));
}

static void what_cannot_be_had_is_refused_by_name(void **state) {
    static const struct {
        const char *config, *file, *reason;
        enum error_code code;
    } rows[] = {
        {"{\"tokenizer_class\":\"RoFormerTokenizer\"}", "vocab.txt", "rjieba", ERROR_MODEL},
        {"{\"tokenizer_class\":\"CpmTokenizer\"}", "tokenizer.json", "rjieba", ERROR_MODEL},
        {"{\"tokenizer_class\":\"NobodysTokenizer\"}", "vocab.txt",
         "a NobodysTokenizer cannot be built without tokenizer.json", ERROR_MODEL},
        {"{\"tokenizer_class\":\"BloomTokenizer\"}", "vocab.txt",
         "a BloomTokenizer cannot be built without tokenizer.json", ERROR_MODEL},
        {"{\"tokenizer_class\":\"T5Tokenizer\"}", "vocab.txt", "from spiece.model",
         ERROR_NOT_FOUND},
        {"{\"tokenizer_class\":\"T5Tokenizer\"}", "spiece.model", "spiece.model: not a",
         ERROR_MODEL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        struct tokenizer *tokenizer;
        struct error err;
        folder_make(&folder);
        folder_write(&folder, "tokenizer_config.json", rows[i].config);
        folder_write(&folder, rows[i].file, "{}");
        if (tokenizer_load(&tokenizer, folder.path, &err) == STATUS_OK)
            fail_msg("%s was accepted", rows[i].config);
        if (!strstr(err.text, rows[i].reason) || err.code != rows[i].code)
            fail_msg("%s: wanted \"%s\" in \"%s\"", rows[i].config, rows[i].reason, err.text);
        folder_destroy(&folder);
    }
}

static struct tokenizer *must_load(const char *folder) {
    struct tokenizer *tokenizer;
    struct error err;
    if (tokenizer_load(&tokenizer, folder, &err) != STATUS_OK)
        fail_msg("%s: %s", folder, err.text);
    return tokenizer;
}

static void a_language_is_asked_for_by_its_code(void **state) {
    static const struct {
        const char *folder, *source, *other, *token, *none;
        bool in_front;
    } rows[] = {
        {GOLDENS "mbart", "ro_RO", "fr_XX", "fr_XX", "xx_XX", false},
        {GOLDENS "mbart50", "gl_ES", "uk_UA", "uk_UA", "</s>", true},
        {GOLDENS "nllb", "eng_Latn", "fra_Latn", "fra_Latn", "<mask>", true},
        {GOLDENS "nllb-legacy", "fra_Latn", "eng_Latn", "eng_Latn", "the", false},
        {GOLDENS "seamless", "fra", "eng", "__eng__", "deu", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tokenizer *tokenizer = must_load(rows[i].folder);
        const int32_t source = tokenizer_language(tokenizer, rows[i].source);
        const int32_t other = tokenizer_language(tokenizer, rows[i].other);
        assert_true(source > 0 && other > 0);
        assert_string_equal(tokenizer_token(tokenizer, other), rows[i].token);
        assert_int_equal(tokenizer_language(tokenizer, rows[i].none), -1);
        const struct encode_options options[] = {{0}, {.language = other}};
        for (size_t k = 0; k < 2; k++) {
            struct arena arena = {0};
            struct encoding encoding;
            struct error err;
            assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, "the dog", 7, NULL, 0,
                                              &options[k], &err),
                             STATUS_OK);
            assert_int_equal(encoding.ids[rows[i].in_front ? 0 : encoding.n - 1],
                             k ? other : source);
            arena_deinit(&arena);
        }
        tokenizer_destroy(tokenizer);
    }
    struct tokenizer *t5 = must_load(GOLDENS "t5");
    assert_int_equal(tokenizer_language(t5, "<extra_id_0>"), -1);
    tokenizer_destroy(t5);
}

static void languages_are_listed(void **state) {
    static const struct {
        const char *folder;
        uint32_t n;
        const char *first, *source, *target;
    } rows[] = {
        {GOLDENS "mbart", 25, "ar_AR", "ro_RO", NULL},
        {GOLDENS "mbart50", 52, "ar_AR", "gl_ES", "fr_XX"},
        {GOLDENS "nllb", 202, "ace_Arab", NULL, NULL},
        {GOLDENS "nllb-legacy", 2, "fra_Latn", "fra_Latn", NULL},
        {GOLDENS "seamless", 2, "eng", "fra", NULL},
        {"tests/golden/tokenizer-slow/m2m100", 100, "af", "fr", "en"},
        {"tests/golden/tokenizer-slow/m2m100-bare", 8, "en", NULL, NULL},
        {"tests/golden/tokenizer-slow/plbart", 3, "java", NULL, NULL},
        {GOLDENS "t5", 0, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tokenizer *tokenizer = must_load(rows[i].folder);
        struct arena arena = {0};
        const char *code = NULL;
        uint32_t n = 0;
        assert_int_equal(tokenizer_has_languages(tokenizer), rows[i].n > 0);
        for (int32_t id = -1; (id = tokenizer_next_language(tokenizer, id, &arena, &code)) >= 0;
             n++) {
            if (n == 0)
                assert_string_equal(code, rows[i].first);
            assert_int_equal(tokenizer_language(tokenizer, code), id);
        }
        assert_int_equal(n, rows[i].n);
        assert_int_equal(tokenizer_source_language(tokenizer),
                         rows[i].source ? tokenizer_language(tokenizer, rows[i].source) : -1);
        assert_int_equal(tokenizer_target_language(tokenizer),
                         rows[i].target ? tokenizer_language(tokenizer, rows[i].target) : -1);
        arena_deinit(&arena);
        tokenizer_destroy(tokenizer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_class_has_one_row_and_a_model_type_one_class),
        cmocka_unit_test(what_cannot_be_had_is_refused_by_name),
        cmocka_unit_test(a_language_is_asked_for_by_its_code),
        cmocka_unit_test(languages_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
