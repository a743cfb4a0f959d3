/* Reading JSON: all of JSONTestSuite, rows of our own, numbers against strtod, sizes and depths.
 * The lookups have json_tree_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

/* What the tree says, written out again; or the error's text. The caller frees. */
static char *parsed(const char *text, size_t len, enum json_flags flags) {
    struct arena arena = {0};
    struct error err = {0};
    struct buf buf;
    buf_init(&buf, 64 * MiB);
    const struct json *value = NULL;
    /* A copy of the exact size, so that a sanitizer sees a read behind it. */
    char *copy = mem_alloc(len);
    memcpy(copy, text, len);
    const enum status status = json_parse(&value, &arena, copy, len, flags, &err);
    mem_free(copy);
    if (status == STATUS_OK) {
        struct json_out out = json_out_begin(&buf);
        json_value(&out, value);
    } else {
        assert_null(value);
        assert_int_equal(err.code, ERROR_INPUT);
        buf_puts(&buf, err.text);
    }
    arena_deinit(&arena);
    return buf_take(&buf, NULL);
}

#define AT(line, column, what) "invalid JSON at line " #line " column " #column ": " what
#define EARLY(line, column)    AT(line, column, "the text ends too early")
#define NEITHER                NULL /* the same as in strict */

static const struct row {
    const char *text, *strict, *python;
} rows[] = {
    {"null", "null", NEITHER},
    {" \t\r\n true ", "true", NEITHER},
    {"false", "false", NEITHER},
    {"[]", "[]", NEITHER},
    {"{}", "{}", NEITHER},
    {"[ ]", "[]", NEITHER},
    {"{ }", "{}", NEITHER},
    {"[1, 2 ,3]", "[1,2,3]", NEITHER},
    {"{\"a\":1,\"b\" : [ {} ]}", "{\"a\":1,\"b\":[{}]}", NEITHER},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"", NEITHER},
    {"\"\\u0041\\u00e9\\u20AC\\ud834\\udd1e\"", "\"Aé€𝄞\"", NEITHER},
    {"\"\\u0000x\"", "\"\\u0000x\"", NEITHER},
    {"\"é€𝄞 and more than eight plain bytes\"", "\"é€𝄞 and more than eight plain bytes\"", NEITHER},
    {"123456789012345678901234567890", "123456789012345678901234567890", NEITHER},
    {"-0", "-0", NEITHER},
    {"1.50e+02", "1.50e+02", NEITHER},
    /* a duplicate: the first one's place, the last one's value */
    {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}", NEITHER},
    /* what Python writes */
    {"[NaN,Infinity,-Infinity]", AT(1, 2, "NaN and Infinity are not JSON"), "[null,null,null]"},
    {"-Infinity", AT(1, 2, "a digit must follow"), "null"},
    {"\"\\ud834\"", AT(1, 2, "half of a surrogate pair"), "\"\xEF\xBF\xBD\""},
    {"\"\\udd1e\"", AT(1, 2, "half of a surrogate pair"), "\"\xEF\xBF\xBD\""},
    {"\"\\ud834\\u0041\"", AT(1, 2, "half of a surrogate pair"),
     "\"\xEF\xBF\xBD"
     "A\""},
    {"\"\\ud834\\ud834\\udd1e\"", AT(1, 2, "half of a surrogate pair"), "\"\xEF\xBF\xBD𝄞\""},
    {"1e999", AT(1, 1, "the number does not fit a double"), "null"},
    /* what nobody takes */
    {"", EARLY(1, 1), NEITHER},
    {" \n ", EARLY(2, 2), NEITHER},
    {"[", EARLY(1, 2), NEITHER},
    {"{\"a\"", EARLY(1, 5), NEITHER},
    {"{\"a\":", EARLY(1, 6), NEITHER},
    {"[1,", EARLY(1, 4), NEITHER},
    {"\"abc", EARLY(1, 5), NEITHER},
    {"\"abc\\", EARLY(1, 6), NEITHER},
    {"[1,]", AT(1, 4, "expected a value"), NEITHER},
    {"[,1]", AT(1, 2, "expected a value"), NEITHER},
    {"{\"a\":1,}", AT(1, 8, "expected a key in double quotes"), NEITHER},
    {"{a:1}", AT(1, 2, "expected a key in double quotes"), NEITHER},
    {"{\"a\" 1}", AT(1, 6, "expected ':' after the key"), NEITHER},
    {"[1 2]", AT(1, 4, "expected ',' or ']'"), NEITHER},
    {"{\n  \"a\": 1\n  \"b\": 2\n}", AT(3, 3, "expected ',' or '}'"), NEITHER},
    {"[\"é€\", x]", AT(1, 8, "expected a value"), NEITHER},
    {"[1}", AT(1, 3, "expected ',' or ']'"), NEITHER},
    {"1 2", AT(1, 3, "something follows the value"), NEITHER},
    {"tru", AT(1, 1, "expected a value"), NEITHER},
    {"nulll", AT(1, 5, "something follows the value"), NEITHER},
    {"01", AT(1, 2, "something follows the value"), NEITHER},
    {"-", EARLY(1, 2), NEITHER},
    {"-x", AT(1, 2, "a digit must follow"), NEITHER},
    {"1.", EARLY(1, 3), NEITHER},
    {"1.e1", AT(1, 3, "a digit must follow"), NEITHER},
    {"1e", EARLY(1, 3), NEITHER},
    {"1e+,", AT(1, 4, "a digit must follow"), NEITHER},
    {"1eInfinity", AT(1, 3, "a digit must follow"), NEITHER},
    {"-1.Infinity", AT(1, 4, "a digit must follow"), NEITHER},
    {"-Infinit", AT(1, 2, "a digit must follow"), NEITHER},
    {"+1", AT(1, 1, "expected a value"), NEITHER},
    {".5", AT(1, 1, "expected a value"), NEITHER},
    {"\"\\x41\"", AT(1, 2, "unknown escape in a string"), NEITHER},
    {"\"\\u12g4\"", AT(1, 2, "\\u needs four hexadecimal digits"), NEITHER},
    {"\"\\u12", AT(1, 2, "\\u needs four hexadecimal digits"), NEITHER},
    {"\"a\nb\"", AT(1, 3, "control character in a string, write it as \\u00XX"), NEITHER},
    {"\"long enough for eight \x01\"",
     AT(1, 24, "control character in a string, write it as \\u00XX"), NEITHER},
    {"\"\xFF\"", AT(1, 2, "bytes that are not UTF-8"), NEITHER},
    {"\"\xC0\x80\"", AT(1, 2, "bytes that are not UTF-8"), NEITHER},
    {"\"\xED\xA0\x80\"", AT(1, 2, "bytes that are not UTF-8"), NEITHER},
    {"\"\xE2\x82\"", AT(1, 2, "bytes that are not UTF-8"), NEITHER},
    {"\xEF\xBB\xBF{}", AT(1, 1, "expected a value"), NEITHER},
    {"// comment\n1", AT(1, 1, "expected a value"), NEITHER},
};

static void own_rows(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        char *strict = parsed(row->text, strlen(row->text), JSON_STRICT);
        char *python = parsed(row->text, strlen(row->text), JSON_PYTHON);
        const char *want_python = row->python ? row->python : row->strict;
        if (strcmp(strict, row->strict) != 0)
            fail_msg("strict: %s\n  wanted %s\n  got    %s", row->text, row->strict, strict);
        if (strcmp(python, want_python) != 0)
            fail_msg("python: %s\n  wanted %s\n  got    %s", row->text, want_python, python);
        mem_free(strict);
        mem_free(python);
    }
}

static const char *shared_folder(void) {
    const char *folder = getenv("BRISK_SHARED");
    return folder ? folder : "../shared";
}

/* y_ must be taken, n_ refused, i_ may be either; nothing may crash or leak. */
static void json_test_suite(void **state) {
    struct arena arena = {0};
    char *folder = path_join(&arena, shared_folder(), "data/jsontestsuite/test_parsing");
    char **names = folder_list(&arena, folder);
    if (!names) {
        print_message("skipped: %s is absent\n", folder);
        arena_deinit(&arena);
        skip();
    }
    size_t n = 0;
    for (; names[n]; n++) {
        struct error err = {0};
        struct arena mine = {0};
        char *text = NULL;
        size_t len = 0;
        assert_int_equal(file_read(&text, &len, &mine, path_join(&mine, folder, names[n]),
                                   LIMIT_JSON_FILE, &err),
                         STATUS_OK);
        for (int flags = JSON_STRICT; flags <= JSON_PYTHON; flags++) {
            const struct json *value;
            const bool ok =
                json_parse(&value, &mine, text, len, (enum json_flags)flags, &err) == STATUS_OK;
            const bool python_takes =
                flags == JSON_PYTHON && (strstr(names[n], "NaN") || strstr(names[n], "nfinity"));
            if ((names[n][0] == 'y' && !ok) || (names[n][0] == 'n' && ok && !python_takes))
                fail_msg("%s: %s", names[n], ok ? "taken" : err.text);
        }
        arena_deinit(&mine);
    }
    assert_true(n >= 300);
    arena_deinit(&arena);
}

static void check_number(const char *text) {
    struct arena arena = {0};
    struct error err = {0};
    const struct json *value = NULL;
    if (json_parse(&value, &arena, text, strlen(text), JSON_PYTHON, &err) != STATUS_OK)
        fail_msg("%s: %s", text, err.text);
    const double want = strtod(text, NULL);
    if (memcmp(&want, &value->number, sizeof want) != 0)
        fail_msg("%s: wanted %.17g, got %.17g", text, want, value->number);
    assert_string_equal(value->text, text);
    assert_int_equal(value->len, strlen(text));
    assert_int_equal(value->boolean, !strpbrk(text, ".eE"));
    arena_deinit(&arena);
}

static void numbers_are_correctly_rounded(void **state) {
    static const char *const texts[] = {"0",
                                        "-0",
                                        "0.0",
                                        "-0.0",
                                        "0e999999999999",
                                        "1",
                                        "-1",
                                        "0.1",
                                        "123.456",
                                        "1e22",
                                        "1e23",
                                        "9007199254740992",
                                        "9007199254740993",
                                        "9007199254740993.0",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "1e308",
                                        "1e309",
                                        "-1e309",
                                        "4.9e-324",
                                        "2.4e-324",
                                        "1e-400",
                                        "2.2250738585072011e-308",
                                        "0.000000000000000000000000000000000000001",
                                        "1000000000000000000000000000000000000000",
                                        "0.30000000000000004",
                                        "179769313486231580793728971405301e276",
                                        "1e-99999999999999999999",
                                        "1E5",
                                        "1.5E-7",
                                        "8.5e+3",
                                        "7.2057594037927933e16",
                                        "0.1234567890123456789012345",
                                        "123456789012345678901234567890.123456789e-20"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        check_number(texts[i]);
    struct random random = {.seed = 1};
    for (int i = 0; i < 20000; i++) {
        char text[64];
        const uint32_t r = random_next(&random);
        const double value = (double)random_next(&random) * 65537.0 + (double)r;
        snprintf(text, sizeof text, "%.*ge%d", 1 + (int)(r % 21), value, (int)(r % 700) - 350);
        if (!strchr(text, '+')) /* "1e+10e5" is no number */
            check_number(text);
        snprintf(text, sizeof text, "%.*f", (int)(r % 18), value / 1e6);
        check_number(text);
    }
}

static void depth_is_limited(void **state) {
    for (int kind = 0; kind < 2; kind++)
        for (size_t depth = LIMIT_JSON_DEPTH; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
            struct buf buf;
            buf_init(&buf, 1 * MiB);
            for (size_t i = 0; i < depth; i++)
                buf_puts(&buf, kind ? "{\"k\":" : "[");
            buf_puts(&buf, "1");
            for (size_t i = 0; i < depth; i++)
                buf_puts(&buf, kind ? "}" : "]");
            char *got = parsed(buf.data, buf.len, JSON_STRICT);
            if (depth == LIMIT_JSON_DEPTH)
                assert_string_equal(got, buf.data);
            else
                assert_non_null(strstr(got, "nested too deeply"));
            mem_free(got);
            buf_deinit(&buf);
        }
}

/* Every cut of a text with everything in it is refused, and none reads behind its end. */
static void every_truncation_is_refused(void **state) {
    static const char text[] =
        "{\"a\": [1, -2.5e-3, true, false, null, \"x\\n\\u00e9\\ud834\\udd1e é€𝄞 and plain\"],"
        " \"b\": {\"c\": {}, \"d\": [[], [[]]]}, \"e\": \"0123456789abcdef\"}";
    const size_t whole = sizeof text - 1;
    for (size_t len = 0; len < whole; len++) {
        char *got = parsed(text, len, JSON_PYTHON);
        if (strncmp(got, "invalid JSON at line 1 column ", 30) != 0)
            fail_msg("cut at %zu is taken: %s", len, got);
        mem_free(got);
    }
    char *got = parsed(text, whole, JSON_PYTHON);
    assert_true(got[0] == '{');
    mem_free(got);
}

/* Special bytes at each place of the eight-byte steps, and strings of each length. */
static void strings_of_every_length_and_place(void **state) {
    static const char *const specials[] = {"\\n", "\\\"", "\\\\", "é", "𝄞", "\\u0001"};
    for (size_t len = 0; len < 40; len++)
        for (size_t s = 0; s < ARRAY_LEN(specials); s++)
            for (size_t at = 0; at <= len; at++) {
                char text[64] = "\"";
                memset(text + 1, 'a' + (int)s, at);
                memcpy(text + 1 + at, specials[s], strlen(specials[s]));
                const size_t after = 1 + at + strlen(specials[s]);
                memset(text + after, '~', len - at);
                text[after + len - at] = '"';
                char *got = parsed(text, after + len - at + 1, JSON_STRICT);
                if (strcmp(got, text) != 0)
                    fail_msg("wanted %s, got %s", text, got);
                mem_free(got);
            }
}

static void large_objects_are_read_once(void **state) {
    enum { N = 150000 };
    struct buf buf;
    buf_init(&buf, 64 * MiB);
    buf_putc(&buf, '{');
    for (int round = 0; round < 2; round++) /* each key twice: the second value counts */
        for (int i = 0; i < N; i++)
            buf_printf(&buf, "%s\"key%d\":%d", round + i ? "," : "", i, round * N + i);
    buf_putc(&buf, '}');
    struct arena arena = {0};
    struct error err = {0};
    const struct json *value = NULL;
    assert_int_equal(json_parse(&value, &arena, buf.data, buf.len, JSON_STRICT, &err), STATUS_OK);
    assert_int_equal(value->len, N);
    for (int i = 0; i < N; i++) {
        char key[32];
        snprintf(key, sizeof key, "key%d", i);
        assert_string_equal(value->members[i].key, key);
        assert_int_equal(json_get_int(value, key, -1), N + i);
    }
    assert_null(json_get(value, "key150000"));
    arena_deinit(&arena);
    buf_deinit(&buf);
}

static void too_many_values_are_refused(void **state) {
    const size_t n = LIMIT_JSON_VALUES + 10;
    char *text = mem_alloc(2 * n);
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = i == 0 ? '[' : ',';
        text[2 * i + 1] = '1';
    }
    text[2 * n - 1] = ']';
    text[2 * n - 2] = ' ';
    text[2 * n - 3] = ' ';
    text[2 * n - 4] = ' ';
    struct arena arena = {0};
    struct error err = {0};
    const struct json *value = NULL;
    assert_int_equal(json_parse(&value, &arena, text, 2 * n, JSON_STRICT, &err), STATUS_ERROR);
    assert_non_null(strstr(err.text, "more values"));
    arena_deinit(&arena);
    mem_free(text);
}

static void success_leaves_the_error_alone(void **state) {
    struct arena arena = {0};
    struct error err;
    memset(&err, 0x5A, sizeof err);
    struct error before = err;
    const struct json *value;
    assert_int_equal(json_parse(&value, &arena, "[1e5]", 5, JSON_STRICT, &err), STATUS_OK);
    assert_memory_equal(&err, &before, sizeof err);
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_rows),
        cmocka_unit_test(json_test_suite),
        cmocka_unit_test(numbers_are_correctly_rounded),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(strings_of_every_length_and_place),
        cmocka_unit_test(large_objects_are_read_once),
        cmocka_unit_test(too_many_values_are_refused),
        cmocka_unit_test(success_leaves_the_error_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
