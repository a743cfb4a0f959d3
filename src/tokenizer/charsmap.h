/* SentencePiece's table of replacements ("charsmap") as its files hold it: a double array of 32-bit
 * units (darts-clone), whose values are places in a text of zero-terminated replacements. Which key
 * counts, the shortest or the longest, is for its two users to say. Private to precompiled.c and
 * spm.c. */
#ifndef BRISK_TOKENIZER_CHARSMAP_H
#define BRISK_TOKENIZER_CHARSMAP_H

#include "base/base.h"

struct charsmap {
    const uint32_t *units;
    size_t n_units;
    const char *texts; /* zero-terminated as a whole, too */
    size_t texts_len;
};

/* Copies bytes[len] into the arena; false: they are cut off. Places are not checked. */
bool charsmap_read(struct charsmap *map, struct arena *arena, const void *bytes, size_t len);
bool charsmap_is_place(const struct charsmap *map, size_t place); /* where a character begins */

static inline bool unit_has_value(uint32_t unit) {
    return unit >> 8 & 1;
}
static inline uint32_t unit_label(uint32_t unit) {
    return unit & 0x800000FF; /* never a byte where the unit is a value */
}
static inline uint32_t unit_offset(uint32_t unit) {
    return (unit >> 10) << ((unit & 1u << 9) >> 6);
}
static inline uint32_t unit_value(uint32_t unit) {
    return unit & 0x7FFFFFFF;
}

#endif
