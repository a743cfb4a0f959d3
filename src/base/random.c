/* Random numbers for sampling: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers:
 * as easy as 1, 2, 3, SC 2011). Each draw, of 32 or of 53 bits, is one block: draw i depends on
 * (seed, i) alone. Not for secrets; random_seed_fresh asks the system. */
#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "base/banned.h"

uint64_t random_seed_fresh(void) {
    uint64_t seed = 0;
    ssize_t got;
    do
        got = getrandom(&seed, sizeof seed, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof seed)
        PANIC("the system gives no random numbers: %s", strerror(errno));
    return seed;
}

/* The block of counter {low, high, 0, 0} under the key `seed`; its first two words in one. The
 * multipliers and the Weyl increments (golden ratio, sqrt(3) - 1) are the paper's. */
static uint64_t philox(uint64_t seed, uint64_t counter) {
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32), c2 = 0, c3 = 0;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (uint64_t)c1 << 32 | c0;
}

uint32_t random_next(struct random *random) {
    return (uint32_t)philox(random->seed, random->counter++);
}

double random_uniform(struct random *random) {
    return (double)(philox(random->seed, random->counter++) >> 11) * 0x1p-53;
}
