/* What jinja2 made of each template of tests/golden/template must come out here, to the byte, and
 * where it failed this must fail, with the same words where they are jinja2's. The goldens are made
 * by tools/goldens/template.py. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "template/template.h"
#include "base/banned.h"

#define FOLDER "tests/golden/template/"

static const struct json *read_golden(struct arena *arena, const char *name) {
    struct error err = {0};
    char *data = NULL;
    size_t len = 0;
    const struct json *json = NULL;
    const char *path = path_join(arena, FOLDER, name);
    if (file_read(&data, &len, arena, path, LIMIT_JSON_FILE, &err) != STATUS_OK ||
        json_parse(&json, arena, data, len, JSON_STRICT, &err) != STATUS_OK)
        fail_msg("%s: %s", path, err.text);
    return json;
}

/* "line 3: " is ours. */
static const char *without_line(const char *text) {
    const char *colon = strstr(text, ": ");
    return strncmp(text, "line ", 5) == 0 && colon != NULL ? colon + 2 : text;
}

/* The template, parsed or not, against one answer. */
static void check(const char *name, const struct template *tmpl, const struct error *parse_error,
                  const struct json *source, const struct json *variables, int64_t now_s,
                  const struct json *answer) {
    const struct template_options options = {.now_s = now_s};
    const struct json *text = json_get(answer, "text");
    const char *want = json_get_string(answer, "error", "");
    struct error err = *parse_error;
    struct buf out;
    buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
    const bool rendered =
        tmpl != NULL && template_render(tmpl, &out, variables, &options, &err) == STATUS_OK;
    const char *got = out.data == NULL ? "" : out.data;
    if (text == NULL && rendered)
        fail_msg("%s\ntemplate: %s\nwanted an error: %s\ngot: %s", name, source->text, want, got);
    if (text == NULL && *want != 0 && strcmp(want, without_line(err.text)) != 0)
        fail_msg("%s\ntemplate: %s\nwanted the error: %s\ngot: %s", name, source->text, want,
                 err.text);
    if (text != NULL && !rendered)
        fail_msg("%s\ntemplate: %s\nwanted: %s\ngot the error: %s", name, source->text, text->text,
                 err.text);
    if (text != NULL && (text->len != out.len || memcmp(text->text, got, out.len) != 0))
        fail_msg("%s\ntemplate: %s\nwanted: %s\ngot: %s", name, source->text, text->text, got);
    buf_deinit(&out);
}

static void test_families_render_as_jinja2(void **state) {
    struct arena arena = {0};
    const struct json *golden = read_golden(&arena, "families.json");
    const struct json *chats = json_get(golden, "chats"), *rows = json_get(golden, "templates");
    assert_true(rows->len >= 30);
    for (size_t i = 0; i < rows->len; i++) {
        const struct json *row = json_at(rows, i), *source = json_get(row, "template");
        struct template *tmpl = NULL;
        struct error err = {0};
        if (template_parse(&tmpl, source->text, source->len, &err) != STATUS_OK)
            fail_msg("%s: %s", json_get_string(row, "name", ""), err.text);
        for (size_t j = 0; j < chats->len; j++)
            check(json_get_string(row, "name", ""), tmpl, &err, source, json_at(chats, j),
                  json_get_int(golden, "now", 0), json_at(json_get(row, "answers"), j));
        template_destroy(tmpl);
    }
    arena_deinit(&arena);
}

static void test_expressions_and_statements_are_jinja2s(void **state) {
    struct arena arena = {0};
    const struct json *golden = read_golden(&arena, "expressions.json");
    const struct json *cases = json_get(golden, "cases");
    assert_true(cases->len >= 600);
    for (size_t i = 0; i < cases->len; i++) {
        const struct json *row = json_at(cases, i), *source = json_get(row, "template");
        struct template *tmpl = NULL;
        struct error err = {0};
        if (template_parse(&tmpl, source->text, source->len, &err) != STATUS_OK)
            assert_null(tmpl);
        check("expression", tmpl, &err, source, json_get(golden, "variables"),
              json_get_int(golden, "now", 0), row);
        template_destroy(tmpl);
    }
    arena_deinit(&arena);
}

int main(void) {
    setenv("TZ", "UTC", 1); /* the goldens' time zone */
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families_render_as_jinja2),
        cmocka_unit_test(test_expressions_and_statements_are_jinja2s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
