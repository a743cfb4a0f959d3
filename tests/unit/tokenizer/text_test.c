/* Texts keep the origin of every byte through slicing, rewriting and transforming; spaces and ASCII
 * are told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tokenizer/text.h"
#include "tokenizer/unicode.h"

static struct text text_of(const char *data) {
    return (struct text){.data = data, .len = strlen(data)};
}

static void check_text(const struct text *text, const char *want, const uint32_t *starts) {
    assert_int_equal(text->len, strlen(want));
    assert_memory_equal(text->data, want, text->len);
    for (size_t i = 0; i < text->len; i++)
        if (text->from[i].start != starts[i])
            fail_msg("byte %zu of \"%s\" comes from %u, wanted %u", i, want, text->from[i].start,
                     starts[i]);
}

static void a_slice_knows_where_it_starts(void **state) {
    const struct text text = text_of("caf\xC3\xA9 au lait");
    const struct text slice = text_slice(&text, 6, 8);
    assert_int_equal(slice.base, 6);
    const struct span span = text_origin(&slice, 0, 2);
    assert_int_equal(span.start, 6);
    assert_int_equal(span.end, 8);
}

/* s + dot above + dot below, composed with the marks in their order: U+1E69 stands for the s, the
 * rest is consumed. */
static void a_transform_consumes_what_its_changes_say(void **state) {
    struct arena arena = {0};
    struct text text = text_of("xs\xCC\x87\xCC\xA3y");
    struct transform transform = transform_begin(&arena, &text);
    transform_put(&transform, 'x', 0);
    transform_put(&transform, 0x1E69, -2);
    transform_put(&transform, '!', 1);
    transform_put(&transform, 'y', 0);
    transform_end(&transform, &text);
    check_text(&text, "x\xE1\xB9\xA9!y", (const uint32_t[]){0, 1, 1, 1, 4, 6});
    arena_deinit(&arena);
}

static void what_is_put_in_front_stands_for_the_first_character(void **state) {
    struct arena arena = {0};
    struct text text = text_of("\xC3\xA9t");
    text_prepend(&text, &arena, "> ", 2);
    check_text(&text, "> \xC3\xA9t", (const uint32_t[]){0, 0, 0, 0, 2});
    assert_int_equal(text.from[1].end, 2);
    struct text empty = text_of("");
    text_prepend(&empty, &arena, ">", 1);
    assert_int_equal(empty.len, 0);
    arena_deinit(&arena);
}

static void a_writer_grows(void **state) {
    struct arena arena = {0};
    struct writer writer = writer_begin(&arena, 1);
    for (uint32_t i = 0; i < 5000; i++)
        writer_put(&writer, 0x20AC, (struct span){i, i + 1});
    struct text text = {0};
    writer_end(&writer, &text);
    assert_int_equal(text.len, 15000);
    assert_int_equal(text.from[14999].start, 4999);
    assert_true(utf8_valid(text.data, text.len, NULL));
    arena_deinit(&arena);
}

static void spaces_are_counted_at_both_ends(void **state) {
    const char *data = " \xC2\xA0"
                       "a b\xE3\x80\x80\t";
    size_t bytes;
    assert_int_equal(text_leading(data, strlen(data), UNICODE_WHITE, &bytes), 2);
    assert_int_equal(bytes, 3);
    assert_int_equal(text_trailing(data, strlen(data), UNICODE_WHITE, &bytes), 2);
    assert_int_equal(bytes, 4);
    assert_int_equal(text_trailing("", 0, UNICODE_WHITE, &bytes), 0);
    assert_int_equal(text_leading("  ", 2, UNICODE_WHITE, &bytes), 2);
}

static void ascii_is_told_at_any_length(void **state) {
    char data[40];
    memset(data, 'a', sizeof data);
    for (size_t len = 0; len < sizeof data; len++) {
        assert_true(text_is_ascii(data, len));
        data[len] = '\x80';
        assert_true(text_is_ascii(data, len));
        assert_false(text_is_ascii(data, len + 1));
        data[len] = 'a';
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slice_knows_where_it_starts),
        cmocka_unit_test(a_transform_consumes_what_its_changes_say),
        cmocka_unit_test(what_is_put_in_front_stands_for_the_first_character),
        cmocka_unit_test(a_writer_grows),
        cmocka_unit_test(spaces_are_counted_at_both_ends),
        cmocka_unit_test(ascii_is_told_at_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
