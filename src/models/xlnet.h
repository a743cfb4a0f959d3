/* What XLNet's description says to its attention, and the hook itself. Private to this
 * room. */
#ifndef BRISK_MODELS_XLNET_H
#define BRISK_MODELS_XLNET_H

#include "models/family.h"

/* Options of the hook, by number. */
enum {
    XLNET_CLAMP /* distances are held to it; 0: as they are */
};

extern const struct hook_table xlnet_attention;

#endif
