/* Numbers and dates in the cells of tables and in questions about them, as TapasTokenizer finds
 * them (parse_text of transformers' tokenization_tapas.py, after TAPAS' number_utils.py). Private
 * to the tokenizer. */
#ifndef BRISK_TOKENIZER_TABLE_NUMBERS_H
#define BRISK_TOKENIZER_TABLE_NUMBERS_H

#include "base/base.h"

#define DATE_PARTS 3 /* year, month, day */

struct numeric {
    bool is_date;
    double number;
    int32_t date[DATE_PARTS]; /* 0: not said */
};

/* All values of a text in its order; where one stands inside another, the longer one. A span may
 * have two values: "1990" is a number, then a year. They live in the arena, with what was made on
 * the way to them. Returns how many. */
size_t numerics_of(struct numeric **out, struct arena *arena, const char *data, size_t len);

#endif
