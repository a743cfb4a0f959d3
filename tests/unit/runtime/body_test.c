/* The body of a request: its options, what is refused, and when two bodies are the same question.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/body.h"

static void options_are_read(void **state) {
    static const struct {
        const char *body;
        bool no_cache, wait_for_model;
    } rows[] = {
        {"{\"inputs\":\"x\"}", false, false},
        {"{\"inputs\":\"x\",\"options\":{}}", false, false},
        {"{\"inputs\":\"x\",\"options\":null}", false, false},
        {"{\"options\":{\"use_cache\":false}}", true, false},
        {"{\"options\":{\"use_cache\":true,\"wait_for_model\":true}}", false, true},
        {"{\"options\":{\"use_cache\":null,\"use_gpu\":true}}", false, false},
        {"\"just a text\"", false, false},
        {"[\"a\",\"b\"]", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct body_options options = {0};
        const struct json *body = NULL;
        assert_int_equal(
            body_parse(&body, &arena, rows[i].body, strlen(rows[i].body), &options, &err),
            STATUS_OK);
        assert_int_equal(options.no_cache, rows[i].no_cache);
        assert_int_equal(options.wait_for_model, rows[i].wait_for_model);
        arena_deinit(&arena);
    }
}

static void bad_bodies_are_named(void **state) {
    static const struct {
        const char *body, *text;
    } rows[] = {
        {"", "empty"},
        {"{", "line 1"},
        {"{\"inputs\":NaN}", "line 1"},
        {"{\"inputs\":\"\xFF\"}", "not valid UTF-8: byte 0xff at offset 11"},
        {"{\"options\":{\"use_cache\":\"no\"}}", "use_cache"},
        {"{\"options\":{\"wait_for_model\":1}}", "wait_for_model"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct body_options options = {0};
        const struct json *body = NULL;
        assert_int_equal(
            body_parse(&body, &arena, rows[i].body, strlen(rows[i].body), &options, &err),
            STATUS_ERROR);
        assert_int_equal(err.code, ERROR_INPUT);
        if (strstr(err.text, rows[i].text) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", rows[i].body, err.text, rows[i].text);
        assert_null(body);
        arena_deinit(&arena);
    }
}

static const struct json *parsed(struct arena *arena, const char *text) {
    struct error err = {0};
    const struct json *value = NULL;
    assert_int_equal(json_parse(&value, arena, text, strlen(text), JSON_STRICT, &err), STATUS_OK);
    return value;
}

static void questions(void **state) {
    static const struct {
        const char *body, *question;
    } rows[] = {
        {"{ \"inputs\" : \"x\" }", "{\"inputs\":\"x\"}"},
        {"{\"options\":{\"use_cache\":true},\"inputs\":\"x\"}", "{\"inputs\":\"x\"}"},
        {"{\"inputs\":\"x\",\"parameters\":{\"options\":1}}",
         "{\"inputs\":\"x\",\"parameters\":{\"options\":1}}"},
        /* what changes the answer is part of the question */
        {"{\"options\":{\"use_cache\":true,\"zero_shot_form\":\"list\"},\"inputs\":\"x\"}",
         "{\"inputs\":\"x\",\"options\":{\"zero_shot_form\":\"list\"}}"},
        /* a key with a zero inside is another key */
        {"{\"options\\u0000\":1,\"inputs\":\"x\"}", "{\"options\\u0000\":1,\"inputs\":\"x\"}"},
        {"[1, 2.50]", "[1,2.50]"},
        {"\"x\"", "\"x\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        struct buf buf;
        buf_init(&buf, 1000);
        body_write_question(&buf, parsed(&arena, rows[i].body));
        assert_string_equal(buf.data, rows[i].question);
        buf_deinit(&buf);
        arena_deinit(&arena);
    }
}

static void zero_shot_form(void **state) {
    static const struct {
        const char *body, *form;
    } rows[] = {
        {"{\"inputs\":\"x\"}", "list"},
        {"{\"inputs\":\"x\",\"options\":{\"use_cache\":false}}", "list"},
        {"{\"inputs\":\"x\",\"options\":{\"zero_shot_form\":\"dict\"}}", "dict"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        const struct json *before = parsed(&arena, rows[i].body);
        const struct json *body = body_with_zero_shot_list(before, &arena);
        const struct json *options = json_get(body, "options");
        assert_string_equal(json_get_string(options, "zero_shot_form", ""), rows[i].form);
        assert_string_equal(json_get_string(body, "inputs", ""), "x");
        assert_int_equal(json_get_bool(options, "use_cache", true),
                         json_get_bool(json_get(before, "options"), "use_cache", true));
        arena_deinit(&arena);
    }
    struct arena arena = {0};
    const struct json *text = parsed(&arena, "\"x\"");
    assert_ptr_equal(body_with_zero_shot_list(text, &arena), text);
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_read),
        cmocka_unit_test(bad_bodies_are_named),
        cmocka_unit_test(questions),
        cmocka_unit_test(zero_shot_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
