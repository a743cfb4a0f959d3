/* A model answers the same from pytorch_model.bin as from model.safetensors: golden repositories
 * with their weights written again as torch.save does, in both layouts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/runtime.h"
#include "unit/runtime/folder.h"
#include "unit/runtime/goldens.h"
#include "unit/runtime/torch_file.h"

static const struct {
    const char *golden;
    bool row;
} models[] = {
    {"bert/token-classification", false},
    {"bert/text-classification", true},
    {"gpt2/text-generation", false},
    {"gpt2/feature-extraction", true},
};

static void put_model(struct folder *folder, size_t i) {
    const char *from = path_join(&folder->arena, GOLDEN_FOLDER, models[i].golden);
    const char *to = path_join(&folder->arena, folder->path, models[i].golden);
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    struct buf buf;
    buf_init(&buf, 16 * MiB);
    if (checkpoint_open(&checkpoint, from, &err) != STATUS_OK)
        fail_msg("%s: %s", from, err.text);
    if (models[i].row)
        torch_put_row(&buf, checkpoint);
    else
        torch_put_zip(&buf, checkpoint);
    assert_false(buf.overflow);
    checkpoint_close(checkpoint);
    folder_copy(folder, from, models[i].golden);
    assert_int_equal(remove(path_join(&folder->arena, to, "model.safetensors")), 0);
    const char *name = path_join(&folder->arena, models[i].golden, "pytorch_model.bin");
    folder_write_n(folder, name, buf.data, buf.len);
    buf_deinit(&buf);
}

static struct brisk *runtime_of(const char *folder) {
    struct brisk *brisk = NULL;
    char error[LIMIT_ERROR_TEXT];
    const char *const folders[] = {folder, NULL};
    const struct brisk_options options = {.model_folders = folders, .precision = "fp32"};
    if (brisk_create(&brisk, &options, error, sizeof(error)) != 0)
        fail_msg("%s", error);
    return brisk;
}

static void ask(struct brisk *brisk, const struct golden *golden, struct brisk_answer *answer) {
    const struct brisk_request request = {.model = golden->model,
                                          .task = golden->task,
                                          .body = golden->body,
                                          .body_len = golden->body_len,
                                          .wait_for_model = true,
                                          .no_cache = true};
    brisk_run(brisk, &request, answer);
}

static void answers_as_from_safetensors(void **state) {
    struct folder folder;
    struct goldens goldens = {0};
    folder_make(&folder);
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        put_model(&folder, i);
        goldens_of(&goldens, models[i].golden);
    }
    assert_true(goldens.n >= 20);
    struct brisk *original = runtime_of(GOLDEN_FOLDER), *torch = runtime_of(folder.path);
    for (size_t i = 0; i < goldens.n; i++) {
        struct brisk_answer want = {0}, got = {0};
        ask(original, &goldens.at[i], &want);
        ask(torch, &goldens.at[i], &got);
        if (want.status != 200 || got.status != want.status || strcmp(want.body, got.body) != 0)
            fail_msg("%s: %s\n  wanted %.300s\n  got    %.300s", goldens.at[i].model,
                     goldens.at[i].name, want.body, got.body);
        brisk_answer_free(&want);
        brisk_answer_free(&got);
    }
    brisk_destroy(original);
    brisk_destroy(torch);
    goldens_free(&goldens);
    folder_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers_as_from_safetensors)};
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
