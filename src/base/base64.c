/* Three bytes are four digits of six bits; the last group is filled up with '='. One character at a
 * time: no text here is long enough for more. */
#include "base/base64.h"

#include <string.h>

#include "base/banned.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, const void *data, size_t len) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i += 3) {
        const size_t n = len - i < 3 ? len - i : 3;
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < n ? bytes[i + k] : 0u);
        for (size_t k = 0; k < 4; k++)
            buf_putc(out, k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=');
    }
}

static int sextet(char c) {
    const char *digit = c ? strchr(digits, c) : NULL;
    return digit ? (int)(digit - digits) : -1;
}

bool base64_decode(uint8_t *out, size_t *n, const char *text, size_t len) {
    *n = 0;
    if (len % 4 != 0)
        return false;
    const size_t padding = len > 0 ? (text[len - 1] == '=') + (size_t)(text[len - 2] == '=') : 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        const int digit = i >= len - padding ? 0 : sextet(text[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 3)
            continue;
        for (int shift = 16; shift >= 0; shift -= 8)
            out[(*n)++] = (uint8_t)(bits >> shift);
        bits = 0;
    }
    *n -= padding;
    return true;
}
