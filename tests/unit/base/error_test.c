/* Errors as values: codes, truncation at code points, prefixes. Panic ends the process, so it is
 * tried in a child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

static void an_error_holds_its_code_and_text(void **state) {
    struct error err = {.estimated_time_s = 3};
    assert_int_equal(ERR(&err, INPUT, "top_k is %d, must be at least %d", -1, 1), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_INPUT);
    assert_string_equal(err.text, "top_k is -1, must be at least 1");
    assert_true(err.estimated_time_s == 0);
}

static void context_goes_in_front(void **state) {
    struct error err = {0};
    (void)ERR(&err, MODEL, "hidden_size is %d", 0);
    assert_int_equal(error_prefix(&err, "%s: ", "config.json"), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_MODEL);
    assert_string_equal(err.text, "config.json: hidden_size is 0");
}

static void an_error_may_quote_itself(void **state) {
    struct error err = {0};
    (void)ERR(&err, INPUT, "inner");
    (void)ERR(&err, MODEL, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
    error_prefix(&err, "<%s> ", err.text);
    assert_string_equal(err.text, "<outer (inner)> outer (inner)");
}

/* Every length around the limit, so that the cut falls on each byte of each sequence. */
static void a_cut_never_splits_a_code_point(void **state) {
    static const char *const units[] = {"a", "é", "€", "𝄞"};
    for (size_t u = 0; u < ARRAY_LEN(units); u++)
        for (size_t shift = 0; shift < 5; shift++) {
            char text[2 * LIMIT_ERROR_TEXT + 8] = "";
            memset(text, 'x', shift);
            size_t len = shift;
            while (len < LIMIT_ERROR_TEXT + 4) {
                memcpy(text + len, units[u], strlen(units[u]) + 1);
                len += strlen(units[u]);
            }
            struct error err = {0};
            (void)ERR(&err, INPUT, "%s", text);
            const size_t got = strlen(err.text);
            assert_true(utf8_valid(err.text, got, NULL));
            assert_in_range(got, LIMIT_ERROR_TEXT - 4, LIMIT_ERROR_TEXT - 1);
            error_prefix(&err, "%s", text);
            assert_true(utf8_valid(err.text, strlen(err.text), NULL));
            assert_memory_equal(err.text, text, strlen(err.text));
        }
}

/* What a precision ("%.3s") cuts inside, and bytes that are no text. */
static void broken_characters_become_question_marks(void **state) {
    static const struct {
        const char *quoted, *text;
    } rows[] = {
        {"aé", "aé: 1"},
        {"aa€", "aa?: 1"},
        {"\xED\xA0\x80", "???: 1"},
        {"\xFF", "?: 1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error err = {0};
        (void)ERR(&err, INPUT, "%.3s: 1", rows[i].quoted);
        assert_string_equal(err.text, rows[i].text);
    }
}

static void codes_map_to_http_and_exit(void **state) {
    static const struct {
        enum error_code code;
        const char *name;
        int http, exit_code;
    } rows[] = {
        {ERROR_NONE, "NONE", 200, 0},           {ERROR_INPUT, "INPUT", 400, 2},
        {ERROR_NOT_FOUND, "NOT_FOUND", 404, 3}, {ERROR_LOADING, "LOADING", 503, 6},
        {ERROR_INTERNAL, "INTERNAL", 500, 70},  {(enum error_code)999, "INTERNAL", 500, 70}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(error_name(rows[i].code), rows[i].name);
        assert_int_equal(error_http_status(rows[i].code), rows[i].http);
        assert_int_equal(error_exit_code(rows[i].code), rows[i].exit_code);
    }
}

static void panic_says_where_and_aborts(void **state) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        panic("some.c", 12, "value %d", 7);
    }
    close(ends[1]);
    char text[256] = "";
    const ssize_t n = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_true(n > 0);
    assert_string_equal(text, "panic at some.c:12: value 7\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_holds_its_code_and_text),
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(an_error_may_quote_itself),
        cmocka_unit_test(a_cut_never_splits_a_code_point),
        cmocka_unit_test(broken_characters_become_question_marks),
        cmocka_unit_test(codes_map_to_http_and_exit),
        cmocka_unit_test(panic_says_where_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
