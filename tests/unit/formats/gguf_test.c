/* GGUF files: what is read from good ones, and what damaged ones are told. Whole models stand in
 * tests/golden/gguf and answer in the runtime's golden test; values of types: blocks_test.c. */
#include "unit/formats/gguf_make.h"

enum { F32 = 0, Q4_0 = 2, Q4_K = 12, IQ4_NL = 20 }; /* ggml's numbers */

/* ---- damage ---- */

static void magic(struct buf *f) {
    buf_init(f, KiB);
    buf_puts(f, "version https://git-lfs.github.com/spec/v1");
}
static void version_1(struct buf *f) {
    put_begin(f, 1, 0, 0);
}
static void big_endian(struct buf *f) {
    put_begin(f, 0x03000000, 0, 0);
}
static void version_4(struct buf *f) {
    put_begin(f, 4, 0, 0);
}
static void many_tensors(struct buf *f) {
    put_begin(f, 3, 1000000000, 0);
}
static void tensors_beyond_file(struct buf *f) {
    put_begin(f, 3, 65536, 0);
}
static void many_keys(struct buf *f) {
    put_begin(f, 3, 0, 1000000000);
}
static void all_keys(struct buf *f) {
    put_begin(f, 3, 0, UINT64_MAX);
}
static void keys_beyond_file(struct buf *f) {
    put_begin(f, 3, 0, 100);
}
static void long_key(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_number(f, UINT64_MAX, 8);
    put_number(f, 0, 16);
}
static void empty_key(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_pair(f, "", GGUF_U32, 1);
    put_number(f, 0, 8);
}
static void zero_in_key(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_number(f, 3, 8);
    buf_append(f, "a\0b", 3);
    put_number(f, 0, 16);
}
static void value_type(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_text(f, "key");
    put_number(f, 13, 8);
}
static void long_array(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_array(f, "key", GGUF_U64, 1000000000);
}
static void longest_array(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_array(f, "key", GGUF_STRING, UINT64_MAX);
}
static void array_of_arrays(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_array(f, "key", GGUF_ARRAY, 1);
    put_number(f, 0, 16);
}
static void string_of_array(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_array(f, "key", GGUF_STRING, 2);
    put_text(f, "abc");
    put_number(f, 1000, 8);
}
static void key_twice(struct buf *f) {
    put_begin(f, 3, 0, 2);
    put_pair(f, "key", GGUF_U32, 1);
    put_pair(f, "key", GGUF_U8, 1);
}
static void alignment_3(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_pair(f, "general.alignment", GGUF_U32, 3);
}
static void alignment_type(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_pair(f, "general.alignment", GGUF_U64, 32);
}
static void no_architecture(struct buf *f) {
    put_begin(f, 3, 0, 0);
}
static void unknown_architecture(struct buf *f) {
    put_begin(f, 3, 0, 1);
    put_string_pair(f, "general.architecture", "rwkv7");
}

static void begin_gpt2(struct buf *f, uint64_t tensors) {
    put_begin(f, 3, tensors, 1);
    put_string_pair(f, "general.architecture", "gpt2");
}
static void five_dimensions(struct buf *f) {
    begin_gpt2(f, 1);
    put_text(f, "a.weight");
    put_number(f, 5, 4);
    put_number(f, 1, 40);
    put_number(f, 0, 12);
}
static void negative_dimension(struct buf *f) {
    begin_gpt2(f, 1);
    put_tensor(f, "a.weight", UINT64_MAX, 0, F32, 0);
}
static void nan_dimensions(struct buf *f) { /* the bits of two NaNs */
    begin_gpt2(f, 1);
    put_tensor(f, "a.weight", 0x7ff8000000000000, 0x7ff8000000000000, F32, 0);
}
static void unknown_type(struct buf *f) {
    begin_gpt2(f, 1);
    put_tensor(f, "a.weight", 32, 1, 1000, 0);
}
static void unread_type(struct buf *f) {
    begin_gpt2(f, 1);
    put_tensor(f, "a.weight", 32, 1, IQ4_NL, 0);
}
static void part_of_block(struct buf *f) {
    begin_gpt2(f, 1);
    put_tensor(f, "a.weight", 48, 4, Q4_0, 0);
    put_data(f, 4096);
}
static void offset_of_5(struct buf *f) {
    begin_gpt2(f, 1);
    put_tensor(f, "a.weight", 4, 0, F32, 5);
    put_data(f, 64);
}
static void offset_beyond_file(struct buf *f) {
    begin_gpt2(f, 1);
    put_tensor(f, "a.weight", 4, 0, F32, 1ull << 62);
    put_data(f, 64);
}
static void tensor_beyond_file(struct buf *f) {
    begin_gpt2(f, 1);
    put_tensor(f, "a.weight", 256, 2, Q4_K, 0);
    put_data(f, 287);
}
static void overlap(struct buf *f) {
    begin_gpt2(f, 2);
    put_tensor(f, "b.weight", 4, 0, F32, 32);
    put_tensor(f, "a.weight", 9, 0, F32, 0);
    put_data(f, 128);
}
static void tensor_twice(struct buf *f) {
    begin_gpt2(f, 2);
    put_tensor(f, "token_embd.weight", 4, 0, F32, 0);
    put_tensor(f, "token_embd.weight", 4, 0, F32, 32);
    put_data(f, 64);
}
static void tensor_under_both_names(struct buf *f) {
    begin_gpt2(f, 2);
    put_tensor(f, "token_embd.weight", 4, 0, F32, 0);
    put_tensor(f, "transformer.wte.weight", 4, 0, F32, 32);
    put_data(f, 64);
}
static void odd_heads(struct buf *f) {
    put_begin(f, 3, 1, 2);
    put_string_pair(f, "general.architecture", "llama");
    put_pair(f, "llama.attention.head_count", GGUF_U32, 4);
    put_tensor(f, "blk.0.attn_q.weight", 4, 12, F32, 0);
    put_data(f, 192);
}
static void one_of_two_parts(struct buf *f) {
    put_begin(f, 3, 0, 3);
    put_string_pair(f, "general.architecture", "gpt2");
    put_pair(f, "split.no", GGUF_U16, 0);
    put_pair(f, "split.count", GGUF_U16, 2);
}

#define ROW(name, wanted)                                                                          \
    { #name, name, wanted }
static const struct {
    const char *name;
    void (*make)(struct buf *file);
    const char *wanted;
} damage[] = {
    ROW(magic, "does not begin with \"GGUF\""),
    ROW(version_1, "is of GGUF version 1, versions 2 and 3 are read"),
    ROW(big_endian, "is a big-endian GGUF file"),
    ROW(version_4, "is of GGUF version 4"),
    ROW(many_tensors, "promises 1000000000 tensors, at most 65536 are read"),
    ROW(tensors_beyond_file, "promises 65536 tensors, more than its 24 bytes hold"),
    ROW(many_keys, "promises 1000000000 keys, at most 4096 are read"),
    ROW(all_keys, "promises 18446744073709551615 keys"),
    ROW(keys_beyond_file, "promises 100 keys, more than its 24 bytes hold"),
    ROW(long_key, "a key at byte 24 has a length of 18446744073709551615, 16 bytes are left"),
    ROW(empty_key, "a key at byte 32 has 0 bytes, must be 1 to 1024 without a zero"),
    ROW(zero_in_key, "a key at byte 32 has 3 bytes, must be 1 to 1024 without a zero"),
    ROW(value_type, "\"key\" has the value type 13, must be 0 to 12"),
    ROW(long_array, "\"key\" promises 1000000000 items of at least 8 bytes, 0 bytes are left"),
    ROW(longest_array, "\"key\" promises 18446744073709551615 items of at least 8 bytes"),
    ROW(array_of_arrays, "\"key\" is an array of arrays, which is not read"),
    ROW(string_of_array, "\"key\": a string at byte 62 has a length of 1000, 0 bytes are left"),
    ROW(key_twice, "the key \"key\" stands twice"),
    ROW(alignment_3, "\"general.alignment\" must be a power of two"),
    ROW(alignment_type, "\"general.alignment\" must be a power of two"),
    ROW(no_architecture, "lacks the key \"general.architecture\""),
    ROW(unknown_architecture, "\"general.architecture\" is \"rwkv7\"; of GGUF files Brisk reads"),
    ROW(five_dimensions, "tensor \"a.weight\" has 5 dimensions, must be at most 4"),
    ROW(negative_dimension, "dimension 0 is 18446744073709551615, must be at most 2^63-1"),
    ROW(nan_dimensions, "tensor \"a.weight\" has more elements than memory has bytes"),
    ROW(unknown_type, "tensor \"a.weight\" is of ggml's type 1000, which is not known"),
    ROW(unread_type, "tensor \"a.weight\" is of ggml's type IQ4_NL, which is not read"),
    ROW(part_of_block, "rows of 48, must be a multiple of 32, the elements of a block of Q4_0"),
    ROW(offset_of_5, "tensor \"a.weight\": offset 5, must be a multiple of 32"),
    ROW(offset_beyond_file, "needs 16 bytes from 4611686018427387904 on, the file has 64"),
    ROW(tensor_beyond_file, "tensor \"a.weight\" needs 288 bytes from 0 on, the file has 287"),
    ROW(overlap, "tensors \"a.weight\" and \"b.weight\" overlap"),
    ROW(tensor_twice, "tensor \"transformer.wte.weight\" stands twice"),
    ROW(tensor_under_both_names, "tensor \"transformer.wte.weight\" stands twice"),
    ROW(odd_heads, "has 12 rows, \"llama.attention.head_count\" must divide them into an even"),
    ROW(one_of_two_parts, "says that the model has 2 parts (\"split.count\"), the folder holds 1"),
};

static void says_what_is_wrong(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(damage); i++) {
        struct buf file;
        struct error err = {0};
        damage[i].make(&file);
        uint8_t *exact = mem_alloc(file.len); /* so that a read behind the end is seen */
        memcpy(exact, file.data, file.len);
        const enum status status = gguf_check(exact, file.len, &err);
        assert_refused(status, &err, damage[i].name, damage[i].wanted);
        assert_int_equal(err.code, ERROR_MODEL);
        mem_free(exact);
        buf_deinit(&file);
    }
}

/* ---- good files ---- */

/* All that a byte-level tokenizer needs. */
static void put_gpt2(struct buf *f) {
    put_begin(f, 3, 3, 11);
    put_string_pair(f, "general.architecture", "gpt2");
    put_pair(f, "gpt2.block_count", GGUF_U32, 2);
    put_pair(f, "gpt2.context_length", GGUF_I16, 48);
    put_pair(f, "gpt2.embedding_length", GGUF_U64, 4);
    put_array(f, "gpt2.attention.head_count", GGUF_U32, 2); /* the same in every layer */
    put_number(f, 2, 4);
    put_number(f, 2, 4);
    put_text(f, "gpt2.attention.layer_norm_epsilon");
    put_number(f, GGUF_F32, 4);
    put_float(f, 0.25f);
    put_string_pair(f, "tokenizer.ggml.model", "gpt2");
    put_array(f, "tokenizer.ggml.tokens", GGUF_STRING, 3);
    put_text(f, "a");
    put_text(f, "b");
    put_text(f, "ab");
    put_array(f, "tokenizer.ggml.merges", GGUF_STRING, 1);
    put_text(f, "a b");
    put_pair(f, "tokenizer.ggml.eos_token_id", GGUF_U32, 2);
    put_pair(f, "tokenizer.ggml.bos_token_id", GGUF_U32, 99); /* no token's */
    put_tensor(f, "token_embd.weight", 4, 3, F32, 0);
    put_tensor(f, "blk.12.attn_qkv.weight", 4, 2, F32, 64);
    put_tensor(f, "rope_freqs.weight", 2, 0, F32, 96);
    put_data(f, 104);
}

static void every_truncation_is_refused(void **state) {
    struct buf file;
    put_gpt2(&file);
    struct error err = {0};
    if (gguf_check(file.data, file.len, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (size_t len = 0; len < file.len; len++) {
        uint8_t *cut = mem_alloc(len);
        memcpy(cut, file.data, len);
        if (gguf_check(cut, len, &err) == STATUS_OK)
            fail_msg("the first %zu of %zu bytes are accepted", len, file.len);
        mem_free(cut);
    }
    buf_deinit(&file);
}

/* Any change of one byte is refused or accepted, without harm. */
static void no_changed_byte_does_harm(void **state) {
    struct buf file;
    put_gpt2(&file);
    for (size_t at = 0; at < file.len; at++) {
        static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
            struct error err = {0};
            const char old = file.data[at];
            file.data[at] = (char)values[i];
            (void)!gguf_check(file.data, file.len, &err);
            file.data[at] = old;
        }
    }
    buf_deinit(&file);
}

static void tensors_have_the_names_of_transformers(void **state) {
    struct folder folder;
    struct buf file;
    struct error err = {0};
    struct checkpoint *checkpoint = NULL;
    folder_make(&folder);
    put_gpt2(&file);
    folder_put_buf(&folder, "anything.Q4.gguf", &file);
    if (checkpoint_open(&checkpoint, folder.path, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(checkpoint_count(checkpoint), 3);
    const struct tensor *embedding = checkpoint_find(checkpoint, "transformer.wte.weight");
    const struct tensor *qkv = checkpoint_find(checkpoint, "transformer.h.12.attn.c_attn.weight");
    assert_non_null(embedding);
    assert_non_null(qkv);
    assert_non_null(checkpoint_find(checkpoint, "rope_freqs.weight"));
    assert_false(embedding->turned);
    assert_true(qkv->turned);
    assert_int_equal(qkv->dims[0], 2); /* rows of 4 */
    assert_int_equal(qkv->dims[1], 4);
    assert_int_equal(*(const uint8_t *)qkv->data, 64);
    checkpoint_close(checkpoint);
    folder_remove(&folder);
}

/* llama's q: 2 heads of 4 rows, 0 1 2 3 in the file are 0 2 1 3 of a head. */
static void paired_rows_come_apart(void **state) {
    struct buf file;
    struct error err = {0};
    struct tensor_list list = {.n_files = 1};
    put_begin(&file, 3, 2, 2);
    put_string_pair(&file, "general.architecture", "llama");
    put_pair(&file, "llama.attention.head_count", GGUF_U32, 2);
    put_tensor(&file, "blk.0.attn_k.weight", 3, 8, 24, 0); /* I8 */
    put_tensor(&file, "blk.0.attn_v.weight", 3, 8, 24, 32);
    put_data(&file, 56);
    if (format_gguf.list(&list, (const uint8_t *)file.data, file.len, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    static const float wanted[] = {0,  1,  2,  6,  7,  8,  3,  4,  5,  9,  10, 11,
                                   12, 13, 14, 18, 19, 20, 15, 16, 17, 21, 22, 23};
    const struct tensor *k = &list.items[0].tensor, *v = &list.items[1].tensor;
    assert_string_equal(k->name, "model.layers.0.self_attn.k_proj.weight");
    for (size_t from = 0; from < 24; from++) {
        for (size_t n = 0; from + n <= 24; n++) {
            float got[24];
            tensor_to_floats(k, from, n, got);
            assert_memory_equal(got, wanted + from, n * sizeof *got);
        }
    }
    float plain = 0;
    tensor_to_floats(v, 3, 1, &plain);
    assert_true(plain == 35);
    tensor_list_deinit(&list);
    buf_deinit(&file);
}

static void paired_rows_may_be_empty(void **state) {
    struct buf file;
    struct error err = {0};
    struct tensor_list list = {.n_files = 1};
    put_begin(&file, 3, 1, 2);
    put_string_pair(&file, "general.architecture", "llama");
    put_pair(&file, "llama.attention.head_count", GGUF_U32, 2);
    put_text(&file, "blk.0.attn_q.weight");
    put_number(&file, 2, 4);
    put_number(&file, 0, 8); /* 4 rows of nothing */
    put_number(&file, 4, 8);
    put_number(&file, 24, 4);
    put_number(&file, 0, 8);
    put_data(&file, 0);
    if (format_gguf.list(&list, (const uint8_t *)file.data, file.len, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    float untouched = -1;
    tensor_to_floats(&list.items[0].tensor, 0, 0, &untouched);
    assert_true(untouched == -1);
    tensor_list_deinit(&list);
    buf_deinit(&file);
}

/* ---- folders ---- */

static void a_folder_of_one_file_is_a_repository(void **state) {
    struct folder folder;
    struct buf file;
    struct repository repository;
    struct error err = {0};
    struct arena arena = {0};
    folder_make(&folder);
    assert_false(repository_exists(folder.path));
    put_gpt2(&file);
    folder_put_buf(&folder, "model.gguf", &file);
    assert_true(repository_exists(folder.path));
    if (repository_open(&repository, folder.path, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    const struct json *config = repository.config, *tokenizer = NULL;
    assert_true(json_equals(json_get(config, "model_type"), "gpt2"));
    assert_int_equal(json_get_int(config, "n_layer", -1), 2);
    assert_int_equal(json_get_int(config, "n_positions", -1), 48);
    assert_int_equal(json_get_int(config, "n_embd", -1), 4);
    assert_int_equal(json_get_int(config, "n_head", -1), 2);
    assert_int_equal(json_get_int(config, "vocab_size", -1), 3);
    assert_int_equal(json_get_int(config, "eos_token_id", -1), 2);
    assert_true(json_get_number(config, "layer_norm_epsilon", 0) == 0.25);
    assert_true(json_get_bool(config, "tie_word_embeddings", false));
    assert_null(json_get(config, "n_inner"));
    assert_true(json_equals(json_get(repository.tokenizer_config, "eos_token"), "ab"));
    assert_null(json_get(repository.tokenizer_config, "bos_token"));
    if (repository_tokenizer(&repository, &arena, &tokenizer, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    const struct json *model = json_get(tokenizer, "model");
    assert_true(json_equals(json_get(model, "type"), "BPE"));
    assert_int_equal(json_get_int(json_get(model, "vocab"), "ab", -1), 2);
    assert_true(json_equals(json_at(json_get(model, "merges"), 0), "a b"));
    arena_deinit(&arena);
    repository_close(&repository);
    folder_remove(&folder);
}

/* config.json of the hub's GGUF repositories often says the model type and no more. */
static void a_bare_config_is_completed_and_wins(void **state) {
    struct folder folder;
    struct buf file;
    struct repository repository;
    struct error err = {0};
    folder_make(&folder);
    put_gpt2(&file);
    folder_put_buf(&folder, "model.gguf", &file);
    folder_put_text(&folder, "config.json", "{\"model_type\": \"gpt2\", \"vocab_size\": 2}");
    folder_put_text(&folder, "tokenizer.json", "{}");
    if (repository_open(&repository, folder.path, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(json_get_int(repository.config, "vocab_size", -1), 2);
    assert_int_equal(json_get_int(repository.config, "n_layer", -1), 2);
    assert_null(repository.gguf); /* the tokenizer has files of its own */
    repository_close(&repository);
    folder_put_text(&folder, "config.json", "{\"architectures\": []}");
    if (repository_open(&repository, folder.path, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_null(json_get(repository.config, "n_layer")); /* a whole config.json is left alone */
    repository_close(&repository);
    folder_remove(&folder);
}

static void put_part(struct folder *folder, const char *name, uint64_t part, uint64_t parts) {
    struct buf file;
    put_begin(&file, 3, 1, part == 0 ? 3 : 2);
    if (part == 0)
        put_string_pair(&file, "general.architecture", "gpt2");
    put_pair(&file, "split.no", GGUF_U16, part);
    put_pair(&file, "split.count", GGUF_U16, parts);
    put_tensor(&file, part == 0 ? "token_embd.weight" : "output.weight", 4, 0, F32, 0);
    put_data(&file, 16);
    folder_put_buf(folder, name, &file);
}

static void parts_are_one_model(void **state) {
    struct folder folder;
    struct error err = {0};
    struct checkpoint *checkpoint = NULL;
    struct repository repository;
    folder_make(&folder);
    put_part(&folder, "m-00001-of-00002.gguf", 0, 2);
    enum status status = checkpoint_open(&checkpoint, folder.path, &err);
    assert_refused(status, &err, "one part", "has 2 parts (\"split.count\"), the folder holds 1");
    put_part(&folder, "m-00002-of-00002.gguf", 1, 2);
    if (checkpoint_open(&checkpoint, folder.path, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_non_null(checkpoint_find(checkpoint, "lm_head.weight"));
    checkpoint_close(checkpoint);
    if (repository_open(&repository, folder.path, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_false(json_get_bool(repository.config, "tie_word_embeddings", true)); /* in part 2 */
    repository_close(&repository);
    put_part(&folder, "m-00002-of-00002.gguf", 0, 2);
    status = checkpoint_open(&checkpoint, folder.path, &err);
    assert_refused(status, &err, "renamed part", "says that it is part 1 of 2 (\"split.no\")");
    put_part(&folder, "other.gguf", 0, 1);
    status = checkpoint_open(&checkpoint, folder.path, &err);
    assert_refused(status, &err, "two models", "the folder holds m-00001-of-00002.gguf and other");
    folder_remove(&folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(no_changed_byte_does_harm),
        cmocka_unit_test(tensors_have_the_names_of_transformers),
        cmocka_unit_test(paired_rows_come_apart),
        cmocka_unit_test(paired_rows_may_be_empty),
        cmocka_unit_test(a_folder_of_one_file_is_a_repository),
        cmocka_unit_test(a_bare_config_is_completed_and_wins),
        cmocka_unit_test(parts_are_one_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
