/* UTF-8 as the Unicode standard has it (no overlong forms, no surrogates, at most U+10FFFF).
 * Properties of characters and normal forms are the tokenizer's business. */
#ifndef BRISK_BASE_UTF8_H
#define BRISK_BASE_UTF8_H

#include "base/error.h"

/* True when all of text[len] is valid; else *bad (may be NULL) is the offset of the first bad byte.
 */
bool utf8_valid(const char *text, size_t len, size_t *bad);
/* Code point at *pos of valid text, advancing *pos. Precondition: *pos < len and text is valid. */
uint32_t utf8_next(const char *text, size_t len, size_t *pos);
/* The same on any bytes: a bad byte gives U+FFFD and one byte is consumed. */
uint32_t utf8_next_lossy(const char *text, size_t len, size_t *pos);
/* Writes the code point, returns 1..4. out holds at least 4 bytes. */
size_t utf8_put(char *out, uint32_t code_point);
size_t utf8_count(const char *text, size_t len); /* code points of valid text */
/* Byte offset of the n-th code point (len when there are fewer). */
size_t utf8_offset(const char *text, size_t len, size_t n);

#endif
