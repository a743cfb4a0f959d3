/* Private to the room: decimal numbers as the `tokenizers` library reads them.
 *
 * Its JSON reader (serde_json without float_roundtrip) is off by one in the last bit for one number
 * in eight: it rounds the digits to a double and then divides by a power of ten. Scores must be its
 * doubles, as the sums of two segmentations are compared to the last bit. */
#ifndef BRISK_TOKENIZER_SERDE_NUMBER_H
#define BRISK_TOKENIZER_SERDE_NUMBER_H

#include "base/base.h"

/* The value of a JSON number (valid JSON, as written); infinite where the library refuses it. */
double serde_number(const char *text, size_t len);

#endif
