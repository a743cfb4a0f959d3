/* Tensors' names differ between checkpoints of a base model and of one with a head, between old and
 * new files, and by which copy of a tied tensor was kept. A golden whose tensors are renamed in one
 * of these ways answers to the byte as it did; names that transformers does not know either are
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/runtime.h"
#include "unit/runtime/folder.h"
#include "unit/runtime/goldens.h"

/* Names that begin (where `ends` is set: end) so get something else there. */
struct renaming {
    const char *begins, *instead;
    const char *ends, *after;
};

struct row {
    const char *golden;
    struct renaming renaming;
    const char *says; /* a part of the error; NULL: answers as before */
};

#define BASE_OF(prefix)                                                                            \
    { prefix, "", NULL, NULL } /* a base model's file */
#define HEAD_OF(prefix)                                                                            \
    { "", prefix, NULL, NULL } /* a head's file, its head not looked at */
#define OLD_WEIGHT                                                                                 \
    { "", "", "LayerNorm.weight", "LayerNorm.gamma" }
#define OLD_BIAS                                                                                   \
    { "", "", "LayerNorm.bias", "LayerNorm.beta" }

static const struct row rows[] = {
    {"gpt2/text-generation", BASE_OF("transformer."), NULL}, /* as the hub's gpt2 */
    {"gpt2/text-classification", BASE_OF("transformer."), NULL},
    {"gpt2/feature-extraction", HEAD_OF("transformer."), NULL},
    {"bert/text-classification", BASE_OF("bert."), NULL},
    {"bert/feature-extraction", HEAD_OF("bert."), NULL},
    {"bert/token-classification", OLD_WEIGHT, NULL},
    {"bert/token-classification", OLD_BIAS, NULL},
    {"bert/feature-extraction", OLD_BIAS, NULL},
    {"distilbert/text-classification", BASE_OF("distilbert."), NULL},
    {"distilbert/feature-extraction", HEAD_OF("distilbert."), NULL},
    {"roberta/text-classification", BASE_OF("roberta."), NULL},
    {"roberta/feature-extraction", HEAD_OF("roberta."), NULL},
    {"roberta/token-classification", OLD_WEIGHT, NULL},
    {"bart/summarization", BASE_OF("model."), NULL},
    {"bart/feature-extraction", HEAD_OF("model."), NULL},
    {"bart/summarization", {"model.shared.", "model.encoder.embed_tokens.", NULL, NULL}, NULL},
    {"bart/summarization", {"model.shared.", "model.decoder.embed_tokens.", NULL, NULL}, NULL},
    {"bart/summarization", {"model.shared.", "lm_head.", NULL, NULL}, NULL},
    {"bart/feature-extraction", {"shared.", "encoder.embed_tokens.", NULL, NULL}, NULL},
    {"bart/feature-extraction", {"shared.", "decoder.embed_tokens.", NULL, NULL}, NULL},
    /* transformers leaves these at random, with a warning */
    {"bert/feature-extraction", HEAD_OF("module."), "names all begin with"},
    {"gpt2/text-generation", HEAD_OF("module."), "names all begin with"},
    {"bert/text-classification", {"classifier.", "other.", NULL, NULL}, "classifier.weight"},
    {"distilbert/text-classification", {"pre_classifier.", "other.", NULL, NULL}, "pre_classifier"},
    {"bert/feature-extraction", {"", "roberta.", NULL, NULL}, "the weights lack the tensor"},
};

static const char *renamed(struct arena *arena, const struct renaming *r, const char *name) {
    const size_t len = strlen(name), end = r->ends == NULL ? 0 : strlen(r->ends);
    if (strcmp(name, "__metadata__") == 0)
        return name;
    if (r->ends != NULL)
        return len >= end && strcmp(name + len - end, r->ends) == 0
                   ? arena_printf(arena, "%.*s%s", (int)(len - end), name, r->after)
                   : name;
    const size_t begin = strlen(r->begins);
    return strncmp(name, r->begins, begin) == 0
               ? arena_printf(arena, "%s%s", r->instead, name + begin)
               : name;
}

static void put_length(uint8_t *to, size_t len) {
    for (size_t i = 0; i < 8; i++)
        to[i] = (uint8_t)((uint64_t)len >> (8 * i));
}

/* The golden's weights with other names; returns how many are other. */
static size_t write_renamed(struct folder *folder, const struct row *row) {
    struct arena *arena = &folder->arena;
    struct error err = {0};
    char *file = NULL;
    size_t len = 0, header_len = 0, changed = 0;
    const struct json *header = NULL;
    const char *path = arena_printf(arena, "%s/%s/model.safetensors", GOLDEN_FOLDER, row->golden);
    assert_int_equal(file_read(&file, &len, arena, path, LIMIT_JSON_FILE, &err), STATUS_OK);
    for (size_t i = 0; i < 8; i++)
        header_len |= (size_t)(uint8_t)file[i] << (8 * i);
    assert_int_equal(json_parse(&header, arena, file + 8, header_len, JSON_STRICT, &err),
                     STATUS_OK);
    struct buf buf;
    buf_init(&buf, LIMIT_JSON_FILE);
    buf_append(&buf, file, 8);
    struct json_out out = json_out_begin(&buf);
    json_open_object(&out);
    for (uint32_t i = 0; i < header->len; i++) {
        const char *name = header->members[i].key;
        const char *other = renamed(arena, &row->renaming, name);
        changed += strcmp(name, other) != 0;
        json_key(&out, other);
        json_value(&out, &header->members[i].value);
    }
    json_close_object(&out);
    put_length((uint8_t *)buf.data, buf.len - 8);
    buf_append(&buf, file + 8 + header_len, len - 8 - header_len);
    folder_write_n(folder, "org/model/model.safetensors", buf.data, buf.len);
    buf_deinit(&buf);
    return changed;
}

static void run(const char *models, const char *model, const struct golden *golden,
                struct brisk_answer *answer) {
    const char *const folders[] = {models, NULL};
    const struct brisk_options options = {.model_folders = folders, .precision = "fp32"};
    const struct brisk_request request = {.model = model,
                                          .task = golden->task,
                                          .body = golden->body,
                                          .body_len = golden->body_len,
                                          .wait_for_model = true,
                                          .no_cache = true};
    struct brisk *brisk = NULL;
    char error[LIMIT_ERROR_TEXT];
    assert_int_equal(brisk_create(&brisk, &options, error, sizeof error), 0);
    brisk_run(brisk, &request, answer);
    brisk_destroy(brisk);
}

static void check_row(const struct row *row) {
    struct folder folder;
    struct goldens goldens = {0};
    struct brisk_answer before = {0}, after = {0};
    folder_make(&folder);
    folder_copy(&folder, path_join(&folder.arena, GOLDEN_FOLDER, row->golden), "org/model");
    if (write_renamed(&folder, row) == 0)
        fail_msg("%s: no tensor is named %s…", row->golden, row->renaming.begins);
    goldens_of(&goldens, row->golden);
    assert_true(goldens.n > 0);
    run(GOLDEN_FOLDER, row->golden, &goldens.at[0], &before);
    run(folder.path, "org/model", &goldens.at[0], &after);
    const char *wanted = row->says != NULL ? row->says : before.body;
    if (before.status != 200 || (after.status == 200) != (row->says == NULL) ||
        strstr(after.body, wanted) == NULL)
        fail_msg("%s, %s -> %s:\n  wanted %.200s\n  got    %.200s", row->golden,
                 row->renaming.begins, row->renaming.instead, wanted, after.body);
    brisk_answer_free(&before);
    brisk_answer_free(&after);
    goldens_free(&goldens);
    folder_remove(&folder);
}

static void renamed_tensors_are_found(void **state) {
    log_set_level(LOG_ERROR + 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_row(&rows[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renamed_tensors_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
