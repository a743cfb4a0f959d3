/* The file of contents seen: a head with a hash, then the records. Lost updates are harmless (a
 * file is then read once more), so there is no locking; it is written whole, by renaming. */
#include "formats/packed_seen.h"

#include <xxhash.h>

#define MAGIC   "BRISKSEE"
#define VERSION 1
#define RECORDS 4096 /* most; the oldest go first */

/* Steps of the clock that stamps files are of some milliseconds, on old file systems of two
 * seconds. */
#define SETTLED_NS (3ll * 1000 * 1000 * 1000)

struct head {
    char magic[8];
    uint32_t version, n;
    uint64_t hash; /* XXH3-64 of the records */
};

_Static_assert(sizeof(struct seen_record) == 56, "records are written as they stand");

static bool same(const struct file_identity *a, const struct file_identity *b) {
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

bool seen_find(const struct seen *seen, const struct file_identity *identity,
               struct packed_digest *content) {
    for (size_t i = seen->n; i-- > 0;) {
        if (same(&seen->records[i].identity, identity)) {
            *content = seen->records[i].content;
            return true;
        }
    }
    return false;
}

static void append(struct seen *seen, const struct seen_record *record) {
    if (seen->n == RECORDS) {
        seen->n--;
        memmove(seen->records, seen->records + 1, seen->n * sizeof *seen->records);
    }
    seen->records = mem_grow(seen->records, &seen->cap, seen->n + 1, sizeof *seen->records);
    seen->records[seen->n++] = *record;
}

void seen_add(struct seen *seen, const struct file_identity *identity,
              const struct packed_digest *content, int64_t now_ns) {
    const int64_t last =
        identity->modified_ns > identity->changed_ns ? identity->modified_ns : identity->changed_ns;
    struct packed_digest known;
    if (last > now_ns - SETTLED_NS || seen_find(seen, identity, &known))
        return;
    const struct seen_record record = {*identity, *content};
    append(seen, &record);
    seen->changed = true;
}

/* The records of a file's bytes, or NULL. */
static const char *check(const char *data, size_t len, size_t *n) {
    struct head head;
    if (len < sizeof head)
        return NULL;
    memcpy(&head, data, sizeof head);
    if (memcmp(head.magic, MAGIC, sizeof head.magic) != 0 || head.version != VERSION ||
        head.n > RECORDS || len != sizeof head + head.n * sizeof(struct seen_record) ||
        head.hash != XXH3_64bits(data + sizeof head, len - sizeof head))
        return NULL;
    *n = head.n;
    return data + sizeof head;
}

void seen_read(struct seen *seen, const char *path) {
    struct arena arena = {0};
    struct error err;
    char *data = NULL;
    size_t len = 0, n = 0;
    const size_t most = sizeof(struct head) + RECORDS * sizeof(struct seen_record);
    const char *records = NULL;
    if (file_exists(path) && file_read(&data, &len, &arena, path, most, &err) == STATUS_OK)
        records = check(data, len, &n);
    for (size_t i = 0; records != NULL && i < n; i++) {
        struct seen_record record;
        struct packed_digest known;
        memcpy(&record, records + i * sizeof record, sizeof record);
        if (!seen_find(seen, &record.identity, &known))
            append(seen, &record);
    }
    arena_deinit(&arena);
}

enum status seen_write(struct seen *seen, const char *path, struct error *err) {
    struct buf buf;
    seen_read(seen, path);
    struct head head = {.magic = MAGIC,
                        .version = VERSION,
                        .n = (uint32_t)seen->n,
                        .hash = XXH3_64bits(seen->records, seen->n * sizeof *seen->records)};
    buf_init(&buf, sizeof head + RECORDS * sizeof *seen->records);
    buf_append(&buf, &head, sizeof head);
    buf_append(&buf, seen->records, seen->n * sizeof *seen->records);
    const enum status status = file_write_durable(path, buf.data, buf.len, err);
    buf_deinit(&buf);
    seen->changed = false; /* what cannot be written now is not tried at every turn */
    return status;
}

void seen_deinit(struct seen *seen) {
    mem_free(seen->records);
    *seen = (struct seen){0};
}
