/* Models of the Python classes whose tokens need no search: characters and whole words, each
 * looked up in the vocabulary. */
#ifndef BRISK_TOKENIZER_LEGACY_CHARS_H
#define BRISK_TOKENIZER_LEGACY_CHARS_H

#include "tokenizer/slow.h"

extern const struct model_kind slow_chars_model, slow_words_model;

#endif
