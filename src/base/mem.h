/* Memory: the only place that calls malloc. Counted, so that tests can hold a step to zero.
 *
 * Small blocks never fail: when the system has none left the process ends with a message, as it
 * would a moment later anyway. Large ones (weights, caches, scratch) use mem_try_alloc and an
 * error. Lifetimes: process/model (mem_*), request (struct arena), step (scratch made at load). */
#ifndef BRISK_BASE_MEM_H
#define BRISK_BASE_MEM_H

#include "base/error.h"

void *mem_alloc(size_t size);                /* uninitialised; size 0 gives a valid pointer */
void *mem_zalloc(size_t count, size_t size); /* zeroed; panics when count*size overflows */
void *mem_realloc(void *block, size_t size);
void mem_free(void *block); /* NULL is fine */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len); /* adds the terminating zero */
/* Grows *array (elements of elem_size, capacity *cap) so that it holds at least `need`. */
void *mem_grow(void *array, size_t *cap, size_t need, size_t elem_size);

/* A large block aligned to 64 bytes (2 MiB and transparent huge pages from 4 MiB on), zeroed. */
enum status mem_try_alloc(void **block, size_t size, struct error *err) MUST_CHECK;
void mem_free_large(void *block, size_t size); /* size as given to mem_try_alloc */

uint64_t mem_alloc_count(void); /* allocations so far by the calling thread */

/* False when the result does not fit; *out untouched then. */
bool size_mul(size_t a, size_t b, size_t *out) MUST_CHECK;
bool size_add(size_t a, size_t b, size_t *out) MUST_CHECK;

/* Arena: many small blocks freed at once. Zero-initialised is ready for use. */
struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t used, cap;           /* of the newest chunk */
    size_t total;               /* bytes of all chunks */
};
void *arena_alloc(struct arena *arena, size_t size); /* 16-byte aligned, uninitialised */
void *arena_zalloc(struct arena *arena, size_t count, size_t size);
char *arena_strndup(struct arena *arena, const char *text, size_t len);
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
void *arena_copy(struct arena *arena, const void *data, size_t size);
void arena_reset(struct arena *arena);  /* forget all, keep the first chunk for reuse */
void arena_deinit(struct arena *arena); /* free all */

#endif
