/* Answers from the packed cache are bit for bit those without it: for every repository under
 * tests/golden in every precision, while it is filled and when it is used. Changed weights, changed
 * descriptions and damaged files never give an old answer. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/runtime.h"
#include "unit/runtime/folder.h"
#include "unit/runtime/goldens.h"

static struct goldens goldens;

static struct brisk *runtime_of(const char *models, const char *precision, const char *cache) {
    struct brisk *brisk = NULL;
    char error[LIMIT_ERROR_TEXT];
    const char *const folders[] = {models, NULL};
    const struct brisk_options options = {
        .model_folders = folders, .precision = precision, .threads = 2, .cache_folder = cache};
    if (brisk_create(&brisk, &options, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return brisk;
}

/* The value of a counter in the metrics. */
static unsigned long figure(struct brisk *brisk, const char *name) {
    struct brisk_answer answer = {0};
    char line[100];
    brisk_metrics(brisk, &answer);
    snprintf(line, sizeof(line), "\nbrisk_%s ", name);
    const char *at = strstr(answer.body, line);
    assert_non_null(at);
    const unsigned long value = strtoul(at + strlen(line), NULL, 10);
    brisk_answer_free(&answer);
    return value;
}

static char *ask(struct brisk *brisk, const char *model, const struct golden *golden) {
    struct brisk_answer answer = {0};
    const struct brisk_request request = {.model = model,
                                          .task = golden->task,
                                          .body = golden->body,
                                          .body_len = golden->body_len,
                                          .wait_for_model = true,
                                          .no_cache = true};
    brisk_run(brisk, &request, &answer);
    if (answer.status != 200)
        fail_msg("%s: %s", golden->title, answer.body);
    char *body = mem_strdup(answer.body);
    brisk_answer_free(&answer);
    return body;
}

static bool is_first(size_t i) {
    return i == 0 || strcmp(goldens.at[i].model, goldens.at[i - 1].model) != 0;
}

static bool is_last(size_t i) {
    return i + 1 == goldens.n || is_first(i + 1);
}

/* answers[i] is set, or compared with when it is there. Of the first and the last case of each model
 * chosen: enough to use all of its weights. Returns the models. */
static size_t ask_all(struct brisk *brisk, char **answers) {
    size_t models = 0, asked = 0;
    for (size_t i = 0; i < goldens.n; i++) {
        models += is_first(i);
        if (models % GOLDENS_STEP != 0 || (!is_first(i) && !is_last(i)))
            continue;
        asked += is_first(i);
        char *answer = ask(brisk, goldens.at[i].model, &goldens.at[i]);
        if (answers[i] == NULL) {
            answers[i] = answer;
            continue;
        }
        if (strcmp(answers[i], answer) != 0)
            fail_msg("%s\n  without %.300s\n  with    %.300s", goldens.at[i].title, answers[i],
                     answer);
        mem_free(answer);
    }
    return asked;
}

static void check_precision(const char *precision) {
    struct folder cache;
    folder_make(&cache);
    char **answers = mem_zalloc(goldens.n, sizeof(*answers));
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER, precision, NULL);
    ask_all(brisk, answers);
    brisk_destroy(brisk);
    brisk = runtime_of(GOLDEN_FOLDER, precision, cache.path);
    ask_all(brisk, answers);
    brisk_destroy(brisk); /* what is not yet written is now */
    brisk = runtime_of(GOLDEN_FOLDER, precision, cache.path);
    const size_t models = ask_all(brisk, answers);
    assert_true(models > 0);
    assert_int_equal(figure(brisk, "packed_hits_total"), models);
    assert_int_equal(figure(brisk, "packed_misses_total"), 0);
    brisk_destroy(brisk);
    for (size_t i = 0; i < goldens.n; i++)
        mem_free(answers[i]);
    mem_free(answers);
    folder_remove(&cache);
}

static void answers_from_the_cache_are_the_same_fp32(void **state) {
    check_precision("fp32");
}

static void answers_from_the_cache_are_the_same_bf16(void **state) {
    check_precision("bf16");
}

static void answers_from_the_cache_are_the_same_int8(void **state) {
    check_precision("int8");
}

static void answers_from_the_cache_are_the_same_int4(void **state) {
    check_precision("int4");
}

/* ---- changes ---- */

static const struct golden *golden_of(const char *model) {
    for (size_t i = 0; i < goldens.n; i++)
        if (strcmp(goldens.at[i].model, model) == 0)
            return &goldens.at[i];
    fail_msg("no golden %s", model);
    return NULL;
}

#define MODEL "bert/text-classification"

/* What the copy answers with this cache folder (NULL: none), and the hits it had. */
static char *ask_copy(struct folder *models, const char *cache, unsigned long *hits) {
    struct brisk *brisk = runtime_of(models->path, "fp32", cache);
    char *answer = ask(brisk, "copy", golden_of(MODEL));
    if (hits != NULL)
        *hits = figure(brisk, "packed_hits_total");
    brisk_destroy(brisk);
    return answer;
}

/* With the cache as without it; so many hits. */
static void expect_same(struct folder *models, struct folder *cache, unsigned long hits) {
    unsigned long had = 0;
    char *without = ask_copy(models, NULL, NULL), *with = ask_copy(models, cache->path, &had);
    assert_string_equal(with, without);
    assert_int_equal(had, hits);
    mem_free(with);
    mem_free(without);
}

static void flip(const char *path, off_t from_end, uint8_t bits) {
    assert_int_equal(chmod(path, 0600), 0); /* packed files are only to be read */
    const int fd = open(path, O_RDWR);
    uint8_t byte = 0;
    struct stat info;
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    assert_int_equal(pread(fd, &byte, 1, info.st_size - from_end), 1);
    byte ^= bits;
    assert_int_equal(pwrite(fd, &byte, 1, info.st_size - from_end), 1);
    close(fd);
}

static void changes_are_noticed(void **state) {
    struct folder models, cache;
    folder_make(&models);
    folder_make(&cache);
    folder_copy(&models, GOLDEN_FOLDER "/" MODEL, "copy");
    expect_same(&models, &cache, 0);
    expect_same(&models, &cache, 1);
    flip(folder_path(&models, "copy/model.safetensors"), 2, 0x20); /* one weight of the last */
    expect_same(&models, &cache, 0);
    flip(folder_path(&models, "copy/model.safetensors"), 2, 0x20); /* as it was */
    expect_same(&models, &cache, 1);
    folder_remove(&models);
    folder_remove(&cache);
}

/* The description changes the answer, not what is packed. */
static void a_changed_description_is_used(void **state) {
    struct folder models, cache;
    struct arena arena = {0};
    struct error err = {0};
    char *text = NULL;
    size_t len = 0;
    folder_make(&models);
    folder_make(&cache);
    folder_copy(&models, GOLDEN_FOLDER "/" MODEL, "copy");
    char *before = ask_copy(&models, cache.path, NULL);
    const char *path = folder_path(&models, "copy/config.json");
    assert_int_equal(file_read(&text, &len, &arena, path, MiB, &err), STATUS_OK);
    char *gelu = strstr(text, "\"gelu\"");
    assert_non_null(gelu);
    memcpy(gelu, "\"relu\"", 6);
    folder_write(&models, "copy/config.json", text);
    expect_same(&models, &cache, 1);
    char *after = ask_copy(&models, cache.path, NULL);
    assert_string_not_equal(before, after);
    mem_free(after);
    mem_free(before);
    arena_deinit(&arena);
    folder_remove(&models);
    folder_remove(&cache);
}

static void damaged_files_are_packed_anew(void **state) {
    struct folder models, cache;
    folder_make(&models);
    folder_make(&cache);
    folder_copy(&models, GOLDEN_FOLDER "/" MODEL, "copy");
    expect_same(&models, &cache, 0);
    char **names = folder_list(&cache.arena, cache.path);
    const char *packed = NULL;
    for (size_t i = 0; names[i] != NULL; i++)
        if (strstr(names[i], ".packed") != NULL)
            packed = folder_path(&cache, names[i]);
    assert_non_null(packed);
    flip(packed, 5000, 1);
    log_set_level(LOG_ERROR);
    expect_same(&models, &cache, 0);
    expect_same(&models, &cache, 1);
    assert_int_equal(chmod(packed, 0600), 0);
    assert_int_equal(truncate(packed, 5000), 0);
    expect_same(&models, &cache, 0);
    expect_same(&models, &cache, 1);
    log_set_level(LOG_WARN);
    folder_remove(&models);
    folder_remove(&cache);
}

static void a_cache_that_cannot_be_made_is_done_without(void **state) {
    struct folder models, cache;
    folder_make(&models);
    folder_make(&cache);
    folder_copy(&models, GOLDEN_FOLDER "/" MODEL, "copy");
    folder_write(&cache, "file", "");
    log_set_level(LOG_ERROR);
    char *without = ask_copy(&models, NULL, NULL);
    char *with = ask_copy(&models, folder_path(&cache, "file/below"), NULL);
    log_set_level(LOG_WARN);
    assert_string_equal(with, without);
    mem_free(with);
    mem_free(without);
    folder_remove(&models);
    folder_remove(&cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_from_the_cache_are_the_same_fp32),
        cmocka_unit_test(answers_from_the_cache_are_the_same_bf16),
        cmocka_unit_test(answers_from_the_cache_are_the_same_int8),
        cmocka_unit_test(answers_from_the_cache_are_the_same_int4),
        cmocka_unit_test(changes_are_noticed),
        cmocka_unit_test(a_changed_description_is_used),
        cmocka_unit_test(damaged_files_are_packed_anew),
        cmocka_unit_test(a_cache_that_cannot_be_made_is_done_without),
    };
    goldens_load(&goldens);
    log_set_level(LOG_WARN);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    goldens_free(&goldens);
    return failed;
}
