/* The machine: sane figures, a clock that does not go back, one escaped line a log call.
 * Control groups have cgroup_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

static void the_clock_goes_forward(void **state) {
    const uint64_t start = clock_now_ns();
    uint64_t last = start;
    for (int i = 0; i < 1000; i++) {
        const uint64_t now = clock_now_ns();
        assert_true(now >= last);
        last = now;
    }
    const double seconds = clock_seconds_since(start);
    assert_true(seconds > 0 && seconds < 60);
}

static void figures_of_the_machine_are_sane(void **state) {
    const uint32_t cores = system_cores();
    assert_in_range(cores, 1, sysconf(_SC_NPROCESSORS_CONF));
    const size_t memory = system_memory(), rss = system_rss();
    assert_true(memory >= 64 * MiB);
    assert_true(rss > 100 * KiB && rss < 64 * GiB);
}

static void affinity_counts(void **state) {
    cpu_set_t before, one;
    if (sched_getaffinity(0, sizeof before, &before) != 0)
        skip();
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(system_cores(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

/* What the calls made inside write to stderr. */
static void catch_stderr(char *out, size_t size, void (*calls)(void)) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    calls();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    size_t n = 0;
    for (ssize_t got; n + 1 < size && (got = read(ends[0], out + n, size - 1 - n)) > 0;)
        n += (size_t)got;
    out[n] = 0;
    close(ends[0]);
}

static void log_hostile(void) {
    log_info("a\nb\rc\td\x1B[31m\x7F"
             "\xC2\x9B"
             "é%s",
             "\n2099-01-01T00:00:00.000Z error forged");
}

static void control_characters_cannot_forge_a_line(void **state) {
    char text[1000];
    catch_stderr(text, sizeof text, log_hostile);
    /* 2024-05-01T12:00:00.123Z info  a... */
    assert_int_equal(text[10], 'T');
    assert_int_equal(text[23], 'Z');
    assert_string_equal(text + 25, "info  a\\nb\\x0dc\\td\\x1b[31m\\x7f\\x9bé"
                                   "\\n2099-01-01T00:00:00.000Z error forged\n");
}

static void log_all_levels(void) {
    log_set_level(LOG_WARN);
    log_write(LOG_DEBUG, "one");
    log_info("two");
    log_warn("three");
    log_error("four");
    log_set_level(LOG_INFO);
}

static void levels_below_the_set_one_are_silent(void **state) {
    char text[1000];
    catch_stderr(text, sizeof text, log_all_levels);
    assert_null(strstr(text, "one"));
    assert_null(strstr(text, "two"));
    assert_non_null(strstr(text, " warn  three\n"));
    assert_non_null(strstr(text, " error four\n"));
}

static void log_long(void) {
    log_info("%0*d", 3 * LIMIT_LOG_LINE, 7);
    log_info("%*s", LIMIT_LOG_LINE, "\x01");
    static char controls[2 * LIMIT_LOG_LINE];
    memset(controls, 1, sizeof controls - 1);
    log_info("%s", controls);
}

static void long_lines_are_cut(void **state) {
    static char text[10 * LIMIT_LOG_LINE];
    catch_stderr(text, sizeof text, log_long);
    int lines = 0;
    for (const char *s = text; *s; lines++) {
        const char *end = strchr(s, '\n');
        assert_non_null(end);
        assert_in_range(end - s, 100, LIMIT_LOG_LINE);
        s = end + 1;
    }
    assert_int_equal(lines, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_clock_goes_forward),
        cmocka_unit_test(figures_of_the_machine_are_sane),
        cmocka_unit_test(affinity_counts),
        cmocka_unit_test(control_characters_cannot_forge_a_line),
        cmocka_unit_test(levels_below_the_set_one_are_silent),
        cmocka_unit_test(long_lines_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
