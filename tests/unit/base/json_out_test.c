/* Writing JSON: commas and nesting, escapes, numbers, and that what is written reads back.
 * The digits of floats have decimal_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/base.h"

static void commas_and_nesting(void **state) {
    struct buf buf;
    buf_init(&buf, 1000);
    struct json_out out = json_out_begin(&buf);
    json_open_array(&out);
    json_open_object(&out);
    json_key(&out, "a");
    json_int(&out, 1);
    json_key(&out, "b");
    json_open_array(&out);
    json_close_array(&out);
    json_key(&out, "c");
    json_open_object(&out);
    json_close_object(&out);
    json_key(&out, "d");
    json_string(&out, "x");
    json_close_object(&out);
    json_bool(&out, true);
    json_bool(&out, false);
    json_null(&out);
    json_double(&out, 0.1);
    json_float(&out, 0.1f);
    json_close_array(&out);
    assert_string_equal(buf.data,
                        "[{\"a\":1,\"b\":[],\"c\":{},\"d\":\"x\"},true,false,null,0.1,0.1]");
    assert_int_equal(out.depth, 0);
    buf_deinit(&buf);
}

static void strings_are_escaped(void **state) {
    static const struct {
        const char *text;
        size_t len;
        const char *want;
    } rows[] = {
        {"", 0, "\"\""},
        {"plain", 5, "\"plain\""},
        {"\"\\/", 3, "\"\\\"\\\\/\""},
        {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
        {"a\0b\x1F\x7F", 5, "\"a\\u0000b\\u001f\x7F\""},
        {"é€𝄞", 9, "\"é€𝄞\""},
        {"\xFFz\xC3", 3, "\"\xEF\xBF\xBDz\xEF\xBF\xBD\""},
        {"a\xED\xA0\x80", 4, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {"\xE2\x82\xAC\xE2\x82", 5, "\"€\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf buf;
        buf_init(&buf, 1000);
        struct json_out out = json_out_begin(&buf);
        json_string_n(&out, rows[i].text, rows[i].len);
        assert_string_equal(buf.data, rows[i].want);
        buf_deinit(&buf);
    }
}

static void every_code_point_reads_back(void **state) {
    struct buf buf;
    buf_init(&buf, 16 * MiB);
    char *text = mem_alloc(4 * 0x110000);
    size_t len = 0;
    for (uint32_t c = 0; c <= 0x10FFFF; c++)
        if (c < 0xD800 || c > 0xDFFF)
            len += utf8_put(text + len, c);
    struct json_out out = json_out_begin(&buf);
    json_string_n(&out, text, len);
    struct arena arena = {0};
    struct error err = {0};
    const struct json *value = NULL;
    assert_int_equal(json_parse(&value, &arena, buf.data, buf.len, JSON_STRICT, &err), STATUS_OK);
    assert_int_equal(value->len, len);
    assert_memory_equal(value->text, text, len);
    arena_deinit(&arena);
    mem_free(text);
    buf_deinit(&buf);
}

static void float_arrays(void **state) {
    struct buf buf;
    buf_init(&buf, 1 * MiB);
    struct json_out out = json_out_begin(&buf);
    const float some[] = {1.0f, -0.5f, 3.4028235e38f, 1e-45f, NAN, INFINITY, -INFINITY, 0.0f};
    json_open_array(&out);
    json_floats(&out, some, ARRAY_LEN(some));
    json_floats(&out, NULL, 0);
    json_floats(&out, some, 1);
    json_close_array(&out);
    assert_string_equal(buf.data, "[[1.0,-0.5,3.4028235e+38,1e-45,null,null,null,0.0],[],[1.0]]");
    buf_deinit(&buf);
}

/* Lengths around the block that is written at once; each must read back as the same float. */
static void long_float_arrays_read_back(void **state) {
    static const size_t lengths[] = {255, 256, 257, 511, 512, 513, 5000};
    static float values[5000];
    struct random random = {.seed = 7};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        values[i] = (float)(random_uniform(&random) * 4 - 2);
    for (size_t l = 0; l < ARRAY_LEN(lengths); l++) {
        struct buf buf;
        buf_init(&buf, 1 * MiB);
        struct json_out out = json_out_begin(&buf);
        json_floats(&out, values, lengths[l]);
        struct arena arena = {0};
        struct error err = {0};
        const struct json *value = NULL;
        assert_int_equal(json_parse(&value, &arena, buf.data, buf.len, JSON_STRICT, &err),
                         STATUS_OK);
        assert_int_equal(value->len, lengths[l]);
        for (size_t i = 0; i < lengths[l]; i++)
            assert_true((float)value->items[i].number == values[i]);
        arena_deinit(&arena);
        buf_deinit(&buf);
    }
}

static void trees_are_copied(void **state) {
    static const char text[] = "{\"a\":[1,2.50,-0,1e5,123456789012345678901234567890,null,true,"
                               "\"x\\ny\"],\"\\u0000\":{},\"é\":[[],{\"b\":false}]}";
    struct arena arena = {0};
    struct error err = {0};
    const struct json *value = NULL;
    assert_int_equal(json_parse(&value, &arena, text, sizeof text - 1, JSON_STRICT, &err),
                     STATUS_OK);
    struct buf buf;
    buf_init(&buf, 1000);
    struct json_out out = json_out_begin(&buf);
    json_open_array(&out);
    json_value(&out, value);
    json_value(&out, NULL);
    json_close_array(&out);
    struct buf want;
    buf_init(&want, 1000);
    buf_printf(&want, "[%s,null]", text);
    assert_string_equal(buf.data, want.data);
    buf_deinit(&want);
    buf_deinit(&buf);
    arena_deinit(&arena);
}

static void a_full_buffer_says_so(void **state) {
    struct buf buf;
    buf_init(&buf, 10);
    struct json_out out = json_out_begin(&buf);
    const float values[] = {1, 2, 3, 4, 5};
    json_floats(&out, values, ARRAY_LEN(values));
    assert_true(buf.overflow);
    assert_true(buf.len <= 10);
    buf_deinit(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_nesting),          cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(every_code_point_reads_back), cmocka_unit_test(float_arrays),
        cmocka_unit_test(long_float_arrays_read_back), cmocka_unit_test(trees_are_copied),
        cmocka_unit_test(a_full_buffer_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
