/* Errors as values: filling in struct error, and the table from codes to HTTP status and exit code.
 * Nothing here allocates, logs or ends the process; panic is in panic.c. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "base/banned.h"

static const struct code_row {
    const char *name;
    int http_status, exit_code;
} codes[] = {
#define ERROR_CODE(name, http, exit_code) [ERROR_##name] = {#name, http, exit_code},
    ERROR_CODES(ERROR_CODE)
#undef ERROR_CODE
};

static const struct code_row *row_of(enum error_code code) {
    return &codes[(size_t)code < ARRAY_LEN(codes) ? code : ERROR_INTERNAL];
}

/* Copies text[len] where it fits, else cuts it before the code point that would not. A text that
 * quotes the world ("%.60s" of a name) may cut a character or hold half of one: '?' stands there.
 */
static void text_set(struct error *err, const char *text, size_t len) {
    if (len >= sizeof err->text) {
        len = sizeof err->text - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    }
    memcpy(err->text, text, len);
    err->text[len] = 0;
    for (size_t bad; !utf8_valid(err->text, len, &bad);)
        err->text[bad] = '?';
}

/* Both format aside first: the arguments may point into err->text. The buffers are longer than
 * the text by a code point, so that text_set sees where it cuts. */
enum status error_set(struct error *err, enum error_code code, const char *format, ...) {
    char text[LIMIT_ERROR_TEXT + 4];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    err->code = code;
    err->estimated_time_s = 0;
    text_set(err, text, n < 0 ? 0 : strlen(text));
    return STATUS_ERROR;
}

#undef error_prefix
enum status error_prefix(struct error *err, const char *format, ...) {
    char text[2 * LIMIT_ERROR_TEXT + 4]; /* prefix and rest, as long as they can be */
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, LIMIT_ERROR_TEXT + 4, format, args);
    va_end(args);
    const size_t prefix = n < 0 ? 0 : strlen(text);
    const size_t rest = strnlen(err->text, sizeof err->text);
    memcpy(text + prefix, err->text, rest);
    text_set(err, text, prefix + rest);
    return STATUS_ERROR;
}

int error_http_status(enum error_code code) {
    return row_of(code)->http_status;
}

int error_exit_code(enum error_code code) {
    return row_of(code)->exit_code;
}

const char *error_name(enum error_code code) {
    return row_of(code)->name;
}
