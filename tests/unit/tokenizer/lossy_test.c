/* Broken UTF-8 becomes U+FFFD as in Rust: one for each maximal part of a sequence, by the examples
 * of the Unicode standard and some more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tokenizer/lossy.h"

#define R "\xEF\xBF\xBD"

static void broken_sequences_become_replacements(void **state) {
    static const struct {
        const char *bytes, *text;
    } rows[] = {
        {"", ""},
        {"abc", "abc"},
        {"\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80", "\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80"},
        {"\x80", R},
        {"a\xC3", "a" R},
        {"\xC3"
         "a",
         R "a"},
        {"\xF0\x9F\x98", R}, /* three bytes of four are one part */
        {"\xF0\x9F\x98x", R "x"},
        {"\xE4\xB8\xE4\xB8\xAD", R "\xE4\xB8\xAD"},
        {"\xC0\xAF", R R}, /* overlong: no byte starts anything */
        {"\xE0\x80\xAF", R R R},
        {"\xED\xA0\x80", R R R},       /* a surrogate */
        {"\xF4\x90\x80\x80", R R R R}, /* beyond U+10FFFF */
        {"\xF5\x80", R R},
        {"\xF1\x80\xC3\xA9", R "\xC3\xA9"},
        {"x\xFF\xFEy", "x" R R "y"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out;
        buf_init(&out, 1000);
        lossy_append(&out, rows[i].bytes, strlen(rows[i].bytes));
        assert_string_equal(out.data ? out.data : "", rows[i].text);
        buf_deinit(&out);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(broken_sequences_become_replacements)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
