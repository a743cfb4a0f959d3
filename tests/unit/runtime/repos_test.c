/* Finding repositories: which ids are valid, which folder they name, and that nothing outside the
 * model folders can be reached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/repos.h"
#include "unit/runtime/folder.h"

static void ids(void **state) {
    static const struct {
        const char *id;
        bool valid;
    } rows[] = {
        {"gpt2", true},   {"org/name", true}, {"Org-1/na_me.v2", true},
        {"", false},      {"/", false},       {"/etc", false},
        {"a/", false},    {"a//b", false},    {"a/b/c", false},
        {".", false},     {"..", false},      {"../x", false},
        {"a/..", false},  {"a/.git", false},  {".hidden/x", false},
        {"a b", false},   {"a\\b", false},    {"caf\xC3\xA9", false},
        {"a%2Fb", false}, {"a\nb", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (repos_id_valid(rows[i].id) != rows[i].valid)
            fail_msg("\"%s\": wanted %d", rows[i].id, rows[i].valid);
    }
    char longest[LIMIT_MODEL_ID + 2];
    memset(longest, 'a', sizeof(longest));
    longest[LIMIT_MODEL_ID] = '\0';
    assert_true(repos_id_valid(longest));
    longest[LIMIT_MODEL_ID] = 'a';
    longest[LIMIT_MODEL_ID + 1] = '\0';
    assert_false(repos_id_valid(longest));
}

/* Two model folders under the temporary one, and a repository outside of them. */
static struct repos tree_make(struct folder *folder, bool paths) {
    folder_make(folder);
    folder_write(folder, "a/flat/config.json", "{}");
    folder_write(folder, "a/org/one/config.json", "{}");
    folder_write(folder, "a/org/no-config/vocab.txt", "x");
    folder_write(folder, "b/org/one/config.json", "{\"second\": true}");
    folder_write(folder, "b/org/two/config.json", "{}");
    folder_write(folder, "outside/config.json", "{}");
    assert_int_equal(symlink(folder_path(folder, "outside"), folder_path(folder, "b/link")), 0);
    const char *const folders[] = {folder_path(folder, "a"), folder_path(folder, "b"), NULL};
    struct repos repos = {0};
    struct error err = {0};
    assert_int_equal(repos_init(&repos, folders, paths, &err), STATUS_OK);
    return repos;
}

static void found_in_order(void **state) {
    static const struct {
        const char *id, *folder; /* NULL: not found */
        bool need_config;
    } rows[] = {
        {"flat", "a/flat", true},
        {"org/one", "a/org/one", true},
        {"org/two", "b/org/two", true},
        {"link", "b/link", true},
        {"org/no-config", NULL, true},
        {"org/no-config", "a/org/no-config", false},
        {"org", NULL, true},
        {"absent", NULL, true},
        {"../outside", NULL, true},
        {"org/../../outside", NULL, true},
    };
    struct folder folder;
    struct repos repos = tree_make(&folder, false);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        struct error err = {0};
        char *path = NULL;
        const enum status status =
            repos_find(&repos, rows[i].id, rows[i].need_config, &arena, &path, &err);
        if (rows[i].folder == NULL) {
            assert_int_equal(status, STATUS_ERROR);
            assert_int_equal(err.code, ERROR_NOT_FOUND);
            assert_non_null(strstr(err.text, rows[i].id));
        } else {
            assert_int_equal(status, STATUS_OK);
            assert_string_equal(path, folder_path(&folder, rows[i].folder));
        }
        arena_deinit(&arena);
    }
    repos_deinit(&repos);
    folder_remove(&folder);
}

static void paths_only_where_allowed(void **state) {
    for (int allowed = 0; allowed <= 1; allowed++) {
        struct folder folder;
        struct repos repos = tree_make(&folder, allowed);
        struct arena arena = {0};
        struct error err = {0};
        char *path = NULL;
        const enum status status =
            repos_find(&repos, folder_path(&folder, "outside"), true, &arena, &path, &err);
        assert_int_equal(status, allowed ? STATUS_OK : STATUS_ERROR);
        arena_deinit(&arena);
        repos_deinit(&repos);
        folder_remove(&folder);
    }
}

/* An adapter names its base by id or by path; a path may not lead out of the model folders unless
 * ids may be paths. */
static void bases_are_found(void **state) {
    static const struct {
        const char *name, *folder; /* in the folder of the test; NULL: not found */
        bool absolute, paths;
    } rows[] = {
        {"flat", "a/flat", false, false},
        {"org/two", "b/org/two", false, false},
        {"../one", "a/org/one", false, false},
        {"one", "a/org/one", false, false}, /* beside the adapter */
        {"../../flat", "a/flat", false, false},
        {"a/org/one", "a/org/one", true, false},
        {"outside", NULL, true, false},
        {"outside", "outside", true, true},
        {"../../../outside", NULL, false, false},
        {"../../../outside", "outside", false, true},
        {"../../no-such", NULL, false, true},
        {"org/absent", NULL, false, false},
        {"", NULL, false, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        struct repos repos = tree_make(&folder, rows[i].paths);
        struct arena arena = {0};
        struct error err = {0};
        char *path = NULL;
        folder_write(&folder, "a/org/adapter/adapter_model.safetensors", "");
        const struct locate locate = repos_locate(&repos);
        const char *name = rows[i].absolute ? folder_path(&folder, rows[i].name) : rows[i].name;
        const enum status status = locate.find(locate.user, folder_path(&folder, "a/org/adapter"),
                                               name, &arena, &path, &err);
        if ((status == STATUS_OK) != (rows[i].folder != NULL))
            fail_msg("row %zu, \"%s\": %s", i, name, status == STATUS_OK ? path : err.text);
        if (status == STATUS_OK) {
            char got[PATH_MAX], wanted[PATH_MAX];
            assert_non_null(realpath(path, got));
            assert_non_null(realpath(folder_path(&folder, rows[i].folder), wanted));
            assert_string_equal(got, wanted);
        }
        arena_deinit(&arena);
        repos_deinit(&repos);
        folder_remove(&folder);
    }
}

static void add_id(void *user, const char *id) {
    buf_printf(user, "%s ", id);
}

static void each_once(void **state) {
    struct folder folder;
    struct repos repos = tree_make(&folder, false);
    struct buf ids_seen;
    buf_init(&ids_seen, 1000);
    repos_each(&repos, add_id, &ids_seen);
    assert_string_equal(ids_seen.data, "flat org/one link org/two ");
    buf_deinit(&ids_seen);
    repos_deinit(&repos);
    folder_remove(&folder);
}

static void stamp_follows_the_files(void **state) {
    struct folder folder;
    struct repos repos = tree_make(&folder, false);
    const char *flat = folder_path(&folder, "a/flat");
    const uint64_t first = repos_stamp(&repos, flat);
    assert_int_equal(repos_stamp(&repos, flat), first);
    folder_write(&folder, "a/flat/model.safetensors", "0123456789");
    const uint64_t second = repos_stamp(&repos, flat);
    assert_int_not_equal(second, first);
    assert_int_equal(repos_weight_bytes(flat), 10);
    folder_write(&folder, "a/flat/model.safetensors", "012345678");
    assert_int_not_equal(repos_stamp(&repos, flat), second);
    folder_write(&folder, "a/flat/pytorch_model.bin", "0123"); /* the same once more */
    assert_int_equal(repos_weight_bytes(flat), 9);
    assert_int_equal(unlink(folder_path(&folder, "a/flat/model.safetensors")), 0);
    assert_int_equal(repos_weight_bytes(flat), 4);
    repos_deinit(&repos);
    folder_remove(&folder);
}

/* What an adapter gives is its base's as well. */
static void stamp_follows_the_base(void **state) {
    static const struct {
        const char *file, *text; /* written; text NULL: removed */
        bool differs;
    } rows[] = {
        {"b/other/config.json", "{}", false},         /* of nobody here */
        {"b/org/base/config.json", "{}", true},       /* the base arrives */
        {"b/org/base/model.safetensors", "12", true}, /* piece by piece */
        {"b/org/base/model.safetensors", "123", true},
        {"a/org/base/config.json", "{}", true}, /* another one is found first */
        {"a/org/base/config.json", NULL, true},
        {"b/org/base/config.json", NULL, true},
        {"a/tuned/adapter_config.json", "{\"base_model_name_or_path\": \"flat\"}", true},
        {"a/flat/model.safetensors", "1", true},
        {"a/tuned/adapter_config.json", "[", true}, /* no name in it */
        {"a/flat/model.safetensors", "12", false},
    };
    struct folder folder;
    struct repos repos = tree_make(&folder, false);
    const char *tuned = folder_path(&folder, "a/tuned");
    folder_write(&folder, "a/tuned/adapter_model.safetensors", "");
    folder_write(&folder, "a/tuned/adapter_config.json",
                 "{\"base_model_name_or_path\": \"org/base\"}");
    uint64_t before = repos_stamp(&repos, tuned);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].text != NULL)
            folder_write(&folder, rows[i].file, rows[i].text);
        else
            assert_int_equal(unlink(folder_path(&folder, rows[i].file)), 0);
        const uint64_t after = repos_stamp(&repos, tuned);
        if ((after != before) != rows[i].differs)
            fail_msg("row %zu, %s: wanted %s stamp", i, rows[i].file,
                     rows[i].differs ? "another" : "the same");
        before = after;
    }
    repos_deinit(&repos);
    folder_remove(&folder);
}

static void absent_folder_is_told(void **state) {
    const char *const folders[] = {"/no/such/folder", NULL};
    struct repos repos = {0};
    struct error err = {0};
    assert_int_equal(repos_init(&repos, folders, false, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    assert_non_null(strstr(err.text, "/no/such/folder"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids),
        cmocka_unit_test(found_in_order),
        cmocka_unit_test(paths_only_where_allowed),
        cmocka_unit_test(bases_are_found),
        cmocka_unit_test(each_once),
        cmocka_unit_test(stamp_follows_the_files),
        cmocka_unit_test(stamp_follows_the_base),
        cmocka_unit_test(absent_folder_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
