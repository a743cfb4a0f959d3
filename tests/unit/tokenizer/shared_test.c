/* The real tokenizers of ../shared (or $BRISK_SHARED): they load, known texts give known ids, and
 * what loses nothing comes back as it was. Skipped, with a word, where that folder is not. */
#include "folder.h"

static const char *shared(void) {
    const char *path = getenv("BRISK_SHARED");
    return path ? path : "../shared";
}

static struct tokenizer *load(const char *name) {
    struct arena arena = {0};
    struct tokenizer *tokenizer = NULL;
    struct error err;
    const char *folder = arena_printf(&arena, "%s/tokenizers/%s", shared(), name);
    if (!folder_exists(folder)) {
        print_message("%s is not here\n", folder);
        arena_deinit(&arena);
        skip();
    }
    if (tokenizer_load(&tokenizer, folder, &err) != STATUS_OK)
        fail_msg("%s: %s", name, err.text);
    arena_deinit(&arena);
    return tokenizer;
}

static void known_texts_give_known_ids(void **state) {
    static const struct {
        const char *name, *text;
        int32_t ids[10]; /* -1 ends */
    } rows[] = {
        {"gpt2", "Hello world", {15496, 995, -1}},
        {"bert-base-uncased", "Hello World!", {101, 7592, 2088, 999, 102, -1}},
        {"roberta-base", "Hello world", {0, 31414, 232, 2, -1}},
        {"llama3", "Hello world", {128000, 9906, 1917, -1}},
        {"clip-vit", "Hello world", {49406, 3306, 1002, 49407, -1}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tokenizer *tokenizer = load(rows[i].name);
        struct arena arena = {0};
        struct encoding got;
        struct error err;
        assert_int_equal(tokenizer_encode(tokenizer, &got, &arena, rows[i].text,
                                          strlen(rows[i].text), NULL, 0, NULL, &err),
                         STATUS_OK);
        for (size_t k = 0; k < got.n; k++)
            if (got.ids[k] != rows[i].ids[k])
                fail_msg("%s: id %zu is %d, wanted %d", rows[i].name, k, got.ids[k],
                         rows[i].ids[k]);
        assert_int_equal(rows[i].ids[got.n], -1);
        arena_deinit(&arena);
        tokenizer_destroy(tokenizer);
    }
}

/* A token a character at least, in order, and all of the text: through encode and decode. */
static void check_round_trip(const struct tokenizer *tokenizer, const char *line, size_t len) {
    struct arena arena = {0};
    struct encoding got;
    struct error err;
    struct buf text;
    const struct encode_options options = {.no_special_tokens = true};
    buf_init(&text, LIMIT_TEXT);
    if (tokenizer_encode(tokenizer, &got, &arena, line, len, NULL, 0, &options, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    tokenizer_decode(tokenizer, &text, got.ids, got.n, (struct decode_options){.clean_up = -1});
    if (text.len != len || memcmp(text.data, line, len) != 0)
        fail_msg("\"%.*s\" came back as \"%s\"", (int)len, line, text.data ? text.data : "");
    uint32_t end = 0;
    for (size_t i = 0; i < got.n; i++) {
        assert_true(got.offsets[i].start <= end && got.offsets[i].end >= end);
        end = got.offsets[i].end;
    }
    assert_int_equal(end, utf8_count(line, len));
    buf_deinit(&text);
    arena_deinit(&arena);
}

static void byte_level_text_comes_back_as_it_was(void **state) {
    struct tokenizer *tokenizer = load("gpt2");
    struct arena arena = {0};
    const char *path = arena_printf(&arena, "%s/data/tatoeba/sentences.tsv", shared());
    char *data;
    size_t len;
    struct error err;
    if (!file_exists(path)) {
        print_message("%s is not here\n", path);
        tokenizer_destroy(tokenizer);
        arena_deinit(&arena);
        skip();
    }
    if (file_read(&data, &len, &arena, path, LIMIT_TEXT, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    size_t lines = 0;
    for (size_t pos = 0; pos < len; lines++) {
        const char *stop = memchr(data + pos, '\n', len - pos);
        const size_t end = stop ? (size_t)(stop - data) : len;
        if (end > pos && lines % 5 == 0)
            check_round_trip(tokenizer, data + pos, end - pos);
        pos = end + 1;
    }
    assert_true(lines > 1000);
    tokenizer_destroy(tokenizer);
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_give_known_ids),
        cmocka_unit_test(byte_level_text_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
