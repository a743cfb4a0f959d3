/* Texts as Python sees them: code points, slices, str.strip() and str.lower(); and floats as
 * base64. UTF-8 itself is base's. */
#include "tasks/task.h"

#include <utf8proc.h>

struct characters characters_of(struct arena *arena, struct text text) {
    const size_t n = utf8_count(text.data, text.len);
    uint32_t *offsets = arena_alloc(arena, (n + 1) * sizeof(*offsets));
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        offsets[i] = (uint32_t)at;
        (void)utf8_next(text.data, text.len, &at);
    }
    offsets[n] = (uint32_t)text.len;
    return (struct characters){text.data, n, offsets};
}

struct text characters_slice(const struct characters *characters, size_t start, size_t end) {
    start = start < characters->n ? start : characters->n;
    end = end < characters->n ? end : characters->n;
    if (end <= start) {
        return (struct text){characters->data, 0};
    }
    return (struct text){characters->data + characters->offsets[start],
                         characters->offsets[end] - characters->offsets[start]};
}

/* str.isspace() */
static bool is_space(uint32_t c) {
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

struct text text_strip(struct text text) {
    size_t start = text.len, end = text.len;
    bool inside = false;
    for (size_t at = 0; at < text.len;) {
        const size_t here = at;
        if (!is_space(utf8_next(text.data, text.len, &at))) {
            start = inside ? start : here;
            inside = true;
            end = at;
        }
    }
    return (struct text){text.data + start, end - start};
}

bool text_equal_ignoring_case(struct text a, struct text b) {
    size_t at_a = 0, at_b = 0;
    while (at_a < a.len && at_b < b.len) {
        const uint32_t x = utf8_next(a.data, a.len, &at_a);
        const uint32_t y = utf8_next(b.data, b.len, &at_b);
        if (x != y && utf8proc_tolower((int32_t)x) != utf8proc_tolower((int32_t)y)) {
            return false;
        }
    }
    return at_a == a.len && at_b == b.len;
}

/* Only U+0130 becomes two characters. No lower case is longer than twice the upper one. */
struct text text_lower(struct arena *arena, struct text text) {
    char *lower = arena_alloc(arena, 2 * text.len + 4);
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        const uint32_t c = utf8_next(text.data, text.len, &at);
        len += utf8_put(lower + len, (uint32_t)utf8proc_tolower((int32_t)c));
        if (c == 0x130) {
            len += utf8_put(lower + len, 0x307);
        }
    }
    lower[len] = 0;
    return (struct text){lower, len};
}

uint32_t text_hash_ignoring_case(struct text text) {
    uint32_t hash = 2166136261u; /* FNV-1a over code points */
    for (size_t at = 0; at < text.len;) {
        const int32_t c = (int32_t)utf8_next(text.data, text.len, &at);
        hash = (hash ^ (uint32_t)utf8proc_tolower(c)) * 16777619u;
    }
    return hash;
}

struct text text_of(const char *zero_terminated) {
    return (struct text){zero_terminated, strlen(zero_terminated)};
}

void write_text(struct json_out *out, struct text text) {
    json_string_n(out, text.data, text.len);
}

void write_base64(struct json_out *out, const float *values, size_t n) {
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    base64_encode(&buf, values, n * sizeof(*values));
    json_string_n(out, buf.data ? buf.data : "", buf.len);
    buf_deinit(&buf);
}
