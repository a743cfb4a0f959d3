/* Private to base: numbers as decimal text, independent of the locale. Reading them is json_in.c's
 * business, writing JSON around them json_out.c's. */
#ifndef BRISK_BASE_DECIMAL_H
#define BRISK_BASE_DECIMAL_H

#include <stddef.h>
#include <stdint.h>

#define DECIMAL_TEXT_MAX 32 /* room that each of these asks for; no terminating zero is written */

/* The fewest digits that read back as the same number, in Python's notation: 1.0, 0.0001, 1e-05,
 * 1.5e+20. Finite values only. They return the length. */
size_t decimal_float(char *out, float value);
size_t decimal_double(char *out, double value);
size_t decimal_int(char *out, int64_t value);

#endif
