/* What LongT5's description says to its attention, and the hook itself. Private to this
 * room. */
#ifndef BRISK_MODELS_LONGT5_H
#define BRISK_MODELS_LONGT5_H

#include "models/t5.h"

/* Options of the hook, by number. */
enum {
    LONGT5_RADIUS, /* a token sees so many before it and behind */
    LONGT5_BLOCK   /* so many tokens have one global key */
};

extern const struct hook_table longt5_attention;

#endif
