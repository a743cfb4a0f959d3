/* Random numbers for sampling: counter-based (Philox 4x32-10, Salmon et al. 2011), so that draw i
 * of a stream is a function of (seed, i) alone, whatever else shares the batch. */
#ifndef BRISK_BASE_RANDOM_H
#define BRISK_BASE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t seed, counter;
};

uint64_t random_seed_fresh(void); /* from the system */
uint32_t random_next(struct random *random);
double random_uniform(struct random *random); /* [0, 1), 53 bits */

#endif
