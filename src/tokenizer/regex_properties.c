/* The distribution's Oniguruma may be years older than the library's: 9,272 letters are missing in
 * 6.9.8. Oniguruma looks for user-defined properties before its own and takes up to 20 of them, so
 * the ones that tokenizers split by and that differ are defined anew from the probed table. */
#include "tokenizer/regex_properties.h"

#include <oniguruma.h>

#include "tokenizer/unicode.h"
#include "base/banned.h"

#define ONE(category)      (1u << CATEGORY_##category)
#define RANGE(first, last) ((2u << CATEGORY_##last) - (1u << CATEGORY_##first))

static const struct {
    const char *name;
    uint32_t categories; /* set of 1 << enum unicode_category */
    uint32_t properties; /* or set of enum unicode_property */
} rows[] = {
    {"L", RANGE(LU, LO), 0}, {"Lu", ONE(LU), 0},         {"Ll", ONE(LL), 0},
    {"Lm", ONE(LM), 0},      {"Lo", ONE(LO), 0},         {"M", RANGE(MN, ME), 0},
    {"Mn", ONE(MN), 0},      {"Mc", ONE(MC), 0},         {"N", RANGE(ND, NO), 0},
    {"Nd", ONE(ND), 0},      {"No", ONE(NO), 0},         {"P", RANGE(PC, PO), 0},
    {"Po", ONE(PO), 0},      {"S", RANGE(SM, SO), 0},    {"Sm", ONE(SM), 0},
    {"So", ONE(SO), 0},      {"C", RANGE(CC, CN), 0},    {"Cn", ONE(CN), 0},
    {"Han", 0, UNICODE_HAN}, {"Word", 0, UNICODE_ALPHA},
};

static OnigCodePoint *ranges[ARRAY_LEN(rows)]; /* Oniguruma keeps them as long as it runs */

static bool has(size_t row, uint32_t code_point) {
    const uint32_t properties = unicode_properties(code_point);
    return (rows[row].categories >> (properties >> 16 & 31) & 1) ||
           (properties & rows[row].properties);
}

/* Count, then first and last of each range. */
static OnigCodePoint *ranges_of(size_t row) {
    OnigCodePoint *list = NULL;
    size_t cap = 0, n = 1;
    bool inside = false;
    for (uint32_t c = 0; c <= 0x110000; c++) {
        const bool now = c <= 0x10FFFF && has(row, c);
        if (now == inside)
            continue;
        list = mem_grow(list, &cap, n + 1, sizeof *list);
        list[n++] = now ? c : c - 1;
        inside = now;
    }
    list = mem_grow(list, &cap, n, sizeof *list);
    list[0] = (OnigCodePoint)(n - 1) / 2;
    return list;
}

void regex_properties_define(void) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ranges[i] = ranges_of(i);
        onig_unicode_define_user_property(rows[i].name, ranges[i]);
    }
}

/* Outside of brackets Oniguruma takes six more characters of Latin-1 for parts of a word. */
#define WORD_SET       "\\p{Word}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}]"
#define WORD           "[" WORD_SET
#define REWRITTEN_MOST (4 * sizeof WORD + 32) /* bytes of what an escape becomes */

/* What an escape is written as, NULL: as it is. In brackets \b is a backspace. */
static const char *rewritten(char escape, bool in_brackets) {
    switch (escape) {
    case 'w':
        return in_brackets ? "\\p{Word}" : WORD;
    case 'W':
        return in_brackets ? "\\P{Word}" : "[^" WORD_SET;
    case 'b':
        return in_brackets ? NULL : "(?:(?<=" WORD ")(?!" WORD ")|(?<!" WORD ")(?=" WORD "))";
    case 'B':
        return in_brackets ? NULL : "(?:(?<=" WORD ")(?=" WORD ")|(?<!" WORD ")(?!" WORD "))";
    case 'd':
        return "\\p{Nd}";
    case 'D':
        return "\\P{Nd}";
    }
    return NULL;
}

/* Brackets nest; one that closes right behind the opening is a character. */
static size_t bracket_depth(const char *expression, size_t i, size_t depth) {
    if (expression[i] == '[')
        return depth + 1;
    if (expression[i] != ']' || depth == 0)
        return depth;
    const bool first = expression[i - 1] == '[' ||
                       (i >= 2 && expression[i - 1] == '^' && expression[i - 2] == '[');
    return first ? depth : depth - 1;
}

char *regex_rewrite(struct arena *arena, const char *expression, size_t len, size_t *out_len) {
    char *out = arena_alloc(arena, len + (len / 2) * REWRITTEN_MOST + 1);
    size_t n = 0, depth = 0;
    for (size_t i = 0; i < len; i++) {
        if (expression[i] != '\\' || i + 1 == len) {
            depth = bracket_depth(expression, i, depth);
            out[n++] = expression[i];
            continue;
        }
        const char *instead = rewritten(expression[++i], depth > 0);
        if (instead) {
            memcpy(out + n, instead, strlen(instead));
            n += strlen(instead);
        } else {
            out[n++] = '\\';
            out[n++] = expression[i];
        }
    }
    *out_len = n;
    return out;
}
