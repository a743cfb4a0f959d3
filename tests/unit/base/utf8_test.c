/* UTF-8: every code point both ways, and the ill-formed sequences of the Unicode standard,
 * judged by a decoder that works the other way round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/base.h"

static void every_code_point_survives_the_round_trip(void **state) {
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        char text[4];
        const size_t n = utf8_put(text, c);
        size_t pos = 0, lossy = 0;
        if (n != (c < 0x80      ? 1u
                  : c < 0x800   ? 2u
                  : c < 0x10000 ? 3u
                                : 4u) ||
            !utf8_valid(text, n, NULL) || utf8_next(text, n, &pos) != c || pos != n ||
            utf8_next_lossy(text, n, &lossy) != c || lossy != n)
            fail_msg("U+%04X does not survive", c);
        for (size_t cut = 1; cut < n; cut++)
            if (utf8_valid(text, cut, NULL))
                fail_msg("U+%04X cut to %zu bytes counts as valid", c, cut);
    }
}

/* All two-byte and, around the borders, three- and four-byte texts against a decoder that works
 * the other way round: a text is valid when encoding what it seems to say gives the text. */
static bool valid_by_encoding(const uint8_t *s, size_t len) {
    size_t i = 0;
    while (i < len) {
        const size_t n = s[i] < 0x80 ? 1 : s[i] < 0xE0 ? 2 : s[i] < 0xF0 ? 3 : 4;
        if (i + n > len)
            return false;
        uint32_t c = n == 1 ? s[i] : s[i] & (0xFFu >> (n + 1));
        for (size_t j = 1; j < n; j++)
            c = c << 6 | (s[i + j] & 0x3F);
        char again[4];
        if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF) || utf8_put(again, c) != n ||
            memcmp(again, s + i, n) != 0)
            return false;
        i += n;
    }
    return true;
}

static void validity_agrees_with_encoding(void **state) {
    static const uint8_t marks[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                    0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
                                    0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFE, 0xFF};
    const size_t n = ARRAY_LEN(marks);
    for (size_t i = 0; i < n * n * n * n; i++) {
        const uint8_t s[4] = {marks[i % n], marks[i / n % n], marks[i / n / n % n],
                              marks[i / n / n / n]};
        for (size_t len = 1; len <= 4; len++)
            if (utf8_valid((const char *)s, len, NULL) != valid_by_encoding(s, len))
                fail_msg("%02x %02x %02x %02x, first %zu bytes", s[0], s[1], s[2], s[3], len);
    }
}

static void the_first_bad_byte_is_named(void **state) {
    static const struct {
        const char *text;
        size_t bad;
    } rows[] = {{"\xFF", 0},
                {"abc\x80", 3},
                {"abcdefgh\xC0\x80", 8},
                {"aé\xE2\x82", 3},
                {"abcdefghijklmno\xED\xA0\x80zzzzzzzzz", 15},
                {"\xF4\x90\x80\x80", 0},
                {"€\xC3(", 3}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        size_t bad = 99;
        assert_false(utf8_valid(rows[i].text, strlen(rows[i].text), &bad));
        assert_int_equal(bad, rows[i].bad);
    }
    static const char good[] = "plain ascii, then é€𝄞";
    size_t bad = 99;
    assert_true(utf8_valid("", 0, &bad));
    assert_true(utf8_valid(good, sizeof good - 1, &bad));
    assert_int_equal(bad, 99);
}

static void bad_bytes_are_replaced_one_by_one(void **state) {
    static const char text[] = "a\xE2\x82z\xFF";
    static const uint32_t want[] = {'a', 0xFFFD, 0xFFFD, 'z', 0xFFFD};
    size_t pos = 0;
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_int_equal(utf8_next_lossy(text, sizeof text - 1, &pos), want[i]);
        assert_int_equal(pos, i + 1);
    }
}

static void counting_and_offsets(void **state) {
    static const char text[] = "aé€𝄞z";
    static const size_t offsets[] = {0, 1, 3, 6, 10, 11, 11, 11};
    assert_int_equal(utf8_count(text, sizeof text - 1), 5);
    assert_int_equal(utf8_count(text, 0), 0);
    for (size_t i = 0; i < ARRAY_LEN(offsets); i++)
        assert_int_equal(utf8_offset(text, sizeof text - 1, i), offsets[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_survives_the_round_trip),
        cmocka_unit_test(validity_agrees_with_encoding),
        cmocka_unit_test(the_first_bad_byte_is_named),
        cmocka_unit_test(bad_bytes_are_replaced_one_by_one),
        cmocka_unit_test(counting_and_offsets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
