/* The escapes of a string literal, as Python's unicode-escape codec: \n, \x41, \101, \u00e9,
 * \U0001f600, a backslash at the end of a line. Others stay as they are; \N{…} is not known. */
#include "template/syntax.h"

#include <string.h>

#include "base/banned.h"

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* n hexadecimal digits at text[at]; false: there are fewer. */
static bool read_hex(const char *text, size_t len, size_t at, size_t n, uint32_t *out) {
    *out = 0;
    for (size_t i = 0; i < n; i++) {
        const int digit = at + i < len ? hex_digit(text[at + i]) : -1;
        if (digit < 0)
            return false;
        *out = *out * 16 + (uint32_t)digit;
    }
    return true;
}

static size_t read_octal(const char *text, size_t len, size_t at, uint32_t *out) {
    size_t n = 0;
    *out = 0;
    while (n < 3 && at + n < len && text[at + n] >= '0' && text[at + n] <= '7')
        *out = *out * 8 + (uint32_t)(text[at + n++] - '0');
    return n;
}

/* Code points that UTF-8 has no form for become U+FFFD. */
static size_t put(char *out, uint32_t code) {
    return utf8_put(out, code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ? 0xFFFD : code);
}

/* What stands behind a backslash at text[at]: bytes read, and written to out. */
static size_t escape(const char *text, size_t len, size_t at, char *out, size_t *written,
                     bool *bad) {
    static const char letters[] = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v"; /* pairs: letter, character */
    const char c = text[at];
    uint32_t code = 0;
    for (size_t i = 0; letters[i] != 0; i += 2) {
        if (letters[i] == c) {
            *out = letters[i + 1];
            *written = 1;
            return 1;
        }
    }
    const size_t octal = read_octal(text, len, at, &code);
    if (octal > 0) {
        *written = put(out, code);
        return octal;
    }
    const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits > 0) {
        *bad = !read_hex(text, len, at + 1, digits, &code) || code > 0x10FFFF;
        *written = put(out, code);
        return 1 + digits;
    }
    *bad = c == 'N';
    *written = 0;
    if (c == '\n')
        return 1;
    out[(*written)++] = '\\';
    out[(*written)++] = c;
    return 1;
}

enum status unescape(struct arena *arena, struct token *token, struct error *err) {
    if (memchr(token->text, '\\', token->len) == NULL)
        return STATUS_OK;
    char *out = arena_alloc(arena, token->len * 2 + 8); /* \0 is 2 bytes and writes 1 */
    size_t n = 0;
    for (size_t at = 0; at < token->len;) {
        if (token->text[at] != '\\' || at + 1 >= token->len) {
            out[n++] = token->text[at++];
            continue;
        }
        size_t written = 0;
        bool bad = false;
        at += 1 + escape(token->text, token->len, at + 1, out + n, &written, &bad);
        n += written;
        if (bad)
            return ERR(err, MODEL, "line %u: a string has an escape that cannot be read",
                       token->line);
    }
    out[n] = 0;
    token->text = out;
    token->len = n;
    return STATUS_OK;
}
