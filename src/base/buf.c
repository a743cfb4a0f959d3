/* Growing byte buffer with a maximum. A piece that does not fit is dropped whole, and so is
 * everything after it: the bytes are always a clean prefix of what was meant. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"
#include "base/mem.h"

#define FIRST_BLOCK 64

void buf_init(struct buf *buf, size_t max) {
    ASSERT(max < PTRDIFF_MAX);
    *buf = (struct buf){.max = max};
}

void buf_deinit(struct buf *buf) {
    mem_free(buf->data);
    *buf = (struct buf){.max = buf->max};
}

void buf_reset(struct buf *buf) {
    buf->len = 0;
    buf->overflow = false;
    if (buf->data)
        buf->data[0] = 0;
}

/* Makes cap > len + n (the zero behind counts). At least doubles, but never past max + 1. */
static void grow(struct buf *buf, size_t n) {
    const size_t need = buf->len + n + 1;
    size_t cap = buf->cap < FIRST_BLOCK ? FIRST_BLOCK : buf->cap;
    while (cap < need)
        cap *= 2; /* below PTRDIFF_MAX, as max is */
    if (cap - 1 > buf->max)
        cap = buf->max + 1;
    buf->data = mem_realloc(buf->data, cap);
    buf->cap = cap;
}

char *buf_reserve(struct buf *buf, size_t n) {
    if (buf->overflow || n > buf->max - buf->len) {
        buf->overflow = true;
        return NULL;
    }
    if (buf->cap < buf->len + n + 1)
        grow(buf, n);
    buf->data[buf->len + n] = 0; /* so that taking all n keeps the zero behind them */
    return buf->data + buf->len;
}

void buf_append(struct buf *buf, const void *data, size_t len) {
    char *room = buf_reserve(buf, len);
    if (!room || len == 0)
        return;
    memcpy(room, data, len);
    buf->len += len;
}

void buf_puts(struct buf *buf, const char *text) {
    buf_append(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c) {
    buf_append(buf, &c, 1);
}

void buf_append_replaced(struct buf *buf, const char *data, size_t len, const char *from,
                         const char *to) {
    const size_t from_len = strlen(from);
    size_t pos = 0;
    while (from_len > 0 && pos < len) {
        const char *found = memmem(data + pos, len - pos, from, from_len);
        if (!found)
            break;
        buf_append(buf, data + pos, (size_t)(found - data) - pos);
        buf_puts(buf, to);
        pos = (size_t)(found - data) + from_len;
    }
    if (pos < len)
        buf_append(buf, data + pos, len - pos);
}

void buf_printf(struct buf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *room = n < 0 ? NULL : buf_reserve(buf, (size_t)n);
    if (room) {
        vsnprintf(room, (size_t)n + 1, format, again);
        buf->len += (size_t)n;
    }
    va_end(again);
}

char *buf_take(struct buf *buf, size_t *len) {
    char *data = buf->data;
    if (!data) {
        data = mem_alloc(1);
        data[0] = 0;
    }
    if (len)
        *len = buf->len;
    *buf = (struct buf){.max = buf->max};
    return data;
}
