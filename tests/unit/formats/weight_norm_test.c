/* Weight norm against what torch computes (tools/goldens/weights.py), and what is no weight norm.
 */
#include "unit/formats/files.h"

#include <math.h>

#include "formats/formats.h"

#define GOLDENS "tests/golden/weights/"

static struct checkpoint *opened(const char *folder) {
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    if (checkpoint_open(&checkpoint, folder, &err) != STATUS_OK)
        fail_msg("%s: %s", folder, err.text);
    return checkpoint;
}

static void is_what_torch_computes(void **state) {
    struct checkpoint *got = opened(GOLDENS "weight-norm");
    struct checkpoint *wanted = opened(GOLDENS "weight-norm-merged");
    assert_int_equal(checkpoint_count(got), checkpoint_count(wanted));
    for (size_t i = 0; i < checkpoint_count(wanted); i++) {
        const struct tensor *want = checkpoint_at(wanted, i);
        const struct tensor *have = checkpoint_find(got, want->name);
        if (have == NULL)
            fail_msg("no %s", want->name);
        assert_int_equal(have->elements, want->elements);
        for (size_t j = 0; j < want->elements; j++) {
            float a = 0, b = 0;
            tensor_to_floats(want, j, 1, &a);
            tensor_to_floats(have, j, 1, &b);
            if (fabsf(a - b) > 1e-6f * (1 + fabsf(a)))
                fail_msg("%s[%zu]: wanted %.9g, got %.9g", want->name, j, (double)a, (double)b);
        }
    }
    checkpoint_close(got);
    checkpoint_close(wanted);
}

/* A tensor of bytes: its shape, and where it stands. */
#define TENSOR(name, shape, from, to)                                                              \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to "]}"

static const struct {
    const char *name, *header;
    size_t n_data;
    const char *wanted; /* the error; NULL: opened … */
    const char *names;  /* … with these tensors */
} rows[] = {
    {"g alone", "{" TENSOR("a.weight_g", "2", 0, 2) "}", 2, NULL, "a.weight_g "},
    {"v alone", "{" TENSOR("a.weight_v", "2", 0, 2) "}", 2, NULL, "a.weight_v "},
    {"at the top", "{" TENSOR("weight_g", "2,1", 0, 2) "," TENSOR("weight_v", "2,2", 2, 6) "}", 6,
     NULL, "weight "},
    {"another name", "{" TENSOR("sweight_g", "2,1", 0, 2) "," TENSOR("sweight_v", "2,2", 2, 6) "}",
     6, NULL, "sweight_g sweight_v "},
    {"a weight beside them",
     "{" TENSOR("weight_g", "2,1", 0, 2) "," TENSOR("weight_v", "2,2", 2,
                                                    6) "," TENSOR("weight", "2", 6, 8) "}",
     8, NULL, "weight weight_g weight_v "},
    {"both spellings",
     "{" TENSOR("a.weight_g", "2,1", 0, 2) "," TENSOR("a.weight_v", "2,1", 2, 4) "," TENSOR(
         "a.parametrizations.weight.original0", "1", 4,
         5) "," TENSOR("a.parametrizations.weight.original1", "1", 5, 6) "}",
     6, "tensor \"a.weight\" stands twice", NULL},
    {"two lengths", "{" TENSOR("weight_g", "2,2", 0, 4) "," TENSOR("weight_v", "2,2", 4, 8) "}", 8,
     "tensors \"weight_g\" and \"weight_v\" are no weight norm", NULL},
    {"another size", "{" TENSOR("weight_g", "3,1", 0, 3) "," TENSOR("weight_v", "2,2", 3, 7) "}", 7,
     "are no weight norm", NULL},
    {"other dimensions", "{" TENSOR("weight_g", "2", 0, 2) "," TENSOR("weight_v", "2,2", 2, 6) "}",
     6, "are no weight norm", NULL},
    {"no length", "{" TENSOR("weight_g", "0,1", 0, 0) "," TENSOR("weight_v", "0,2", 0, 0) "}", 0,
     "are no weight norm", NULL},
};

static void takes_only_what_is_one(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        char names[256] = "";
        folder_make(&folder);
        folder_put_safetensors(&folder, "model.safetensors", rows[i].header, rows[i].n_data);
        const enum status status = checkpoint_open(&checkpoint, folder.path, &err);
        if (rows[i].wanted != NULL) {
            assert_refused(status, &err, rows[i].name, rows[i].wanted);
        } else if (status != STATUS_OK) {
            fail_msg("%s: %s", rows[i].name, err.text);
        } else {
            for (size_t j = 0; j < checkpoint_count(checkpoint); j++)
                snprintf(names + strlen(names), sizeof names - strlen(names), "%s ",
                         checkpoint_at(checkpoint, j)->name);
            assert_string_equal(names, rows[i].names);
            checkpoint_close(checkpoint);
        }
        folder_remove(&folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_what_torch_computes),
        cmocka_unit_test(takes_only_what_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
