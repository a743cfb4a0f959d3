/* What Pegasus-X's description says to its encoder's attention, and the hook itself. Private to
 * this room. */
#ifndef BRISK_MODELS_PEGASUS_X_H
#define BRISK_MODELS_PEGASUS_X_H

#include "models/family.h"

/* Options of the hook, by number. */
enum {
    PEGASUS_X_GLOBALS, /* global rows of a text */
    PEGASUS_X_BLOCK,   /* tokens that see each other */
    PEGASUS_X_STAGGERS /* whether every second layer's blocks begin half a block earlier */
};

extern const struct hook_table pegasus_x_attention;

#endif
