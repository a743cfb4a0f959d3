/* What ConvBERT's description tells its attention, beside which a convolution stands whose weights
 * each token makes itself (Jiang et al. 2020). Private to this room. */
#ifndef BRISK_MODELS_CONVBERT_H
#define BRISK_MODELS_CONVBERT_H

#include "models/family.h"

#define CONVBERT_TAPS_MOST 63

/* Options of the hook, by number. */
enum {
    CONVBERT_TAPS, /* odd */
};

extern const struct hook_table convbert_attention;

#endif
