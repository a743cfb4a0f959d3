/* Looks into the tables of the Moses tokenizer: the class of a character, the abbreviations of a
 * language. The tables are made by tools/moses-tables.py; their rules are in moses.c. */
#include "tokenizer/moses_tables.h"

#include "base/banned.h"

#define ALTERNATES                                                                                 \
    (1 << 6) /* LOWER goes for the first character and every second one behind it                  \
              */

struct moses_range {
    uint32_t first, last;
    uint8_t properties;
};

struct moses_prefixes {
    const char *language, *words;
};

/* clang-format off */
#include "tokenizer/moses_tables.inc"
/* clang-format on */

static unsigned ascii_properties(uint32_t c) {
    if (c >= '0' && c <= '9')
        return MOSES_NUMBER | MOSES_DECIMAL;
    if (c >= 'a' && c <= 'z')
        return MOSES_ALPHA | MOSES_LOWER;
    if (c >= 'A' && c <= 'Z')
        return MOSES_ALPHA;
    return c == '$' ? MOSES_CURRENCY : 0;
}

static unsigned properties_of(uint32_t c) {
    size_t low = 0, high = ARRAY_LEN(ranges);
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (ranges[middle].last < c)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == ARRAY_LEN(ranges) || ranges[low].first > c)
        return 0;
    const bool between = ranges[low].properties & ALTERNATES && (c - ranges[low].first) % 2 == 1;
    return between ? ranges[low].properties & ~(unsigned)MOSES_LOWER : ranges[low].properties;
}

bool moses_is(uint32_t code_point, unsigned properties) {
    return ((code_point < 0x80 ? ascii_properties(code_point) : properties_of(code_point)) &
            properties) != 0;
}

const char *moses_prefixes(const char *language) {
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (strcmp(prefixes[i].language, language) == 0)
            return prefixes[i].words;
    return NULL;
}
