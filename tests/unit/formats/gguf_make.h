/* GGUF files in memory, for tests: what is put is what stands in the file, right or wrong. Nothing
 * is checked or padded that the test does not put there. */
#ifndef BRISK_TESTS_FORMATS_GGUF_MAKE_H
#define BRISK_TESTS_FORMATS_GGUF_MAKE_H

#include "unit/formats/files.h"

#include "formats/gguf.h"

/* Little endian; more than 8 bytes end in zeros. */
static inline void put_number(struct buf *file, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        buf_putc(file, (char)(i < 8 ? value >> (8 * i) : 0));
}

static inline void put_text(struct buf *file, const char *text) {
    put_number(file, strlen(text), 8);
    buf_puts(file, text);
}

static inline void put_begin(struct buf *file, uint64_t version, uint64_t tensors, uint64_t pairs) {
    buf_init(file, 64 * MiB);
    buf_puts(file, "GGUF");
    put_number(file, version, 4);
    put_number(file, tensors, 8);
    put_number(file, pairs, 8);
}

/* A key and a number of some type. */
static inline void put_pair(struct buf *file, const char *key, enum gguf_type type,
                            uint64_t value) {
    static const uint8_t sizes[GGUF_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    put_text(file, key);
    put_number(file, type, 4);
    put_number(file, value, sizes[type]);
}

static inline void put_string_pair(struct buf *file, const char *key, const char *value) {
    put_text(file, key);
    put_number(file, GGUF_STRING, 4);
    put_text(file, value);
}

static inline void put_array(struct buf *file, const char *key, enum gguf_type item, uint64_t len) {
    put_text(file, key);
    put_number(file, GGUF_ARRAY, 4);
    put_number(file, item, 4);
    put_number(file, len, 8);
}

static inline void put_float(struct buf *file, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_number(file, bits, 4);
}

/* Up to two dimensions, in the file's order (the inner one first); 0: none. */
static inline void put_tensor(struct buf *file, const char *name, uint64_t inner, uint64_t outer,
                              uint32_t type, uint64_t offset) {
    put_text(file, name);
    put_number(file, (inner > 0) + (outer > 0), 4);
    if (inner > 0)
        put_number(file, inner, 8);
    if (outer > 0)
        put_number(file, outer, 8);
    put_number(file, type, 4);
    put_number(file, offset, 8);
}

/* Padding, then n bytes of data that count 0, 1, 2, … */
static inline void put_data(struct buf *file, size_t n) {
    while (file->len % 32 != 0)
        buf_putc(file, 0);
    for (size_t i = 0; i < n; i++)
        buf_putc(file, (char)i);
}

static inline void folder_put_buf(struct folder *folder, const char *name, struct buf *file) {
    folder_put(folder, name, file->data, file->len);
    buf_deinit(file);
}

#endif
