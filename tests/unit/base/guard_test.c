/* Mapped files that become shorter while they are read: zeros and a mark, no signal; files changed
 * or replaced meanwhile; and faults outside the guards end the process as ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

static char path[64];

static int file_make(void **state) {
    snprintf(path, sizeof path, "/tmp/brisk-guard-test-XXXXXX");
    const int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int file_remove(void **state) {
    return unlink(path);
}

static size_t page(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void fill(const char *at, size_t pages) {
    FILE *file = fopen(at, "w");
    assert_non_null(file);
    for (size_t i = 0; i < pages * page(); i++)
        assert_int_equal(fputc(7, file), 7);
    assert_int_equal(fclose(file), 0);
}

static void opened(struct file_map *map) {
    struct error err = {0};
    if (file_map_open(map, path, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void a_file_cut_off_reads_as_zeros_and_is_told(void **state) {
    struct file_map map, other;
    fill(path, 5);
    opened(&map);
    opened(&other);
    assert_true(file_map_is_intact(&map, path));
    assert_int_equal(truncate(path, (off_t)(2 * page())), 0);
    assert_int_equal(map.data[0], 7);
    assert_int_equal(map.data[2 * page() - 1], 7);
    assert_int_equal(map.data[3 * page()], 0);
    assert_int_equal(map.data[5 * page() - 1], 0);
    assert_int_equal(map.data[2 * page()], 0);
    assert_true(guard_was_needed(map.guard));
    assert_false(guard_was_needed(other.guard));
    assert_false(file_map_is_intact(&map, path));
    assert_false(file_map_is_intact(&other, path)); /* not read, but no longer what it was */
    file_map_close(&map);
    assert_int_equal(other.data[4 * page()], 0); /* each mapping has a guard of its own */
    file_map_close(&other);
}

static void a_changed_file_is_told_a_replaced_one_is_not(void **state) {
    struct file_map map;
    struct error err = {0};
    fill(path, 1);
    opened(&map);
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0); /* as after any write */
    assert_false(file_map_is_intact(&map, path));
    file_map_close(&map);
    opened(&map);
    assert_int_equal(file_write_durable(path, "x", 1, &err), STATUS_OK); /* by another name */
    assert_true(file_map_is_intact(&map, path));
    assert_int_equal(map.data[page() - 1], 7);
    file_map_close(&map);
}

/* More mappings than there are guards: all work, the last ones unguarded. */
static void guards_are_many_but_not_endless(void **state) {
    static struct guard *guards[5000];
    size_t taken = 0;
    for (size_t i = 0; i < ARRAY_LEN(guards); i++) {
        guards[i] = guard_take(path, 1);
        taken += guards[i] != NULL;
    }
    assert_in_range(taken, 2 * LIMIT_SHARDS, ARRAY_LEN(guards) - 1);
    assert_false(guard_was_needed(NULL));
    for (size_t i = 0; i < ARRAY_LEN(guards); i++)
        guard_drop(guards[i]);
    struct guard *again = guard_take(path, 1);
    assert_non_null(again);
    guard_drop(again);
}

static void other_faults_end_the_process(void **state) {
    struct file_map map;
    fill(path, 2);
    opened(&map); /* the handler is there */
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const int fd = open(path, O_RDONLY), quiet = open("/dev/null", O_WRONLY);
        const volatile char *raw = mmap(NULL, 2 * page(), PROT_READ, MAP_SHARED, fd, 0);
        dup2(quiet, 1); /* cmocka's word that this test failed */
        dup2(quiet, 2); /* what a sanitizer says of it */
        if (raw == MAP_FAILED || truncate(path, 0) != 0)
            _exit(0);
        path[0] = 0; /* cmocka's handler, the one before ours, tears down here, too */
        (void)raw[page()];
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(status != 0);
    file_map_close(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_cut_off_reads_as_zeros_and_is_told),
        cmocka_unit_test(a_changed_file_is_told_a_replaced_one_is_not),
        cmocka_unit_test(guards_are_many_but_not_endless),
        cmocka_unit_test(other_faults_end_the_process),
    };
    return cmocka_run_group_tests(tests, file_make, file_remove);
}
