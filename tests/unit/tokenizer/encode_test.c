/* What callers rely on besides the ids: errors that name the place, counts of what was cut, texts
 * of any bytes, and any number of threads on one tokenizer. */
#include "folder.h"

#define FOLDER "tests/golden/tokenizer/"

static struct tokenizer *load(const char *name) {
    struct arena arena = {0};
    struct tokenizer *tokenizer = NULL;
    struct error err;
    if (tokenizer_load(&tokenizer, path_join(&arena, FOLDER, name), &err) != STATUS_OK)
        fail_msg("%s", err.text);
    arena_deinit(&arena);
    return tokenizer;
}

static void bad_utf8_is_refused_at_its_place(void **state) {
    static const struct {
        const char *text, *pair, *reason;
    } rows[] = {
        {"abc\xFF", NULL, "at byte 3"},
        {"\xC3", NULL, "at byte 0"},
        {"a\xED\xA0\x80", NULL, "at byte 1"},
        {"good", "b\xC0\x80", "second text: the text is not valid UTF-8 at byte 1"},
    };
    struct tokenizer *tokenizer = load("legacy-gpt2");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        struct encoding encoding;
        struct error err;
        const char *pair = rows[i].pair;
        assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, rows[i].text,
                                          strlen(rows[i].text), pair, pair ? strlen(pair) : 0, NULL,
                                          &err),
                         STATUS_ERROR);
        assert_int_equal(err.code, ERROR_INPUT);
        if (!strstr(err.text, rows[i].reason))
            fail_msg("wanted \"%s\" in \"%s\"", rows[i].reason, err.text);
        arena_deinit(&arena);
    }
    tokenizer_destroy(tokenizer);
}

static void a_zero_byte_is_a_character_like_others(void **state) {
    struct tokenizer *tokenizer = load("legacy-gpt2");
    struct arena arena = {0};
    struct encoding encoding;
    struct error err;
    struct buf text;
    assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, "a\0b", 3, NULL, 0, NULL, &err),
                     STATUS_OK);
    assert_int_equal(encoding.n, 3);
    buf_init(&text, 100);
    tokenizer_decode(tokenizer, &text, encoding.ids, encoding.n, (struct decode_options){0});
    assert_int_equal(text.len, 3);
    assert_memory_equal(text.data, "a\0b", 3);
    buf_deinit(&text);
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
}

static void what_is_cut_is_counted(void **state) {
    static const struct {
        struct encode_options options;
        size_t n, truncated, windows;
        const char *reason;
    } rows[] = {
        {{0}, 14, 0, 1, NULL},
        {{.truncation = TRUNCATE_LONGEST_FIRST, .max_length = 14}, 14, 0, 1, NULL},
        {{.truncation = TRUNCATE_LONGEST_FIRST, .max_length = 5}, 5, 9, 1, NULL},
        {{.truncation = TRUNCATE_ONLY_FIRST, .max_length = 5, .truncate_left = true},
         5,
         9,
         1,
         NULL},
        {{.truncation = TRUNCATE_ONLY_FIRST, .max_length = 5, .overflow = true}, 5, 0, 4, NULL},
        {{.truncation = TRUNCATE_ONLY_FIRST, .max_length = 5, .overflow = true, .stride = 2},
         5,
         0,
         10,
         NULL},
        {{.truncation = TRUNCATE_LONGEST_FIRST, .max_length = 2}, 2, 12, 1, NULL},
        {{.truncation = TRUNCATE_LONGEST_FIRST, .max_length = 1}, 0, 0, 0, "leaves no room"},
        {{.truncation = TRUNCATE_ONLY_FIRST, .max_length = 5, .overflow = true, .stride = 3},
         0,
         0,
         0,
         "stride is 3"},
        {{.truncation = TRUNCATE_ONLY_SECOND, .max_length = 5}, 0, 0, 0, "second text"},
    };
    struct tokenizer *tokenizer = load("legacy-bert");
    static const char text[] = "a a a a a a a a a a a a"; /* 12 tokens and two special ones */
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        struct encoding got;
        struct error err;
        const enum status status = tokenizer_encode(tokenizer, &got, &arena, text, strlen(text),
                                                    NULL, 0, &rows[i].options, &err);
        if (rows[i].reason) {
            assert_int_equal(status, STATUS_ERROR);
            assert_int_equal(err.code, ERROR_INPUT);
            if (!strstr(err.text, rows[i].reason))
                fail_msg("wanted \"%s\" in \"%s\"", rows[i].reason, err.text);
        } else {
            size_t windows = 1;
            assert_int_equal(status, STATUS_OK);
            for (const struct encoding *next = got.next; next; next = next->next)
                windows++;
            if (got.n != rows[i].n || got.truncated != rows[i].truncated ||
                windows != rows[i].windows)
                fail_msg("row %zu: %zu tokens, %zu cut, %zu windows", i, got.n, got.truncated,
                         windows);
        }
        arena_deinit(&arena);
    }
    tokenizer_destroy(tokenizer);
}

static void words_outside_need_an_unknown_token(void **state) {
    struct tokenizer *tokenizer = folder_must_load(
        "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0},\"unk_token\":\"[UNK]\"}}");
    struct arena arena = {0};
    struct encoding encoding;
    struct error err;
    assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, "a", 1, NULL, 0, NULL, &err),
                     STATUS_OK);
    assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, "b", 1, NULL, 0, NULL, &err),
                     STATUS_ERROR);
    assert_int_equal(err.code, ERROR_INPUT);
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
}

/* The library panics on these; here what an earlier token took is not taken again. */
static void a_token_that_an_earlier_one_took_is_part_of_it(void **state) {
    static const struct {
        const char *text;
        size_t n;
        int32_t ids[4];
        struct span offsets[4];
    } rows[] = {
        {"x   y", 2, {1, 0}, {{0, 1}, {4, 5}}},
        {"x  ", 1, {1}, {{0, 1}}},
        {"y  x", 4, {0, 2, 2, 1}, {{0, 1}, {2, 2}, {3, 3}, {3, 4}}},
    };
    struct tokenizer *tokenizer = folder_must_load(
        "{\"added_tokens\":[{\"id\":1,\"content\":\"x\",\"rstrip\":true},{\"id\":2,"
        "\"content\":\" "
        "\",\"lstrip\":true}],\"post_processor\":{\"type\":\"ByteLevel\",\"trim_offsets\""
        ":true,\"add_prefix_space\":false},\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"<unk>\":"
        "0},"
        "\"unk_token\":\"<unk>\"}}");
    struct arena arena = {0};
    struct encoding encoding;
    struct error err;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, rows[i].text,
                                          strlen(rows[i].text), NULL, 0, NULL, &err),
                         STATUS_OK);
        assert_int_equal(encoding.n, rows[i].n);
        for (size_t k = 0; k < rows[i].n; k++) {
            assert_int_equal(encoding.ids[k], rows[i].ids[k]);
            assert_int_equal(encoding.offsets[k].start, rows[i].offsets[k].start);
            assert_int_equal(encoding.offsets[k].end, rows[i].offsets[k].end);
        }
    }
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
}

/* Each "a" becomes 4096, twice or again and again; or a character two, and those two each. */
static void a_file_that_blows_texts_up_is_an_error(void **state) {
    static const struct {
        const char *stages, *stage, *text;
        int times, status;
    } rows[] = {
        {"normalizers", NULL, "a", 1, STATUS_OK},
        {"normalizers", NULL, "a", 3, STATUS_ERROR},
        {"normalizers", NULL, "b", 3, STATUS_OK},
        {"pretokenizers", "{\"type\":\"ByteLevel\"}", "\xC3\xA9", 40, STATUS_ERROR},
    };
    char many[4097] = {0}, replace[4200];
    memset(many, 'a', sizeof many - 1);
    snprintf(replace, sizeof replace,
             "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"%s\"}", many);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const bool pre = rows[i].stage != NULL;
        struct arena arena = {0};
        struct encoding encoding;
        struct error err;
        const char *list = "";
        for (int k = 0; k < rows[i].times; k++)
            list = arena_printf(&arena, "%s%s%s", list, k > 0 ? "," : "",
                                pre ? rows[i].stage : replace);
        struct tokenizer *tokenizer = folder_must_load(arena_printf(
            &arena,
            "{\"%s\":{\"type\":\"Sequence\",\"%s\":[%s]},\"model\":{\"type\":\"WordLevel\","
            "\"vocab\":{\"<unk>\":0},\"unk_token\":\"<unk>\"}}",
            pre ? "pre_tokenizer" : "normalizer", rows[i].stages, list));
        assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, rows[i].text,
                                          strlen(rows[i].text), NULL, 0, NULL, &err),
                         rows[i].status);
        if (rows[i].status != STATUS_OK)
            assert_non_null(strstr(err.text, "8 MiB"));
        tokenizer_destroy(tokenizer);
        arena_deinit(&arena);
    }
}

static void the_decoder_alone_joins_tokens(void **state) {
    struct tokenizer *tokenizer = load("legacy-bert");
    struct buf text;
    buf_init(&text, 100);
    tokenizer_join(tokenizer, &text, (const char *const[]){"new", "##ly", "York", "##x"}, 4);
    assert_string_equal(text.data, "newly Yorkx");
    assert_true(tokenizer_marks_subwords(tokenizer));
    buf_deinit(&text);
    tokenizer_destroy(tokenizer);
}

struct worker {
    const struct tokenizer *tokenizer;
    size_t tokens;
};

static void encode_many(void *arg) {
    struct worker *worker = arg;
    struct arena arena = {0};
    struct error err;
    for (int i = 0; i < 300; i++) {
        struct encoding encoding;
        char text[64];
        const int n =
            snprintf(text, sizeof text, "it's the dog %d \xC3\xA9t\xC3\xA9 <mask>", i % 7);
        if (tokenizer_encode(worker->tokenizer, &encoding, &arena, text, (size_t)n, NULL, 0, NULL,
                             &err) == STATUS_OK)
            worker->tokens += encoding.n;
        arena_reset(&arena);
    }
    arena_deinit(&arena);
}

static void threads_share_a_tokenizer(void **state) {
    struct tokenizer *tokenizer = load("roberta");
    struct worker workers[4], alone = {.tokenizer = tokenizer};
    struct thread *threads[4];
    struct error err;
    encode_many(&alone);
    assert_true(alone.tokens > 3000);
    for (size_t i = 0; i < 4; i++) {
        workers[i] = (struct worker){.tokenizer = tokenizer};
        assert_int_equal(thread_start(&threads[i], "encode", encode_many, &workers[i], &err),
                         STATUS_OK);
    }
    for (size_t i = 0; i < 4; i++) {
        thread_join(threads[i]);
        assert_int_equal(workers[i].tokens, alone.tokens);
    }
    tokenizer_destroy(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_utf8_is_refused_at_its_place),
        cmocka_unit_test(a_zero_byte_is_a_character_like_others),
        cmocka_unit_test(what_is_cut_is_counted),
        cmocka_unit_test(words_outside_need_an_unknown_token),
        cmocka_unit_test(a_token_that_an_earlier_one_took_is_part_of_it),
        cmocka_unit_test(a_file_that_blows_texts_up_is_an_error),
        cmocka_unit_test(the_decoder_alone_joins_tokens),
        cmocka_unit_test(threads_share_a_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
