/* Text as Python's str sees it: classes and case of characters (utf8proc, and a generated table of
 * those whose other case is several characters), stripping, searching, replacing, joining. */
#include "template/builtin.h"

#include <assert.h>
#include <string.h>
#include <utf8proc.h>

#include "base/banned.h"

/* ---- characters ---- */

static utf8proc_category_t category(uint32_t c) {
    return utf8proc_category((utf8proc_int32_t)c);
}

bool char_is_space(uint32_t c) {
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
    const utf8proc_category_t kind = category(c);
    return c == 0x85 || kind == UTF8PROC_CATEGORY_ZS || kind == UTF8PROC_CATEGORY_ZL ||
           kind == UTF8PROC_CATEGORY_ZP;
}

bool char_is_alpha(uint32_t c) {
    const utf8proc_category_t kind = category(c);
    return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool char_is_decimal(uint32_t c) {
    return c < 0x80 ? c >= '0' && c <= '9' : category(c) == UTF8PROC_CATEGORY_ND;
}

/* Superscripts, subscripts and circled digits are digits and no decimals. */
bool char_is_digit(uint32_t c) {
    static const uint32_t more[][2] = {
        {0xB2, 0xB3},       {0xB9, 0xB9},       {0x1369, 0x1371},   {0x19DA, 0x19DA},
        {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
        {0x2474, 0x247C},   {0x2488, 0x2490},   {0x24EA, 0x24EA},   {0x24F5, 0x24FD},
        {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},   {0x278A, 0x2792},
        {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A},
    };
    if (char_is_decimal(c))
        return true;
    for (size_t i = 0; c >= 0x80 && i < ARRAY_LEN(more); i++) {
        if (c >= more[i][0] && c <= more[i][1])
            return true;
    }
    return false;
}

bool char_is_numeric(uint32_t c) {
    const utf8proc_category_t kind = category(c);
    return char_is_digit(c) || kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_NO;
}

bool char_is_word(uint32_t c) {
    return c == '_' || char_is_alpha(c) || char_is_numeric(c);
}

bool char_is_printable(uint32_t c) {
    if (c < 0x7F)
        return c >= 0x20;
    switch (category(c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
        return false;
    default:
        return true;
    }
}

bool char_is_upper(uint32_t c) {
    return c < 0x80 ? c >= 'A' && c <= 'Z' : utf8proc_isupper((utf8proc_int32_t)c);
}

bool char_is_lower(uint32_t c) {
    return c < 0x80 ? c >= 'a' && c <= 'z' : utf8proc_islower((utf8proc_int32_t)c);
}

bool char_is_title(uint32_t c) {
    return category(c) == UTF8PROC_CATEGORY_LT;
}

/* ---- case ---- */

struct special_case {
    uint32_t code;
    const char *cases[3]; /* by enum letter_case, below */
};
static const struct special_case special_cases[] = {
#define SPECIAL_CASE(code, upper, title, lower) {code, {upper, lower, title}},
#include "template/case_tables.inc"
#undef SPECIAL_CASE
};
static_assert(CASE_UPPER == 0 && CASE_LOWER == 1 && CASE_TITLE == 2, "the order of cases[]");

static const struct special_case *special_case(uint32_t c) {
    size_t low = 0, high = ARRAY_LEN(special_cases);
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (special_cases[middle].code == c)
            return &special_cases[middle];
        if (special_cases[middle].code < c)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static uint32_t one_case(uint32_t c, enum letter_case to) {
    if (c < 0x80) {
        if (to == CASE_LOWER)
            return c >= 'A' && c <= 'Z' ? c + 32 : c;
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    }
    const utf8proc_int32_t code = (utf8proc_int32_t)c;
    if (to == CASE_LOWER)
        return (uint32_t)utf8proc_tolower(code);
    return (uint32_t)(to == CASE_UPPER ? utf8proc_toupper(code) : utf8proc_totitle(code));
}

static bool is_cased(uint32_t c) {
    return char_is_upper(c) || char_is_lower(c) || char_is_title(c);
}

/* Word_Break's MidLetter and the like are nearly these, between letters. */
static bool case_ignorable(uint32_t c) {
    const utf8proc_category_t kind = category(c);
    return c == '\'' || c == '.' || c == ':' || c == 0xB7 || c == 0x2019 || c == 0xAD ||
           kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_ME ||
           kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_LM ||
           kind == UTF8PROC_CATEGORY_SK;
}

/* A capital sigma at the end of a word is lowered to another letter. */
static bool final_sigma(const char *text, size_t len, size_t at, size_t behind) {
    bool before = false;
    for (size_t i = 0; i < at;) {
        const uint32_t c = utf8_next_lossy(text, len, &i);
        if (!case_ignorable(c))
            before = is_cased(c);
    }
    for (size_t i = behind; before && i < len;) {
        const uint32_t c = utf8_next_lossy(text, len, &i);
        if (!case_ignorable(c))
            return !is_cased(c);
    }
    return before;
}

void put_case(struct buf *buf, const char *text, size_t len, enum letter_case to) {
    for (size_t at = 0; at < len;) {
        const size_t from = at;
        const uint32_t c = utf8_next_lossy(text, len, &at);
        const struct special_case *special = c < 0x80 ? NULL : special_case(c);
        if (special != NULL) {
            buf_puts(buf, special->cases[to]);
            continue;
        }
        uint32_t other = one_case(c, to);
        if (c == 0x3A3 && to == CASE_LOWER && len < KiB && final_sigma(text, len, from, at))
            other = 0x3C2;
        char bytes[4];
        if (other == c)
            buf_append(buf, text + from, at - from);
        else
            buf_append(buf, bytes, utf8_put(bytes, other));
    }
}

struct value text_case(struct render *r, struct str *str, enum letter_case to) {
    struct buf buf;
    str_buf(&buf);
    step(r, str->len / 16);
    put_case(&buf, str->data, str->len, to);
    return value_from_buf(r, &buf);
}

/* ---- stripping ---- */

static bool in_set(const struct str *chars, uint32_t c) {
    if (chars == NULL)
        return char_is_space(c);
    for (size_t at = 0; at < chars->len;) {
        if (utf8_next_lossy(chars->data, chars->len, &at) == c)
            return true;
    }
    return false;
}

struct value text_trim(struct render *r, struct str *str, const struct str *chars, bool left,
                       bool right) {
    size_t from = 0, to = str->len;
    const size_t each = 1 + (chars == NULL ? 0 : chars->len / 8);
    while (left && from < to && step(r, each)) {
        size_t next = from;
        if (!in_set(chars, utf8_next_lossy(str->data, to, &next)))
            break;
        from = next;
    }
    while (right && to > from && step(r, each)) {
        size_t last = to - 1;
        while (last > from && ((unsigned char)str->data[last] & 0xC0) == 0x80)
            last--;
        size_t at = last;
        if (!in_set(chars, utf8_next_lossy(str->data, to, &at)))
            break;
        to = last;
    }
    return value_borrow(r, str->data + from, to - from);
}

/* ---- HTML ---- */

void put_escaped(struct buf *buf, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '&':
            buf_puts(buf, "&amp;");
            break;
        case '<':
            buf_puts(buf, "&lt;");
            break;
        case '>':
            buf_puts(buf, "&gt;");
            break;
        case '\'':
            buf_puts(buf, "&#39;");
            break;
        case '"':
            buf_puts(buf, "&#34;");
            break;
        default:
            buf_putc(buf, text[i]);
            break;
        }
    }
}

/* ---- searching, replacing, joining ---- */

const char *find_bytes(const char *text, size_t len, const char *what, size_t what_len) {
    return what_len == 0 ? text : memmem(text, len, what, what_len);
}

const char *rfind_bytes(const char *text, size_t len, const char *what, size_t what_len) {
    for (size_t at = len - what_len + 1; what_len <= len && at > 0; at--) {
        if (memcmp(text + at - 1, what, what_len) == 0)
            return text + at - 1;
    }
    return NULL;
}

/* Python puts `to` in front of each character, and at the end, where `from` is empty. */
static void replace_empty(struct buf *buf, const struct str *str, const struct str *to,
                          int64_t count) {
    for (size_t at = 0; at < str->len;) {
        const size_t from = at;
        if (count-- > 0)
            buf_append(buf, to->data, to->len);
        utf8_next_lossy(str->data, str->len, &at);
        buf_append(buf, str->data + from, at - from);
    }
    if (count > 0)
        buf_append(buf, to->data, to->len);
}

struct value text_replace(struct render *r, struct str *str, const struct str *from,
                          const struct str *to, int64_t count) {
    struct buf buf;
    str_buf(&buf);
    step(r, str->len / 16);
    count = count < 0 ? INT64_MAX : count;
    if (from->len == 0) {
        replace_empty(&buf, str, to, count);
        return value_from_buf(r, &buf);
    }
    const char *at = str->data, *end = str->data + str->len;
    for (; count > 0 && !buf.overflow; count--) {
        const char *found = find_bytes(at, (size_t)(end - at), from->data, from->len);
        if (found == NULL)
            break;
        buf_append(&buf, at, (size_t)(found - at));
        buf_append(&buf, to->data, to->len);
        at = found + from->len;
    }
    buf_append(&buf, at, (size_t)(end - at));
    return value_from_buf(r, &buf);
}

static bool ends_line(uint32_t c) {
    return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

struct value text_split_lines(struct render *r, struct str *str, bool keep_ends) {
    struct builder lines = {0};
    for (size_t from = 0, at = 0; from < str->len && step(r, 1);) {
        size_t end = str->len;
        while (at < str->len) {
            const size_t here = at;
            const uint32_t c = utf8_next_lossy(str->data, str->len, &at);
            if (!ends_line(c))
                continue;
            end = here;
            if (c == '\r' && at < str->len && str->data[at] == '\n')
                at++;
            break;
        }
        const size_t to = keep_ends ? at : end;
        builder_add(r, &lines, value_borrow(r, str->data + from, to - from));
        from = at;
    }
    return builder_list(r, &lines);
}

struct value text_join(struct render *r, struct str *separator, struct value values, bool strict) {
    struct iter iter;
    struct value item;
    struct buf buf;
    if (!iter_begin(r, &iter, values))
        return value_undefined();
    str_buf(&buf);
    for (size_t i = 0; iter_next(r, &iter, &item); i++) {
        if (i > 0)
            buf_append(&buf, separator->data, separator->len);
        if (strict && !is(item, KIND_STRING))
            fail(r, "sequence item %zu: expected str instance, %s found", i, type_name(item));
        else
            print_str(r, &buf, item);
    }
    return value_from_buf(r, &buf);
}
