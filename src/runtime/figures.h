/* Counters of the runtime, for brisk_metrics. Private to runtime.
 * Atomics with relaxed order: they are sums for people and order nothing. */
#ifndef BRISK_RUNTIME_FIGURES_H
#define BRISK_RUNTIME_FIGURES_H

#include "base/base.h"

#define FIGURES_BOUNDS 10 /* of the time histogram; seconds in figures.c */

struct figures {
    _Atomic uint64_t requests, ok, client_errors, server_errors, cancelled, cached;
    _Atomic uint64_t characters, prompt_tokens, generated_tokens, truncated_tokens;
    _Atomic uint64_t time_ns, queue_ns;
    _Atomic uint64_t bounds[FIGURES_BOUNDS + 1]; /* answers by seconds, the last beyond all */
};

struct figures_answer {
    int status;
    bool cached;
    double time_s, queue_s;
    uint64_t characters, prompt_tokens, generated_tokens, truncated_tokens;
};
void figures_count(struct figures *figures, const struct figures_answer *answer);

#endif
