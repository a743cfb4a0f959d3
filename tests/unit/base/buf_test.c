/* Growing buffer: always terminated, and at its maximum a clean prefix of what was meant.
 * Growth is geometric, which a count of allocations shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/base.h"

static void appending_keeps_all_and_terminates(void **state) {
    struct buf buf;
    buf_init(&buf, 1 * MiB);
    assert_null(buf.data);
    for (int i = 0; i < 1000; i++) {
        buf_puts(&buf, "ab");
        buf_putc(&buf, 'c');
        buf_printf(&buf, "%03d", i);
        buf_append(&buf, "\0!", 2);
        assert_int_equal(buf.data[buf.len], 0);
    }
    assert_int_equal(buf.len, 8000);
    for (size_t i = 0; i < 1000; i++) {
        char want[9];
        snprintf(want, sizeof want, "abc%03zu", i);
        assert_memory_equal(buf.data + 8 * i, want, 7);
    }
    assert_false(buf.overflow);
    buf_deinit(&buf);
    assert_null(buf.data);
}

static void at_the_maximum_the_rest_is_dropped(void **state) {
    struct buf buf;
    buf_init(&buf, 5);
    buf_puts(&buf, "abcde");
    assert_false(buf.overflow);
    buf_puts(&buf, "");
    assert_false(buf.overflow);
    buf_putc(&buf, 'f');
    assert_true(buf.overflow);
    assert_string_equal(buf.data, "abcde");
    buf_reset(&buf);
    assert_false(buf.overflow);
    buf_puts(&buf, "ab");
    buf_printf(&buf, "%s", "cdef");
    assert_true(buf.overflow);
    buf_puts(&buf, "c"); /* would fit, but comes after what did not */
    assert_string_equal(buf.data, "ab");
    assert_null(buf_reserve(&buf, 1));
    assert_int_equal(buf.max, 5);
    buf_deinit(&buf);
}

static void sizes_that_overflow_are_refused(void **state) {
    struct buf buf;
    buf_init(&buf, 100);
    buf_puts(&buf, "x");
    assert_null(buf_reserve(&buf, SIZE_MAX));
    assert_true(buf.overflow);
    buf_deinit(&buf);
}

static void reserved_room_is_taken_by_adding_to_len(void **state) {
    struct buf buf;
    buf_init(&buf, 1000);
    for (size_t n = 0; n < 40; n++) {
        char *room = buf_reserve(&buf, n);
        assert_ptr_equal(room, buf.data + buf.len);
        memset(room, 'z', n);
        buf.len += n;
        assert_int_equal(buf.data[buf.len], 0);
    }
    assert_int_equal(buf.len, 780);
    assert_int_equal(strlen(buf.data), 780);
    buf_deinit(&buf);
}

static void taking_hands_the_bytes_over(void **state) {
    struct buf buf;
    buf_init(&buf, 100);
    buf_puts(&buf, "hello");
    size_t len = 0;
    char *taken = buf_take(&buf, &len);
    assert_int_equal(len, 5);
    assert_string_equal(taken, "hello");
    assert_null(buf.data);
    assert_int_equal(buf.len, 0);
    buf_puts(&buf, "again");
    assert_string_equal(buf.data, "again");
    mem_free(taken);
    buf_deinit(&buf);
    taken = buf_take(&buf, NULL);
    assert_string_equal(taken, "");
    mem_free(taken);
}

static void growth_is_geometric(void **state) {
    struct buf buf;
    buf_init(&buf, 1 * MiB);
    const uint64_t before = mem_alloc_count();
    for (size_t i = 0; i < 1 * MiB; i++)
        buf_putc(&buf, 'x');
    assert_false(buf.overflow);
    assert_in_range(mem_alloc_count() - before, 2, 20);
    assert_true(buf.cap <= 1 * MiB + 1);
    buf_deinit(&buf);
}

static void strings_are_replaced_from_the_left(void **state) {
    static const struct {
        const char *data, *from, *to, *wanted;
    } rows[] = {
        {"", "a", "b", ""},       {"aaa", "aa", "b", "ba"}, {"abab", "ab", "", ""},
        {"abc", "", "x", "abc"},  {"abc", "d", "x", "abc"}, {"a b", " ", "  ", "a  b"},
        {"end", "end", "e", "e"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf buf;
        buf_init(&buf, 64);
        buf_puts(&buf, "> ");
        buf_append_replaced(&buf, rows[i].data, strlen(rows[i].data), rows[i].from, rows[i].to);
        assert_string_equal(buf.data + 2, rows[i].wanted);
        buf_deinit(&buf);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appending_keeps_all_and_terminates),
        cmocka_unit_test(at_the_maximum_the_rest_is_dropped),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(reserved_room_is_taken_by_adding_to_len),
        cmocka_unit_test(taking_hands_the_bytes_over),
        cmocka_unit_test(growth_is_geometric),
        cmocka_unit_test(strings_are_replaced_from_the_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
