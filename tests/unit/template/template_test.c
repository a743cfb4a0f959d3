/* Templates that jinja2 cannot be asked about: limits, hostile ones, what is refused on purpose,
 * and rendering from several threads. What templates mean is in golden_test.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/resource.h>

#include "template/template.h"
#include "unit/measured.h"
#include "base/banned.h"

static const char variables_text[] = "{\"x\": 1, \"s\": \"abc\", \"l\": [1, 2, 3],"
                                     " \"big\": 123456789012345678901234567890}";

static enum status render(const char *source, size_t len, struct buf *out, struct error *err) {
    struct arena arena = {0};
    const struct json *variables = NULL;
    struct template *tmpl = NULL;
    assert_int_equal(json_parse(&variables, &arena, variables_text, sizeof(variables_text) - 1,
                                JSON_STRICT, err),
                     STATUS_OK);
    enum status status = template_parse(&tmpl, source, len, err);
    if (status == STATUS_OK)
        status = template_render(tmpl, out, variables, NULL, err);
    template_destroy(tmpl);
    arena_deinit(&arena);
    return status;
}

struct failing {
    const char *source, *error; /* a part of the text */
    enum error_code code;
};

static void test_errors_say_line_and_cause(void **state) {
    static const struct failing rows[] = {
        {"a\n{{ y.z }}", "line 2: 'y' is undefined", ERROR_INPUT},
        {"{% include 'a' %}", "'include' is not supported", ERROR_MODEL},
        {"{% extends 'a' %}", "'extends' is not supported", ERROR_MODEL},
        {"\n\n{% block a %}{% endblock %}", "line 3: the tag 'block'", ERROR_MODEL},
        {"{% autoescape true %}{% endautoescape %}", "'autoescape'", ERROR_MODEL},
        {"{{ raise_exception('no ' ~ x) }}", "no 1", ERROR_INPUT},
        {"{{ raise_exception('' ~ none_such) }}", "without a message", ERROR_INPUT},
        {"{{ raise_exception('\\x00\\x00no') }}", "  no", ERROR_INPUT},
        {"{{ l.append(4) }}", "access to attribute 'append' of 'list' object is unsafe.",
         ERROR_INPUT},
        {"{{ s.__class__.__mro__ }}", "access to attribute '__class__'", ERROR_INPUT},
        {"{{ 9223372036854775807 + x }}", "beyond 64 bits", ERROR_INPUT},
        {"{{ 2 ** 63 }}", "beyond 64 bits", ERROR_INPUT},
        {"{{ -9223372036854775807 - 2 }}", "beyond 64 bits", ERROR_INPUT},
        {"{{ 4611686018427387904 * 2 }}", "beyond 64 bits", ERROR_INPUT},
        {"{{ 99999999999999999999 }}", "beyond 64 bits", ERROR_MODEL},
        {"{{ big + 1 }}", "beyond 64 bits", ERROR_INPUT},
        {"{{ l|random }}", "not supported", ERROR_INPUT},
        {"\xff", "not UTF-8", ERROR_MODEL},
        {"{{ '\\N{DASH}' }}", "escape", ERROR_MODEL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error err = {0};
        struct buf out;
        buf_init(&out, MiB);
        if (render(rows[i].source, strlen(rows[i].source), &out, &err) == STATUS_OK)
            fail_msg("%s: no error, but \"%s\"", rows[i].source, out.data ? out.data : "");
        if (strstr(err.text, rows[i].error) == NULL || err.code != rows[i].code)
            fail_msg("%s: wanted \"%s\" (%s), got \"%s\" (%s)", rows[i].source, rows[i].error,
                     error_name(rows[i].code), err.text, error_name(err.code));
        assert_int_equal(out.len, 0);
        buf_deinit(&out);
    }
}

/* Each would take hours, gigabytes or the stack if nothing bounded it. */
static void test_hostile_templates_end_with_an_error(void **state) {
    static const struct failing rows[] = {
        {"{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "steps",
         ERROR_INPUT},
        {"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "levels", ERROR_INPUT},
        {"{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", "levels", ERROR_INPUT},
        {"{{ 'a' * 99999999999 }}", "MB", ERROR_INPUT},
        {"{{ 'x' * 10**9 }}", "MB", ERROR_INPUT},
        {"{{ 10**9 * 'x' }}", "MB", ERROR_INPUT},
        {"{{ 10**10**10 }}", "", ERROR_INPUT},
        {"{{ [1] * 99999999999 }}", "MB", ERROR_INPUT},
        {"{{ l * 4611686018427387904 }}", "MB", ERROR_INPUT},
        {"{% set ns = namespace(s='ab') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}"
         "{% endfor %}",
         "MB", ERROR_INPUT},
        {"{% set ns = namespace(l=[1]) %}{% for i in range(64) %}{% set ns.l = ns.l + ns.l %}"
         "{% endfor %}",
         "MB", ERROR_INPUT},
        {"{% set ns = namespace() %}{% set ns.a = ns %}{{ ns }}", "levels", ERROR_INPUT},
        {"{% set ns = namespace(l=[]) %}{% for i in range(90000) %}{% set ns.l = [ns.l] %}"
         "{% endfor %}{{ ns.l|tojson }}",
         "levels", ERROR_INPUT},
        {"{% set ns = namespace(g=l) %}{% for i in range(90000) %}"
         "{% set ns.g = ns.g|map('string') %}{% endfor %}{{ ns.g|list }}",
         "levels", ERROR_INPUT},
        {"{% set a = 'a' * 10000000 %}{{ a.rfind('a' * 5000000 ~ 'b') }}", "steps", ERROR_INPUT},
        {"{% set a = 'a' * 10000000 %}{% set d = dict([[a, 1]]) %}{% for i in range(99999) %}"
         "{{ d[a] }}{% endfor %}",
         "steps", ERROR_INPUT},
        {"{{ s.center(99999999999) }}", "wide", ERROR_INPUT},
        {"{{ '%99999999999d' % 1 }}", "format", ERROR_INPUT},
        {"{{ '{:99999999999}'.format(1) }}", "format", ERROR_INPUT},
        {"{{ s|indent(99999999999) }}", "MB", ERROR_INPUT},
        {"{% for i in range(10**9) %}{% endfor %}", "Range too big", ERROR_INPUT},
        {"{{ range(0, 9223372036854775807) }}", "Range too big", ERROR_INPUT},
        {"{{ range(-9223372036854775807, 9223372036854775807, 2) }}", "Range too big", ERROR_INPUT},
        {"{{ l|batch(9999999999, 0)|list }}", "", ERROR_INPUT},
        {"{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", "", ERROR_INPUT},
        {"{% for i in l recursive %}{{ loop(l) }}{% endfor %}", "levels", ERROR_INPUT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error err = {0};
        struct buf out;
        buf_init(&out, LIMIT_TEMPLATE_OUTPUT);
        if (render(rows[i].source, strlen(rows[i].source), &out, &err) == STATUS_OK)
            fail_msg("%s: no error", rows[i].source);
        if (strstr(err.text, rows[i].error) == NULL || err.code != rows[i].code)
            fail_msg("%s: wanted \"%s\", got \"%s\"", rows[i].source, rows[i].error, err.text);
        buf_deinit(&out);
    }
    struct rusage used;
    assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
    if (MEASURED)
        assert_in_range(used.ru_maxrss / 1024, 0, 500); /* MiB: the limits of memory and output */
}

/* `before` n times, then `middle`, then `after` n times. */
static void test_nesting_is_bounded_when_parsing(void **state) {
    static const struct {
        const char *before, *middle, *after;
    } rows[] = {
        {"{{ ", "", ""},
        {"(", "1", ")"},
        {"[", "", "]"},
        {"not ", "x", ""},
        {"- ", "x", ""},
        {"{% if x %}", "", "{% endif %}"},
        {"{'a': ", "1", "}"},
        {"s[", "1", "]"},
        {"f(", "1", ")"},
        {"x if x else ", "1", ""},
        {"{% for i in l %}", "", "{% endfor %}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error err = {0};
        struct buf source, out;
        const bool tag = rows[i].before[0] == '{' && rows[i].before[1] == '%';
        buf_init(&source, MiB);
        buf_init(&out, MiB);
        buf_puts(&source, tag ? "" : "{{ ");
        for (size_t n = 0; n < 5000; n++)
            buf_puts(&source, rows[i].before);
        buf_puts(&source, rows[i].middle);
        for (size_t n = 0; n < 5000; n++)
            buf_puts(&source, rows[i].after);
        buf_puts(&source, tag ? "" : " }}");
        if (render(source.data, source.len, &out, &err) == STATUS_OK)
            fail_msg("5000 times %s: no error", rows[i].before);
        assert_int_equal(err.code, ERROR_MODEL);
        buf_deinit(&source);
        buf_deinit(&out);
    }
}

/* Many names, and one long one, cost what they are long. */
static void test_names_are_bounded_when_parsing(void **state) {
    struct error err = {0};
    struct buf source, out;
    buf_init(&source, MiB);
    buf_init(&out, MiB);
    for (size_t n = 0; n < 20000; n++)
        buf_printf(&source, "{{n%zu}}", n);
    assert_int_equal(render(source.data, source.len, &out, &err), STATUS_OK);
    buf_reset(&source);
    buf_puts(&source, "{{ x|a");
    for (size_t n = 0; n < 100000; n++)
        buf_puts(&source, ".a");
    buf_puts(&source, " }}");
    assert_int_equal(render(source.data, source.len, &out, &err), STATUS_ERROR);
    assert_non_null(strstr(err.text, "a name has"));
    buf_deinit(&source);
    buf_deinit(&out);
}

static void test_long_chains_end_with_an_answer_or_an_error(void **state) {
    static const char *const links[] = {"+1", "~1", "|string", ".a", "[0]", " and 1", " == 1"};
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        struct error err = {0};
        struct buf source, out;
        buf_init(&source, MiB);
        buf_init(&out, MiB);
        buf_puts(&source, "{{ x");
        for (size_t n = 0; n < 20000; n++)
            buf_puts(&source, links[i]);
        buf_puts(&source, " }}");
        if (render(source.data, source.len, &out, &err) != STATUS_OK)
            assert_true(err.text[0] != 0);
        buf_deinit(&source);
        buf_deinit(&out);
    }
}

/* Text gathered by + in a loop costs what it is long, not its square. */
static void test_gathering_text_is_linear(void **state) {
    static const char source[] = "{% set ns = namespace(s='') %}{% for i in range(90000) %}"
                                 "{% set ns.s = ns.s + 'twenty characters ..' %}{% endfor %}"
                                 "{{ ns.s|length }}";
    struct error err = {0};
    struct buf out;
    buf_init(&out, MiB);
    assert_int_equal(render(source, sizeof(source) - 1, &out, &err), STATUS_OK);
    assert_string_equal(out.data, "1800000");
    buf_deinit(&out);
}

static void test_text_is_appended_and_zeros_are_kept(void **state) {
    struct error err = {0};
    struct buf out;
    buf_init(&out, MiB);
    buf_puts(&out, "before ");
    assert_int_equal(render("{{ 'a\\0b' }}{{ x }}", 19, &out, &err), STATUS_OK);
    assert_int_equal(out.len, 11);
    assert_memory_equal(out.data, "before a\0b1", 12);
    buf_deinit(&out);
}

#define THREADS 4
struct worker {
    const struct template *tmpl;
    const struct json *variables;
    bool good;
};

static void work(void *arg) {
    struct worker *worker = arg;
    worker->good = true;
    for (size_t i = 0; i < 200; i++) {
        struct error err = {0};
        struct buf out;
        buf_init(&out, MiB);
        worker->good &=
            template_render(worker->tmpl, &out, worker->variables, NULL, &err) == STATUS_OK &&
            strcmp(out.data, "1éa2éa3éa[0]é") == 0;
        buf_deinit(&out);
    }
}

static void test_threads_render_one_template(void **state) {
    static const char source[] = "{% macro m(a) %}{{ a }}{{ 'éa' }}{% endmacro %}"
                                 "{% for i in l %}{{ m(i) }}{% endfor %}{{ [0] ~ 'éa'[0] }}";
    struct arena arena = {0};
    struct error err = {0};
    struct template *tmpl = NULL;
    const struct json *variables = NULL;
    struct worker workers[THREADS];
    struct thread *threads[THREADS];
    assert_int_equal(json_parse(&variables, &arena, variables_text, sizeof(variables_text) - 1,
                                JSON_STRICT, &err),
                     STATUS_OK);
    assert_int_equal(template_parse(&tmpl, source, sizeof(source) - 1, &err), STATUS_OK);
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.tmpl = tmpl, .variables = variables};
        assert_int_equal(thread_start(&threads[i], "render", work, &workers[i], &err), STATUS_OK);
    }
    for (size_t i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    for (size_t i = 0; i < THREADS; i++)
        assert_true(workers[i].good);
    template_destroy(tmpl);
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_say_line_and_cause),
        cmocka_unit_test(test_hostile_templates_end_with_an_error),
        cmocka_unit_test(test_nesting_is_bounded_when_parsing),
        cmocka_unit_test(test_names_are_bounded_when_parsing),
        cmocka_unit_test(test_long_chains_end_with_an_answer_or_an_error),
        cmocka_unit_test(test_gathering_text_is_linear),
        cmocka_unit_test(test_text_is_appended_and_zeros_are_kept),
        cmocka_unit_test(test_threads_render_one_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
