/* The quantized blocks of GGUF files, private to this room: BLOCK(name) is dequantized by
 * name##_to_floats, from whole blocks only; how many elements a block has stands in DTYPES. */
#ifndef BRISK_FORMATS_BLOCKS_H
#define BRISK_FORMATS_BLOCKS_H

#include "formats/formats.h"

/* `in` holds n elements, a multiple of the block's. */
typedef void converter(const uint8_t *in, size_t n, float *out);

converter Q4_0_to_floats, Q4_1_to_floats, Q5_0_to_floats, Q5_1_to_floats, Q8_0_to_floats;
converter Q2_K_to_floats, Q3_K_to_floats, Q4_K_to_floats, Q5_K_to_floats, Q6_K_to_floats;

#endif
