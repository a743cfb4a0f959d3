/* Files in a temporary folder: mapping, reading, durable writing, listing, paths, refusals.
 * That a write survives a power cut cannot be seen from here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

static char folder[64];
static struct arena arena;

static int folder_make(void **state) {
    snprintf(folder, sizeof folder, "/tmp/brisk-file-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove(void **state) {
    char **names = folder_list(&arena, folder);
    for (size_t i = 0; names && names[i]; i++) {
        const char *path = path_join(&arena, folder, names[i]);
        if (unlink(path) < 0)
            rmdir(path);
    }
    arena_deinit(&arena);
    return rmdir(folder);
}

static const char *in_folder(const char *name) {
    return path_join(&arena, folder, name);
}

static void write_file(const char *name, const void *data, size_t len) {
    struct error err = {0};
    if (file_write_durable(in_folder(name), data, len, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void what_is_written_is_read_and_mapped(void **state) {
    static const size_t sizes[] = {0, 1, 4095, 4096, 100000, 3 * MiB + 7};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        const size_t size = sizes[i];
        char *data = mem_alloc(size);
        for (size_t j = 0; j < size; j++)
            data[j] = (char)(j * 31 + i);
        write_file("data", data, size);
        struct error err = {0};
        struct file_map map;
        assert_int_equal(file_map_open(&map, in_folder("data"), &err), STATUS_OK);
        assert_int_equal(map.size, size);
        assert_int_equal(map.data == NULL, size == 0);
        if (size > 0)
            assert_memory_equal(map.data, data, size);
        file_map_close(&map);
        assert_null(map.data);
        file_map_close(&map);
        char *text = NULL;
        size_t len = 99;
        assert_int_equal(file_read(&text, &len, &arena, in_folder("data"), size, &err), STATUS_OK);
        assert_int_equal(len, size);
        assert_int_equal(text[len], 0);
        if (size > 0) {
            assert_memory_equal(text, data, size);
            text = NULL;
            assert_int_equal(file_read(&text, &len, &arena, in_folder("data"), size - 1, &err),
                             STATUS_ERROR);
            assert_int_equal(err.code, ERROR_IO);
            assert_non_null(strstr(err.text, "is larger than"));
            assert_null(text);
        }
        mem_free(data);
    }
}

static void writing_replaces_and_leaves_nothing_else(void **state) {
    write_file("only", "first version", 13);
    write_file("only", "second", 6);
    char **names = folder_list(&arena, folder);
    size_t n = 0;
    for (; names[n]; n++)
        assert_null(strstr(names[n], ".tmp"));
    char *text;
    size_t len;
    struct error err;
    assert_int_equal(file_read(&text, &len, &arena, in_folder("only"), 100, &err), STATUS_OK);
    assert_string_equal(text, "second");
}

/* A refused write leaves the old file and no temporary one. The target is a folder with something
 * in it, which no rename replaces, whoever runs the test. */
static void a_refused_write_leaves_all_as_it_was(void **state) {
    const char *target = in_folder("target");
    assert_int_equal(mkdir(target, 0777), 0);
    const char *inner = path_join(&arena, target, "inner");
    struct error err = {0};
    assert_int_equal(file_write_durable(inner, "x", 1, &err), STATUS_OK);
    assert_int_equal(file_write_durable(target, "x", 1, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_IO);
    assert_non_null(strstr(err.text, target));
    assert_true(file_exists(inner));
    char **names = folder_list(&arena, folder);
    for (size_t i = 0; names[i]; i++)
        assert_null(strstr(names[i], ".tmp"));
    unlink(inner);
    rmdir(target);
    assert_int_equal(file_write_durable(in_folder("no/such/place"), "x", 1, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void streams_without_a_size_are_read(void **state) {
    char *text = NULL;
    size_t len = 0;
    struct error err = {0};
    assert_int_equal(file_read(&text, &len, &arena, "/proc/self/status", 1 * MiB, &err), STATUS_OK);
    assert_true(len > 100);
    assert_int_equal(strlen(text), len);
    assert_non_null(strstr(text, "VmRSS"));
    assert_int_equal(file_read(&text, &len, &arena, "/dev/zero", 200000, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_IO);
    assert_int_equal(file_read(&text, &len, &arena, "/dev/null", 0, &err), STATUS_OK);
    assert_int_equal(len, 0);
    assert_string_equal(text, "");
}

static void absent_and_wrong_files_are_told_apart(void **state) {
    struct file_map map = {0};
    struct error err = {0};
    assert_int_equal(file_map_open(&map, in_folder("absent"), &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_non_null(strstr(err.text, "absent"));
    write_file("file", "x", 1);
    assert_int_equal(file_map_open(&map, in_folder("file/below"), &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_int_equal(file_map_open(&map, folder, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_IO);
    assert_int_equal(file_map_open(&map, "/dev/null", &err), STATUS_ERROR);
    assert_null(map.data);
    char *text = NULL;
    size_t len;
    assert_int_equal(file_read(&text, &len, &arena, folder, 100, &err), STATUS_ERROR);
    assert_null(text);
}

static void files_and_folders_exist(void **state) {
    write_file("here", "x", 1);
    assert_int_equal(symlink("here", in_folder("link")), 0);
    assert_int_equal(symlink("nowhere", in_folder("dangling")), 0);
    assert_true(file_exists(in_folder("here")));
    assert_true(file_exists(in_folder("link")));
    assert_false(file_exists(in_folder("dangling")));
    assert_false(file_exists(folder));
    assert_true(folder_exists(folder));
    assert_false(folder_exists(in_folder("here")));
    assert_false(folder_exists(in_folder("nowhere")));
}

static void folders_are_listed_in_order(void **state) {
    const char *listed = in_folder("listed");
    assert_int_equal(mkdir(listed, 0777), 0);
    assert_null(folder_list(&arena, listed)[0]);
    static const char *const names[] = {".hidden", "B", "a", "a.b", "b", "é"};
    static const size_t order[] = {3, 0, 5, 2, 4, 1};
    struct error err;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_int_equal(
            file_write_durable(path_join(&arena, listed, names[order[i]]), "", 0, &err), STATUS_OK);
    char **found = folder_list(&arena, listed);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_string_equal(found[i], names[i]);
        unlink(path_join(&arena, listed, names[i]));
    }
    assert_null(found[ARRAY_LEN(names)]);
    assert_null(folder_list(&arena, in_folder("nowhere")));
}

static void paths_are_joined(void **state) {
    static const struct {
        const char *folder, *name, *want;
    } rows[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a//", "b", "a/b"},
                {"/", "b", "/b"},  {"", "b", "b"},     {"/a/b", "c/d", "/a/b/c/d"},
                {".", "b", "./b"}, {"//", "b", "/b"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(path_join(&arena, rows[i].folder, rows[i].name), rows[i].want);
}

static void folders_are_made_with_those_above(void **state) {
    struct error err = {0};
    struct stat info;
    const char *path = in_folder("a/b//c");
    assert_int_equal(folder_create(path, &err), STATUS_OK);
    assert_int_equal(folder_create(path, &err), STATUS_OK); /* it is there */
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    write_file("a/b/file", "x", 1);
    assert_int_equal(folder_create(in_folder("a/b/file/d"), &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_NOT_FOUND); /* not a folder */
    assert_int_equal(folder_create("", &err), STATUS_ERROR);
    assert_true(folder_sync(in_folder("a")));
    unlink(in_folder("a/b/file"));
    rmdir(path);
    rmdir(in_folder("a/b"));
}

/* The first folder that may not be made is the cause, not that those in it have no parent. */
static void a_folder_that_may_not_be_made_is_told(void **state) {
    struct error err = {0};
    const bool is_root = geteuid() == 0; /* may all, so it becomes somebody else for a while */
    assert_int_equal(mkdir(in_folder("shut"), 0555), 0);
    assert_int_equal(chmod(in_folder("."), 0755), 0);
    assert_int_equal(is_root ? seteuid(65534) : 0, 0);
    const enum status status = folder_create(in_folder("shut/a/b"), &err);
    assert_int_equal(is_root ? seteuid(0) : 0, 0);
    assert_int_equal(status, STATUS_ERROR);
    assert_non_null(strstr(err.text, "making this folder is not permitted"));
    rmdir(in_folder("shut"));
}

static void a_change_changes_the_identity(void **state) {
    struct error err = {0};
    struct file_map map = {0}, again = {0}, changed = {0};
    write_file("identity", "abc", 3);
    assert_int_equal(file_map_open(&map, in_folder("identity"), &err), STATUS_OK);
    assert_int_equal(file_map_open(&again, in_folder("identity"), &err), STATUS_OK);
    assert_memory_equal(&map.identity, &again.identity, sizeof map.identity);
    assert_int_equal(map.identity.size, 3);
    assert_int_equal(unlink(in_folder("identity")), 0);
    write_file("identity", "abd", 3);
    assert_int_equal(file_map_open(&changed, in_folder("identity"), &err), STATUS_OK);
    assert_memory_not_equal(&map.identity, &changed.identity, sizeof map.identity);
    file_map_close(&map);
    file_map_close(&again);
    file_map_close(&changed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_and_mapped),
        cmocka_unit_test(writing_replaces_and_leaves_nothing_else),
        cmocka_unit_test(a_refused_write_leaves_all_as_it_was),
        cmocka_unit_test(streams_without_a_size_are_read),
        cmocka_unit_test(absent_and_wrong_files_are_told_apart),
        cmocka_unit_test(files_and_folders_exist),
        cmocka_unit_test(folders_are_listed_in_order),
        cmocka_unit_test(paths_are_joined),
        cmocka_unit_test(folders_are_made_with_those_above),
        cmocka_unit_test(a_folder_that_may_not_be_made_is_told),
        cmocka_unit_test(a_change_changes_the_identity),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
