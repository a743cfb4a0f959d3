/* Adapters: the merged numbers by hand, pieces against the whole, which base and which files are
 * taken, and every adapter that is refused. That merged models answer as peft's do is shown by
 * tests/golden/adapter. */
#include "unit/formats/files.h"

#include "formats/formats.h"

#define TENSOR(name, shape, from, to)                                                              \
    "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" shape "],\"data_offsets\":[" #from "," #to "]}"
#define M "base_model.model."

/* w [2,3] = 0..5, square [2,2] = 6..9, bias [2] = 10 11, deep [2,1,2] = 12..15, narrow [2,0] */
#define BASE                                                                                       \
    "{" TENSOR("net.w.weight", "2,3", 0, 6) "," TENSOR(                                            \
        "net.square.weight", "2,2", 6,                                                             \
        10) "," TENSOR("net.w.bias", "2", 10, 12) "," TENSOR("net.deep.weight", "2,1,2", 12,       \
                                                             16) "," TENSOR("net.narrow.weight",   \
                                                                            "2,0", 16, 16) "}"
/* A = 0 1 2, B = 3 4 */
#define LORA                                                                                       \
    "{" TENSOR(M "net.w.lora_A.weight", "1,3", 0, 3) "," TENSOR(M "net.w.lora_B.weight", "2,1", 3, \
                                                                5) "}"
#define CONFIG(settings)                                                                           \
    "{\"peft_type\":\"LORA\",\"base_model_name_or_path\":\"org/base\"" settings "}"
#define PLAIN CONFIG(",\"r\":1,\"lora_alpha\":2")

/* Two folders: the base model, and the adapter. */
struct pair {
    struct folder base, adapter;
};

static enum status find_base(const void *user, const char *adapter_folder, const char *name,
                             struct arena *arena, char **folder, struct error *err) {
    const struct pair *pair = user;
    assert_string_equal(adapter_folder, pair->adapter.path);
    if (strcmp(name, "org/base") != 0)
        return ERR(err, NOT_FOUND, "no such model");
    *folder = arena_printf(arena, "%s", pair->base.path);
    return STATUS_OK;
}

static void pair_make(struct pair *pair, const char *config, const char *header, size_t n_data) {
    folder_make(&pair->base);
    folder_make(&pair->adapter);
    folder_put_text(
        &pair->base, "config.json",
        "{\"architectures\":[\"TinyForMaskedLM\"],\"id2label\":{\"0\":\"x\"},\"size\":7}");
    folder_put_text(&pair->base, "vocab.txt", "a\n");
    folder_put_safetensors(&pair->base, "model.safetensors", BASE, 16);
    folder_put_text(&pair->adapter, "adapter_config.json", config);
    if (header != NULL)
        folder_put_safetensors(&pair->adapter, "adapter_model.safetensors", header, n_data);
}

static void pair_remove(struct pair *pair) {
    folder_remove(&pair->base);
    folder_remove(&pair->adapter);
}

/* Opens both as one; on STATUS_OK the caller closes both. */
static enum status pair_open(const struct pair *pair, struct repository *repository,
                             struct checkpoint **checkpoint, struct error *err) {
    const struct locate locate = {.find = find_base, .user = pair};
    if (repository_open_located(repository, pair->adapter.path, &locate, err) != STATUS_OK)
        return STATUS_ERROR;
    const enum status status = checkpoint_open_repository(checkpoint, repository, err);
    if (status != STATUS_OK)
        repository_close(repository);
    return status;
}

/* ---- numbers ---- */

#define SQUARE                                                                                     \
    "{" TENSOR(M "net.square.lora_A.weight", "1,2", 0, 2) "," TENSOR(M "net.square.lora_B.weight", \
                                                                     "2,1", 2, 4) "}"
#define TURNED                                                                                     \
    "{" TENSOR(M "net.w.lora_A.weight", "1,2", 0, 2) "," TENSOR(                                   \
        M "net.w.lora_B.weight", "3,1", 2,                                                         \
        5) "," TENSOR(M "net.square.lora_A.weight", "1,2", 5,                                      \
                      7) "," TENSOR(M "net.square.lora_B.weight", "2,1", 7, 9) "}"

static const struct {
    const char *name, *config, *header;
    size_t n_data;
    const char *tensor;
    float wanted[6];
} numbers[] = {
    {"alpha / r", PLAIN, LORA, 5, "net.w.weight", {0, 7, 14, 3, 12, 21}},
    {"untouched", PLAIN, LORA, 5, "net.square.weight", {6, 7, 8, 9}},
    {"one dimension more", PLAIN, LORA, 5, "net.deep.weight", {12, 13, 14, 15}},
    {"alpha by pattern",
     CONFIG(",\"r\":1,\"lora_alpha\":2,\"alpha_pattern\":{\"w\":1}"),
     LORA,
     5,
     "net.w.weight",
     {0, 4, 8, 3, 8, 13}},
    {"another's pattern",
     CONFIG(",\"r\":1,\"lora_alpha\":2,\"alpha_pattern\":{\"et.w\":1,\"^w\":9,\".*q.*\":9}"),
     LORA,
     5,
     "net.w.weight",
     {0, 7, 14, 3, 12, 21}},
    {"patterns with stars",
     CONFIG(",\"r\":9,\"lora_alpha\":2,\"rank_pattern\":{\"^n.*\\\\.w$\":1}"),
     LORA,
     5,
     "net.w.weight",
     {0, 7, 14, 3, 12, 21}},
    {"the first pattern",
     CONFIG(",\"r\":1,\"lora_alpha\":2,\"alpha_pattern\":{\".*w\":1,\"net.w\":9}"),
     LORA,
     5,
     "net.w.weight",
     {0, 4, 8, 3, 8, 13}},
    {"a square", PLAIN, SQUARE, 4, "net.square.weight", {6, 11, 8, 15}},
    {"a square turned",
     CONFIG(",\"r\":1,\"lora_alpha\":2,\"fan_in_fan_out\":true"),
     SQUARE,
     4,
     "net.square.weight",
     {6, 7, 12, 15}},
    {"turned", PLAIN, TURNED, 9, "net.w.weight", {0, 1, 2, 7, 10, 13}},
    {"a square beside a turned one", PLAIN, TURNED, 9, "net.square.weight", {76, 87, 92, 105}},
    {"without the model's name",
     PLAIN,
     "{" TENSOR(M "w.lora_A.weight", "1,3", 0, 3) "," TENSOR(M "w.lora_B.weight", "2,1", 3, 5) "}",
     5,
     "net.w.weight",
     {0, 7, 14, 3, 12, 21}},
    {"with another around",
     PLAIN,
     "{" TENSOR(M "outer.net.w.lora_A.weight", "1,3", 0,
                3) "," TENSOR(M "outer.net.w.lora_B.weight", "2,1", 3, 5) "}",
     5,
     "net.w.weight",
     {0, 7, 14, 3, 12, 21}},
    {"a bias of B",
     PLAIN,
     "{" TENSOR(M "net.w.lora_A.weight", "1,3", 0, 3) "," TENSOR(
         M "net.w.lora_B.weight", "2,1", 3, 5) "," TENSOR(M "net.w.lora_B.bias", "2", 5, 7) "}",
     7,
     "net.w.bias",
     {20, 23}},
    {"a bias instead",
     PLAIN,
     "{" TENSOR(M "net.w.base_layer.bias", "2", 0, 2) "}",
     2,
     "net.w.bias",
     {0, 1}},
    {"a saved module",
     PLAIN,
     "{" TENSOR(M "head.modules_to_save.default.weight", "2", 0, 2) "}",
     2,
     "head.weight",
     {0, 1}},
    {"an old module is not taken",
     PLAIN,
     "{" TENSOR(M "net.w.original_module.bias", "2", 0, 2) "}",
     2,
     "net.w.bias",
     {10, 11}},
    {"no inputs",
     PLAIN,
     "{" TENSOR(M "net.narrow.lora_A.weight", "1,0", 0,
                0) "," TENSOR(M "net.narrow.lora_B.weight", "2,1", 0,
                              2) "," TENSOR(M "net.narrow.lora_magnitude_vector", "2", 2, 4) "}",
     4,
     "net.narrow.weight",
     {0}},
    {"no outputs, turned",
     PLAIN,
     "{" TENSOR(M "net.narrow.lora_A.weight", "1,2", 0,
                2) "," TENSOR(M "net.narrow.lora_B.weight", "0,1", 2,
                              2) "," TENSOR(M "net.narrow.lora_magnitude_vector", "0", 2, 2) "}",
     2,
     "net.narrow.weight",
     {0}},
    {"an embedding",
     PLAIN,
     "{" TENSOR(M "net.w.lora_embedding_A", "1,2", 0, 2) "," TENSOR(M "net.w.lora_embedding_B",
                                                                    "3,1", 2, 5) "}",
     5,
     "net.w.weight",
     {0, 1, 2, 7, 10, 13}},
};

static void merges_to_these_numbers(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct pair pair;
        struct repository repository;
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        pair_make(&pair, numbers[i].config, numbers[i].header, numbers[i].n_data);
        if (pair_open(&pair, &repository, &checkpoint, &err) != STATUS_OK)
            fail_msg("%s: %s", numbers[i].name, err.text);
        const struct tensor *tensor = checkpoint_find(checkpoint, numbers[i].tensor);
        assert_non_null(tensor);
        float none = 0;
        tensor_to_floats(tensor, 0, 0, &none);
        for (size_t j = 0; j < tensor->elements; j++) {
            float got = 0;
            tensor_to_floats(tensor, j, 1, &got);
            if (got != numbers[i].wanted[j])
                fail_msg("%s, element %zu: wanted %g, got %g", numbers[i].name, j,
                         (double)numbers[i].wanted[j], (double)got);
        }
        checkpoint_close(checkpoint);
        repository_close(&repository);
        pair_remove(&pair);
    }
}

static enum status find_golden(const void *user, const char *adapter_folder, const char *name,
                               struct arena *arena, char **folder, struct error *err) {
    *folder = arena_printf(arena, "tests/golden/%s", name);
    return STATUS_OK;
}

/* The engine reads in pieces of any size, in any order, on many threads. */
static void pieces_are_the_whole(void **state) {
    static const char *const folders[] = {"gpt2-classifier", "bert-dora", "bert-embedding"};
    const struct locate locate = {.find = find_golden};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        struct arena arena = {0};
        struct repository repository;
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        size_t changed = 0;
        const char *path = path_join(&arena, "tests/golden/adapter", folders[i]);
        if (repository_open_located(&repository, path, &locate, &err) != STATUS_OK ||
            checkpoint_open_repository(&checkpoint, &repository, &err) != STATUS_OK)
            fail_msg("%s: %s", path, err.text);
        for (size_t t = 0; t < checkpoint_count(checkpoint); t++) {
            const struct tensor *tensor = checkpoint_at(checkpoint, t);
            changed += tensor->change != NULL;
            float *whole = arena_zalloc(&arena, tensor->elements, sizeof *whole);
            float *part = arena_zalloc(&arena, tensor->elements, sizeof *part);
            for (size_t n = 0, at = tensor->elements; at > 0; at -= n) {
                n = at < 1 + t * 7 % 89 ? at : 1 + t * 7 % 89;
                tensor_to_floats(tensor, at - n, n, part + at - n);
            }
            tensor_to_floats(tensor, 0, tensor->elements, whole);
            assert_memory_equal(whole, part, tensor->elements * sizeof *whole);
        }
        assert_true(changed > 0);
        checkpoint_close(checkpoint);
        repository_close(&repository);
        arena_deinit(&arena);
    }
}

/* Norms that the team computes are those that the first reader would. */
static void preparing_changes_no_number(void **state) {
    const struct locate locate = {.find = find_golden};
    struct repository repository;
    struct checkpoint *plain = NULL, *prepared = NULL;
    struct team *team = NULL;
    struct error err = {0};
    if (repository_open_located(&repository, "tests/golden/adapter/bert-dora", &locate, &err) !=
            STATUS_OK ||
        checkpoint_open_repository(&plain, &repository, &err) != STATUS_OK ||
        checkpoint_open_repository(&prepared, &repository, &err) != STATUS_OK ||
        team_create(&team, 3, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    checkpoint_prepare(prepared, team);
    checkpoint_prepare(prepared, team); /* nothing is left to do */
    for (size_t i = 0; i < checkpoint_count(plain); i++) {
        struct arena arena = {0};
        const struct tensor *a = checkpoint_at(plain, i), *b = checkpoint_at(prepared, i);
        float *wanted = arena_zalloc(&arena, a->elements, sizeof *wanted);
        float *got = arena_zalloc(&arena, a->elements, sizeof *got);
        tensor_to_floats(a, 0, a->elements, wanted);
        tensor_to_floats(b, 0, b->elements, got);
        assert_memory_equal(wanted, got, a->elements * sizeof *wanted);
        arena_deinit(&arena);
    }
    team_destroy(team);
    checkpoint_close(prepared);
    checkpoint_close(plain);
    repository_close(&repository);
}

/* ---- files ---- */

static void what_the_adapter_lacks_is_the_bases(void **state) {
    struct pair pair;
    struct repository repository;
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    pair_make(&pair, CONFIG(",\"r\":1,\"lora_alpha\":2,\"task_type\":\"SEQ_CLS\""),
              "{" TENSOR(M "classifier.weight", "5,2", 0, 10) "}", 10);
    assert_int_equal(pair_open(&pair, &repository, &checkpoint, &err), STATUS_OK);
    assert_string_equal(repository.model_folder, pair.base.path);
    assert_string_equal(repository.tokenizer_folder, pair.base.path);
    assert_string_equal(json_at(json_get(repository.config, "architectures"), 0)->text,
                        "TinyForSequenceClassification");
    assert_int_equal(json_get_int(repository.config, "num_labels", 0), 5);
    assert_int_equal(json_get_int(repository.config, "size", 0), 7);
    assert_null(json_get(repository.config, "id2label"));
    checkpoint_close(checkpoint);
    repository_close(&repository);
    folder_put_text(&pair.adapter, "config.json",
                    "{\"own\":1,\"quantization_config\":{\"load_in_4bit\":true}}");
    folder_put_text(&pair.adapter, "tokenizer.json", "{}");
    assert_int_equal(pair_open(&pair, &repository, &checkpoint, &err), STATUS_OK);
    assert_string_equal(repository.tokenizer_folder, pair.adapter.path);
    assert_int_equal(json_get_int(repository.config, "own", 0), 1);
    assert_null(json_get(repository.config, "architectures"));
    checkpoint_close(checkpoint);
    repository_close(&repository);
    pair_remove(&pair);
}

/* Embeddings of more tokens, and a head of their own, are brought whole. */
static void the_adapters_tokens_are_counted(void **state) {
    struct pair pair;
    struct repository repository;
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    pair_make(&pair, PLAIN,
              "{" TENSOR(M "net.wte.weight", "9,1", 0, 9) "," TENSOR(M "lm_head.weight", "9,1", 9,
                                                                     18) "}",
              18);
    folder_put_text(&pair.base, "config.json", "{\"vocab_size\":4,\"tie_word_embeddings\":true}");
    assert_int_equal(pair_open(&pair, &repository, &checkpoint, &err), STATUS_OK);
    assert_int_equal(json_get_int(repository.config, "vocab_size", 0), 9);
    assert_false(json_get_bool(repository.config, "tie_word_embeddings", true));
    assert_non_null(checkpoint_find(checkpoint, "lm_head.weight"));
    checkpoint_close(checkpoint);
    repository_close(&repository);
    pair_remove(&pair);
}

static const struct {
    const char *config, *wanted;
} classes[] = {
    {"\"task_type\":\"TOKEN_CLS\"", "TinyForTokenClassification"},
    {"\"task_type\":\"QUESTION_ANS\"", "TinyForQuestionAnswering"},
    {"\"task_type\":\"SEQ_2_SEQ_LM\"", "TinyForConditionalGeneration"},
    {"\"task_type\":\"FEATURE_EXTRACTION\"", "TinyModel"},
    {"\"task_type\":\"CAUSAL_LM\"", "TinyForMaskedLM"}, /* the base is what it is */
    {"\"task_type\":null", "TinyForMaskedLM"},
    {"\"auto_mapping\":{\"base_model_class\":\"TinyForSpeech\"}", "TinyForSpeech"},
};

static void the_class_is_the_trained_one(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
        struct pair pair;
        struct repository repository;
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        char config[512];
        snprintf(config, sizeof config, CONFIG(",\"r\":1,\"lora_alpha\":2,%s"), classes[i].config);
        pair_make(&pair, config, LORA, 5);
        assert_int_equal(pair_open(&pair, &repository, &checkpoint, &err), STATUS_OK);
        assert_string_equal(json_at(json_get(repository.config, "architectures"), 0)->text,
                            classes[i].wanted);
        assert_non_null(json_get(repository.config, "id2label"));
        checkpoint_close(checkpoint);
        repository_close(&repository);
        pair_remove(&pair);
    }
}

/* ---- refused ---- */

#define WITH(setting) CONFIG(",\"r\":1,\"lora_alpha\":2," setting)

static const struct {
    const char *name, *config, *header;
    size_t n_data;
    const char *wanted;
} refused[] = {
    {"not JSON", "{", LORA, 5, "adapter_config.json: invalid JSON"},
    {"an array", "[]", LORA, 5, "adapter_config.json: holds a JSON array"},
    {"no base", "{\"peft_type\":\"LORA\"}", LORA, 5, "\"base_model_name_or_path\" is missing"},
    {"null base", "{\"base_model_name_or_path\":null}", LORA, 5,
     "\"base_model_name_or_path\" is null"},
    {"empty base", "{\"base_model_name_or_path\":\"\"}", LORA, 5,
     "\"base_model_name_or_path\" is empty"},
    {"absent base", "{\"base_model_name_or_path\":\"org/other\"}", LORA, 5,
     "this is an adapter for the model org/other, which is not here: download it"},
    {"no type", "{\"base_model_name_or_path\":\"org/base\"}", LORA, 5,
     "\"peft_type\" is \"\", of which only LORA is merged"},
    {"IA3", "{\"base_model_name_or_path\":\"org/base\",\"peft_type\":\"IA3\"}", LORA, 5,
     "\"peft_type\" is \"IA3\", of which only LORA is merged: merge it in Python"},
    {"prefix tuning", "{\"base_model_name_or_path\":\"org/base\",\"peft_type\":\"PREFIX_TUNING\"}",
     LORA, 5,
     "\"peft_type\" is \"PREFIX_TUNING\", of which only LORA is merged: train a LoRA instead"},
    {"no rank", CONFIG(",\"lora_alpha\":2"), LORA, 5, "\"r\" must be a number over 0"},
    {"rank 0", CONFIG(",\"r\":0,\"lora_alpha\":2"), LORA, 5, "\"r\" must be a number over 0"},
    {"NaN", CONFIG(",\"r\":1,\"lora_alpha\":NaN"), LORA, 5, "\"lora_alpha\" must be a number"},
    {"1e300", CONFIG(",\"r\":1,\"lora_alpha\":1e300"), LORA, 5,
     "\"lora_alpha\" must be a number over 0, at most 1e+09"},
    {"rank 1e300", CONFIG(",\"r\":1e300,\"lora_alpha\":1"), LORA, 5, "\"r\" must be a number"},
    {"nearly 0", CONFIG(",\"r\":1e-300,\"lora_alpha\":1"), LORA, 5, "says 1e-300"},
    {"negative", CONFIG(",\"r\":-1,\"lora_alpha\":2"), LORA, 5, "\"r\" must be a number over 0"},
    {"other rank", CONFIG(",\"r\":2,\"lora_alpha\":2"), LORA, 5, "says 2: they must be one"},
    {"a regular expression", WITH("\"rank_pattern\":{\"(a|b)\":1}"), LORA, 5,
     "\"rank_pattern\" has the pattern \"(a|b)\""},
    {"patterns in a list", WITH("\"alpha_pattern\":[1]"), LORA, 5, "must be an object"},
    {"no number", WITH("\"alpha_pattern\":{\"w\":\"x\"}"), LORA, 5, "\"w\" must be a number"},
    {"QALoRA", WITH("\"use_qalora\":true"), LORA, 5, "\"use_qalora\" is not merged here"},
    {"copies of layers", WITH("\"layer_replication\":[[0,1]]"), LORA, 5, "\"layer_replication\""},
    {"PiSSA", WITH("\"init_lora_weights\":\"pissa\""), LORA, 5,
     "\"pissa\", which changes the base"},
    {"no weights", PLAIN, NULL, 0, "adapter_model.safetensors is missing"},
    {"A alone", PLAIN, "{" TENSOR(M "net.w.lora_A.weight", "1,3", 0, 3) "}", 3,
     "without its lora_B"},
    {"B alone", PLAIN, "{" TENSOR(M "net.w.lora_B.weight", "2,1", 0, 2) "}", 2,
     "without its lora_A"},
    {"another shape", PLAIN,
     "{" TENSOR(M "net.w.lora_A.weight", "1,4", 0, 4) "," TENSOR(M "net.w.lora_B.weight", "2,1", 4,
                                                                 6) "}",
     6, "changes net.w.weight by 4 inputs and 2 outputs"},
    {"a tensor of three dimensions", PLAIN,
     "{" TENSOR(M "net.deep.lora_A.weight", "1,2", 0, 2) "," TENSOR(M "net.deep.lora_B.weight",
                                                                    "2,1", 2, 4) "}",
     4, "has another shape"},
    {"a convolution", PLAIN,
     "{" TENSOR(M "net.w.lora_A.weight", "1,3,1", 0, 3) "," TENSOR(M "net.w.lora_B.weight", "2,1,1",
                                                                   3, 5) "}",
     5, "belongs to a convolution"},
    {"nothing", PLAIN,
     "{" TENSOR(M "net.w.lora_A.weight", "0,3", 0, 0) "," TENSOR(M "net.w.lora_B.weight", "2,0", 0,
                                                                 0) "}",
     0, "has rank 0"},
    {"another model", PLAIN,
     "{" TENSOR(M "x.lora_A.weight", "1,3", 0, 3) "," TENSOR(M "x.lora_B.weight", "2,1", 3, 5) "}",
     5, "changes the tensor x.weight, which the base model's weights lack"},
    {"a new tensor twice", PLAIN,
     "{" TENSOR(M "new.b.base_layer.weight", "1", 0, 1) "," TENSOR(
         M "new.a.weight", "1", 1, 2) "," TENSOR(M "new.b.weight", "1", 2, 3) "}",
     3, "tensor \"new.b.weight\" stands twice"},
    {"tokens", PLAIN, "{" TENSOR(M "e.token_adapter.trainable_tokens_delta", "1", 0, 1) "}", 1,
     "is of a kind that is not merged here"},
    {"another part", PLAIN, "{" TENSOR(M "net.w.lora_C.weight", "1", 0, 1) "}", 1,
     "is of a kind that is not merged here"},
    {"a magnitude too short", PLAIN,
     "{" TENSOR(M "net.w.lora_A.weight", "1,3", 0,
                3) "," TENSOR(M "net.w.lora_B.weight", "2,1", 3,
                              5) "," TENSOR(M "net.w.lora_magnitude_vector", "1", 5, 6) "}",
     6, "lora_magnitude_vector must have 2 elements"},
    {"a bias too long", PLAIN,
     "{" TENSOR(M "net.w.lora_A.weight", "1,3", 0, 3) "," TENSOR(
         M "net.w.lora_B.weight", "2,1", 3, 5) "," TENSOR(M "net.w.lora_B.bias", "3", 5, 8) "}",
     8, "has 3 elements, net.w.bias has 2"},
    {"DoRA of an embedding", PLAIN,
     "{" TENSOR(M "net.w.lora_embedding_A", "1,2", 0,
                2) "," TENSOR(M "net.w.lora_embedding_B", "3,1", 2,
                              5) "," TENSOR(M "net.w.lora_magnitude_vector", "3", 5, 8) "}",
     8, "DoRA of an embedding"},
};

static void says_why_it_is_not_merged(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct pair pair;
        struct repository repository;
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        pair_make(&pair, refused[i].config, refused[i].header, refused[i].n_data);
        const enum status status = pair_open(&pair, &repository, &checkpoint, &err);
        assert_refused(status, &err, refused[i].name, refused[i].wanted);
        assert_int_equal(err.code, ERROR_MODEL);
        pair_remove(&pair);
    }
}

static const struct {
    const char *config, *wanted;
} quantized[] = {
    {"{\"quantization_config\":{\"quant_method\":\"awq\"},\"_name_or_path\":\"org/a\"}",
     "method awq), which is not read: download the original model (org/a)"},
    {"{\"quantization_config\":{\"load_in_4bit\":true}}",
     "method bitsandbytes), which is not read: download the original model; Brisk quantizes by "
     "itself (--precision), or undo it: CLASS.from_pretrained(FOLDER).dequantize()"},
    {"{\"quantization_config\":{\"quant_method\":\"mxfp4\"}}", "Mxfp4Config(dequantize=True)"},
    {"{\"quantization_config\":[]}", "method unknown"},
    {"{\"quantization_config\":null}", NULL},
};

static void quantized_repositories_are_refused(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(quantized); i++) {
        struct folder folder;
        struct repository repository;
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        folder_make(&folder);
        folder_put_text(&folder, "config.json", quantized[i].config);
        folder_put_safetensors(&folder, "model.safetensors", BASE, 16);
        assert_int_equal(repository_open(&repository, folder.path, &err), STATUS_OK);
        const enum status status = checkpoint_open_repository(&checkpoint, &repository, &err);
        if (quantized[i].wanted != NULL)
            assert_refused(status, &err, quantized[i].config, quantized[i].wanted);
        else
            assert_int_equal(status, STATUS_OK);
        checkpoint_close(checkpoint);
        repository_close(&repository);
        folder_remove(&folder);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_to_these_numbers),
        cmocka_unit_test(pieces_are_the_whole),
        cmocka_unit_test(preparing_changes_no_number),
        cmocka_unit_test(what_the_adapter_lacks_is_the_bases),
        cmocka_unit_test(the_adapters_tokens_are_counted),
        cmocka_unit_test(the_class_is_the_trained_one),
        cmocka_unit_test(says_why_it_is_not_merged),
        cmocka_unit_test(quantized_repositories_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
