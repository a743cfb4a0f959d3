/* Bytes to UTF-8 as Rust's from_utf8_lossy does it: a U+FFFD for each maximal part of a broken
 * sequence (Unicode, section 3.9, "substitution of maximal subparts"). */
#ifndef BRISK_TOKENIZER_LOSSY_H
#define BRISK_TOKENIZER_LOSSY_H

#include "base/base.h"

void lossy_append(struct buf *out, const char *data, size_t len);

#endif
