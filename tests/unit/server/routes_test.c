/* Matching paths: which route and words a path gives, which methods it has, and which paths are no
 * paths at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "server/routes.h"

static void paths_find_their_route(void **state) {
    static const struct {
        enum method method;
        const char *path, *route, *id, *task; /* route NULL: none */
    } rows[] = {
        {METHOD_GET, "/health", "/health", "", ""},
        {METHOD_POST, "/models/gpt2", "/models/{id}", "gpt2", ""},
        {METHOD_POST, "/models/org/name", "/models/{id}", "org/name", ""},
        {METHOD_GET, "/models/org/name", "/models/{id}", "org/name", ""},
        {METHOD_POST, "/pipeline/fill-mask/org/name", "/pipeline/{task}/{id}", "org/name",
         "fill-mask"},
        {METHOD_POST, "/pipeline/fill-mask/bert", "/pipeline/{task}/{id}", "bert", "fill-mask"},
        {METHOD_POST, "/models/bert/pipeline/ner", "/models/{id}/pipeline/{task}", "bert", "ner"},
        {METHOD_POST, "/models/o/bert/pipeline/ner", "/models/{id}/pipeline/{task}", "o/bert",
         "ner"},
        {METHOD_GET, "/status/o/n", "/status/{id}", "o/n", ""},
        {METHOD_GET, "/", NULL, "", ""},
        {METHOD_GET, "", NULL, "", ""},
        {METHOD_GET, "/healthy", NULL, "", ""},
        {METHOD_GET, "/health/x", NULL, "", ""},
        {METHOD_POST, "/models", NULL, "", ""},
        {METHOD_POST, "/models/", NULL, "", ""},
        {METHOD_POST, "/models//x", NULL, "", ""},
        {METHOD_POST, "/models/a/b/c", NULL, "", ""},
        {METHOD_POST, "/models/a//pipeline/ner", NULL, "", ""},
        {METHOD_POST, "/pipeline/fill-mask", NULL, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_words words;
        unsigned allowed = 0;
        const struct route *route = routes_find(rows[i].method, rows[i].path, &words, &allowed);
        if ((route == NULL) != (rows[i].route == NULL) ||
            (route != NULL && strcmp(route->path, rows[i].route) != 0))
            fail_msg("%s: %s", rows[i].path, route == NULL ? "none" : route->path);
        if (route == NULL) {
            assert_int_equal(allowed, 0);
            continue;
        }
        assert_int_equal(route->method, rows[i].method);
        assert_string_equal(words.id, rows[i].id);
        assert_string_equal(words.task, rows[i].task);
    }
}

static void wrong_methods_are_told_the_right_ones(void **state) {
    static const struct {
        enum method method;
        const char *path;
        unsigned allowed;
    } rows[] = {
        {METHOD_POST, "/health", 1u << METHOD_GET},
        {METHOD_OTHER, "/models/x", 1u << METHOD_GET | 1u << METHOD_POST},
        {METHOD_GET, "/pipeline/fill-mask/x", 1u << METHOD_POST},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct route_words words;
        unsigned allowed = 0;
        assert_null(routes_find(rows[i].method, rows[i].path, &words, &allowed));
        assert_int_equal(allowed, rows[i].allowed);
    }
}

static void long_words_fit_or_are_refused(void **state) {
    char path[LIMIT_PATH] = "/models/";
    const size_t at = strlen(path);
    struct route_words words;
    unsigned allowed = 0;
    memset(path + at, 'a', LIMIT_MODEL_ID);
    assert_non_null(routes_find(METHOD_POST, path, &words, &allowed));
    path[at + LIMIT_MODEL_ID] = 'a';
    assert_null(routes_find(METHOD_POST, path, &words, &allowed));
}

static void every_route_answers_to_its_own_path(void **state) {
    for (size_t i = 0; i < routes_count(); i++) {
        struct route_words words;
        unsigned allowed = 0;
        const struct route *row = routes_at(i);
        assert_ptr_equal(routes_find(row->method, row->path, &words, &allowed), row);
        assert_true(row->summary[0] != '\0');
        if (i > 0)
            assert_true(strcmp(routes_at(i - 1)->path, row->path) <= 0); /* sorted */
    }
}

static void methods(void **state) {
    assert_int_equal(method_parse("GET"), METHOD_GET);
    assert_int_equal(method_parse("HEAD"), METHOD_GET);
    assert_int_equal(method_parse("POST"), METHOD_POST);
    assert_int_equal(method_parse("post"), METHOD_OTHER);
    assert_int_equal(method_parse("BREW"), METHOD_OTHER);
    assert_string_equal(method_name(METHOD_POST), "POST");
}

static void escapes(void **state) {
    static const struct {
        const char *path, *decoded; /* NULL: refused */
    } rows[] = {
        {"/models/a", "/models/a"},
        {"/models/o%2Fn", "/models/o/n"},
        {"/models/o%2fn", "/models/o/n"},
        {"/models/a/", "/models/a"},
        {"/", "/"},
        {"/a%20b", "/a b"},
        {"/caf%C3%A9", "/caf\xC3\xA9"},
        {"/a%", NULL},
        {"/a%2", NULL},
        {"/a%zz", NULL},
        {"/a%00b", NULL},
        {"/a%0", NULL},
        {"/a%FF", NULL},
        {"/a\xFF", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char out[64];
        const bool ok = path_decode(rows[i].path, out, sizeof(out));
        if (ok != (rows[i].decoded != NULL) || (ok && strcmp(out, rows[i].decoded) != 0))
            fail_msg("%s: %s", rows[i].path, ok ? out : "refused");
    }
    char out[8];
    assert_true(path_decode("/123456", out, sizeof(out)));
    assert_false(path_decode("/1234567", out, sizeof(out)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_route),
        cmocka_unit_test(wrong_methods_are_told_the_right_ones),
        cmocka_unit_test(long_words_fit_or_are_refused),
        cmocka_unit_test(every_route_answers_to_its_own_path),
        cmocka_unit_test(methods),
        cmocka_unit_test(escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
