/* Errors are values: a code for programs and a text for people. The caller owns the struct.
 *
 * A function that can fail returns enum status and takes `struct error *err` last (never NULL).
 * On success err is untouched. On failure outputs are untouched or empty, and what was half
 * built is gone. Set the error where the cause is known; callers add context in front. */
#ifndef BRISK_BASE_ERROR_H
#define BRISK_BASE_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/limits.h"

/* What the caller should do next. */
enum status {
    STATUS_OK,       /* done */
    STATUS_AGAIN,    /* not yet: wait, or call again */
    STATUS_DECLINED, /* not mine: try the next one */
    STATUS_ERROR,    /* failed: err says why */
};

/* One row per code: ERROR_CODE(name, HTTP status, process exit code). */
#define ERROR_CODES(ERROR_CODE)                                                                    \
    ERROR_CODE(NONE, 200, 0)                                                                       \
    ERROR_CODE(INPUT, 400, 2) /* the request or the arguments are wrong */                         \
    ERROR_CODE(UNAUTHORIZED, 401, 2)                                                               \
    ERROR_CODE(FORBIDDEN, 403, 2)                                                                  \
    ERROR_CODE(NOT_FOUND, 404, 3) /* no such model, route, file */                                 \
    ERROR_CODE(METHOD, 405, 2)                                                                     \
    ERROR_CODE(TOO_LARGE, 413, 2)  /* body, batch */                                               \
    ERROR_CODE(CANCELLED, 499, 4)  /* the caller went away */                                      \
    ERROR_CODE(MODEL, 500, 5)      /* a repository that cannot be loaded: damaged, unsupported */  \
    ERROR_CODE(IO, 500, 5)         /* the machine refused: disk, permission */                     \
    ERROR_CODE(MEMORY, 503, 6)     /* over the memory limit */                                     \
    ERROR_CODE(LOADING, 503, 6)    /* the model is being loaded; see `estimated_time` */           \
    ERROR_CODE(OVERLOADED, 503, 6) /* queues are full */                                           \
    ERROR_CODE(TIMEOUT, 504, 6)                                                                    \
    ERROR_CODE(INTERNAL, 500, 70) /* our own bug */

enum error_code {
#define ERROR_CODE(name, http, exit_code) ERROR_##name,
    ERROR_CODES(ERROR_CODE)
#undef ERROR_CODE
};

struct error {
    enum error_code code;
    double estimated_time_s; /* with LOADING: seconds until the model should be there */
    char text[LIMIT_ERROR_TEXT];
};

#define MUST_CHECK        __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))

/* return ERR(err, INPUT, "top_k is %d, must be at least 1", k);   truncates, never splits UTF-8. */
#define ERR(err, name, ...) error_certain(error_set((err), ERROR_##name, __VA_ARGS__))

/* Tells the compiler what it cannot see from outside error.c: after an error comes no success, so
 * outputs that are unset then are not read. */
static inline enum status error_certain(enum status status) {
    (void)status;
    return STATUS_ERROR;
}

enum status error_set(struct error *err, enum error_code code, const char *format, ...)
    PRINTF_LIKE(3, 4); /* always returns STATUS_ERROR */
/* Puts context in front of the text: "config.json: " + text. Returns STATUS_ERROR. */
enum status error_prefix(struct error *err, const char *format, ...) PRINTF_LIKE(2, 3);
#define error_prefix(...) error_certain(error_prefix(__VA_ARGS__))
int error_http_status(enum error_code code);
int error_exit_code(enum error_code code);
const char *error_name(enum error_code code); /* "INPUT" */

/* Ends the process with a message: only for what no input can cause (and out of memory). */
_Noreturn void panic(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4);
#define PANIC(...) panic(__FILE__, __LINE__, __VA_ARGS__)

/* States what only our own bug can break. On in debug, sanitizer and fuzz builds. */
#ifdef BRISK_ASSERT
#define ASSERT(condition) ((condition) ? (void)0 : PANIC("assertion failed: %s", #condition))
#else
#define ASSERT(condition) ((void)0)
#endif

#endif
