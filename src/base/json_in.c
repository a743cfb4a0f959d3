/* Reading JSON (RFC 8259): one pass over the text into a tree in an arena.
 *
 * Members and elements gather on two stacks and move to the arena when their container closes, so
 * that each container is one block. Strings and numbers are copied, zero-terminated, into one
 * block as long as the text: a string gives up two quotes and needs one zero, an escape is never
 * shorter than its bytes, and behind a number stands at least one more byte (or the spare one of
 * the block). So the copy never runs ahead of the reading, and eight bytes may be written blindly
 * wherever eight could be read.
 *
 * Does not read comments, trailing commas, byte order marks or other dialects. */
#include "base/json_tree.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "base/banned.h"

struct parser {
    const char *start, *p, *end;
    char *out;   /* where the next copied text goes */
    bool python; /* take NaN, Infinity, lone surrogates */
    uint32_t depth;
    size_t values; /* seen so far */
    struct arena *arena;
    struct error *err;
    struct json *items; /* elements of the open arrays */
    size_t n_items, cap_items;
    struct json_member *members; /* members of the open objects */
    size_t n_members, cap_members;
};

static bool parse_value(struct parser *parser, struct json *value);

/* ---- errors --------------------------------------------------------------------------------- */

/* Says where the parser stands, lines and code points counted from 1. Returns false for callers. */
static bool fail(const struct parser *parser, const char *what) {
    size_t line = 1, column = 1;
    for (const char *s = parser->start; s < parser->p; s++) {
        const bool newline = *s == '\n';
        line += newline;
        if (newline)
            column = 1;
        else
            column += ((unsigned char)*s & 0xC0) != 0x80;
    }
    if (parser->p >= parser->end)
        what = "the text ends too early";
    (void)ERR(parser->err, INPUT, "invalid JSON at line %zu column %zu: %s", line, column, what);
    return false;
}

/* ---- strings -------------------------------------------------------------------------------- */

/* Bit 7 of the lowest set byte marks the first byte that is a quote, a backslash, a control or
 * not ASCII (bytes above it may be marked wrongly). "Determine if a word has a byte less than n",
 * Anderson, Bit Twiddling Hacks. */
static uint64_t special_bytes(uint64_t w) {
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    const uint64_t quote = w ^ (ones * '"'), backslash = w ^ (ones * '\\');
    const uint64_t below = (w - ones * 0x20) & ~w;
    return (w | below | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & highs;
}

/* Copies plain ASCII up to the first special byte, eight at a time while eight are left. */
static void copy_plain(struct parser *parser) {
    const char *p = parser->p;
    char *out = parser->out;
    while (parser->end - p >= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        memcpy(out, &w, 8);
        const uint64_t special = special_bytes(w);
        const int n = special ? __builtin_ctzll(special) / 8 : 8;
        p += n;
        out += n;
        if (special)
            break;
    }
    while (p < parser->end && (unsigned char)*p >= 0x20 && (unsigned char)*p < 0x80 && *p != '"' &&
           *p != '\\')
        *out++ = *p++;
    parser->p = p;
    parser->out = out;
}

static bool copy_utf8(struct parser *parser) {
    const size_t left = (size_t)(parser->end - parser->p);
    const unsigned char c = (unsigned char)*parser->p;
    if (c >= 0xC2 && c <= 0xDF && left >= 2 && ((unsigned char)parser->p[1] & 0xC0) == 0x80) {
        memcpy(parser->out, parser->p, 2); /* most characters of a byte-level vocabulary */
        parser->p += 2;
        parser->out += 2;
        return true;
    }
    size_t n = 0;
    utf8_next_lossy(parser->p, left, &n);
    if (n == 1) /* the first byte is not ASCII, so it stands for itself only when it is bad */
        return fail(parser, "bytes that are not UTF-8");
    memcpy(parser->out, parser->p, n);
    parser->p += n;
    parser->out += n;
    return true;
}

/* Four hex digits at p, or -1. */
static int32_t hex4(const char *p, const char *end) {
    if (end - p < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const char c = p[i];
        int32_t digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (c >= 'a' && c <= 'f')
            digit = c - 'a' + 10;
        else if (c >= 'A' && c <= 'F')
            digit = c - 'A' + 10;
        else
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* \uXXXX, and the second half of a surrogate pair where there is one; p is at the backslash. */
static bool parse_unicode_escape(struct parser *parser) {
    const char *p = parser->p;
    int32_t unit = hex4(p + 2, parser->end);
    if (unit < 0)
        return fail(parser, "\\u needs four hexadecimal digits");
    p += 6;
    if (unit >= 0xD800 && unit < 0xDC00 && parser->end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        const int32_t low = hex4(p + 2, parser->end);
        if (low >= 0xDC00 && low < 0xE000) {
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
            p += 6;
        }
    }
    if (unit >= 0xD800 && unit < 0xE000) {
        if (!parser->python)
            return fail(parser, "half of a surrogate pair");
        unit = 0xFFFD;
    }
    parser->out += utf8_put(parser->out, (uint32_t)unit);
    parser->p = p;
    return true;
}

static bool parse_escape(struct parser *parser) {
    static const char plain[256] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
    };
    if (parser->end - parser->p < 2) {
        parser->p = parser->end;
        return fail(parser, NULL);
    }
    const unsigned char c = (unsigned char)parser->p[1];
    if (c == 'u')
        return parse_unicode_escape(parser);
    if (!plain[c])
        return fail(parser, "unknown escape in a string");
    *parser->out++ = plain[c];
    parser->p += 2;
    return true;
}

/* From the opening quote past the closing one. */
static bool parse_string(struct parser *parser, const char **text, uint32_t *len) {
    parser->p++;
    char *start = parser->out;
    for (;;) {
        copy_plain(parser);
        if (parser->p >= parser->end)
            return fail(parser, NULL);
        const unsigned char c = (unsigned char)*parser->p;
        if (c == '"')
            break;
        if (c == '\\') {
            if (!parse_escape(parser))
                return false;
        } else if (c >= 0x80) {
            if (!copy_utf8(parser))
                return false;
        } else {
            return fail(parser, "control character in a string, write it as \\u00XX");
        }
    }
    parser->p++;
    *text = start;
    *len = (uint32_t)(parser->out - start);
    *parser->out++ = 0;
    return true;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void c_locale_make(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c_locale)
        PANIC("the C library has no C locale");
}

/* The text is a valid JSON number, zero-terminated. */
static double number_of_text(const char *text) {
    pthread_once(&c_locale_once, c_locale_make);
    return strtod_l(text, NULL, c_locale);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* What the digits say: mantissa * 10^exponent, exact while digits <= 19. */
struct decimal {
    uint64_t mantissa;
    int digits; /* significant ones; more than 19 saturate */
    int exponent;
    bool negative, integer;
};

static const char *scan_digits(const char *p, const char *end, struct decimal *decimal) {
    for (; p < end && is_digit(*p); p++) {
        if (decimal->digits < 19)
            decimal->mantissa = decimal->mantissa * 10 + (uint64_t)(*p - '0');
        if (decimal->digits < 20)
            decimal->digits += decimal->mantissa != 0;
    }
    return p;
}

/* The exponent, from the e at *at on. NULL when it has no digits; *at is where they should be. */
static const char *scan_exponent(const char **at, const char *end, struct decimal *decimal) {
    const char *p = *at + 1;
    const bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    *at = p;
    int value = 0;
    for (; p < end && is_digit(*p); p++)
        value = value > 99999 ? value : value * 10 + (*p - '0');
    if (decimal->exponent > -INT_MAX / 2)
        decimal->exponent += negative ? -value : value;
    return p > *at ? p : NULL;
}

/* The number's end, or NULL with *p where it went wrong. */
static const char *scan_number(const char **at, const char *end, struct decimal *decimal) {
    const char *p = *at;
    decimal->negative = *p == '-';
    p += decimal->negative;
    *at = p;
    if (p >= end || !is_digit(*p))
        return NULL;
    p = *p == '0' ? p + 1 : scan_digits(p, end, decimal);
    decimal->integer = true;
    if (p < end && *p == '.') {
        const char *first = ++p;
        p = scan_digits(p, end, decimal);
        *at = p;
        if (p == first)
            return NULL;
        const ptrdiff_t places = p - first;
        decimal->exponent = places > INT_MAX / 2 ? -INT_MAX / 2 : -(int)places;
        decimal->integer = false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        *at = p;
        p = scan_exponent(at, end, decimal);
        decimal->integer = false;
    }
    return p;
}

/* Clinger's fast path: a mantissa below 2^53 and a power of ten that is exact as a double give the
 * correctly rounded value in one operation. False: the long way is needed. */
static bool number_of_decimal(const struct decimal *decimal, double *out) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (decimal->digits > 19 || decimal->mantissa > 1ull << 53 || decimal->exponent < -22 ||
        decimal->exponent > 22)
        return false;
    double value = (double)decimal->mantissa;
    if (decimal->exponent < 0)
        value /= powers[-decimal->exponent];
    else
        value *= powers[decimal->exponent];
    *out = decimal->negative ? -value : value;
    return true;
}

static void keep_number(struct parser *parser, struct json *value, const char *p, double number,
                        bool integer) {
    const size_t len = (size_t)(p - parser->p);
    *value = (struct json){.type = JSON_NUMBER,
                           .boolean = integer,
                           .len = (uint32_t)len,
                           .number = number,
                           .text = parser->out};
    parser->out += len + 1;
    parser->p = p;
}

/* Python's -Infinity, whose I is at p: where the digit should be that scan_number missed. */
static bool is_minus_infinity(const struct parser *parser, const char *p) {
    return parser->python && p == parser->p + 1 && parser->p[0] == '-' && parser->end - p >= 8 &&
           memcmp(p, "Infinity", 8) == 0;
}

static bool parse_number(struct parser *parser, struct json *value) {
    struct decimal decimal = {0};
    const char *at = parser->p;
    const char *p = scan_number(&at, parser->end, &decimal);
    if (!p) {
        if (is_minus_infinity(parser, at)) {
            memcpy(parser->out, "-Infinity", 10);
            keep_number(parser, value, at + 8, -INFINITY, false);
            return true;
        }
        parser->p = at;
        return fail(parser, "a digit must follow");
    }
    const size_t len = (size_t)(p - parser->p);
    memcpy(parser->out, parser->p, len);
    parser->out[len] = 0;
    double number;
    if (!number_of_decimal(&decimal, &number))
        number = number_of_text(parser->out);
    if (isinf(number) && !parser->python)
        return fail(parser, "the number does not fit a double");
    keep_number(parser, value, p, number, decimal.integer);
    return true;
}

/* ---- containers ----------------------------------------------------------------------------- */

static void skip_space(struct parser *parser) {
    const char *p = parser->p;
    while (p < parser->end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    parser->p = p;
}

static bool next_is(const struct parser *parser, char c) {
    return parser->p < parser->end && *parser->p == c;
}

/* After the opening bracket: true when the container is empty, with the closing one consumed. */
static bool closes_at_once(struct parser *parser, char closing) {
    parser->p++;
    skip_space(parser);
    if (!next_is(parser, closing))
        return false;
    parser->p++;
    return true;
}

/* After an element: *more says whether a comma came (else the closing bracket did). */
static bool parse_separator(struct parser *parser, char closing, bool *more) {
    skip_space(parser);
    *more = next_is(parser, ',');
    if (!*more && !next_is(parser, closing))
        return fail(parser, closing == ']' ? "expected ',' or ']'" : "expected ',' or '}'");
    parser->p++;
    if (*more)
        skip_space(parser);
    return true;
}

static bool parse_array(struct parser *parser, struct json *value) {
    const size_t base = parser->n_items;
    bool more = !closes_at_once(parser, ']');
    while (more) {
        struct json item;
        if (!parse_value(parser, &item) || !parse_separator(parser, ']', &more))
            return false;
        if (parser->n_items == parser->cap_items)
            parser->items = mem_grow(parser->items, &parser->cap_items, parser->n_items + 1,
                                     sizeof *parser->items);
        parser->items[parser->n_items++] = item;
    }
    const size_t n = parser->n_items - base;
    *value = (struct json){.type = JSON_ARRAY, .len = (uint32_t)n};
    if (n > 0)
        value->items = arena_copy(parser->arena, parser->items + base, n * sizeof *parser->items);
    parser->n_items = base;
    return true;
}

static bool parse_member(struct parser *parser, struct json_member *member) {
    if (!next_is(parser, '"'))
        return fail(parser, "expected a key in double quotes");
    if (!parse_string(parser, &member->key, &member->key_len))
        return false;
    skip_space(parser);
    if (!next_is(parser, ':'))
        return fail(parser, "expected ':' after the key");
    parser->p++;
    skip_space(parser);
    return parse_value(parser, &member->value);
}

static bool parse_object(struct parser *parser, struct json *value) {
    const size_t base = parser->n_members;
    bool more = !closes_at_once(parser, '}');
    while (more) {
        struct json_member member;
        if (!parse_member(parser, &member) || !parse_separator(parser, '}', &more))
            return false;
        if (parser->n_members == parser->cap_members)
            parser->members = mem_grow(parser->members, &parser->cap_members, parser->n_members + 1,
                                       sizeof *parser->members);
        parser->members[parser->n_members++] = member;
    }
    const size_t n = parser->n_members - base;
    struct json_member *members = NULL;
    if (n > 0)
        members = arena_copy(parser->arena, parser->members + base, n * sizeof *members);
    json_object_finish(value, members, (uint32_t)n, parser->arena);
    parser->n_members = base;
    return true;
}

static bool parse_container(struct parser *parser, struct json *value) {
    if (parser->depth == LIMIT_JSON_DEPTH)
        return fail(parser, "nested too deeply");
    parser->depth++;
    const bool ok = *parser->p == '[' ? parse_array(parser, value) : parse_object(parser, value);
    parser->depth--;
    return ok;
}

/* ---- values --------------------------------------------------------------------------------- */

static bool parse_word(struct parser *parser, struct json *value) {
    static const struct {
        const char *text;
        struct json value;
        bool python;
    } words[] = {
        {"null", {.type = JSON_NULL}, false},
        {"true", {.type = JSON_BOOL, .boolean = true}, false},
        {"false", {.type = JSON_BOOL, .boolean = false}, false},
        {"NaN", {.type = JSON_NUMBER, .number = NAN, .text = "NaN", .len = 3}, true},
        {"Infinity", {.type = JSON_NUMBER, .number = INFINITY, .text = "Infinity", .len = 8}, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        const size_t len = strlen(words[i].text);
        if ((size_t)(parser->end - parser->p) < len || memcmp(parser->p, words[i].text, len) != 0)
            continue;
        if (words[i].python && !parser->python)
            return fail(parser, "NaN and Infinity are not JSON");
        *value = words[i].value;
        parser->p += len;
        return true;
    }
    return fail(parser, "expected a value");
}

static bool parse_value(struct parser *parser, struct json *value) {
    if (parser->p >= parser->end)
        return fail(parser, NULL);
    if (++parser->values > LIMIT_JSON_VALUES)
        return fail(parser, "more values than are accepted in one text");
    const char c = *parser->p;
    if (c == '"') {
        *value = (struct json){.type = JSON_STRING};
        return parse_string(parser, &value->text, &value->len);
    }
    if (is_digit(c) || c == '-')
        return parse_number(parser, value);
    if (c == '{' || c == '[')
        return parse_container(parser, value);
    return parse_word(parser, value);
}

enum status json_parse(const struct json **out, struct arena *arena, const char *text, size_t len,
                       enum json_flags flags, struct error *err) {
    if (len >= UINT32_MAX)
        return ERR(err, TOO_LARGE, "JSON of %zu bytes; at most 4 GiB are read", len);
    struct parser parser = {.start = text,
                            .p = text,
                            .end = text + len,
                            .out = arena_alloc(arena, len + 1),
                            .python = flags == JSON_PYTHON,
                            .arena = arena,
                            .err = err};
    struct json *root = arena_alloc(arena, sizeof *root);
    skip_space(&parser);
    bool ok = parse_value(&parser, root);
    if (ok) {
        skip_space(&parser);
        if (parser.p < parser.end)
            ok = fail(&parser, "something follows the value");
    }
    mem_free(parser.items);
    mem_free(parser.members);
    if (!ok)
        return STATUS_ERROR;
    *out = root;
    return STATUS_OK;
}
