/* Runtime: model cache (load, evict), queues, scheduler, admission. Implements include/brisk.h,
 * which is its public face; this header names it for the rooms above and adds what only they need.
 *
 * Threads: one scheduler thread that owns the compute team and runs all forward passes; one loader
 * thread; one that rings for requests whose model takes too long; a few workers that parse,
 * tokenize and write answers. Lock order: docs/internals/threads.md. */
#ifndef BRISK_RUNTIME_RUNTIME_H
#define BRISK_RUNTIME_RUNTIME_H

#include "brisk.h"
#include "base/base.h"

/* The registries, for `brisk list`: ["bert", …] and [{"task": …, "parameters": […]}, …]. */
void runtime_write_families(struct json_out *out);
void runtime_write_tasks(struct json_out *out);

/* "name" or "org/name" of letters, digits, '-', '_' and '.', no part beginning with '.'. */
bool repos_id_valid(const char *id);

#endif
