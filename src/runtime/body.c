/* Reading the body, and trees made from it: they share everything with the parsed one but the few
 * members that differ. */
#include "runtime/body.h"

#include <string.h>

#include "base/banned.h"

static enum status read_flag(bool *out, const struct json *options, const char *key,
                             struct error *err) {
    const struct json *value = json_get(options, key);
    if (json_is_null(value))
        return STATUS_OK;
    if (!json_is(value, JSON_BOOL))
        return ERR(err, INPUT, "options: \"%s\" is %s, must be true or false", key,
                   json_type_name(value->type));
    *out = value->boolean;
    return STATUS_OK;
}

enum status body_parse(const struct json **out, struct arena *arena, const char *text, size_t len,
                       struct body_options *options, struct error *err) {
    size_t bad = 0;
    if (!utf8_valid(text, len, &bad))
        return ERR(err, INPUT, "the request body is not valid UTF-8: byte 0x%02x at offset %zu",
                   (unsigned char)text[bad], bad);
    if (len == 0)
        return ERR(err, INPUT, "the request body is empty, must be JSON with \"inputs\"");
    const struct json *body = NULL;
    if (json_parse(&body, arena, text, len, JSON_STRICT, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct json *given = json_get(body, "options");
    bool use_cache = true, wait_for_model = false;
    if (read_flag(&use_cache, given, "use_cache", err) != STATUS_OK ||
        read_flag(&wait_for_model, given, "wait_for_model", err) != STATUS_OK)
        return STATUS_ERROR;
    *options = (struct body_options){.no_cache = !use_cache, .wait_for_model = wait_for_model};
    *out = body;
    return STATUS_OK;
}

static bool key_is(const struct json_member *member, const char *key) {
    return member->key_len == strlen(key) && memcmp(member->key, key, member->key_len) == 0;
}

/* The object without the member, and with room for one more behind the others. */
static struct json_member *members_without(const struct json *object, const char *key,
                                           struct arena *arena, uint32_t *n) {
    const uint32_t len = json_is(object, JSON_OBJECT) ? object->len : 0;
    struct json_member *members = arena_zalloc(arena, len + 1, sizeof(*members));
    *n = 0;
    for (uint32_t i = 0; i < len; i++) {
        if (!key_is(&object->members[i], key))
            members[(*n)++] = object->members[i];
    }
    return members;
}

static struct json object_of(const struct json_member *members, uint32_t n) {
    return (struct json){.type = JSON_OBJECT, .len = n, .members = members};
}

const struct json *body_with_zero_shot_list(const struct json *body, struct arena *arena) {
    const struct json *options = json_get(body, "options");
    if (!json_is(body, JSON_OBJECT) || json_get(options, "zero_shot_form") != NULL)
        return body;
    uint32_t n_options = 0, n = 0;
    struct json_member *inner = members_without(options, "zero_shot_form", arena, &n_options);
    inner[n_options++] = (struct json_member){
        .key = "zero_shot_form",
        .key_len = (uint32_t)strlen("zero_shot_form"),
        .value = {.type = JSON_STRING, .text = "list", .len = (uint32_t)strlen("list")}};
    struct json_member *outer = members_without(body, "options", arena, &n);
    outer[n++] = (struct json_member){.key = "options",
                                      .key_len = (uint32_t)strlen("options"),
                                      .value = object_of(inner, n_options)};
    struct json *copy = arena_alloc(arena, sizeof(*copy));
    *copy = object_of(outer, n);
    return copy;
}

/* Options that say how a request is served, not what is answered. */
static bool is_about_serving(const struct json_member *member) {
    static const char *const keys[] = {"use_cache", "wait_for_model", "use_gpu", "retry_on_error",
                                       "dont_load_model"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (key_is(member, keys[i]))
            return true;
    }
    return false;
}

static void add_other_options(struct json_member *members, uint32_t *n, const struct json *options,
                              struct arena *arena) {
    uint32_t kept = 0;
    struct json_member *inner = arena_zalloc(arena, options->len + 1, sizeof(*inner));
    for (uint32_t i = 0; i < options->len; i++) {
        if (!is_about_serving(&options->members[i]))
            inner[kept++] = options->members[i];
    }
    if (kept > 0)
        members[(*n)++] = (struct json_member){.key = "options",
                                               .key_len = (uint32_t)strlen("options"),
                                               .value = object_of(inner, kept)};
}

void body_write_question(struct buf *buf, const struct json *body) {
    struct json_out out = json_out_begin(buf);
    if (!json_is(body, JSON_OBJECT)) {
        json_value(&out, body);
        return;
    }
    struct arena arena = {0};
    uint32_t n = 0;
    struct json_member *members = members_without(body, "options", &arena, &n);
    const struct json *options = json_get(body, "options");
    if (json_is(options, JSON_OBJECT))
        add_other_options(members, &n, options, &arena);
    const struct json question = object_of(members, n);
    json_value(&out, &question);
    arena_deinit(&arena);
}
