/* What the reference thinks of a code point: properties, lower case, normalization.
 *
 * The `tokenizers` library mixes several Unicode versions, so the properties come from a table
 * that was probed out of it (tools/unicode-tables.py). Decompositions come from utf8proc, less
 * the characters that the library's older tables do not know. No state; thread-safe. */
#ifndef BRISK_TOKENIZER_UNICODE_H
#define BRISK_TOKENIZER_UNICODE_H

#include "base/base.h"

/* The order is that of PROPERTIES in tools/unicode-tables.py. */
enum unicode_property {
    UNICODE_LETTER = 1 << 0,     /* \p{L} of Oniguruma */
    UNICODE_NUMBER = 1 << 1,     /* \p{N} of Oniguruma */
    UNICODE_SPACE = 1 << 2,      /* \s of Oniguruma */
    UNICODE_WHITE = 1 << 3,      /* char::is_whitespace */
    UNICODE_NUMERIC = 1 << 4,    /* char::is_numeric */
    UNICODE_PUNCT = 1 << 5,      /* BERT's punctuation */
    UNICODE_CONTROL = 1 << 6,    /* removed by BERT's cleaning */
    UNICODE_NONSPACING = 1 << 7, /* general category Mn */
    UNICODE_MARK = 1 << 8,       /* general category M */
    UNICODE_WORD = 1 << 9,       /* \w of the regex crate */
    UNICODE_UNKNOWN = 1 << 10,   /* too new for the library's normalization */
    UNICODE_ALPHA = 1 << 11,     /* [\w] of Oniguruma */
    UNICODE_HAN = 1 << 12,       /* \p{Han} */
};

/* General categories, in the order of CATEGORIES there. */
enum unicode_category {
    CATEGORY_LU,
    CATEGORY_LL,
    CATEGORY_LT,
    CATEGORY_LM,
    CATEGORY_LO,
    CATEGORY_MN,
    CATEGORY_MC,
    CATEGORY_ME,
    CATEGORY_ND,
    CATEGORY_NL,
    CATEGORY_NO,
    CATEGORY_PC,
    CATEGORY_PD,
    CATEGORY_PS,
    CATEGORY_PE,
    CATEGORY_PI,
    CATEGORY_PF,
    CATEGORY_PO,
    CATEGORY_SM,
    CATEGORY_SC,
    CATEGORY_SK,
    CATEGORY_SO,
    CATEGORY_ZS,
    CATEGORY_ZL,
    CATEGORY_ZP,
    CATEGORY_CC,
    CATEGORY_CF,
    CATEGORY_CS,
    CATEGORY_CO,
    CATEGORY_CN,
};

/* Classes of grapheme boundaries (UAX 29), in the order of GRAPHEMES there; line ends are controls.
 */
enum grapheme_class {
    GRAPHEME_OTHER,
    GRAPHEME_CONTROL,
    GRAPHEME_EXTEND,
    GRAPHEME_EXTEND_PLAIN, /* does not stand between the consonants of a conjunct */
    GRAPHEME_LINKER,       /* joins two consonants */
    GRAPHEME_ZWJ,
    GRAPHEME_SPACING,
    GRAPHEME_PREPEND,
    GRAPHEME_L,
    GRAPHEME_V,
    GRAPHEME_T,
    GRAPHEME_LV,
    GRAPHEME_LVT,
    GRAPHEME_PICT,
    GRAPHEME_CONSONANT,
};

/* A set of enum unicode_property, the general category from bit 16 on, and the class of grapheme
 * boundaries from bit 21 on. */
uint32_t unicode_properties(uint32_t code_point);

static inline enum unicode_category unicode_category(uint32_t code_point) {
    return (enum unicode_category)(unicode_properties(code_point) >> 16 & 31);
}

static inline enum grapheme_class unicode_grapheme_class(uint32_t code_point) {
    return (enum grapheme_class)(unicode_properties(code_point) >> 21);
}

/* Where the grapheme (an extended grapheme cluster) that starts at pos of valid UTF-8 ends. Pairs
 * of regional indicators are taken apart, which changes nothing for those who ask. */
size_t unicode_grapheme_end(const char *data, size_t len, size_t pos);

/* The script as UnicodeScripts tells them apart: Hiragana and Katakana are Han there; 0: any. */
uint32_t unicode_script(uint32_t code_point);

static inline bool unicode_is(uint32_t code_point, uint32_t properties) {
    return (unicode_properties(code_point) & properties) != 0;
}

/* char::to_lowercase: one or two code points. */
size_t unicode_lower(uint32_t code_point, uint32_t out[2]);

/* str.upper of a character: up to three. */
size_t unicode_upper(uint32_t code_point, uint32_t out[3]);

#define UNICODE_DECOMPOSED_MAX 32 /* the longest is 18 (U+FDFA) */
/* Full decomposition, canonical or compatible; returns how many. */
size_t unicode_decompose(uint32_t code_point, bool compatible,
                         uint32_t out[UNICODE_DECOMPOSED_MAX]);
uint32_t unicode_compose(uint32_t first, uint32_t second); /* 0: they do not compose */
uint32_t unicode_combining_class(uint32_t code_point);

#endif
