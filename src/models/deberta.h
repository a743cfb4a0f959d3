/* What DeBERTa's two generations share: the reading of their configs, their heads and the attention
 * whose scores also have contents meet positions (He et al. 2020). Private to this room. */
#ifndef BRISK_MODELS_DEBERTA_H
#define BRISK_MODELS_DEBERTA_H

#include "models/family.h"

/* Tokens of a text that Brisk takes where nothing ends them: no positions but relative ones. */
#define DEBERTA_POSITIONS 2048

/* Options of the hook, by number. */
enum {
    DEBERTA_FLAGS,
    DEBERTA_SPAN,    /* half the rows of the table of relative positions */
    DEBERTA_BUCKETS, /* 0: each distance has a row of its own */
    DEBERTA_REACH,   /* max_relative_positions, which the last bucket holds */
    DEBERTA_CONV,    /* taps of the convolution beside the first layer; 0: none */
    DEBERTA_CONV_ACTIVATION,
};
enum {
    DEBERTA_C2P = 1 << 0,    /* the query's content meets the key's position */
    DEBERTA_P2C = 1 << 1,    /* the key's content meets the query's position */
    DEBERTA_SHARED = 1 << 2, /* positions go through the contents' own projections */
    DEBERTA_NORM = 1 << 3,   /* the table is normed */
    DEBERTA_FIRST = 1 << 4,  /* of the first generation: biases of q and v alone, other names */
};

extern const struct hook_table deberta_attention;

/* An encoder of these keys; names are the family's. */
struct stack_spec deberta_stack(struct config *config, const struct slot_name *names, bool first);
extern const struct head_row deberta_heads[];

#endif
