/* Mapped files that become shorter, or whose disk fails, while they are read: without this the
 * system ends the process with SIGBUS. Guarded addresses read as zeros from there on instead, and
 * are marked, so that who read them can refuse the result.
 *
 * Not for mappings that stay in use: what reads zeros must be able to say so. Takes the process's
 * SIGBUS handler with the first guard; faults elsewhere go to the one that was there before. */
#ifndef BRISK_BASE_GUARD_H
#define BRISK_BASE_GUARD_H

#include "base/error.h"

struct guard;
/* Guards the mapping [start, start + size), until it is dropped, which is before it is unmapped.
 * NULL: too many are guarded, this one is not. Thread-safe. */
struct guard *guard_take(const void *start, size_t size);
void guard_drop(struct guard *guard);             /* NULL is fine */
bool guard_was_needed(const struct guard *guard); /* zeros were read; NULL: false */

#endif
