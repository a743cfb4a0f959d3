/* Checkpoints: one file or shards, lookup by name, every mismatch between index and shards, and
 * what is said of folders whose weights are in another format. */
#include "unit/formats/files.h"

#include "formats/formats.h"

#define BYTES(name, n)                                                                             \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" #n "],\"data_offsets\":[0," #n "]}"
#define INDEX        "model.safetensors.index.json"
#define MAP(members) "{\"metadata\":{\"total_size\":5},\"weight_map\":{" members "}}"

static void one_file_is_a_sorted_list(void **state) {
    struct folder folder;
    folder_make(&folder);
    folder_put_safetensors(&folder, "model.safetensors",
                           "{\"b\":{\"dtype\":\"I16\",\"shape\":[2,1],\"data_offsets\":[0,4]},"
                           "\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[4,7]}}",
                           7);
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    assert_int_equal(checkpoint_open(&checkpoint, folder.path, &err), STATUS_OK);
    assert_int_equal(checkpoint_count(checkpoint), 2);
    assert_int_equal(checkpoint_bytes(checkpoint), 7);
    assert_string_equal(checkpoint_at(checkpoint, 0)->name, "a");
    assert_string_equal(checkpoint_at(checkpoint, 1)->name, "b");
    const struct tensor *b = checkpoint_find(checkpoint, "b");
    assert_ptr_equal(b, checkpoint_at(checkpoint, 1));
    assert_int_equal(b->dtype, DTYPE_I16);
    assert_int_equal(b->n_dims, 2);
    assert_int_equal(b->dims[0], 2);
    assert_int_equal(b->dims[1], 1);
    assert_int_equal(b->elements, 2);
    assert_int_equal(b->bytes, 4);
    assert_memory_equal(b->data, "\0\1\2\3", 4);
    assert_memory_equal(checkpoint_find(checkpoint, "a")->data, "\4\5\6", 3);
    assert_null(checkpoint_find(checkpoint, "c"));
    assert_null(checkpoint_find(checkpoint, ""));
    checkpoint_close(checkpoint);
    folder_remove(&folder);
}

static void an_empty_checkpoint_is_one(void **state) {
    struct folder folder;
    folder_make(&folder);
    folder_put_safetensors(&folder, "model.safetensors", "{}", 0);
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    assert_int_equal(checkpoint_open(&checkpoint, folder.path, &err), STATUS_OK);
    assert_int_equal(checkpoint_count(checkpoint), 0);
    assert_null(checkpoint_find(checkpoint, "a"));
    checkpoint_close(checkpoint);
    checkpoint_close(NULL);
    folder_remove(&folder);
}

/* Shards 1.st: a (3 bytes); 2.st: b (2 bytes). */
static void put_shards(struct folder *folder) {
    folder_put_safetensors(folder, "1.st", "{" BYTES("a", 3) "}", 3);
    folder_put_safetensors(folder, "2.st", "{" BYTES("b", 2) "}", 2);
}

static void shards_are_one_list(void **state) {
    struct folder folder;
    folder_make(&folder);
    put_shards(&folder);
    folder_put_text(&folder, INDEX, MAP("\"b\":\"2.st\",\"a\":\"1.st\""));
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    assert_int_equal(checkpoint_open(&checkpoint, folder.path, &err), STATUS_OK);
    assert_int_equal(checkpoint_count(checkpoint), 2);
    assert_int_equal(checkpoint_bytes(checkpoint), 5);
    assert_memory_equal(checkpoint_find(checkpoint, "a")->data, "\0\1\2", 3);
    assert_memory_equal(checkpoint_find(checkpoint, "b")->data, "\0\1", 2);
    checkpoint_close(checkpoint);
    folder_remove(&folder);
}

#define NO_PLAIN_NAME "must be the name of a file in the same folder"
static const struct {
    const char *name, *index, *wanted;
} indexes[] = {
    {"not JSON", "{", "model.safetensors.index.json: invalid JSON at line 1"},
    {"an array", "[]", INDEX ": \"weight_map\" must be an object of tensor and file names"},
    {"no map", "{\"metadata\":{}}", "\"weight_map\" must be an object"},
    {"an empty map", MAP(""), "\"weight_map\" must be an object"},
    {"a map of lists", "{\"weight_map\":[\"1.st\"]}", "\"weight_map\" must be an object"},
    {"a number", MAP("\"a\":1"), "\"a\" stands in a JSON number, " NO_PLAIN_NAME},
    {"a folder above", MAP("\"a\":\"../1.st\""), "\"a\" stands in \"../1.st\", " NO_PLAIN_NAME},
    {"two dots", MAP("\"a\":\"..\""), NO_PLAIN_NAME},
    {"a path", MAP("\"a\":\"/etc/passwd\""), NO_PLAIN_NAME},
    {"a folder below", MAP("\"a\":\"x/1.st\""), NO_PLAIN_NAME},
    {"no name", MAP("\"a\":\"\""), NO_PLAIN_NAME},
    {"a zero", MAP("\"a\":\"1.st\\u0000.x\""), NO_PLAIN_NAME},
    {"an absent shard", MAP("\"a\":\"1.st\",\"c\":\"3.st\""),
     INDEX ": shard 3.st (2 of 2) is missing: download it"},
    {"an absent tensor", MAP("\"a\":\"1.st\",\"b\":\"2.st\",\"c\":\"2.st\""),
     INDEX ": tensor \"c\" should be in 2.st, which does not hold it"},
    {"a tensor elsewhere", MAP("\"a\":\"2.st\",\"b\":\"1.st\""),
     INDEX ": tensor \"a\" should be in 2.st but stands in 1.st"},
    {"a tensor in two shards", MAP("\"a\":\"1.st\",\"b\":\"copy.st\""),
     "tensor \"a\" stands twice, in 1.st and copy.st: the checkpoint is damaged"},
    {"a shard cut off", MAP("\"a\":\"cut.st\""),
     "cut.st: is 62 bytes, its header promises 64 (tensor \"a\" ends there)"},
    {"an empty shard", MAP("\"a\":\"empty.st\""), "empty.st is empty: download it again"},
};

static void says_how_index_and_shards_differ(void **state) {
    struct folder folder;
    folder_make(&folder);
    put_shards(&folder);
    folder_put_safetensors(&folder, "copy.st", "{" BYTES("a", 3) "}", 3);
    folder_put_safetensors(&folder, "cut.st", "{" BYTES("a", 3) "}", 1);
    folder_put_text(&folder, "empty.st", "");
    for (size_t i = 0; i < ARRAY_LEN(indexes); i++) {
        folder_put_text(&folder, INDEX, indexes[i].index);
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        const enum status status = checkpoint_open(&checkpoint, folder.path, &err);
        assert_refused(status, &err, indexes[i].name, indexes[i].wanted);
        assert_int_equal(err.code, ERROR_MODEL);
        assert_null(checkpoint);
    }
    folder_remove(&folder);
}

static void counts_the_shards(void **state) {
    struct folder folder;
    folder_make(&folder);
    struct buf buf;
    buf_init(&buf, 1 * MiB);
    for (int i = 0; i <= LIMIT_SHARDS; i++)
        buf_printf(&buf, "%s\"%d\":\"%d.st\"", i == 0 ? "{\"weight_map\":{" : ",", i, i);
    buf_puts(&buf, "}}");
    folder_put(&folder, INDEX, buf.data, buf.len);
    buf_deinit(&buf);
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    const enum status status = checkpoint_open(&checkpoint, folder.path, &err);
    assert_refused(status, &err, "too many", "names 1025 files, at most 1024 are read");
    folder_remove(&folder);
}

static const struct {
    const char *file;
    enum error_code code;
    const char *wanted;
} foreign[] = {
    {NULL, ERROR_NOT_FOUND, "model.safetensors is missing"},
    {"README.md", ERROR_NOT_FOUND, "model.safetensors is missing"},
    {"pytorch_model.bin", ERROR_MODEL, "pytorch_model.bin: is not a file of torch.save"},
    {"pytorch_model-00001-of-00002.bin", ERROR_MODEL,
     "rename it to pytorch_model.bin when it holds the whole model, else download"},
    {"tf_model.h5", ERROR_MODEL, "CLASS.from_pretrained(FOLDER, from_tf=True).save_pretrained"},
    {"flax_model.msgpack", ERROR_MODEL, "CLASS.from_pretrained(FOLDER, from_flax=True)"},
    {"adapter_model.safetensors", ERROR_MODEL, "whose adapter_config.json is missing"},
    {"model-00001-of-00002.safetensors", ERROR_MODEL,
     "rename it to model.safetensors when it holds the whole model, else download the missing"},
    {"model.fp16.safetensors", ERROR_MODEL, "rename it to model.safetensors"},
    {"model.safetensors.incomplete", ERROR_MODEL, "the download did not finish"},
    {"diffusion_pytorch_model.safetensors", ERROR_MODEL, "part of an image pipeline"},
    {"consolidated.00.pth", ERROR_MODEL, "in its maker's own layout"},
    {"model.onnx", ERROR_MODEL, "ONNX is not read"},
    {"openvino_model.xml", ERROR_MODEL, "OpenVINO is not read"},
    {"rust_model.ot", ERROR_MODEL, "the format of Rust's tch is not read"},
    {"x.nemo", ERROR_MODEL, "NeMo's archive is not read"},
    {"x.mlmodel", ERROR_MODEL, "Core ML is not read"},
    {"saved_model.pb", ERROR_MODEL, "SavedModel is not read"},
    {"weights.npz", ERROR_MODEL, "MLX' format is not read"},
    {"ggml-model-q4_0.bin", ERROR_MODEL, "convert it to GGUF"},
    {"model.pth", ERROR_MODEL, "rename it to pytorch_model.bin"},
    {"bert_model.ckpt.data-00000-of-00001", ERROR_MODEL, "TensorFlow 1 or Lightning is not read"},
    {"model.safetensors", ERROR_MODEL, "model.safetensors: is 1 bytes"},
};

static void says_what_to_convert(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        struct folder folder;
        folder_make(&folder);
        if (foreign[i].file != NULL)
            folder_put_text(&folder, foreign[i].file, "x");
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        const enum status status = checkpoint_open(&checkpoint, folder.path, &err);
        assert_refused(status, &err, foreign[i].file ? foreign[i].file : "nothing",
                       foreign[i].wanted);
        assert_int_equal(err.code, foreign[i].code);
        assert_null(checkpoint);
        folder_remove(&folder);
    }
}

/* As in a copy of the hub's cache without what its links lead to. */
static void links_that_lead_nowhere_are_told(void **state) {
    static const char *const names[] = {"model.safetensors", "pytorch_model.bin", "x.gguf"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct folder folder;
        struct arena arena = {0};
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        folder_make(&folder);
        folder_put_text(&folder, "other.safetensors", "x"); /* is not told instead */
        const char *path = path_join(&arena, folder.path, names[i]);
        assert_int_equal(symlink("../blobs/absent", path), 0);
        const enum status status = checkpoint_open(&checkpoint, folder.path, &err);
        assert_refused(status, &err, names[i], "is no file but a link that leads nowhere");
        assert_int_equal(strncmp(err.text, names[i], strlen(names[i])), 0);
        unlink(path);
        folder_remove(&folder);
        arena_deinit(&arena);
    }
}

static void says_that_the_folder_is_missing(void **state) {
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    const enum status status = checkpoint_open(&checkpoint, "/nonexistent", &err);
    assert_refused(status, &err, "no folder", "no readable folder /nonexistent");
    assert_int_equal(err.code, ERROR_NOT_FOUND);
}

/* A file cut off while it is read gives zeros, and the reader is told. */
static void a_file_that_shrinks_is_told(void **state) {
    static float floats[64 * 1024];
    struct folder folder;
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    char path[512];
    folder_make(&folder);
    folder_put_safetensors(&folder, "model.safetensors",
                           "{\"a\":{\"dtype\":\"U8\",\"shape\":[65536],"
                           "\"data_offsets\":[0,65536]}}",
                           65536);
    assert_int_equal(checkpoint_open(&checkpoint, folder.path, &err), STATUS_OK);
    const struct tensor *tensor = checkpoint_find(checkpoint, "a");
    assert_int_equal(checkpoint_intact(checkpoint, &err), STATUS_OK);
    snprintf(path, sizeof path, "%s/model.safetensors", folder.path);
    assert_int_equal(truncate(path, 1000), 0);
    tensor_to_floats(tensor, 0, tensor->elements, floats);
    assert_true(floats[100] == 100.0f && floats[65535] == 0.0f);
    assert_refused(checkpoint_intact(checkpoint, &err), &err, "cut off",
                   "model.safetensors was changed, or could not be read, while it was loaded");
    checkpoint_close(checkpoint);
    folder_remove(&folder);
}

/* The trained models beside the project, where they are there. */
static void opens_real_models(void **state) {
    static const struct {
        const char *folder, *tensor;
        size_t count;
        int64_t dims[2];
    } models[] = {
        {"capp-gpt2", "transformer.wpe.weight", 52, {0, 0}},
        {"misaki-bart-g2p-us", "model.encoder.embed_positions.weight", 50, {0, 0}},
        {"stories260K", "model.norm.weight", 47, {64, 0}},
    };
    const char *shared = getenv("BRISK_SHARED");
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/models/%s", shared != NULL ? shared : "../shared",
                 models[i].folder);
        if (!folder_exists(path)) {
            print_message("skipped: no %s\n", path);
            continue;
        }
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        if (checkpoint_open(&checkpoint, path, &err) != STATUS_OK)
            fail_msg("%s: %s", path, err.text);
        assert_int_equal(checkpoint_count(checkpoint), models[i].count);
        const struct tensor *tensor = checkpoint_find(checkpoint, models[i].tensor);
        assert_non_null(tensor);
        if (models[i].dims[0] != 0)
            assert_int_equal(tensor->dims[0], models[i].dims[0]);
        checkpoint_close(checkpoint);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_file_is_a_sorted_list),
        cmocka_unit_test(an_empty_checkpoint_is_one),
        cmocka_unit_test(shards_are_one_list),
        cmocka_unit_test(says_how_index_and_shards_differ),
        cmocka_unit_test(counts_the_shards),
        cmocka_unit_test(says_what_to_convert),
        cmocka_unit_test(links_that_lead_nowhere_are_told),
        cmocka_unit_test(says_that_the_folder_is_missing),
        cmocka_unit_test(a_file_that_shrinks_is_told),
        cmocka_unit_test(opens_real_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
