/* The layout of a packed file, and reading and writing one. Private to this room; the folder of
 * them is packed.c's business.
 *
 *   header   [4096]            struct packed_header, zeros behind it
 *   sums     [n_pieces] u64    XXH3-64 of each piece of the parts, each part cut by itself
 *   streamed, looked_up        each part begins on a page of 4096 bytes, zeros behind it
 *
 * Numbers are little-endian, as the machines are that read it. */
#ifndef BRISK_FORMATS_PACKED_FILE_H
#define BRISK_FORMATS_PACKED_FILE_H

#include "formats/packed.h"

#define PACKED_MAGIC   "BRISKPCK"
#define PACKED_VERSION 1
#define PACKED_PAGE    4096
#define PACKED_PIECE   ((size_t)(256 * KiB)) /* stays in the second-level cache */

struct packed_header {
    char magic[8];
    uint32_t version, piece; /* bytes of a piece */
    struct packed_digest key;
    struct packed_digest build;   /* of the program that packed: another may pack otherwise */
    uint64_t streamed, looked_up; /* bytes */
    uint64_t file_bytes;
    uint64_t sums_hash; /* XXH3-64 of the sums */
    uint64_t hash;      /* XXH3-64 of the header before it */
};

/* Where things are; all follow from the sizes. */
struct packed_layout {
    size_t n_pieces, streamed_pieces;
    size_t sums_at, streamed_at, tables_at, file_bytes;
};
/* False: the sizes do not fit a file. */
bool packed_lay_out(struct packed_layout *out, const struct packed_sizes *sizes) MUST_CHECK;

uint64_t packed_header_hash(const struct packed_header *header); /* what header->hash must be */
/* MODEL: says what is wrong. Checks data[PACKED_PAGE]; file_size is the whole file's. */
enum status packed_header_read(struct packed_header *out, struct packed_layout *layout,
                               const void *data, uint64_t file_size, struct error *err) MUST_CHECK;
/* Tells this program from any other that is built from other sources. */
struct packed_digest packed_build(void);
/* Reads the open file completely, on the team's lanes: OK only when it is as it was written, for
 * this key and these sizes. DECLINED: by another build of the program. */
enum status packed_verify(int fd, const struct packed_digest *key, const struct packed_sizes *sizes,
                          struct packed_layout *layout, struct team *team,
                          struct error *err) MUST_CHECK;
/* Writes the whole file. AGAIN: *stop was set. */
enum status packed_write(int fd, const struct packed_digest *key, const struct packed_sizes *sizes,
                         const struct region *region, const atomic_bool *stop,
                         struct error *err) MUST_CHECK;

#endif
