/* Repository folders: what is read, what may be missing, and the words for what is damaged.
 * Weights are in checkpoint_test.c. */
#include "unit/formats/files.h"

#include "formats/formats.h"

static void reads_every_file_that_is_there(void **state) {
    struct folder folder;
    folder_make(&folder);
    folder_put_text(&folder, "config.json", "{\"model_type\": \"m\", \"x\": NaN}");
    folder_put_text(&folder, "generation_config.json", "{\"max_length\": 7}");
    folder_put_text(&folder, "tokenizer_config.json",
                    "{\"model_max_length\": 1000000000000000019884624838656}");
    folder_put_text(&folder, "special_tokens_map.json", "{\"pad_token\": \"<pad>\"}");
    folder_put_text(&folder, "modules.json", "[{\"idx\": 0}]");
    folder_put_text(&folder, "README.md", "---\npipeline_tag: fill-mask\nlibrary_name: l\n---\n");
    struct repository repository;
    struct error err = {0};
    assert_int_equal(repository_open(&repository, folder.path, &err), STATUS_OK);
    assert_string_equal(repository.folder, folder.path);
    assert_string_equal(json_get_string(repository.config, "model_type", ""), "m");
    assert_int_equal(json_get_int(repository.generation_config, "max_length", 0), 7);
    assert_true(json_get_number(repository.tokenizer_config, "model_max_length", 0) > 1e29);
    assert_true(json_equals(json_get(repository.special_tokens_map, "pad_token"), "<pad>"));
    assert_int_equal(json_get_int(json_at(repository.modules, 0), "idx", -1), 0);
    assert_string_equal(repository.pipeline_tag, "fill-mask");
    assert_string_equal(repository.library_name, "l");
    repository_close(&repository);
    repository_close(&repository); /* closing what is closed is fine */
    folder_remove(&folder);
}

static void all_but_the_config_may_be_missing(void **state) {
    struct folder folder;
    folder_make(&folder);
    folder_put_text(&folder, "config.json", "{}");
    struct repository repository;
    struct error err = {0};
    assert_int_equal(repository_open(&repository, folder.path, &err), STATUS_OK);
    assert_non_null(repository.config);
    assert_null(repository.generation_config);
    assert_null(repository.tokenizer_config);
    assert_null(repository.special_tokens_map);
    assert_null(repository.modules);
    assert_null(repository.pipeline_tag);
    assert_null(repository.library_name);
    repository_close(&repository);
    folder_remove(&folder);
}

static const struct {
    const char *name, *file, *text;
    enum error_code code;
    const char *wanted;
} rows[] = {
    {"no config", NULL, NULL, ERROR_NOT_FOUND, "no config.json in "},
    {"config empty", "config.json", "", ERROR_MODEL, "config.json is empty: download it again"},
    {"config cut off", "config.json", "{\"a\": 1,\n", ERROR_MODEL,
     "config.json: invalid JSON at line 2 column 1: "},
    {"config an array", "config.json", "[1]", ERROR_MODEL,
     "config.json: holds a JSON array, must be an object"},
    {"config null", "config.json", "null", ERROR_MODEL, "holds a JSON null, must be an object"},
    {"config not UTF-8", "config.json", "{\"a\": \"\xff\"}", ERROR_MODEL,
     "config.json: invalid JSON at line 1 column 8"},
    {"config a web page", "config.json", "<html>", ERROR_MODEL, "config.json: invalid JSON"},
    {"generation config damaged", "generation_config.json", "{", ERROR_MODEL,
     "generation_config.json: invalid JSON"},
    {"tokenizer config a number", "tokenizer_config.json", "1", ERROR_MODEL,
     "tokenizer_config.json: holds a JSON number, must be an object"},
    {"special tokens a list", "special_tokens_map.json", "[]", ERROR_MODEL,
     "special_tokens_map.json: holds a JSON array, must be an object"},
    {"modules an object", "modules.json", "{}", ERROR_MODEL,
     "modules.json: holds a JSON object, must be an array"},
};

static void says_what_is_damaged(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        folder_make(&folder);
        if (rows[i].file != NULL) {
            folder_put_text(&folder, "config.json", "{}");
            folder_put_text(&folder, rows[i].file, rows[i].text);
        }
        struct repository repository;
        struct error err = {0};
        const enum status status = repository_open(&repository, folder.path, &err);
        assert_refused(status, &err, rows[i].name, rows[i].wanted);
        assert_int_equal(err.code, rows[i].code);
        assert_null(repository.config); /* empty after a failure */
        folder_remove(&folder);
    }
}

static void says_that_the_folder_is_missing(void **state) {
    struct repository repository;
    struct error err = {0};
    const enum status status = repository_open(&repository, "/nonexistent/model", &err);
    assert_refused(status, &err, "no folder", "no folder /nonexistent/model");
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

static void a_file_beyond_the_limit_is_refused(void **state) {
    struct folder folder;
    folder_make(&folder);
    char *spaces = mem_alloc(LIMIT_CONFIG_FILE + 1);
    memset(spaces, ' ', LIMIT_CONFIG_FILE + 1);
    spaces[0] = '{';
    spaces[1] = '}';
    folder_put(&folder, "config.json", spaces, LIMIT_CONFIG_FILE + 1);
    struct repository repository;
    struct error err = {0};
    const enum status status = repository_open(&repository, folder.path, &err);
    assert_refused(status, &err, "too long", "config.json");
    folder_put(&folder, "config.json", spaces, LIMIT_CONFIG_FILE);
    assert_int_equal(repository_open(&repository, folder.path, &err), STATUS_OK);
    repository_close(&repository);
    mem_free(spaces);
    folder_remove(&folder);
}

static void a_damaged_card_is_as_none(void **state) {
    struct folder folder;
    folder_make(&folder);
    folder_put_text(&folder, "config.json", "{}");
    folder_put_text(&folder, "README.md", "---\npipeline_tag: a\nb: [\n---\n");
    struct repository repository;
    struct error err = {0};
    log_set_level(LOG_ERROR);
    assert_int_equal(repository_open(&repository, folder.path, &err), STATUS_OK);
    assert_null(repository.pipeline_tag);
    repository_close(&repository);
    folder_put_text(&folder, "README.md", "");
    assert_int_equal(repository_open(&repository, folder.path, &err), STATUS_OK);
    repository_close(&repository);
    folder_remove(&folder);
}

static void further_files_are_read_on_request(void **state) {
    struct folder folder;
    folder_make(&folder);
    folder_put_text(&folder, "config.json", "{}");
    folder_put_text(&folder, "vocab..json", "[3]");
    struct repository repository;
    struct error err = {0};
    const struct json *json = NULL;
    assert_int_equal(repository_open(&repository, folder.path, &err), STATUS_OK);
    assert_int_equal(repository_json(&repository, "vocab..json", &json, &err), STATUS_OK);
    assert_true(json_is(json, JSON_ARRAY));
    assert_int_equal(repository_json(&repository, "1_Pooling/config.json", &json, &err), STATUS_OK);
    assert_null(json);
    static const char *const outside[] = {"../config.json", "a/../../b", "..", "/etc/passwd"};
    for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
        const enum status status = repository_json(&repository, outside[i], &json, &err);
        assert_refused(status, &err, outside[i], "leads out of the repository's folder");
        assert_int_equal(err.code, ERROR_MODEL);
    }
    repository_close(&repository);
    folder_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_file_that_is_there),
        cmocka_unit_test(all_but_the_config_may_be_missing),
        cmocka_unit_test(says_what_is_damaged),
        cmocka_unit_test(says_that_the_folder_is_missing),
        cmocka_unit_test(a_file_beyond_the_limit_is_refused),
        cmocka_unit_test(a_damaged_card_is_as_none),
        cmocka_unit_test(further_files_are_read_on_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
