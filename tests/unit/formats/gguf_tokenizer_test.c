/* The tokenizer in a GGUF header as the tokenizer.json it stands for: the parts that differ between
 * files, and what is refused. That real ones tokenize as their originals is shown by
 * tests/diff/gguf_files.py. */
#include "unit/formats/gguf_make.h"

/* ---- headers ---- */

static void put_tokens(struct buf *f, const char *const *tokens, size_t n) {
    put_array(f, "tokenizer.ggml.tokens", GGUF_STRING, n);
    for (size_t i = 0; i < n; i++)
        put_text(f, tokens[i]);
}
#define TOKENS(f, ...)                                                                             \
    put_tokens(f, (const char *const[]){__VA_ARGS__},                                              \
               sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void put_types(struct buf *f, const int *types, size_t n) {
    put_array(f, "tokenizer.ggml.token_type", GGUF_I32, n);
    for (size_t i = 0; i < n; i++)
        put_number(f, (uint64_t)types[i], 4);
}
static void put_scores(struct buf *f, const float *scores, size_t n) {
    put_array(f, "tokenizer.ggml.scores", GGUF_F32, n);
    for (size_t i = 0; i < n; i++)
        put_float(f, scores[i]);
}

static void model(struct buf *f, const char *name, uint64_t pairs) {
    put_begin(f, 3, 0, pairs + 1);
    put_string_pair(f, "tokenizer.ggml.model", name);
}

#define S "\xe2\x96\x81"

/* "abab" is ab+ab before a+bab; "ab" (-1) goes before "ba" (-2): the higher score is merged first.
 */
static void pieces(struct buf *f) {
    static const float scores[] = {0, 0, 0, -9, -9, -1, -2, -3, -4};
    static const int types[] = {2, 3, 3, 1, 1, 1, 1, 1, 4};
    model(f, "llama", 4);
    TOKENS(f, "<unk>", "<s>", "</s>", "a", "b", "ab", "ba", "abab", "bab");
    put_scores(f, scores, 9);
    put_types(f, types, 9);
    put_pair(f, "tokenizer.ggml.bos_token_id", GGUF_U32, 1);
}
static void pieces_plain(struct buf *f) {
    static const float scores[] = {0, -1};
    model(f, "llama", 5);
    TOKENS(f, "<s>", "a");
    put_scores(f, scores, 2);
    put_pair(f, "tokenizer.ggml.bos_token_id", GGUF_U32, 0);
    put_pair(f, "tokenizer.ggml.add_bos_token", GGUF_BOOL, 0);
    put_pair(f, "tokenizer.ggml.add_space_prefix", GGUF_BOOL, 0);
}
static void words(struct buf *f) {
    static const int types[] = {3, 3, 3, 1, 1, 1};
    model(f, "bert", 5);
    TOKENS(f, "[UNK]", "[CLS]", "[SEP]", S "un", "able", S "[");
    put_types(f, types, 6);
    put_pair(f, "tokenizer.ggml.unknown_token_id", GGUF_U32, 0);
    put_pair(f, "tokenizer.ggml.bos_token_id", GGUF_U32, 1);
    put_pair(f, "tokenizer.ggml.seperator_token_id", GGUF_U32, 2);
}
static void words_cased(struct buf *f) {
    model(f, "bert", 2);
    TOKENS(f, "[UNK]", S "Paris");
    put_pair(f, "tokenizer.ggml.unknown_token_id", GGUF_U32, 0);
}
static void unigram(struct buf *f) {
    static const float scores[] = {0, 0, 0, -1.1f};
    static const int types[] = {3, 3, 2, 1};
    model(f, "t5", 6);
    TOKENS(f, "<s>", "</s>", "<unk>", S "a");
    put_scores(f, scores, 4);
    put_types(f, types, 4);
    put_pair(f, "tokenizer.ggml.eos_token_id", GGUF_U32, 1);
    put_array(f, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, 4);
    put_number(f, 0xfbff0001, 4);
    put_pair(f, "tokenizer.ggml.add_eos_token", GGUF_BOOL, 1);
}
static void bytes(struct buf *f) {
    model(f, "gpt2", 6);
    TOKENS(f, "a", "b", "ab", "<s>");
    put_array(f, "tokenizer.ggml.merges", GGUF_STRING, 1);
    put_text(f, "a b");
    put_string_pair(f, "tokenizer.ggml.pre", "qwen2");
    put_pair(f, "tokenizer.ggml.bos_token_id", GGUF_U32, 3);
    put_pair(f, "tokenizer.ggml.add_bos_token", GGUF_BOOL, 1);
    put_pair(f, "tokenizer.ggml.add_space_prefix", GGUF_BOOL, 1);
}

/* ---- what they become ---- */

#define SPECIAL(token, type) "{\"SpecialToken\":{\"id\":\"" token "\",\"type_id\":" type "}}"
#define TEXT(letter, type)   "{\"Sequence\":{\"id\":\"" letter "\",\"type_id\":" type "}}"

static const struct {
    const char *name;
    void (*make)(struct buf *file);
    const char *path[3], *wanted; /* the JSON of this member */
} rows[] = {
    {"merges",
     pieces,
     {"model", "merges"},
     "[[\"a\",\"b\"],[\"b\",\"a\"],[\"ab\",\"ab\"],"
     "[\"a\",\"bab\"],[\"ba\",\"b\"],[\"b\",\"ab\"]]"},
    {"unknown piece", pieces, {"model", "unk_token"}, "\"<unk>\""},
    {"fallback", pieces, {"model", "byte_fallback"}, "true"},
    {"added",
     pieces,
     {"added_tokens"},
     "[{\"id\":1,\"content\":\"<s>\",\"normalized\":false,\"special\":true},"
     "{\"id\":2,\"content\":\"</s>\",\"normalized\":false,\"special\":true},"
     "{\"id\":8,\"content\":\"bab\",\"normalized\":false,\"special\":false}]"},
    {"bos", pieces, {"post_processor", "single"}, "[" SPECIAL("<s>", "0") "," TEXT("A", "0") "]"},
    {"bos twice",
     pieces,
     {"post_processor", "pair"},
     "[" SPECIAL("<s>", "0") "," TEXT("A", "0") "," SPECIAL("<s>", "1") "," TEXT("B", "1") "]"},
    {"prefix",
     pieces,
     {"normalizer", "normalizers"},
     "[{\"type\":\"Prepend\",\"prepend\":\"" S "\"},"
     "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" S "\"}]"},
    {"no prefix", pieces_plain, {"normalizer", "type"}, "\"Replace\""},
    {"no bos", pieces_plain, {"post_processor", "single"}, "[" TEXT("A", "0") "]"},
    {"no unknown piece", pieces_plain, {"model", "unk_token"}, "null"},
    {"words",
     words,
     {"model", "vocab"},
     "{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"un\":3,\"##able\":4,\"[\":5}"},
    {"around words",
     words,
     {"post_processor", "single"},
     "[" SPECIAL("[CLS]", "0") "," TEXT("A", "0") "," SPECIAL("[SEP]", "0") "]"},
    {"lowercase", words, {"normalizer", "lowercase"}, "true"},
    {"cased", words_cased, {"normalizer", "lowercase"}, "false"},
    {"charsmap", unigram, {"normalizer", "precompiled_charsmap"}, "\"AQD/+w==\""},
    {"unknown id", unigram, {"model", "unk_id"}, "2"},
    {"eos", unigram, {"post_processor", "single"}, "[" TEXT("A", "0") "," SPECIAL("</s>", "0") "]"},
    {"merges as they are", bytes, {"model", "merges"}, "[\"a b\"]"},
    {"nfc", bytes, {"normalizer", "type"}, "\"NFC\""},
    {"space in front",
     bytes,
     {"pre_tokenizer", "pretokenizers"},
     "[{\"type\":\"Split\",\"behavior\":\"Isolated\",\"invert\":false,\"pattern\":{\"Regex\":\""
     "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}| "
     "?[^\\\\s\\\\p{L}\\\\p{N}]+[\\r\\n]*|\\\\s*[\\r\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"}},"
     "{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":false}"
     "]"},
    {"bos of bytes",
     bytes,
     {"post_processor", "special_tokens"},
     "{\"<s>\":{\"id\":\"<s>\",\"ids\":[3],\"tokens\":[\"<s>\"]}}"},
};

struct read {
    struct buf file, text;
    struct arena arena;
    struct gguf gguf;
    const struct json *tree;
};

static enum status read_header(struct read *read, void (*make)(struct buf *file),
                               struct error *err) {
    *read = (struct read){0};
    make(&read->file);
    buf_init(&read->text, MiB);
    struct json_out out = json_out_begin(&read->text);
    if (gguf_read(&read->gguf, &read->arena, (const uint8_t *)read->file.data, read->file.len,
                  err) != STATUS_OK ||
        gguf_write_tokenizer(&out, &read->gguf, &read->arena, err) != STATUS_OK ||
        json_parse(&read->tree, &read->arena, read->text.data, read->text.len, JSON_STRICT, err) !=
            STATUS_OK)
        return STATUS_ERROR;
    return gguf_add_pieces(read->tree, &read->arena, &read->gguf, err);
}

static void read_end(struct read *read) {
    buf_deinit(&read->file);
    buf_deinit(&read->text);
    arena_deinit(&read->arena);
}

static void headers_become_tokenizer_json(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct read read;
        struct error err = {0};
        if (read_header(&read, rows[i].make, &err) != STATUS_OK)
            fail_msg("%s: %s", rows[i].name, err.text);
        const struct json *value = read.tree;
        for (size_t j = 0; j < ARRAY_LEN(rows[i].path) && rows[i].path[j] != NULL; j++)
            value = json_get(value, rows[i].path[j]);
        if (value == NULL)
            fail_msg("%s: no such member", rows[i].name);
        struct buf got;
        buf_init(&got, MiB);
        struct json_out out = json_out_begin(&got);
        json_value(&out, value);
        if (strcmp(got.data, rows[i].wanted) != 0)
            fail_msg("%s:\n  wanted %s\n  got    %s", rows[i].name, rows[i].wanted, got.data);
        buf_deinit(&got);
        read_end(&read);
    }
}

static void scores_are_exact(void **state) {
    struct read read;
    struct error err = {0};
    if (read_header(&read, unigram, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    const struct json *vocab = json_get(json_get(read.tree, "model"), "vocab");
    assert_int_equal(vocab->len, 4);
    assert_true(json_equals(json_at(json_at(vocab, 3), 0), S "a"));
    assert_true(json_at(json_at(vocab, 3), 1)->number == (double)-1.1f);
    read_end(&read);
}

/* ---- what is refused ---- */

static void none(struct buf *f) {
    put_begin(f, 3, 0, 0);
}
static void other_model(struct buf *f) {
    model(f, "rwkv", 1);
    TOKENS(f, "a");
}
static void no_tokens(struct buf *f) {
    model(f, "gpt2", 0);
}
static void empty_tokens(struct buf *f) {
    model(f, "gpt2", 1);
    put_array(f, "tokenizer.ggml.tokens", GGUF_STRING, 0);
}
static void numbers_for_tokens(struct buf *f) {
    model(f, "gpt2", 1);
    put_array(f, "tokenizer.ggml.tokens", GGUF_U8, 2);
    put_number(f, 0, 2);
}
static void no_merges(struct buf *f) {
    model(f, "gpt2", 1);
    TOKENS(f, "a");
}
static void other_pre(struct buf *f) {
    model(f, "gpt2", 2);
    TOKENS(f, "a");
    put_string_pair(f, "tokenizer.ggml.pre", "some-new-one");
}
static void few_scores(struct buf *f) {
    static const float scores[] = {0};
    model(f, "llama", 2);
    TOKENS(f, "a", "b");
    put_scores(f, scores, 1);
}
static void no_unknown_word(struct buf *f) {
    model(f, "bert", 2);
    TOKENS(f, "a");
    put_pair(f, "tokenizer.ggml.unknown_token_id", GGUF_U32, 1);
}
static void bad_utf8(struct buf *f) {
    static const float scores[] = {0};
    model(f, "t5", 2);
    TOKENS(f, "\xff");
    put_scores(f, scores, 1);
}

static const struct {
    const char *name;
    void (*make)(struct buf *file);
    const char *wanted;
} refused[] = {
    {"none", none, "holds no tokenizer (\"tokenizer.ggml.model\")"},
    {"model", other_model, "\"tokenizer.ggml.model\" is \"rwkv\"; bert, gpt2, llama and t5 are"},
    {"no tokens", no_tokens, "\"tokenizer.ggml.tokens\" must be an array of strings"},
    {"empty tokens", empty_tokens, "\"tokenizer.ggml.tokens\" must be an array of strings"},
    {"numbers", numbers_for_tokens, "\"tokenizer.ggml.tokens\" must be an array of strings"},
    {"no merges", no_merges, "\"tokenizer.ggml.merges\" must be an array of strings"},
    {"pre", other_pre, "\"tokenizer.ggml.pre\" is \"some-new-one\", which is not known"},
    {"scores", few_scores, "\"tokenizer.ggml.scores\" must be an array of 2 numbers"},
    {"unknown", no_unknown_word, "\"tokenizer.ggml.unknown_token_id\" must be the id of a token"},
    {"UTF-8", bad_utf8, "holds a token that is not UTF-8"},
};

static void says_what_is_wrong(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct read read;
        struct error err = {0};
        const enum status status = read_header(&read, refused[i].make, &err);
        assert_refused(status, &err, refused[i].name, refused[i].wanted);
        read_end(&read);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_become_tokenizer_json),
        cmocka_unit_test(scores_are_exact),
        cmocka_unit_test(says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
