/* Broken bytes to U+FFFD. The sequences that can start a character are those of Unicode's
 * table 3-7. */
#include "tokenizer/lossy.h"

#include "base/banned.h"

static bool in_range(unsigned char c, unsigned char low, unsigned char high) {
    return c >= low && c <= high;
}

/* The longest start of a well-formed sequence at data[0, len), at least 1; *whole: it is one. */
static size_t sequence(const unsigned char *data, size_t len, bool *whole) {
    const unsigned char lead = data[0];
    *whole = lead < 0x80;
    if (lead < 0xC2 || lead > 0xF4)
        return 1;
    const size_t need = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    size_t n = 1;
    while (n < need && n < len && in_range(data[n], n == 1 ? low : 0x80, n == 1 ? high : 0xBF))
        n++;
    *whole = n == need;
    return n;
}

void lossy_append(struct buf *out, const char *data, size_t len) {
    if (len == 0)
        return;
    size_t start = 0; /* of the good stretch that is not written yet */
    for (size_t pos = 0; pos < len;) {
        bool whole;
        const size_t n = sequence((const unsigned char *)data + pos, len - pos, &whole);
        if (!whole) {
            buf_append(out, data + start, pos - start);
            buf_puts(out, "\xEF\xBF\xBD");
            start = pos + n;
        }
        pos += n;
    }
    buf_append(out, data + start, len - start);
}
