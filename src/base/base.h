/* Base: what every other room stands on. Errors, memory, text, JSON, files, threads, limits.
 *
 * This header is the module's manual: the parts in reading order. It knows nothing of models,
 * HTTP or tensors. Every function is thread-safe on distinct objects unless it says otherwise. */
#ifndef BRISK_BASE_BASE_H
#define BRISK_BASE_BASE_H

#include "base/limits.h"  /* every limit, named */
#include "base/error.h"   /* enum status, struct error, ERR, ASSERT, panic */
#include "base/mem.h"     /* counted allocation, overflow-checked sizes, struct arena */
#include "base/buf.h"     /* growing byte buffer with a maximum */
#include "base/base64.h"  /* bytes as text */
#include "base/utf8.h"    /* checking, stepping, counting code points */
#include "base/nearest.h" /* the known names most like an unknown one */
#include "base/json.h"    /* JSON in (arena tree) and out (writer on a buf) */
#include "base/file.h"    /* mapping, reading, listing, durable writing, paths */
#include "base/region.h"  /* addresses that stay while memory or a file stands behind them */
#include "base/thread.h"  /* named threads, locks, the compute team and its barrier */
#include "base/system.h"  /* clock, log, cores and memory of the machine or its cgroup */
#include "base/random.h"  /* counter-based random numbers for sampling */
#include "base/banned.h"  /* functions that may not be used */

#endif
