/* Python's str.lower of a text, which is not lower case character by character: a capital sigma at
 * the end of a word becomes another letter. */
#ifndef BRISK_TOKENIZER_PYTHON_LOWER_H
#define BRISK_TOKENIZER_PYTHON_LOWER_H

#include "tokenizer/text.h"

void python_lower(struct text *text, struct arena *scratch);

#endif
