/* UTF-8 checking and stepping, by the table of well-formed sequences (Unicode 15, table 3-7).
 * No normalisation and no properties of characters: the tokenizer has those. */
#include "base/utf8.h"

#include <string.h>

#include "base/banned.h"

#define REPLACEMENT 0xFFFDu

static bool is_continuation(unsigned char byte) {
    return (byte & 0xC0) == 0x80;
}

/* The smallest and largest second byte behind this lead (table 3-7), and the sequence's length;
 * 0 when no sequence starts so. */
static size_t sequence_of(unsigned char lead, unsigned char *low, unsigned char *high) {
    *low = 0x80;
    *high = 0xBF;
    if (lead < 0xC2)
        return 0;
    if (lead < 0xE0)
        return 2;
    if (lead < 0xF0) {
        if (lead == 0xE0)
            *low = 0xA0; /* shorter forms exist */
        if (lead == 0xED)
            *high = 0x9F; /* surrogates */
        return 3;
    }
    if (lead == 0xF0)
        *low = 0x90;
    if (lead == 0xF4)
        *high = 0x8F; /* above U+10FFFF */
    return lead < 0xF5 ? 4 : 0;
}

/* Length of the well-formed sequence at text[len], len > 0; 0 when there is none, and then
 * *code_point is kept. */
static size_t sequence_at(const char *text, size_t len, uint32_t *code_point) {
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80) {
        *code_point = s[0];
        return 1;
    }
    unsigned char low, high;
    const size_t n = sequence_of(s[0], &low, &high);
    if (n == 0 || n > len || s[1] < low || s[1] > high)
        return 0;
    uint32_t value = (s[0] & (0x7Fu >> n)) << 6 | (s[1] & 0x3F);
    for (size_t i = 2; i < n; i++) {
        if (!is_continuation(s[i]))
            return 0;
        value = value << 6 | (s[i] & 0x3F);
    }
    *code_point = value;
    return n;
}

bool utf8_valid(const char *text, size_t len, size_t *bad) {
    size_t i = 0;
    while (i < len) {
        uint64_t eight;
        if (len - i >= sizeof eight) {
            memcpy(&eight, text + i, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                i += sizeof eight;
                continue;
            }
        }
        uint32_t code_point;
        const size_t n = sequence_at(text + i, len - i, &code_point);
        if (n == 0) {
            if (bad)
                *bad = i;
            return false;
        }
        i += n;
    }
    return true;
}

uint32_t utf8_next_lossy(const char *text, size_t len, size_t *pos) {
    uint32_t code_point = REPLACEMENT;
    const size_t n = sequence_at(text + *pos, len - *pos, &code_point);
    *pos += n ? n : 1;
    return code_point;
}

uint32_t utf8_next(const char *text, size_t len, size_t *pos) {
    ASSERT(*pos < len);
    return utf8_next_lossy(text, len, pos);
}

size_t utf8_put(char *out, uint32_t code_point) {
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xC0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xE0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}

size_t utf8_count(const char *text, size_t len) {
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += !is_continuation((unsigned char)text[i]);
    return count;
}

size_t utf8_offset(const char *text, size_t len, size_t n) {
    size_t seen = 0;
    for (size_t i = 0; i < len; i++) {
        if (is_continuation((unsigned char)text[i]))
            continue;
        if (seen == n)
            return i;
        seen++;
    }
    return len;
}
