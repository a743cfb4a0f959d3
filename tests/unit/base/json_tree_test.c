/* Looking things up in a tree: defaults, types, integers, and the hash of large objects.
 * Reading itself has json_in_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/base.h"

static struct arena arena;

static const struct json *tree(const char *text) {
    struct error err = {0};
    const struct json *value = NULL;
    if (json_parse(&value, &arena, text, strlen(text), JSON_PYTHON, &err) != STATUS_OK)
        fail_msg("%s: %s", text, err.text);
    return value;
}

static int forget(void **state) {
    arena_deinit(&arena);
    return 0;
}

static void members_and_elements_are_found(void **state) {
    const struct json *value = tree("{\"a\":{\"b\":[10,20]},\"\":0,\"x\\u0000y\":7}");
    assert_int_equal(json_at(json_get(json_get(value, "a"), "b"), 1)->number, 20);
    assert_null(json_at(json_get(json_get(value, "a"), "b"), 2));
    assert_null(json_get(value, "A"));
    assert_non_null(json_get(value, ""));
    assert_null(json_get(value, "x"));
    assert_int_equal(json_get_n(value, "x\0y", 3)->number, 7);
}

static void nothing_and_wrong_types_answer_as_absent(void **state) {
    const struct json *values[] = {NULL, tree("null"), tree("[1]"), tree("\"text\""), tree("5")};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        assert_null(json_get(values[i], "a"));
        assert_string_equal(json_get_string(values[i], "a", "other"), "other");
        assert_null(json_get_string(values[i], "a", NULL));
        assert_true(json_get_number(values[i], "a", 1.5) == 1.5);
        assert_int_equal(json_get_int(values[i], "a", 3), 3);
        assert_true(json_get_bool(values[i], "a", true));
    }
    assert_null(json_at(NULL, 0));
    assert_null(json_at(tree("{}"), 0));
    assert_false(json_is(NULL, JSON_NULL));
    assert_true(json_is_null(NULL));
    assert_true(json_is_null(tree("null")));
    assert_false(json_is_null(tree("0")));
    int64_t out = 9;
    assert_false(json_to_int(NULL, &out));
    assert_int_equal(out, 9);
}

static void merged_objects_have_the_members_of_both(void **state) {
    const struct json *few = json_merge(&arena, tree("{\"a\":1,\"b\":2}"), tree("{\"b\":null}"));
    assert_int_equal(few->len, 2);
    assert_int_equal(json_get_int(few, "a", 0), 1);
    assert_true(json_is(json_get(few, "b"), JSON_NULL));
    assert_int_equal(json_merge(&arena, tree("{}"), tree("{}"))->len, 0);
    /* Past the size from which objects have an index, which neither half has. */
    const struct json *many = json_merge(
        &arena, tree("{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9}"),
        tree("{\"i\":19,\"j\":10,\"k\":11,\"l\":12,\"m\":13,\"n\":14,\"o\":15,\"p\":16,\"q\":17}"));
    assert_int_equal(many->len, 17);
    assert_int_equal(json_get_int(many, "a", 0), 1);
    assert_int_equal(json_get_int(many, "i", 0), 19);
    assert_int_equal(json_get_int(many, "q", 0), 17);
}

static void defaults_stand_in_for_null_and_other_types(void **state) {
    const struct json *value = tree("{\"n\":null,\"s\":\"t\",\"i\":4,\"f\":2.5,\"b\":false}");
    assert_string_equal(json_get_string(value, "s", "d"), "t");
    assert_string_equal(json_get_string(value, "n", "d"), "d");
    assert_string_equal(json_get_string(value, "i", "d"), "d");
    assert_int_equal(json_get_int(value, "i", 1), 4);
    assert_int_equal(json_get_int(value, "f", 1), 1);
    assert_int_equal(json_get_int(value, "s", 1), 1);
    assert_true(json_get_number(value, "f", 1) == 2.5);
    assert_true(json_get_number(value, "b", 1) == 1);
    assert_false(json_get_bool(value, "b", true));
    assert_true(json_get_bool(value, "i", true));
}

static void texts_are_compared_whole(void **state) {
    assert_true(json_equals(tree("\"abc\""), "abc"));
    assert_false(json_equals(tree("\"abcd\""), "abc"));
    assert_false(json_equals(tree("\"ab\""), "abc"));
    assert_false(json_equals(tree("\"abc\\u0000\""), "abc"));
    assert_false(json_equals(tree("5"), "5"));
    assert_false(json_equals(NULL, ""));
}

static void integers_are_exact_or_refused(void **state) {
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"9007199254740993", true, 9007199254740993},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"100000000000000000000000", false, 0},
        {"5.0", true, 5},
        {"1e3", true, 1000},
        {"-2.50e1", true, -25},
        {"1.5", false, 0},
        {"1e19", false, 0},
        {"1e999", false, 0},
        {"NaN", false, 0},
        {"-Infinity", false, 0},
        {"\"5\"", false, 0},
        {"true", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t out = 77;
        if (json_to_int(tree(rows[i].text), &out) != rows[i].ok)
            fail_msg("%s: wanted %s", rows[i].text, rows[i].ok ? "an integer" : "a refusal");
        assert_int_equal(out, rows[i].ok ? rows[i].value : 77);
    }
}

/* Around the size where the index starts, with and without duplicates. */
static void small_and_indexed_objects_agree(void **state) {
    for (int n = 0; n < 70; n++)
        for (int distinct = 1; distinct <= n; distinct += 1 + n / 8) {
            struct buf buf;
            buf_init(&buf, 1 * MiB);
            buf_putc(&buf, '{');
            for (int i = 0; i < n; i++)
                buf_printf(&buf, "%s\"%d\":%d", i ? "," : "", i % distinct * 7919, i);
            buf_putc(&buf, '}');
            const struct json *value = tree(buf.data);
            assert_int_equal(value->len, distinct);
            assert_int_equal(value->index != NULL, n >= 16);
            for (int k = 0; k < distinct; k++) {
                char key[16];
                snprintf(key, sizeof key, "%d", k * 7919);
                const int last = (n - 1 - k) / distinct * distinct + k;
                assert_int_equal(json_get_int(value, key, -1), last);
                assert_string_equal(value->members[k].key, key);
            }
            assert_null(json_get(value, "1"));
            buf_deinit(&buf);
        }
}

static void types_have_names(void **state) {
    assert_string_equal(json_type_name(JSON_STRING), "string");
    assert_string_equal(json_type_name(JSON_OBJECT), "object");
    assert_string_equal(json_type_name((enum json_type)99), "value");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(members_and_elements_are_found, forget),
        cmocka_unit_test_teardown(nothing_and_wrong_types_answer_as_absent, forget),
        cmocka_unit_test_teardown(merged_objects_have_the_members_of_both, forget),
        cmocka_unit_test_teardown(defaults_stand_in_for_null_and_other_types, forget),
        cmocka_unit_test_teardown(texts_are_compared_whole, forget),
        cmocka_unit_test_teardown(integers_are_exact_or_refused, forget),
        cmocka_unit_test_teardown(small_and_indexed_objects_agree, forget),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
