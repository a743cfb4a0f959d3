/* Little-endian numbers at any address: file formats store theirs unaligned. Callers check that
 * the bytes are there. Private to this room. */
#ifndef BRISK_FORMATS_BYTES_H
#define BRISK_FORMATS_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* The number in n bytes, n at most 8. */
static inline uint64_t bytes_little(const uint8_t *at, size_t n) {
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

#endif
