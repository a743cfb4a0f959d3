/* JSON in and out.
 *
 * In: one pass into an arena; objects keep their order and are searched linearly below 16
 * members, by a hash above. Strict RFC 8259 by default (what clients send); JSON_PYTHON also takes
 * what Python writes into model files: NaN, Infinity, -Infinity, and lone surrogates (as U+FFFD).
 * A duplicate key: the last one wins. Text must be UTF-8. `\u0000` is kept: strings carry lengths.
 * Out: straight into a struct buf, no tree. */
#ifndef BRISK_BASE_JSON_H
#define BRISK_BASE_JSON_H

#include "base/buf.h"
#include "base/mem.h"

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER, /* number and text[len] as written, e.g. for integers beyond 2^53 */
    JSON_STRING, /* text[len], zero-terminated, may hold zeros inside */
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json {
    enum json_type type;
    bool boolean; /* BOOL; NUMBER: true when written without fraction and exponent */
    uint32_t len; /* bytes of text; elements of items; members of an object */
    union {
        double number;
        const uint32_t *index; /* OBJECT of 16 members or more: hash slots */
    };
    union {
        const char *text;
        const struct json *items;          /* ARRAY */
        const struct json_member *members; /* OBJECT */
    };
};

struct json_member {
    const char *key;
    uint32_t key_len;
    struct json value;
};

enum json_flags { JSON_STRICT = 0, JSON_PYTHON = 1 };

/* Parses text[len]; the tree lives in the arena and points nowhere else. Errors (code INPUT) name
 * the position: "invalid JSON at line 3 column 7: expected ',' or '}'". */
enum status json_parse(const struct json **out, struct arena *arena, const char *text, size_t len,
                       enum json_flags flags, struct error *err) MUST_CHECK;

/* All of these take NULL for `value` and then answer as for an absent member. */
const struct json *json_get(const struct json *object, const char *key); /* NULL: absent */
const struct json *json_get_n(const struct json *object, const char *key, size_t key_len);
const struct json *json_at(const struct json *array, size_t i); /* NULL: out of range */
bool json_is(const struct json *value, enum json_type type);
bool json_is_null(const struct json *value);                  /* absent or null */
bool json_equals(const struct json *value, const char *text); /* a string with this text */
/* With a default where the member is absent, null or of another type. */
const char *json_get_string(const struct json *object, const char *key, const char *otherwise);
double json_get_number(const struct json *object, const char *key, double otherwise);
int64_t json_get_int(const struct json *object, const char *key, int64_t otherwise);
bool json_get_bool(const struct json *object, const char *key, bool otherwise);
/* *out = the value as an integer; false when it is not one or does not fit. */
bool json_to_int(const struct json *value, int64_t *out);
const char *json_type_name(enum json_type type); /* "string", for messages */
/* An object of the members of both, in the arena; of a key in both, the value of `over` counts. */
const struct json *json_merge(struct arena *arena, const struct json *object,
                              const struct json *over);

/* Writer. Commas and quotes are its business; nesting is checked by ASSERT. Floats are written
 * with the fewest digits that read back as the same float; NaN and infinities as null. */
struct json_out {
    struct buf *buf;
    uint32_t depth;
    bool comma; /* a value stands before in the current container */
};

struct json_out json_out_begin(struct buf *buf);
void json_open_object(struct json_out *out);
void json_close_object(struct json_out *out);
void json_open_array(struct json_out *out);
void json_close_array(struct json_out *out);
void json_key(struct json_out *out, const char *key);
void json_key_n(struct json_out *out, const char *key, size_t len);
void json_string(struct json_out *out, const char *text);
void json_string_n(struct json_out *out, const char *text, size_t len); /* bad UTF-8 as U+FFFD */
void json_int(struct json_out *out, int64_t value);
void json_float(struct json_out *out, float value);
void json_double(struct json_out *out, double value);
void json_bool(struct json_out *out, bool value);
void json_null(struct json_out *out);
void json_floats(struct json_out *out, const float *values, size_t n); /* an array, fast */
void json_value(struct json_out *out, const struct json *value);       /* copies a tree */

#endif
