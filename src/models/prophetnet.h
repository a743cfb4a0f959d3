/* What ProphetNet's description says to its decoder's attention, and the hook itself. Private to
 * this room. */
#ifndef BRISK_MODELS_PROPHETNET_H
#define BRISK_MODELS_PROPHETNET_H

#include "models/family.h"

/* Options of the hook, by number. */
enum {
    PROPHETNET_NGRAM,   /* rows of the predicting streams' table */
    PROPHETNET_BUCKETS, /* of distances */
    PROPHETNET_REACH    /* from this distance on all are one */
};

extern const struct hook_table prophetnet_attention;

#endif
