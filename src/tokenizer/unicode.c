/* Look-ups in the probed property table, and utf8proc behind the library's eyes: characters newer
 * than its normalization tables neither decompose, compose nor reorder. */
#include "tokenizer/unicode.h"

#include <utf8proc.h>

#include "tokenizer/unicode_tables.inc"
#include "base/banned.h"

#define BLOCK_BITS 7 /* cells of 128 code points, as tools/unicode-tables.py writes them */

/* Hangul syllables are composed by arithmetic (Unicode, section 3.12). */
enum {
    HANGUL_S = 0xAC00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11A7,
    HANGUL_L_COUNT = 19,
    HANGUL_V_COUNT = 21,
    HANGUL_T_COUNT = 28,
    HANGUL_S_COUNT = HANGUL_L_COUNT * HANGUL_V_COUNT * HANGUL_T_COUNT,
};

uint32_t unicode_properties(uint32_t code_point) {
    if (code_point > 0x10FFFF)
        return 0;
    const size_t block = property_blocks[code_point >> BLOCK_BITS];
    const size_t cell = (block << BLOCK_BITS) + (code_point & ((1u << BLOCK_BITS) - 1));
    return property_sets[property_cells[cell]];
}

uint32_t unicode_script(uint32_t code_point) {
    size_t low = 0, high = ARRAY_LEN(script_runs); /* the run is in [low, high) */
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (script_runs[middle] >> 8 <= code_point)
            low = middle;
        else
            high = middle;
    }
    return script_runs[low] & 255;
}

static const uint32_t *lower_exception(uint32_t code_point) {
    size_t low = 0, high = ARRAY_LEN(lower_exceptions) / 3;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (lower_exceptions[3 * middle] < code_point)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == ARRAY_LEN(lower_exceptions) / 3 || lower_exceptions[3 * low] != code_point)
        return NULL;
    return &lower_exceptions[3 * low];
}

size_t unicode_lower(uint32_t code_point, uint32_t out[2]) {
    if (code_point < 0x80) {
        out[0] = code_point >= 'A' && code_point <= 'Z' ? code_point + 32 : code_point;
        return 1;
    }
    const uint32_t *row = lower_exception(code_point);
    out[0] = row ? row[1] : (uint32_t)utf8proc_tolower((utf8proc_int32_t)code_point);
    out[1] = row ? row[2] : 0;
    return out[1] ? 2 : 1;
}

static size_t hangul_decompose(uint32_t code_point, uint32_t *out) {
    const uint32_t s = code_point - HANGUL_S;
    out[0] = HANGUL_L + s / (HANGUL_V_COUNT * HANGUL_T_COUNT);
    out[1] = HANGUL_V + s % (HANGUL_V_COUNT * HANGUL_T_COUNT) / HANGUL_T_COUNT;
    out[2] = HANGUL_T + s % HANGUL_T_COUNT;
    return out[2] == HANGUL_T ? 2 : 3;
}

size_t unicode_decompose(uint32_t code_point, bool compatible,
                         uint32_t out[UNICODE_DECOMPOSED_MAX]) {
    out[0] = code_point;
    if (code_point < 0xA0)
        return 1;
    if (code_point - HANGUL_S < HANGUL_S_COUNT)
        return hangul_decompose(code_point, out);
    if (unicode_is(code_point, UNICODE_UNKNOWN))
        return 1;
    const utf8proc_option_t options =
        compatible ? UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT : UTF8PROC_DECOMPOSE;
    int boundary = 0;
    utf8proc_int32_t parts[UNICODE_DECOMPOSED_MAX];
    const utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)code_point, parts,
                                                       UNICODE_DECOMPOSED_MAX, options, &boundary);
    if (n < 1 || n > UNICODE_DECOMPOSED_MAX)
        return 1;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        out[i] = (uint32_t)parts[i];
    return (size_t)n;
}

static uint32_t hangul_compose(uint32_t first, uint32_t second) {
    if (first - HANGUL_L < HANGUL_L_COUNT && second - HANGUL_V < HANGUL_V_COUNT)
        return HANGUL_S +
               ((first - HANGUL_L) * HANGUL_V_COUNT + second - HANGUL_V) * HANGUL_T_COUNT;
    const uint32_t s = first - HANGUL_S;
    if (s < HANGUL_S_COUNT && s % HANGUL_T_COUNT == 0 && second > HANGUL_T &&
        second < HANGUL_T + HANGUL_T_COUNT)
        return first + (second - HANGUL_T);
    return 0;
}

uint32_t unicode_compose(uint32_t first, uint32_t second) {
    const uint32_t syllable = hangul_compose(first, second);
    if (syllable || second < 0x300)
        return syllable;
    if (utf8proc_get_property((utf8proc_int32_t)first)->comb_index == UINT16_MAX ||
        utf8proc_get_property((utf8proc_int32_t)second)->comb_index == UINT16_MAX)
        return 0;
    utf8proc_int32_t pair[2] = {(utf8proc_int32_t)first, (utf8proc_int32_t)second};
    const utf8proc_ssize_t n =
        utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    if (n != 1 || unicode_is((uint32_t)pair[0], UNICODE_UNKNOWN))
        return 0;
    return (uint32_t)pair[0];
}

uint32_t unicode_combining_class(uint32_t code_point) {
    if (code_point < 0x300 || unicode_is(code_point, UNICODE_UNKNOWN))
        return 0;
    return utf8proc_get_property((utf8proc_int32_t)code_point)->combining_class;
}
