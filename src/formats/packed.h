/* The packed cache: weights as the engine packed them, in files that the next load maps. A file is
 * found by what went into it, so that one that is found needs no check of what it was made from.
 *
 * A packed file is an image of two parts: what is streamed through in every pass, and tables of
 * which rows are looked up. What stands in them is the engine's business. Nothing here fails a
 * load: a file that is absent, damaged or cannot be written is a cache that does not help.
 * docs/internals/packed.md has the whole. */
#ifndef BRISK_FORMATS_PACKED_H
#define BRISK_FORMATS_PACKED_H

#include "base/base.h"

#define PACKED_DIGEST 16 /* bytes; XXH3-128 */

struct packed_digest {
    uint8_t bytes[PACKED_DIGEST];
};

/* Bytes of the parts; in a region the second begins at packed_tables_at. */
struct packed_sizes {
    size_t streamed, looked_up;
};
size_t packed_tables_at(const struct packed_sizes *sizes);
/* Addresses that an image of these sizes takes; 0: too many. */
size_t packed_region_bytes(const struct packed_sizes *sizes);

struct packed_options {
    const char *folder; /* made when it is absent */
    size_t max_bytes;   /* of all files; 0: LIMIT_PACKED_CACHE_BYTES */
};

struct packed_figures {
    uint64_t hits, misses; /* lookups */
    uint64_t damaged;      /* files found damaged, among the misses */
    uint64_t stored, evicted;
};

/* A folder of packed files; several processes may use one at a time. Thread-safe. */
struct packed_cache;
/* IO when the folder cannot be made or read. */
enum status packed_cache_create(struct packed_cache **out, const struct packed_options *options,
                                struct error *err) MUST_CHECK;
void packed_cache_destroy(struct packed_cache *cache); /* NULL is fine */
struct packed_figures packed_cache_figures(struct packed_cache *cache);

/* What is in the mapped files, in this order. Reads all of them on the team unless the cache has
 * seen each as it is now. */
void packed_content(struct packed_cache *cache, const struct file_map *maps, size_t n,
                    struct team *team, struct packed_digest *out);
/* Of any bytes. */
void packed_digest(struct packed_digest *out, const void *data, size_t len);

/* OK: the region is reserved, and the file of this key, read once and found to be as it was
 * written, stands behind it. DECLINED: there is none, or a damaged one, which was told in the log
 * and removed. The caller releases the region. */
enum status packed_open(struct packed_cache *cache, const struct packed_digest *key,
                        const struct packed_sizes *sizes, struct team *team,
                        struct region *region) MUST_CHECK;
/* Writes the image under its key, all or nothing, after removing the files longest unused where
 * there is no room. Then the file stands behind the tables, whose memory goes back. Until *stop is
 * set, which leaves nothing behind. What fails is told in the log, once a kind. Slow. */
void packed_store(struct packed_cache *cache, const struct packed_digest *key,
                  const struct packed_sizes *sizes, const struct region *region,
                  const atomic_bool *stop);

/* A packed file in memory, checked completely: for tests and fuzzers. */
enum status packed_check(const void *data, size_t size, struct error *err) MUST_CHECK;

#endif
