/* The hand-written scanners equal Oniguruma on random text of every kind, and searching steps over
 * a text as the library's does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tokenizer/pattern.h"

static const char *const parts[] = {
    " ",
    "  ",
    "\t",
    "\n",
    "\r\n",
    "\n\n",
    "\xC2\xA0",
    "\xE3\x80\x80",
    "\xE2\x80\x83",
    "a",
    "Hello",
    "the",
    "'s",
    "'S",
    "'t",
    "'re",
    "'RE",
    "'ve",
    "'Ve",
    "'m",
    "'ll",
    "'lL",
    "'d",
    "'\xC5\xBF",
    "'",
    "''",
    "1",
    "12",
    "345",
    "6789",
    "\xC2\xBD",
    "\xD9\xA3",
    "\xE2\x85\xA7",
    ".",
    "!",
    "...",
    "--",
    "_",
    "#",
    "<|",
    "|>",
    "<|endoftext|>",
    "<|startoftext|>",
    "\xC3\xA9",
    "e\xCC\x81",
    "\xCC\x81",
    "\xE4\xB8\xAD\xE6\x96\x87",
    "\xED\x95\x9C",
    "\xD8\xB9",
    "\xF0\x9F\x98\x80",
    "\xE2\x80\x8D",
    "\xEF\xB8\x8F",
    "\xF0\xB1\x8D\x90",
    "\xF0\x9E\x93\x90",
    "\xCD\xB8",
    "\x01",
    "\x7F",
    "\xC2\x85",
};

static size_t random_text(struct random *random, char *out, size_t max) {
    size_t n = 0;
    for (size_t i = random_next(random) % 16; i > 0; i--) {
        if (random_next(random) % 4 == 0) { /* any code point */
            uint32_t c = random_next(random) % 0x110000;
            if (c >= 0xD800 && c <= 0xDFFF)
                c = 'x';
            n += utf8_put(out + n, c);
            continue;
        }
        const char *part = parts[random_next(random) % ARRAY_LEN(parts)];
        memcpy(out + n, part, strlen(part));
        n += strlen(part);
    }
    assert_true(n <= max);
    return n;
}

static struct pattern *create(const char *expression, bool plain, bool literal) {
    struct pattern *pattern;
    struct error err;
    const size_t len = strlen(expression);
    const enum status status = plain ? pattern_create_plain(&pattern, expression, len, &err)
                                     : pattern_create(&pattern, expression, len, literal, &err);
    if (status != STATUS_OK)
        fail_msg("%s", err.text);
    return pattern;
}

static void check_equal(const struct pattern *a, const struct pattern *b, const char *text,
                        size_t len) {
    struct search first = search_begin(a, text, len), second = search_begin(b, text, len);
    for (;;) {
        size_t start[2] = {0}, end[2] = {0};
        const bool found = search_next(&first, &start[0], &end[0]);
        if (found != search_next(&second, &start[1], &end[1]) ||
            (found && (start[0] != start[1] || end[0] != end[1])))
            fail_msg("\"%.*s\": scanned [%zu, %zu), wanted [%zu, %zu)", (int)len, text, start[0],
                     end[0], start[1], end[1]);
        if (!found)
            break;
    }
    search_end(&first);
    search_end(&second);
}

static void scanners_equal_oniguruma(void **state) {
    struct random random = {.seed = 11};
    size_t count = 0;
    for (size_t i = 0; scanner_expression(i); i++, count++) {
        struct pattern *scanned = create(scanner_expression(i), false, false);
        struct pattern *regex = create(scanner_expression(i), true, false);
        for (int round = 0; round < 6000; round++) {
            char text[512];
            const size_t len = random_text(&random, text, sizeof text);
            check_equal(scanned, regex, text, len);
        }
        pattern_destroy(scanned);
        pattern_destroy(regex);
    }
    assert_true(count >= 5);
}

static void check_matches(const char *expression, bool literal, const char *text,
                          const size_t *want) {
    struct pattern *pattern = create(expression, false, literal);
    struct search search = search_begin(pattern, text, strlen(text));
    size_t start, end;
    for (; search_next(&search, &start, &end); want += 2)
        if (start != want[0] || end != want[1])
            fail_msg("/%s/ in \"%s\": found [%zu, %zu), wanted [%zu, %zu)", expression, text, start,
                     end, want[0], want[1]);
    if (want[0] != SIZE_MAX)
        fail_msg("/%s/ in \"%s\": [%zu, %zu) was not found", expression, text, want[0], want[1]);
    search_end(&search);
    pattern_destroy(pattern);
}

static void matches_follow_each_other(void **state) {
    static const struct {
        const char *expression;
        bool literal;
        const char *text;
        size_t want[12];
    } rows[] = {
        {"o", true, "foo o", {1, 2, 2, 3, 4, 5, SIZE_MAX}},
        {"a.", true, "aba.", {2, 4, SIZE_MAX}},
        {"", true, "abc", {SIZE_MAX}},
        {"b*", false, "abbc", {0, 0, 1, 3, 4, 4, SIZE_MAX}}, /* none right behind a match */
        {"x?", false, "\xC3\xA9", {0, 0, 2, 2, SIZE_MAX}},
        {"\\p{L}+", false, "a\xF0\xB1\x8D\x90 b", {0, 5, 6, 7, SIZE_MAX}}, /* Unicode 15 */
        {"\\w+", false, "a\xF0\x9E\x93\x90_", {0, 6, SIZE_MAX}},
        {"[\\w]+", false, "a\xC2\xB2", {0, 1, SIZE_MAX}}, /* inside of brackets it is no word */
        {"\\w+", false, "a\xC2\xB2", {0, 3, SIZE_MAX}},
        {"[^\\]\\w]", false, "a]b-", {3, 4, SIZE_MAX}},
        {"[]\\d]+", false, "1]x2", {0, 2, 3, 4, SIZE_MAX}},
        {"(?<=a)b", false, "abcb", {1, 2, SIZE_MAX}},
        {"q", false, "", {SIZE_MAX}},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_matches(rows[i].expression, rows[i].literal, rows[i].text, rows[i].want);
}

static void a_bad_expression_is_an_error(void **state) {
    struct pattern *pattern;
    struct error err;
    assert_int_equal(pattern_create(&pattern, "a(b", 3, false, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_MODEL);
    assert_non_null(strstr(err.text, "a(b"));
}

static void a_huge_expression_is_an_error(void **state) {
    const size_t len = LIMIT_PATTERN + 1;
    char *expression = mem_alloc(len);
    memset(expression, '\\', len);
    struct pattern *pattern = NULL;
    struct error err = {0};
    assert_int_equal(pattern_create(&pattern, expression, len, false, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_MODEL);
    assert_non_null(strstr(err.text, "65537 bytes"));
    mem_free(expression);
}

/* Of letters that the distribution's Oniguruma does not know (U+13AAC, Egyptian). */
static void borders_of_young_letters_are_found(void **state) {
    static const char text[] = "\xF0\x93\xAA\xAC\xF0\x93\xAA\xAC a";
    static const size_t borders[] = {0, 0, 8, 8, 9, 9, 10, 10, SIZE_MAX};
    check_matches("\\b", false, text, borders);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scanners_equal_oniguruma),
        cmocka_unit_test(matches_follow_each_other),
        cmocka_unit_test(a_bad_expression_is_an_error),
        cmocka_unit_test(a_huge_expression_is_an_error),
        cmocka_unit_test(borders_of_young_letters_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
