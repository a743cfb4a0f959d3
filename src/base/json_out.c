/* Writing JSON straight into a buffer. Text goes out as UTF-8: only quotes, backslashes and control
 * characters are escaped, and bytes that are not UTF-8 become U+FFFD. */
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/decimal.h"
#include "base/utf8.h"
#include "base/banned.h"

#define FLOATS_AT_ONCE 256 /* room is asked for once for so many */

struct json_out json_out_begin(struct buf *buf) {
    return (struct json_out){.buf = buf};
}

static void before_value(struct json_out *out) {
    if (out->comma)
        buf_putc(out->buf, ',');
    out->comma = true;
}

static void open_container(struct json_out *out, char opening) {
    before_value(out);
    buf_putc(out->buf, opening);
    out->comma = false;
    out->depth++;
}

static void close_container(struct json_out *out, char closing) {
    ASSERT(out->depth > 0);
    buf_putc(out->buf, closing);
    out->comma = true;
    out->depth--;
}

void json_open_object(struct json_out *out) {
    open_container(out, '{');
}

void json_close_object(struct json_out *out) {
    close_container(out, '}');
}

void json_open_array(struct json_out *out) {
    open_container(out, '[');
}

void json_close_array(struct json_out *out) {
    close_container(out, ']');
}

/* 0: goes out as it is. u: \u00XX. Else the letter behind the backslash. 8: look for UTF-8. */
static char escape_of(unsigned char c) {
    static const char letters[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c < 0x20)
        return letters[c] ? letters[c] : 'u';
    if (c == '"' || c == '\\')
        return (char)c;
    return c < 0x80 ? 0 : '8';
}

static void put_escape(struct buf *buf, unsigned char c, char letter) {
    static const char hex[] = "0123456789abcdef";
    const char text[6] = {'\\', letter, '0', '0', hex[c >> 4], hex[c & 15]};
    buf_append(buf, text, letter == 'u' ? 6 : 2);
}

static void put_text(struct buf *buf, const char *text, size_t len) {
    size_t from = 0, i = 0; /* text[from..i) is plain and not yet written */
    while (i < len) {
        const unsigned char c = (unsigned char)text[i];
        const char escape = escape_of(c);
        size_t next = i + 1;
        bool plain = escape == 0;
        if (escape == '8') {
            next = i;
            utf8_next_lossy(text, len, &next);
            plain = next > i + 1;
        }
        if (!plain) {
            buf_append(buf, text + from, i - from);
            if (escape == '8')
                buf_puts(buf, "\xEF\xBF\xBD");
            else
                put_escape(buf, c, escape);
            from = next;
        }
        i = next;
    }
    buf_append(buf, text + from, len - from);
}

void json_string_n(struct json_out *out, const char *text, size_t len) {
    before_value(out);
    buf_putc(out->buf, '"');
    put_text(out->buf, text, len);
    buf_putc(out->buf, '"');
}

void json_string(struct json_out *out, const char *text) {
    json_string_n(out, text, strlen(text));
}

void json_key_n(struct json_out *out, const char *key, size_t len) {
    ASSERT(out->depth > 0);
    json_string_n(out, key, len);
    buf_putc(out->buf, ':');
    out->comma = false;
}

void json_key(struct json_out *out, const char *key) {
    json_key_n(out, key, strlen(key));
}

static void put_word(struct json_out *out, const char *word) {
    before_value(out);
    buf_puts(out->buf, word);
}

void json_bool(struct json_out *out, bool value) {
    put_word(out, value ? "true" : "false");
}

void json_null(struct json_out *out) {
    put_word(out, "null");
}

void json_int(struct json_out *out, int64_t value) {
    char text[DECIMAL_TEXT_MAX];
    before_value(out);
    buf_append(out->buf, text, decimal_int(text, value));
}

static size_t float_text(char *text, float value) {
    if (isfinite(value))
        return decimal_float(text, value);
    memcpy(text, "null", 4);
    return 4;
}

void json_float(struct json_out *out, float value) {
    char text[DECIMAL_TEXT_MAX];
    before_value(out);
    buf_append(out->buf, text, float_text(text, value));
}

void json_double(struct json_out *out, double value) {
    if (!isfinite(value)) {
        json_null(out);
        return;
    }
    char text[DECIMAL_TEXT_MAX];
    before_value(out);
    buf_append(out->buf, text, decimal_double(text, value));
}

void json_floats(struct json_out *out, const float *values, size_t n) {
    char block[FLOATS_AT_ONCE * (DECIMAL_TEXT_MAX + 1)];
    json_open_array(out);
    for (size_t i = 0; i < n;) {
        const size_t stop = n - i < FLOATS_AT_ONCE ? n : i + FLOATS_AT_ONCE;
        char *p = block;
        for (; i < stop; i++) {
            *p = ',';
            p += i > 0;
            p += float_text(p, values[i]);
        }
        buf_append(out->buf, block, (size_t)(p - block));
    }
    json_close_array(out);
}

static void number_value(struct json_out *out, const struct json *value) {
    if (!isfinite(value->number)) {
        json_null(out);
        return;
    }
    before_value(out);
    buf_append(out->buf, value->text, value->len);
}

static void object_value(struct json_out *out, const struct json *value) {
    json_open_object(out);
    for (uint32_t i = 0; i < value->len; i++) {
        const struct json_member *member = &value->members[i];
        json_key_n(out, member->key, member->key_len);
        json_value(out, &member->value);
    }
    json_close_object(out);
}

/* Recursion is bounded: a parsed tree is at most LIMIT_JSON_DEPTH deep. */
void json_value(struct json_out *out, const struct json *value) {
    switch (value ? value->type : JSON_NULL) {
    case JSON_NULL:
        json_null(out);
        break;
    case JSON_BOOL:
        json_bool(out, value->boolean);
        break;
    case JSON_NUMBER:
        number_value(out, value);
        break;
    case JSON_STRING:
        json_string_n(out, value->text, value->len);
        break;
    case JSON_ARRAY:
        json_open_array(out);
        for (uint32_t i = 0; i < value->len; i++)
            json_value(out, &value->items[i]);
        json_close_array(out);
        break;
    case JSON_OBJECT:
        object_value(out, value);
        break;
    }
}
