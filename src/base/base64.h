/* Base64 (RFC 4648, section 4), padded, without line ends. What the bytes mean is the caller's
 * business. */
#ifndef BRISK_BASE_BASE64_H
#define BRISK_BASE_BASE64_H

#include "base/buf.h"

void base64_encode(struct buf *out, const void *data, size_t len); /* appends */
/* out has room for len / 4 * 3 bytes, *n of which are the data. False: it is no padded base64. Bits
 * behind the last byte, which ought to be zero, stand in out[*n] where there is padding. */
bool base64_decode(uint8_t *out, size_t *n, const char *text, size_t len);

#endif
