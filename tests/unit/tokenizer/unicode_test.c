/* Properties, lower case and normal forms as the reference has them, at the places where Unicode
 * versions differ. The whole of it is held by tests/diff/tokenizer.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tokenizer/unicode.h"

static void properties_are_the_librarys(void **state) {
    static const struct {
        uint32_t code_point, has, lacks;
    } rows[] = {
        {'a', UNICODE_LETTER | UNICODE_WORD, UNICODE_PUNCT | UNICODE_WHITE},
        {'$', UNICODE_PUNCT, UNICODE_LETTER}, /* BERT counts all ASCII symbols as punctuation */
        {0xA0, UNICODE_WHITE | UNICODE_SPACE, UNICODE_CONTROL},
        {0x85, UNICODE_WHITE | UNICODE_SPACE | UNICODE_CONTROL, 0},
        {0x200B, UNICODE_CONTROL, UNICODE_WHITE}, /* zero width space is a format character */
        {0xBD, UNICODE_NUMERIC | UNICODE_NUMBER, UNICODE_WORD | UNICODE_ALPHA},
        {0x301, UNICODE_NONSPACING | UNICODE_MARK | UNICODE_WORD, UNICODE_LETTER},
        {0x903, UNICODE_MARK, UNICODE_NONSPACING},
        {0x4E2D, UNICODE_LETTER | UNICODE_HAN, 0},
        {0x31350, UNICODE_LETTER | UNICODE_HAN, 0}, /* Unicode 15 */
        {0x1E4D0, UNICODE_LETTER, 0},
        {0x378, 0, UNICODE_LETTER}, /* unassigned */
        {0x110000, 0, UINT32_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const uint32_t got = unicode_properties(rows[i].code_point);
        if ((got & rows[i].has) != rows[i].has || (got & rows[i].lacks))
            fail_msg("U+%04X has 0x%x", rows[i].code_point, got);
    }
    assert_int_equal(unicode_category('A'), CATEGORY_LU);
    assert_int_equal(unicode_category(0x378), CATEGORY_CN);
    assert_int_equal(unicode_category(0xE000), CATEGORY_CO);
}

static void lower_case_is_rusts(void **state) {
    static const struct {
        uint32_t code_point, lower[2];
    } rows[] = {
        {'A', {'a', 0}},     {'z', {'z', 0}},     {0xC9, {0xE9, 0}},     {0x130, {'i', 0x307}},
        {0x1E9E, {0xDF, 0}}, {0x3A3, {0x3C3, 0}}, {0x1C89, {0x1C8A, 0}}, /* Unicode 16 */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t lower[2];
        const size_t n = unicode_lower(rows[i].code_point, lower);
        assert_int_equal(n, rows[i].lower[1] ? 2 : 1);
        assert_int_equal(lower[0], rows[i].lower[0]);
        if (n == 2)
            assert_int_equal(lower[1], rows[i].lower[1]);
    }
}

static void check_decomposition(uint32_t code_point, bool compatible, const uint32_t *want) {
    uint32_t got[UNICODE_DECOMPOSED_MAX];
    const size_t n = unicode_decompose(code_point, compatible, got);
    for (size_t i = 0; i < n; i++)
        if (got[i] != want[i])
            fail_msg("U+%04X: part %zu is U+%04X", code_point, i, got[i]);
    assert_int_equal(want[n], 0);
}

static void decompositions_are_full_and_old(void **state) {
    check_decomposition('a', true, (const uint32_t[]){'a', 0});
    check_decomposition(0x1E69, false, (const uint32_t[]){'s', 0x323, 0x307, 0});
    check_decomposition(0xFB01, false, (const uint32_t[]){0xFB01, 0});
    check_decomposition(0xFB01, true, (const uint32_t[]){'f', 'i', 0});
    check_decomposition(0xD55C, false, (const uint32_t[]){0x1112, 0x1161, 0x11AB, 0});
    check_decomposition(0xAC00, false, (const uint32_t[]){0x1100, 0x1161, 0});
    /* Unicode 13: newer than the library's tables. */
    check_decomposition(0x11938, false, (const uint32_t[]){0x11938, 0});
}

static void composing_undoes_it(void **state) {
    assert_int_equal(unicode_compose('e', 0x301), 0xE9);
    assert_int_equal(unicode_compose('e', 'e'), 0);
    assert_int_equal(unicode_compose(0x1100, 0x1161), 0xAC00);
    assert_int_equal(unicode_compose(0xAC00, 0x11A8), 0xAC01);
    assert_int_equal(unicode_compose(0xAC01, 0x11A8), 0);
    assert_int_equal(unicode_compose(0x11935, 0x11930), 0);
    assert_int_equal(unicode_compose(0x958, 0x93C), 0);
    assert_int_equal(unicode_combining_class(0x301), 230);
    assert_int_equal(unicode_combining_class(0x327), 202);
    assert_int_equal(unicode_combining_class('a'), 0);
}

/* Where the first grapheme of a text ends. */
static void graphemes_end_where_annex_29_says(void **state) {
    static const struct {
        const char *text;
        size_t end;
    } rows[] = {
        {"ab", 1},
        {"\r\nx", 2},
        {"\n\xCC\x81", 1},         /* a control takes no mark */
        {"a\xCC\x81\xCC\x82z", 5}, /* a, two marks */
        {"a\xE2\x80\x8D"
         "b",
         4}, /* a, joiner */
        {"\xD8\x80"
         "ab",
         3},                                          /* a prepended sign */
        {"\xD8\x80\n", 2},                            /* but not before a control */
        {"\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8x", 9}, /* L V T */
        {"\xEA\xB0\x80\xE1\x86\xA8\xE1\x85\xA1", 6},  /* LV T, V */
        {"\xE0\xA4\x95\xE0\xA5\x8D\xE0\xA4\x95x", 9}, /* ka virama ka */
        {"\xE0\xA4\x95\xE0\xA4\x95", 3},              /* ka ka */
        {"\xE2\x9D\xA4\xE2\x80\x8D\xC2\xA9x", 8},     /* heart, joiner, (c) */
        {"a\xE2\x80\x8D\xC2\xA9", 4},                 /* a joins no (c) */
        {"\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD.", 8},     /* thumb of a colour */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const size_t end = unicode_grapheme_end(rows[i].text, strlen(rows[i].text), 0);
        if (end != rows[i].end)
            fail_msg("row %zu: wanted %zu, got %zu", i, rows[i].end, end);
    }
}

static void scripts_are_told_apart(void **state) {
    assert_int_equal(unicode_script(' '), 0);
    assert_int_equal(unicode_script(0x378), 0); /* unassigned */
    assert_int_equal(unicode_script(0x10FFFF), 0);
    assert_int_equal(unicode_script('a'), unicode_script(0xE9));
    assert_int_equal(unicode_script(0x4E2D), unicode_script(0x3042)); /* Han, Hiragana */
    assert_int_equal(unicode_script(0x30FC), unicode_script(0x30A1)); /* and Katakana */
    assert_int_not_equal(unicode_script('a'), unicode_script('1'));
    assert_int_not_equal(unicode_script('a'), unicode_script(0x431));
    assert_int_not_equal(unicode_script(0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_are_the_librarys),
        cmocka_unit_test(lower_case_is_rusts),
        cmocka_unit_test(decompositions_are_full_and_old),
        cmocka_unit_test(composing_undoes_it),
        cmocka_unit_test(graphemes_end_where_annex_29_says),
        cmocka_unit_test(scripts_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
