/* What BigBird's description tells its attention, which leaves blocks of long texts out (Zaheer et
 * al. 2020). Private to this room. */
#ifndef BRISK_MODELS_BIG_BIRD_H
#define BRISK_MODELS_BIG_BIRD_H

#include "models/family.h"

/* Options of the hook, by number. */
enum {
    BIG_BIRD_BLOCK,  /* tokens of a block */
    BIG_BIRD_RANDOM, /* num_random_blocks */
};

/* The longest text that is attended to in full. */
static inline uint64_t big_bird_full_tokens(const uint32_t options[static HOOK_OPTIONS]) {
    return (5 + 2 * (uint64_t)options[BIG_BIRD_RANDOM]) * options[BIG_BIRD_BLOCK];
}

extern const struct hook_table big_bird_attention;

#endif
