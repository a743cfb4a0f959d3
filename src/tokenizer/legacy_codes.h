/* Merges of subword-nmt, in a tokenizer of their own: what phobert's kin and the classes on Moses
 * share. A word's last symbol ends in "</w>" while it is merged. */
#ifndef BRISK_TOKENIZER_LEGACY_CODES_H
#define BRISK_TOKENIZER_LEGACY_CODES_H

#include "tokenizer/slow.h"

/* A tokenizer for bpe_tokenize, whose vocabulary will be the symbols of the merges; the caller's.
 */
struct tokenizer *codes_create(void);
/* Reads lines of so many fields into it; of two and more, where that is 0. `head`: the first line
 * says nothing. */
enum status codes_read(struct tokenizer *inner, struct loader *loader, const char *file,
                       size_t fields, bool head, struct error *err) MUST_CHECK;

#endif
