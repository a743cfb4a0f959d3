/* The front for tokenizing: JSON in, JSON out, for `brisk tokenize` and `detokenize`. No model is
 * loaded for it. */
#include "runtime/state.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

struct brisk_tokenizer {
    struct tokenizer *tokenizer;
};

/* A tokenizer needs no config.json: a folder that is no repository has its files itself. Of one
 * that has none either, what is wrong with the repository is told (an adapter's base is missing).
 */
static enum status load_tokenizer(struct tokenizer **out, const struct repos *repos,
                                  const char *folder, struct error *err) {
    const struct locate locate = repos_locate(repos);
    struct repository repository;
    struct error why = {0};
    if (repository_open_located(&repository, folder, &locate, &why) != STATUS_OK) {
        if (tokenizer_load(out, folder, err) == STATUS_OK)
            return STATUS_OK;
        if (repository_exists(folder))
            *err = why;
        return STATUS_ERROR;
    }
    const enum status status = loaded_tokenizer(out, &repository, err);
    repository_close(&repository);
    return status;
}

int brisk_tokenizer_open(struct brisk_tokenizer **out, struct brisk *brisk, const char *model,
                         char *error, size_t error_size) {
    struct error err = {0};
    struct arena arena = {0};
    char *folder = NULL;
    struct tokenizer *tokenizer = NULL;
    enum status status = repos_find(&brisk->repos, model, false, &arena, &folder, &err);
    if (status == STATUS_OK)
        status = load_tokenizer(&tokenizer, &brisk->repos, folder, &err);
    arena_deinit(&arena);
    if (status != STATUS_OK) {
        if (error_size > 0)
            snprintf(error, error_size, "%s", err.text);
        return error_exit_code(err.code);
    }
    *out = mem_zalloc(1, sizeof(**out));
    (*out)->tokenizer = tokenizer;
    return 0;
}

void brisk_tokenizer_close(struct brisk_tokenizer *tokenizer) {
    if (tokenizer == NULL)
        return;
    tokenizer_destroy(tokenizer->tokenizer);
    mem_free(tokenizer);
}

/* ---- what comes out ---- */
static void write_ints(struct json_out *out, const char *key, const int32_t *values, size_t n) {
    json_key(out, key);
    json_open_array(out);
    for (size_t i = 0; i < n; i++)
        json_int(out, values[i]);
    json_close_array(out);
}

static void write_ids_and_offsets(struct json_out *out, const struct encoding *encoding) {
    write_ints(out, "ids", encoding->ids, encoding->n);
    json_key(out, "offsets");
    json_open_array(out);
    for (size_t i = 0; i < encoding->n; i++) {
        json_open_array(out);
        json_int(out, encoding->offsets[i].start);
        json_int(out, encoding->offsets[i].end);
        json_close_array(out);
    }
    json_close_array(out);
}

static void write_int_or_null(struct json_out *out, int32_t value) {
    if (value < 0)
        json_null(out);
    else
        json_int(out, value);
}

/* The rest of a window, as the members of the library's Encoding are called. */
static void write_details(struct json_out *out, const struct tokenizer *tokenizer,
                          const struct encoding *encoding) {
    write_ints(out, "type_ids", encoding->type_ids, encoding->n);
    json_key(out, "special_tokens_mask");
    json_open_array(out);
    for (size_t i = 0; i < encoding->n; i++)
        json_int(out, encoding->special[i]);
    json_close_array(out);
    json_key(out, "word_ids");
    json_open_array(out);
    for (size_t i = 0; i < encoding->n; i++)
        write_int_or_null(out, encoding->words[i]);
    json_close_array(out);
    json_key(out, "sequence_ids");
    json_open_array(out);
    for (size_t i = 0; i < encoding->n; i++)
        write_int_or_null(out, encoding->sequence[i]);
    json_close_array(out);
    json_key(out, "tokens");
    json_open_array(out);
    for (size_t i = 0; i < encoding->n; i++) {
        const char *token = tokenizer_token(tokenizer, encoding->ids[i]);
        json_string(out, token != NULL ? token : "");
    }
    json_close_array(out);
}

static void write_full(struct json_out *out, const struct tokenizer *tokenizer,
                       const struct encoding *encoding) {
    json_open_object(out);
    write_ids_and_offsets(out, encoding);
    write_details(out, tokenizer, encoding);
    json_key(out, "overflowing");
    json_open_array(out);
    for (const struct encoding *next = encoding->next; next != NULL; next = next->next) {
        json_open_object(out);
        write_ids_and_offsets(out, next);
        write_details(out, tokenizer, next);
        json_close_object(out);
    }
    json_close_array(out);
    json_close_object(out);
}

/* ---- lines ---- */
static enum status encode(const struct tokenizer *tokenizer, struct buf *buf, struct arena *arena,
                          const char *json, size_t len, struct error *err) {
    const struct json *text = NULL;
    if (json_parse(&text, arena, json, len, JSON_STRICT, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!json_is(text, JSON_STRING))
        return ERR(err, INPUT, "the line holds %s, must be a JSON string",
                   json_type_name(text->type));
    struct encoding encoding = {0};
    if (tokenizer_encode(tokenizer, &encoding, arena, text->text, text->len, NULL, 0,
                         &(struct encode_options){0}, err) != STATUS_OK)
        return STATUS_ERROR;
    struct json_out out = json_out_begin(buf);
    json_open_object(&out);
    write_ids_and_offsets(&out, &encoding);
    json_close_object(&out);
    return STATUS_OK;
}

static enum status read_count(const struct json *line, const char *key, uint32_t *out,
                              struct error *err) {
    const struct json *value = json_get(line, key);
    int64_t n = 0;
    if (value != NULL && (!json_to_int(value, &n) || n < 0 || n > LIMIT_JOB_TOKENS))
        return ERR(err, INPUT, "\"%s\" must be a whole number of 0 to %d", key, LIMIT_JOB_TOKENS);
    *out = (uint32_t)n;
    return STATUS_OK;
}

static enum status read_options(const struct json *line, struct encode_options *options,
                                struct error *err) {
    static const char *const strategies[] = {
        [TRUNCATE_NONE] = "do_not_truncate",
        [TRUNCATE_LONGEST_FIRST] = "longest_first",
        [TRUNCATE_ONLY_FIRST] = "only_first",
        [TRUNCATE_ONLY_SECOND] = "only_second",
    };
    const char *strategy = json_get_string(line, "truncation", strategies[TRUNCATE_NONE]);
    size_t i = 0;
    while (i < ARRAY_LEN(strategies) && strcmp(strategies[i], strategy) != 0)
        i++;
    if (i == ARRAY_LEN(strategies))
        return ERR(err, INPUT,
                   "\"truncation\" is \"%.40s\", must be longest_first, only_first, only_second "
                   "or do_not_truncate",
                   strategy);
    options->truncation = (enum truncation)i;
    options->no_special_tokens = !json_get_bool(line, "add_special_tokens", true);
    options->truncate_left = strcmp(json_get_string(line, "truncation_side", "right"), "left") == 0;
    options->overflow = json_get_bool(line, "return_overflowing_tokens", false);
    if (read_count(line, "stride", &options->stride, err) != STATUS_OK)
        return STATUS_ERROR;
    return read_count(line, "max_length", &options->max_length, err);
}

/* A line is a text, or an object of a text, perhaps a pair, and options. */
static enum status encode_full(const struct tokenizer *tokenizer, struct buf *buf,
                               struct arena *arena, const char *json, size_t len,
                               struct error *err) {
    const struct json *line = NULL;
    struct encode_options options = {0};
    if (json_parse(&line, arena, json, len, JSON_STRICT, err) != STATUS_OK)
        return STATUS_ERROR;
    const bool object = json_is(line, JSON_OBJECT);
    const struct json *text = object ? json_get(line, "text") : line;
    const struct json *pair = object ? json_get(line, "pair") : NULL;
    if (!json_is(text, JSON_STRING) || (!json_is_null(pair) && !json_is(pair, JSON_STRING)))
        return ERR(err, INPUT,
                   "the line must be a JSON string, or an object with \"text\" and perhaps "
                   "\"pair\", which are strings");
    if (object && read_options(line, &options, err) != STATUS_OK)
        return STATUS_ERROR;
    struct encoding encoding = {0};
    const bool is_pair = json_is(pair, JSON_STRING);
    if (tokenizer_encode(tokenizer, &encoding, arena, text->text, text->len,
                         is_pair ? pair->text : NULL, is_pair ? pair->len : 0, &options,
                         err) != STATUS_OK)
        return STATUS_ERROR;
    struct json_out out = json_out_begin(buf);
    write_full(&out, tokenizer, &encoding);
    return STATUS_OK;
}

static enum status decode(const struct tokenizer *tokenizer, struct buf *buf, struct arena *arena,
                          const char *json, size_t len, struct error *err) {
    const struct json *array = NULL;
    if (json_parse(&array, arena, json, len, JSON_STRICT, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!json_is(array, JSON_ARRAY))
        return ERR(err, INPUT, "the line holds %s, must be a JSON array of ids",
                   json_type_name(array->type));
    int32_t *ids = arena_alloc(arena, array->len * sizeof(*ids));
    for (size_t i = 0; i < array->len; i++) {
        int64_t id = 0;
        if (!json_to_int(json_at(array, i), &id) || id < INT32_MIN || id > INT32_MAX)
            return ERR(err, INPUT, "element %zu is not a token id", i);
        ids[i] = (int32_t)id;
    }
    struct buf text;
    buf_init(&text, LIMIT_RESPONSE);
    tokenizer_decode(tokenizer, &text, ids, array->len, (struct decode_options){0});
    struct json_out out = json_out_begin(buf);
    json_string_n(&out, text.data == NULL ? "" : text.data, text.len);
    buf_deinit(&text);
    return STATUS_OK;
}

typedef enum status (*conversion)(const struct tokenizer *tokenizer, struct buf *buf,
                                  struct arena *arena, const char *json, size_t len,
                                  struct error *err);

static void convert(struct brisk_tokenizer *tokenizer, conversion convert_line, const char *json,
                    size_t len, struct brisk_answer *answer) {
    struct arena arena = {0};
    struct error err = {0};
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    size_t bad = 0;
    enum status status = STATUS_ERROR;
    if (!utf8_valid(json, len, &bad))
        error_set(&err, ERROR_INPUT, "the line is not valid UTF-8: byte 0x%02x at offset %zu",
                  (unsigned char)json[bad], bad);
    else
        status = convert_line(tokenizer->tokenizer, &buf, &arena, json, len, &err);
    if (status == STATUS_OK)
        answer_from_buf(answer, &buf);
    else
        answer_from_error(answer, &err);
    buf_deinit(&buf);
    arena_deinit(&arena);
}

void brisk_tokenize(struct brisk_tokenizer *tokenizer, const char *json, size_t len,
                    struct brisk_answer *answer) {
    convert(tokenizer, encode, json, len, answer);
}

void brisk_tokenize_full(struct brisk_tokenizer *tokenizer, const char *json, size_t len,
                         struct brisk_answer *answer) {
    convert(tokenizer, encode_full, json, len, answer);
}

void brisk_detokenize(struct brisk_tokenizer *tokenizer, const char *json, size_t len,
                      struct brisk_answer *answer) {
    convert(tokenizer, decode, json, len, answer);
}
