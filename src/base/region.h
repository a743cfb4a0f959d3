/* A region: a stretch of addresses that does not move while what stands behind it changes: nothing,
 * memory, a file's pages, or memory again with the file's contents. For weights, whose pointers are
 * taken once. What stands in it is the caller's business. */
#ifndef BRISK_BASE_REGION_H
#define BRISK_BASE_REGION_H

#include <stdatomic.h>

#include "base/error.h"

struct region {
    char *base;  /* aligned to a huge page; NULL: nothing is reserved */
    size_t size; /* whole huge pages */
};

/* Rounded up to whole huge pages; 0 when it does not fit. */
size_t region_round(size_t size);
/* Addresses only: nothing may be read or written yet. */
enum status region_reserve(struct region *region, size_t size, struct error *err) MUST_CHECK;
void region_release(struct region *region); /* zeroed is fine */
/* Zeroed memory behind [from, from + size), from a multiple of a huge page; huge pages where that
 * saves more than it wastes. */
enum status region_memory(const struct region *region, size_t from, size_t size,
                          struct error *err) MUST_CHECK;
/* The file's bytes [offset, offset + size) behind [from, from + size), read-only and shared with
 * the page cache; from and offset are multiples of a page. What stood there before goes away at
 * once: if it was the same bytes, readers notice nothing. */
enum status region_file(const struct region *region, size_t from, size_t size, int fd,
                        size_t offset, struct error *err) MUST_CHECK;
/* The file's pages behind [from, from + size) are looked up at once rather than one by one. */
void region_populate(const struct region *region, size_t from, size_t size);
/* Moves what a file stands behind into memory of huge pages, at the same addresses, some MiB at a
 * time; readers go on and see the same bytes. Best effort: the first piece that the system refuses
 * and all behind it stay the file's, and so does the rest once *stop is set. */
void region_collapse(const struct region *region, size_t from, size_t size,
                     const atomic_bool *stop);

#endif
