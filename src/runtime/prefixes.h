/* What a model has read of texts that are done: keys and values by which a later text with the same
 * beginning (a chat that goes on, a long instruction in front of each question) is not read anew.
 * Private to runtime; the scheduler's thread owns it. */
#ifndef BRISK_RUNTIME_PREFIXES_H
#define BRISK_RUNTIME_PREFIXES_H

#include "engine/engine.h"

struct prefix;
struct prefixes {
    struct prefix *list; /* the one used last comes first */
    uint32_t n;
    size_t bytes, limit; /* of all pages, shared ones as often as they are; most of these */
    uint64_t reused;     /* tokens; whoever reads this may set it back */
};

/* None yet, and how much may be kept for this model. */
void prefixes_init(struct prefixes *prefixes, const struct model *model);
/* Tokens in common at the beginning of a[0, n_a) and b[0, n_b). */
uint32_t prefix_common(const int32_t *a, uint32_t n_a, const int32_t *b, uint32_t n_b);
/* Whether what the model makes of a token follows from those before it alone. */
bool prefixes_suit(const struct arch *arch);
/* Takes over the sequence, which has read `ids`; keeps it if it is long enough to be worth it and
 * not the beginning of another one. Those used longest ago make room. */
void prefixes_keep(struct prefixes *prefixes, struct sequence *sequence, const int32_t *ids);
/* The sequence that begins as ids[0, n) does for the most tokens, *common of them, or NULL where
 * these are too few. It stays whose it is, until the next call of any of these. */
const struct sequence *prefixes_find(struct prefixes *prefixes, const int32_t *ids, uint32_t n,
                                     uint32_t *common);
/* Gives back the pages of the one used longest ago; false: there is none. */
bool prefixes_drop_last(struct prefixes *prefixes);
void prefixes_clear(struct prefixes *prefixes);

#endif
