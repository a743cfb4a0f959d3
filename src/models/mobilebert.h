/* What MobileBERT's description tells its layers, which are its own: a wide stream between them, a
 * narrow one within, and several feed-forwards (Sun et al. 2020). Private to this room. */
#ifndef BRISK_MODELS_MOBILEBERT_H
#define BRISK_MODELS_MOBILEBERT_H

#include "models/family.h"

#define MOBILEBERT_FEED_FORWARDS_MOST 16

/* Options of the hook, by number. */
enum {
    MOBILEBERT_FLAGS,
    MOBILEBERT_INSIDE, /* size of the stream within a layer */
    MOBILEBERT_FEED_FORWARDS,
};
enum {
    MOBILEBERT_NARROWS = 1 << 0, /* the stream within is the narrowed one; else it is the same */
    MOBILEBERT_SHARED = 1 << 1,  /* queries and keys read a narrowed stream of their own */
    MOBILEBERT_ALL = 1 << 2,     /* queries, keys and values read the stream within */
};

extern const struct hook_table mobilebert_layer;

#endif
