/* Growing byte buffer with a maximum. Writing past the maximum sets `overflow` and drops the
 * rest, so that callers append freely and ask once at the end. Always zero-terminated. */
#ifndef BRISK_BASE_BUF_H
#define BRISK_BASE_BUF_H

#include "base/error.h"

struct buf {
    char *data; /* NULL while empty; else data[len] == 0 */
    size_t len, cap;
    size_t max; /* most bytes it may hold */
    bool overflow;
};

void buf_init(struct buf *buf, size_t max);
void buf_deinit(struct buf *buf);
void buf_reset(struct buf *buf); /* keeps the block */
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
/* Appends data[len] with every `from` in it replaced by `to`, from the left. */
void buf_append_replaced(struct buf *buf, const char *data, size_t len, const char *from,
                         const char *to);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for n more bytes at data+len, or NULL on overflow; the caller then adds to len. */
char *buf_reserve(struct buf *buf, size_t n);
/* Moves the bytes out (caller frees with mem_free); the buffer is empty afterwards. */
char *buf_take(struct buf *buf, size_t *len);

#endif
