/* Where a repository's files may lie: sentence-transformers' transformer in a folder of its own,
 * its Dense modules in either weight format, an adapter with a tokenizer or configuration of its
 * own. A golden whose files are moved so answers to the byte as it did. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/runtime.h"
#include "unit/runtime/folder.h"
#include "unit/runtime/goldens.h"

#define SENTENCE "distilbert/sentence-max"
#define ADAPTER  "adapter/bert-classifier"
#define BASE     "bert/feature-extraction"
#define BODY     "{\"inputs\":[\"The film was wonderful, funny and warm.\",\"Rain.\"]}"

static struct brisk *runtime_of(const char *models) {
    const char *const folders[] = {models, NULL};
    const struct brisk_options options = {.model_folders = folders, .precision = "fp32"};
    char error[LIMIT_ERROR_TEXT];
    struct brisk *brisk = NULL;
    assert_int_equal(brisk_create(&brisk, &options, error, sizeof error), 0);
    return brisk;
}

static struct brisk_answer ask(struct brisk *brisk, const char *model, const char *task) {
    const struct brisk_request request = {.model = model,
                                          .task = task,
                                          .body = BODY,
                                          .body_len = sizeof BODY - 1,
                                          .wait_for_model = true,
                                          .no_cache = true};
    struct brisk_answer answer = {0};
    brisk_run(brisk, &request, &answer);
    return answer;
}

/* The model under `models` passes the check and answers as the golden does. */
static void answers_as(const char *models, const char *model, const char *golden,
                       const char *task) {
    struct brisk *brisk = runtime_of(GOLDEN_FOLDER), *moved = runtime_of(models);
    struct brisk_answer wanted = ask(brisk, golden, task), got = ask(moved, model, task);
    struct brisk_answer check = {0};
    brisk_model_check(moved, model, &check);
    if (wanted.status != 200 || check.status != 200 || strcmp(wanted.body, got.body) != 0)
        fail_msg("%s:\n  wanted %.200s\n  got    %.200s\n  check  %.200s", golden, wanted.body,
                 got.body, check.body);
    brisk_answer_free(&wanted);
    brisk_answer_free(&got);
    brisk_answer_free(&check);
    brisk_destroy(brisk);
    brisk_destroy(moved);
}

static void copy(struct folder *folder, const char *from, const char *file, const char *to) {
    struct error err = {0};
    char *data = NULL;
    size_t len = 0;
    const char *path = arena_printf(&folder->arena, GOLDEN_FOLDER "/%s/%s", from, file);
    if (file_read(&data, &len, &folder->arena, path, LIMIT_JSON_FILE, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    folder_write_n(folder, to, data, len);
}

/* The golden's modules, the transformer in 0_Transformer. */
static void copy_apart(struct folder *folder) {
    const struct {
        const char *file;
    } modules[] = {{"1_Pooling/config.json"},
                   {"2_Dense/config.json"},
                   {"3_Dense/config.json"},
                   {"3_Dense/model.safetensors"}};
    folder_make(folder);
    folder_copy(folder, GOLDEN_FOLDER "/" SENTENCE, "org/model/0_Transformer");
    for (size_t i = 0; i < ARRAY_LEN(modules); i++)
        copy(folder, SENTENCE, modules[i].file,
             path_join(&folder->arena, "org/model", modules[i].file));
    struct error err = {0};
    char *text = NULL;
    size_t len = 0;
    const char *path = GOLDEN_FOLDER "/" SENTENCE "/modules.json";
    assert_int_equal(file_read(&text, &len, &folder->arena, path, LIMIT_JSON_FILE, &err),
                     STATUS_OK);
    char *empty = strstr(text, "\"path\": \"\"");
    assert_non_null(empty);
    folder_write(folder, "org/model/modules.json",
                 arena_printf(&folder->arena, "%.*s\"path\": \"0_Transformer\"%s",
                              (int)(empty - text), text, empty + strlen("\"path\": \"\"")));
    assert_int_equal(unlink(folder_path(folder, "org/model/0_Transformer/modules.json")), 0);
}

static void the_transformer_has_a_folder(void **state) {
    struct folder folder;
    copy_apart(&folder);
    copy(&folder, SENTENCE, "2_Dense/model.safetensors", "org/model/2_Dense/model.safetensors");
    answers_as(folder.path, "org/model", SENTENCE, "feature-extraction");
    folder_remove(&folder);
}

static void dense_weights_in_torchs_format(void **state) {
    struct folder folder;
    copy_apart(&folder);
    copy(&folder, "weights/dense", "pytorch_model.bin", "org/model/2_Dense/pytorch_model.bin");
    answers_as(folder.path, "org/model", SENTENCE, "feature-extraction");
    folder_remove(&folder);
}

/* The base is found by the id that adapter_config.json has. */
static void copy_adapter(struct folder *folder) {
    folder_make(folder);
    folder_copy(folder, GOLDEN_FOLDER "/" ADAPTER, "tuned");
    folder_copy(folder, GOLDEN_FOLDER "/" BASE, BASE);
}

static void an_adapter_beside_its_base(void **state) {
    struct folder folder;
    copy_adapter(&folder);
    answers_as(folder.path, "tuned", ADAPTER, NULL);
    folder_remove(&folder);
}

static void an_adapter_with_its_own_tokenizer(void **state) {
    struct folder folder;
    copy_adapter(&folder);
    copy(&folder, BASE, "tokenizer.json", "tuned/tokenizer.json");
    copy(&folder, BASE, "tokenizer_config.json", "tuned/tokenizer_config.json");
    assert_int_equal(unlink(folder_path(&folder, BASE "/tokenizer.json")), 0);
    answers_as(folder.path, "tuned", ADAPTER, NULL);
    folder_remove(&folder);
}

static void an_adapter_without_its_base_says_what_to_download(void **state) {
    struct folder folder;
    folder_make(&folder);
    folder_copy(&folder, GOLDEN_FOLDER "/" ADAPTER, "tuned");
    struct brisk *brisk = runtime_of(folder.path);
    struct brisk_answer answer = ask(brisk, "tuned", NULL);
    assert_int_equal(answer.status, 500);
    assert_non_null(
        strstr(answer.body, "this is an adapter for the model " BASE ", which is not here"));
    brisk_answer_free(&answer);
    brisk_model_list(brisk, &answer); /* the list tells it, too */
    assert_non_null(strstr(answer.body, "which is not here"));
    brisk_answer_free(&answer);
    brisk_destroy(brisk);
    folder_remove(&folder);
}

/* The failure of a load is remembered, but not beyond the arrival of what was missing. */
static void an_adapter_answers_once_its_base_is_there(void **state) {
    struct folder folder;
    folder_make(&folder);
    folder_copy(&folder, GOLDEN_FOLDER "/" ADAPTER, "tuned");
    struct brisk *brisk = runtime_of(folder.path);
    for (int here = 0; here <= 1; here++) {
        if (here)
            folder_copy(&folder, GOLDEN_FOLDER "/" BASE, BASE);
        struct brisk_answer answer = ask(brisk, "tuned", NULL);
        if (answer.status != (here ? 200 : 500))
            fail_msg("base here: %d: %d %s", here, answer.status, answer.body);
        brisk_answer_free(&answer);
    }
    brisk_destroy(brisk);
    folder_remove(&folder);
}

/* `brisk tokenize` loads no model, and finds the same tokenizer. */
static void tokenizers_are_where_the_parts_are(void **state) {
    struct folder folder;
    char error[LIMIT_ERROR_TEXT] = "";
    static const char *const models[] = {"tuned", "org/model"};
    copy_apart(&folder);
    folder_copy(&folder, GOLDEN_FOLDER "/" ADAPTER, "tuned");
    folder_copy(&folder, GOLDEN_FOLDER "/" BASE, BASE);
    struct brisk *brisk = runtime_of(folder.path);
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        struct brisk_tokenizer *tokenizer = NULL;
        if (brisk_tokenizer_open(&tokenizer, brisk, models[i], error, sizeof error) != 0)
            fail_msg("%s: %s", models[i], error);
        brisk_tokenizer_close(tokenizer);
    }
    brisk_destroy(brisk);
    folder_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_transformer_has_a_folder),
        cmocka_unit_test(dense_weights_in_torchs_format),
        cmocka_unit_test(an_adapter_beside_its_base),
        cmocka_unit_test(an_adapter_with_its_own_tokenizer),
        cmocka_unit_test(an_adapter_without_its_base_says_what_to_download),
        cmocka_unit_test(an_adapter_answers_once_its_base_is_there),
        cmocka_unit_test(tokenizers_are_where_the_parts_are),
    };
    log_set_level(LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
