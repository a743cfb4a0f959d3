/* sentence-transformers folders: the modules that follow the model, and what is refused. That the
 * vectors are right is golden_test.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "runtime/sentence.h"
#include "unit/runtime/folder.h"

#define MODULE(name, path)                                                                         \
    "{\"idx\":0,\"name\":\"0\",\"path\":\"" path                                                   \
    "\",\"type\":\"sentence_transformers.models." name "\"}"

struct row {
    const char *modules, *pooling, *dense; /* NULL: no such file */
    const char *transformer;               /* sentence_bert_config.json; NULL: the usual */
    const char *error;                     /* a part of the text; NULL: none */
    bool mean, cls, normalize, exclude_prompt;
    bool apart; /* the transformer has a folder of its own */
};

static void write_row(struct folder *folder, const struct row *row) {
    folder_make(folder);
    folder_write(folder, row->apart ? "0_Transformer/config.json" : "config.json",
                 "{\"model_type\":\"bert\"}");
    folder_write(folder,
                 row->apart ? "0_Transformer/sentence_roberta_config.json"
                            : "sentence_bert_config.json",
                 row->transformer != NULL ? row->transformer
                                          : "{\"max_seq_length\":128,\"do_lower_case\":true}");
    if (row->modules != NULL)
        folder_write(folder, "modules.json", row->modules);
    if (row->pooling != NULL)
        folder_write(folder, "1_Pooling/config.json", row->pooling);
    if (row->dense != NULL)
        folder_write(folder, "2_Dense/config.json", row->dense);
}

static void modules(void **state) {
    static const struct row rows[] = {
        {.modules = NULL},
        {.modules = "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "]",
         .pooling = "{\"pooling_mode_mean_tokens\":true}",
         .mean = true},
        {.modules = "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "," MODULE(
             "Normalize", "2_Normalize") "]",
         .pooling = "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}",
         .cls = true,
         .normalize = true},
        {.modules = "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "]",
         .pooling = "{\"pooling_mode\":[\"cls\",\"mean\"]}",
         .cls = true,
         .mean = true},
        {.modules = "[" MODULE("Transformer", "") "]", .mean = true},
        {.modules = "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "]",
         .pooling = "{\"pooling_mode_mean_tokens\":true,\"include_prompt\":false}",
         .mean = true,
         .exclude_prompt = true},
        {.modules = "[" MODULE("Pooling", "1_Pooling") "," MODULE("Pooling", "1_Pooling") "]",
         .pooling = "{\"pooling_mode_mean_tokens\":true}",
         .error = "Pooling stands behind Pooling"},
        {.modules = "[" MODULE("Normalize", "2_N") "," MODULE("Pooling", "1_Pooling") "]",
         .pooling = "{\"pooling_mode_mean_tokens\":true}",
         .error = "Pooling stands behind Normalize"},
        {.modules = "[" MODULE("Pooling", "1_Pooling") "," MODULE("Transformer", "") "]",
         .pooling = "{\"pooling_mode_mean_tokens\":true}",
         .error = "Transformer stands behind Pooling"},
        {.modules = "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "]",
         .error = "1_Pooling/config.json is missing"},
        {.modules = "[" MODULE("Transformer", "") "," MODULE("Pooling", "1_Pooling") "]",
         .pooling = "[]",
         .error = "1_Pooling/config.json is not an object"},
        {.modules = "[" MODULE("Transformer", "") "," MODULE("LSTM", "1_LSTM") "]",
         .error = "LSTM"},
        {.modules =
             "[" MODULE("Transformer", "0_Transformer") "," MODULE("Pooling", "1_Pooling") "]",
         .apart = true,
         .pooling = "{\"pooling_mode_cls_token\":true,\"pooling_mode_mean_tokens\":false}",
         .cls = true},
        {.modules = "[" MODULE("Pooling", "../1_Pooling") "]", .error = "leaves the folder"},
        {.modules = "[" MODULE("Dense", "2_Dense") "]",
         .dense = "{\"in_features\":9,\"out_features\":4}",
         .error = "do not follow"},
        {.modules = "[" MODULE("Dense", "2_Dense") "]",
         .dense = "{\"in_features\":8,\"out_features\":4,\"activation_function\":\"x.Mish\"}",
         .error = "Mish"},
        {.modules = "[" MODULE("Transformer", "") "]",
         .transformer = "{\"max_seq_length\":2}",
         .error = "max_seq_length"},
        {.modules = "[" MODULE("Transformer", "") "]",
         .transformer = "{\"max_seq_length\":0}",
         .error = "max_seq_length"},
        {.modules = "[" MODULE("Transformer", "") "]",
         .transformer = "{\"max_seq_length\":-1}",
         .error = "max_seq_length"},
        {.modules = "[" MODULE("Transformer", "") "]",
         .transformer = "{\"max_seq_length\":1.5}",
         .error = "max_seq_length"},
        {.modules = "[" MODULE("Transformer", "") "]",
         .transformer = "{\"max_seq_length\":\"x\"}",
         .error = "max_seq_length"},
        {.modules = "[" MODULE("Dense", "2_Dense") "]",
         .dense = "{\"in_features\":8,\"out_features\":4}",
         .error = "2_Dense"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        struct repository repository;
        struct sentence_modules got;
        struct error err = {0};
        write_row(&folder, &rows[i]);
        if (repository_open(&repository, folder.path, &err) != STATUS_OK)
            fail_msg("row %zu: %s", i, err.text);
        const enum status status = sentence_read(&got, &repository, 8, &err);
        if (rows[i].error != NULL) {
            assert_int_equal(status, STATUS_ERROR);
            if (strstr(err.text, rows[i].error) == NULL)
                fail_msg("row %zu: \"%s\" does not say \"%s\"", i, err.text, rows[i].error);
        } else {
            if (status != STATUS_OK)
                fail_msg("row %zu: %s", i, err.text);
            assert_int_equal(strcmp(repository.model_folder, folder.path) != 0, rows[i].apart);
            assert_int_equal(got.present, rows[i].modules != NULL);
            assert_int_equal(got.pool_mean, rows[i].mean);
            assert_int_equal(got.pool_cls, rows[i].cls);
            assert_int_equal(got.normalize, rows[i].normalize);
            assert_int_equal(got.exclude_prompt, rows[i].exclude_prompt);
            assert_int_equal(got.lower_case, rows[i].modules != NULL);
            assert_int_equal(got.max_seq_length, rows[i].modules != NULL ? 128 : 0);
        }
        repository_close(&repository);
        folder_remove(&folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(modules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
