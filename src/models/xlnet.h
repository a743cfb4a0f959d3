/* What XLNet's description says to its attention, and the hooks themselves. Private to this
 * room. */
#ifndef BRISK_MODELS_XLNET_H
#define BRISK_MODELS_XLNET_H

#include "models/family.h"

/* Options of the hook, by number. */
enum {
    XLNET_CLAMP, /* distances are held to it; 0: as they are */
    XLNET_MEMORY /* once a text is written on, its last tokens that are seen; 0: all */
};

extern const struct hook_table xlnet_attention, xlnet_two_streams;

#endif
