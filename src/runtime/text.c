/* The front for tokenizing: JSON in, JSON out, for `brisk tokenize` and `detokenize`. No model is
 * loaded for it. */
#include "runtime/state.h"

#include <stdio.h>

#include "base/banned.h"

struct brisk_tokenizer {
    struct tokenizer *tokenizer;
};

int brisk_tokenizer_open(struct brisk_tokenizer **out, struct brisk *brisk, const char *model,
                         char *error, size_t error_size) {
    struct error err = {0};
    struct arena arena = {0};
    char *folder = NULL;
    struct tokenizer *tokenizer = NULL;
    enum status status = repos_find(&brisk->repos, model, false, &arena, &folder, &err);
    if (status == STATUS_OK)
        status = tokenizer_load(&tokenizer, folder, &err);
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

static void write_encoding(struct buf *buf, const struct encoding *encoding) {
    struct json_out out = json_out_begin(buf);
    json_open_object(&out);
    json_key(&out, "ids");
    json_open_array(&out);
    for (size_t i = 0; i < encoding->n; i++)
        json_int(&out, encoding->ids[i]);
    json_close_array(&out);
    json_key(&out, "offsets");
    json_open_array(&out);
    for (size_t i = 0; i < encoding->n; i++) {
        json_open_array(&out);
        json_int(&out, encoding->offsets[i].start);
        json_int(&out, encoding->offsets[i].end);
        json_close_array(&out);
    }
    json_close_array(&out);
    json_close_object(&out);
}

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
    write_encoding(buf, &encoding);
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

void brisk_detokenize(struct brisk_tokenizer *tokenizer, const char *json, size_t len,
                      struct brisk_answer *answer) {
    convert(tokenizer, decode, json, len, answer);
}
