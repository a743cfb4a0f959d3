/* Every folder of tests/golden/tokenizer: what the libraries made of each case must come out here,
 * to the last id, offset and byte. The goldens are made by tools/goldens/tokenizer.py. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tokenizer/tokenizer.h"
#include "base/banned.h"

/* The second holds the classes that are in Python only, whose cases have no offsets. */
static const char *const roots[] = {"tests/golden/tokenizer", "tests/golden/tokenizer-slow",
                                    "tests/golden/tokenizer-moses"};

/* ---- reading a case ------------------------------------------------------------------------ */

static const struct json *read_json(struct arena *arena, const char *path) {
    struct error err;
    char *data;
    size_t len;
    const struct json *json;
    if (file_read(&data, &len, arena, path, LIMIT_JSON_FILE, &err) != STATUS_OK ||
        json_parse(&json, arena, data, len, JSON_STRICT, &err) != STATUS_OK)
        fail_msg("%s: %s", path, err.text);
    return json;
}

static struct encode_options options_of(const struct json *json) {
    static const struct {
        const char *name;
        enum truncation truncation;
    } names[] = {{"none", TRUNCATE_NONE},
                 {"longest_first", TRUNCATE_LONGEST_FIRST},
                 {"only_first", TRUNCATE_ONLY_FIRST},
                 {"only_second", TRUNCATE_ONLY_SECOND}};
    struct encode_options options = {
        .no_special_tokens = json_get_bool(json, "no_special_tokens", false),
        .truncate_left = json_get_bool(json, "left", false),
        .max_length = (uint32_t)json_get_int(json, "max_length", 0),
        .stride = (uint32_t)json_get_int(json, "stride", 0),
        .overflow = json_get_bool(json, "overflow", false),
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(json_get_string(json, "truncation", "none"), names[i].name) == 0)
            options.truncation = names[i].truncation;
    return options;
}

/* ---- comparing ----------------------------------------------------------------------------- */

static int64_t int_at(const struct json *list, size_t i) {
    const struct json *item = json_at(list, i);
    return item ? (int64_t)item->number : INT64_MIN;
}

static size_t offset_differs(const struct json *want, const struct encoding *got) {
    for (size_t i = 0; i < got->n; i++)
        if (int_at(want, 2 * i) != got->offsets[i].start ||
            int_at(want, 2 * i + 1) != got->offsets[i].end)
            return i;
    return got->n;
}

#define CHECK_LIST(name, field)                                                                    \
    do {                                                                                           \
        const struct json *list_ = json_get(want, name);                                           \
        for (size_t i_ = 0; list_ && i_ < got->n; i_++)                                            \
            if (int_at(list_, i_) != (int64_t)got->field[i_])                                      \
                fail_msg("%s: %s[%zu]: wanted %lld, got %lld", where, name, i_,                    \
                         (long long)int_at(list_, i_), (long long)got->field[i_]);                 \
    } while (0)

static void check_window(const char *where, const struct json *want, const struct encoding *got) {
    const struct json *ids = json_get(want, "ids"), *offsets = json_get(want, "offsets");
    CHECK_LIST("ids", ids);
    if (ids->len != got->n)
        fail_msg("%s: wanted %u tokens, got %zu", where, ids->len, got->n);
    const size_t bad = offsets ? offset_differs(offsets, got) : got->n;
    if (bad < got->n)
        fail_msg("%s: token %zu: wanted [%lld, %lld), got [%u, %u)", where, bad,
                 (long long)int_at(offsets, 2 * bad), (long long)int_at(offsets, 2 * bad + 1),
                 got->offsets[bad].start, got->offsets[bad].end);
    CHECK_LIST("types", type_ids);
    CHECK_LIST("special", special);
    CHECK_LIST("words", words);
    CHECK_LIST("sequence", sequence);
    const struct json *attention = json_get(want, "attention");
    for (size_t i = 0; attention && i < got->n; i++)
        if (int_at(attention, i) != (got->attention ? got->attention[i] : 1))
            fail_msg("%s: attention[%zu]: wanted %lld", where, i, (long long)int_at(attention, i));
}

static void check_windows(const char *where, const struct json *windows,
                          const struct encoding *got) {
    for (uint32_t i = 0; i < windows->len; i++, got = got->next) {
        if (!got)
            fail_msg("%s: wanted %u windows, got %u", where, windows->len, i);
        check_window(where, json_at(windows, i), got);
    }
    if (got)
        fail_msg("%s: more than the %u windows wanted", where, windows->len);
}

static void check_case(const char *where, const struct tokenizer *tokenizer,
                       const struct json *row) {
    const struct json *text = json_get(row, "text"), *pair = json_get(row, "pair");
    const struct encode_options options = options_of(json_get(row, "options"));
    struct arena arena = {0};
    struct error err = {0};
    struct encoding encoding;
    const enum status status =
        tokenizer_encode(tokenizer, &encoding, &arena, text->text, text->len,
                         pair ? pair->text : NULL, pair ? pair->len : 0, &options, &err);
    if (json_get(row, "error")) {
        if (status == STATUS_OK)
            fail_msg("%s: wanted an error", where);
        assert_int_equal(err.code, ERROR_INPUT);
    } else {
        if (status != STATUS_OK)
            fail_msg("%s: %s", where, err.text);
        check_windows(where, json_get(row, "windows"), &encoding);
    }
    arena_deinit(&arena);
}

static void check_padding(const char *where, const struct tokenizer *tokenizer,
                          const struct json *row) {
    const struct json *texts = json_get(row, "texts"), *how = json_get(row, "padding");
    const struct encode_options options = options_of(json_get(row, "options"));
    const struct padding padding = {.length = (uint32_t)json_get_int(how, "length", 0),
                                    .multiple_of = (uint32_t)json_get_int(how, "multiple_of", 0),
                                    .left = json_get_bool(how, "left", false),
                                    .id = (int32_t)json_get_int(how, "id", 0),
                                    .type_id = (int32_t)json_get_int(how, "type_id", 0)};
    struct arena arena = {0};
    struct error err;
    struct encoding *encodings = arena_zalloc(&arena, texts->len, sizeof *encodings);
    for (uint32_t i = 0; i < texts->len; i++) {
        const struct json *text = json_at(texts, i);
        if (tokenizer_encode(tokenizer, &encodings[i], &arena, text->text, text->len, NULL, 0,
                             &options, &err) != STATUS_OK)
            fail_msg("%s: %s", where, err.text);
    }
    if (tokenizer_pad(encodings, texts->len, &arena, &padding, &err) != STATUS_OK)
        fail_msg("%s: %s", where, err.text);
    for (uint32_t i = 0; i < texts->len; i++)
        check_windows(where, json_at(json_get(row, "windows"), i), &encodings[i]);
    arena_deinit(&arena);
}

static void check_decode(const char *where, const struct tokenizer *tokenizer,
                         const struct json *row) {
    const struct json *ids = json_get(row, "ids"), *text = json_get(row, "text");
    const struct json *clean = json_get(row, "clean");
    struct arena arena = {0};
    struct buf got;
    int32_t *list = arena_alloc(&arena, ids->len * sizeof *list);
    for (uint32_t i = 0; i < ids->len; i++)
        list[i] = (int32_t)int_at(ids, i);
    buf_init(&got, LIMIT_TEXT);
    const struct decode_options options = {
        .keep_special = json_get_bool(row, "keep", false),
        .clean_up = clean ? (clean->boolean ? 1 : -1) : 0,
    };
    tokenizer_decode(tokenizer, &got, list, ids->len, options);
    if (got.len != text->len || (got.len > 0 && memcmp(got.data, text->text, got.len)))
        fail_msg("%s: wanted \"%s\", got \"%s\"", where, text->text, got.data ? got.data : "");
    buf_deinit(&got);
    arena_deinit(&arena);
}

static void check_settings(const char *name, const struct tokenizer *tokenizer,
                           const struct json *want) {
    if (!want)
        return;
    for (int role = 0; role < TOKEN_ROLES; role++)
        if (int_at(json_get(want, "roles"), (size_t)role) !=
            tokenizer_special(tokenizer, (enum special_token)role))
            fail_msg("%s: role %d: wanted %lld, got %d", name, role,
                     (long long)int_at(json_get(want, "roles"), (size_t)role),
                     tokenizer_special(tokenizer, (enum special_token)role));
    assert_int_equal(tokenizer_max_length(tokenizer), json_get_int(want, "max_length", -1));
    if (json_get(want, "size"))
        assert_int_equal(tokenizer_vocab_size(tokenizer), json_get_int(want, "size", -1));
    assert_int_equal(tokenizer_pads_left(tokenizer), json_get_bool(want, "left", false));
}

/* What streaming gives in pieces is what decoding gives at once. */
static void check_stream(const char *where, const struct tokenizer *tokenizer,
                         const struct json *row, int clean_up) {
    const struct json *ids = json_get(row, "ids");
    struct buf whole, streamed;
    buf_init(&whole, LIMIT_TEXT);
    buf_init(&streamed, LIMIT_TEXT);
    struct arena arena = {0};
    int32_t *list = arena_alloc(&arena, ids->len * sizeof *list);
    struct decode_stream stream;
    decode_stream_init(&stream, tokenizer, (struct decode_options){.clean_up = clean_up});
    for (uint32_t i = 0; i < ids->len; i++) {
        list[i] = (int32_t)int_at(ids, i);
        decode_stream_push(&stream, list[i], &streamed);
        if (streamed.len > 0 && !utf8_valid(streamed.data, streamed.len, NULL))
            fail_msg("%s: half a character was given out", where);
    }
    decode_stream_finish(&stream, &streamed);
    tokenizer_decode(tokenizer, &whole, list, ids->len,
                     (struct decode_options){.clean_up = clean_up});
    if (streamed.len != whole.len ||
        (whole.len > 0 && memcmp(streamed.data, whole.data, whole.len)))
        fail_msg("%s: wanted \"%s\", streamed \"%s\"", where, whole.data ? whole.data : "",
                 streamed.data ? streamed.data : "");
    decode_stream_deinit(&stream);
    arena_deinit(&arena);
    buf_deinit(&whole);
    buf_deinit(&streamed);
}

/* Where the text cannot be told from its parts: CLIP's strips each text as a whole, CTC drops what
 * repeats, and a run of byte tokens is broken as a whole when one of them is. */
static bool streams(const char *name, const struct json *row) {
    const struct json *text = json_get(row, "text");
    const bool bytes = strncmp(name, "normalizer-", 11) == 0 || strcmp(name, "llama2") == 0 ||
                       strcmp(name, "unigram-bytes") == 0;
    return strcmp(name, "clip-class") != 0 && strncmp(name, "decoder-ctc", 11) != 0 &&
           !(bytes && memmem(text->text, text->len, "\xEF\xBF\xBD", 3));
}

static void check_folder(const char *folder) {
    const char *name = strrchr(folder, '/') + 1;
    struct arena arena = {0};
    struct error err;
    struct tokenizer *tokenizer;
    const struct json *golden = read_json(&arena, path_join(&arena, folder, "cases.json"));
    if (tokenizer_load(&tokenizer, folder, &err) != STATUS_OK)
        fail_msg("%s: %s", name, err.text);
    check_settings(name, tokenizer, json_get(golden, "settings"));
    const struct json *cases = json_get(golden, "cases"), *decodes = json_get(golden, "decodes");
    assert_true(cases->len > 0 && decodes->len > 0);
    for (uint32_t i = 0; i < cases->len; i++)
        check_case(arena_printf(&arena, "%s: case %u", name, i), tokenizer, json_at(cases, i));
    const struct json *paddings = json_get(golden, "paddings");
    for (uint32_t i = 0; paddings && i < paddings->len; i++)
        check_padding(arena_printf(&arena, "%s: padding %u", name, i), tokenizer,
                      json_at(paddings, i));
    for (uint32_t i = 0; i < decodes->len; i++)
        check_decode(arena_printf(&arena, "%s: decode %u", name, i), tokenizer,
                     json_at(decodes, i));
    for (uint32_t i = 0; i < decodes->len; i++)
        for (int clean_up = -1; clean_up <= 1 && streams(name, json_at(decodes, i)); clean_up += 2)
            check_stream(arena_printf(&arena, "%s: stream %u", name, i), tokenizer,
                         json_at(decodes, i), clean_up);
    tokenizer_destroy(tokenizer);
    arena_deinit(&arena);
}

/* One test a folder: its name comes in the state. */
static void equals_the_library(void **state) {
    check_folder(*state);
}

static size_t count(char **names) {
    size_t n = 0;
    while (names && names[n])
        n++;
    return n;
}

int main(void) {
    struct arena arena = {0};
    struct CMUnitTest *tests = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        char **names = folder_list(&arena, roots[i]);
        const size_t found = count(names);
        if (found == 0) {
            fprintf(stderr, "%s is not here: run from the repository root\n", roots[i]);
            return 1;
        }
        tests = mem_grow(tests, &cap, n + found, sizeof *tests);
        for (size_t k = 0; k < found; k++)
            tests[n++] =
                (struct CMUnitTest){.name = names[k],
                                    .test_func = equals_the_library,
                                    .initial_state = path_join(&arena, roots[i], names[k])};
    }
    const int failed = _cmocka_run_group_tests("tokenizer goldens", tests, n, NULL, NULL);
    mem_free(tests);
    arena_deinit(&arena);
    return failed;
}
