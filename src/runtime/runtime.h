/* Runtime: model cache (load, evict), queues, scheduler, admission. Implements include/brisk.h, which
 * is its public face; this header only names it for the rooms above.
 *
 * Threads: one scheduler thread that owns the compute team and runs all forward passes; one loader
 * thread; a few workers that parse, tokenize and write answers. Lock order: docs/internals/threads.md. */
#ifndef BRISK_RUNTIME_RUNTIME_H
#define BRISK_RUNTIME_RUNTIME_H

#include "brisk.h"

#endif
