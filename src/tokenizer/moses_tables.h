/* What the Moses tokenizer thinks of characters, and its abbreviations: generated tables
 * (moses_tables.inc) and the looks into them. No state; thread-safe. */
#ifndef BRISK_TOKENIZER_MOSES_TABLES_H
#define BRISK_TOKENIZER_MOSES_TABLES_H

#include "base/base.h"

/* The order is that of tools/moses-tables.py. */
enum moses_property {
    MOSES_ALPHA = 1 << 0,
    MOSES_ALPHA_INDIC = 1 << 1, /* viramas and nuktas: letters to the tokenizer alone */
    MOSES_NUMBER = 1 << 2,
    MOSES_DECIMAL = 1 << 3,
    MOSES_CURRENCY = 1 << 4,
    MOSES_LOWER = 1 << 5,
    MOSES_LETTER = MOSES_ALPHA | MOSES_ALPHA_INDIC,
    MOSES_ALNUM = MOSES_LETTER | MOSES_DECIMAL
};

bool moses_is(uint32_t code_point, unsigned properties); /* has one of them */

/* Abbreviations of a language, separated by spaces, "#" in front of those that count before numbers
 * only; NULL when they are not known. */
const char *moses_prefixes(const char *language);

#endif
