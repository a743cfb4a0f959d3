/* Ending the process: the only place under src/ that does so besides main. For our own bugs and
 * for running out of memory, never for what a file or a request can cause. */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

_Noreturn void panic(const char *file, int line, const char *format, ...) {
    char text[LIMIT_ERROR_TEXT + 64];
    const int head = snprintf(text, sizeof text, "panic at %s:%d: ", file, line);
    size_t len = head < 0 ? 0 : strlen(text);
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text + len, sizeof text - len, format, args);
    va_end(args);
    if (n >= 0)
        len = strlen(text);
    if (len > sizeof text - 2)
        len = sizeof text - 2;
    text[len++] = '\n';
    if (write(STDERR_FILENO, text, len) < 0) {
        /* Nobody listens; the signal below still says it. */
    }
    abort();
}
