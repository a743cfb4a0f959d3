/* Models of the Python classes whose tokens need no search: characters and whole words, each
 * looked up in the vocabulary; and bytes, whose ids are the bytes and an offset. */
#ifndef BRISK_TOKENIZER_LEGACY_CHARS_H
#define BRISK_TOKENIZER_LEGACY_CHARS_H

#include "tokenizer/slow.h"

extern const struct model_kind slow_chars_model, slow_words_model;
/* slow->state begins with a uint32_t, the offset. */
extern const struct model_kind slow_bytes_model;

/* Appends what of the bytes is UTF-8: bytes.decode(errors="ignore"). */
void slow_put_valid(struct buf *out, const struct buf *bytes);

#endif
