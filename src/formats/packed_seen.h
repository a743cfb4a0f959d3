/* Contents of files that were read before: what a file is tells its content as long as neither has
 * changed, so that 500 MB need not be hashed at each start. Private to this room; not thread-safe.
 */
#ifndef BRISK_FORMATS_PACKED_SEEN_H
#define BRISK_FORMATS_PACKED_SEEN_H

#include "formats/packed.h"

struct seen_record {
    struct file_identity identity;
    struct packed_digest content;
};

struct seen {
    struct seen_record *records; /* oldest first */
    size_t n, cap;
    bool changed; /* since it was read or written */
};

/* Adds what the file knows; one that is absent or damaged knows nothing. */
void seen_read(struct seen *seen, const char *path);
bool seen_find(const struct seen *seen, const struct file_identity *identity,
               struct packed_digest *content);
/* Not of a file that changed a moment ago: it may change again within the clock's step. */
void seen_add(struct seen *seen, const struct file_identity *identity,
              const struct packed_digest *content, int64_t now_ns);
/* With what other processes have written meanwhile. */
enum status seen_write(struct seen *seen, const char *path, struct error *err) MUST_CHECK;
void seen_deinit(struct seen *seen);

#endif
