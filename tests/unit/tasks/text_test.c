/* Texts as Python has them: slices by code points, strip, lower-case equality; base64. Expected
 * values come from Python itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tasks/task.h"

static void assert_text(struct text got, const char *want) {
    if (got.len != strlen(want) || memcmp(got.data, want, got.len) != 0) {
        fail_msg("got \"%.*s\", wanted \"%s\"", (int)got.len, got.data, want);
    }
}

static void slices_count_code_points(void **state) {
    static const struct {
        size_t start, end;
        const char *want;
    } rows[] = {
        {0, 3, "aé東"}, {1, 2, "é"}, {2, 4, "東😀"}, {3, 9, "😀z"}, {4, 5, "z"},
        {5, 5, ""},     {3, 1, ""},  {9, 12, ""},   {0, 0, ""},
    };
    struct arena arena = {0};
    const struct characters characters = characters_of(&arena, text_of("aé東😀z"));
    assert_int_equal(characters.n, 5);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_text(characters_slice(&characters, rows[i].start, rows[i].end), rows[i].want);
    }
    assert_int_equal(characters_of(&arena, text_of("")).n, 0);
    arena_deinit(&arena);
}

static void strip_is_pythons(void **state) {
    static const char *const rows[][2] = {
        {"  a b \t\n", "a b"},  {"", ""},     {" \n\t ", ""}, {"a", "a"}, {"\u00a0a\u3000", "a"},
        {"\u200ba", "\u200ba"}, {" é ", "é"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_text(text_strip(text_of(rows[i][0])), rows[i][1]);
    }
}

static void equality_ignores_case(void **state) {
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"Paris", "pARIS", true}, {"ÄÖ", "äö", true}, {"", "", true},     {"a", "ab", false},
        {"ab", "a", false},       {"a", "b", false},  {"Да", "дА", true}, {"ı", "i", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(text_equal_ignoring_case(text_of(rows[i].a), text_of(rows[i].b)),
                         rows[i].equal);
        assert_true(!rows[i].equal || text_hash_ignoring_case(text_of(rows[i].a)) ==
                                          text_hash_ignoring_case(text_of(rows[i].b)));
    }
}

/* Python: base64.b64encode(numpy.array([...], "<f4")). */
static void base64_of_floats(void **state) {
    static const float values[] = {1.0f, -2.5f, 0.0f};
    static const char *const want[] = {"\"\"", "\"AACAPw==\"", "\"AACAPwAAIMA=\"",
                                       "\"AACAPwAAIMAAAAAA\""};
    for (size_t n = 0; n <= 3; n++) {
        struct buf buf;
        buf_init(&buf, LIMIT_ERROR_TEXT);
        struct json_out out = json_out_begin(&buf);
        write_base64(&out, values, n);
        assert_string_equal(buf.data, want[n]);
        buf_deinit(&buf);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_count_code_points),
        cmocka_unit_test(strip_is_pythons),
        cmocka_unit_test(equality_ignores_case),
        cmocka_unit_test(base64_of_floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
