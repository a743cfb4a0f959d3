/* Memory of packed weights: blocks of a few hundred KiB to a few MiB, put side by side into chunks
 * that the system backs with huge pages. Not for anything else, and not for speed of allocation.
 *
 * A layer's panels alone are too small for pages of 2 MiB. On pages of 4 KiB one row through a
 * layer of 2 MiB read memory at 15 to 17 GB/s, on huge pages at 19 to 20 (Zen 3). The pages
 * of a freed block go back to the system at once, its addresses with the last block of the chunk.
 */
#include "ops/ops_private.h"

#include <sys/mman.h>

#define PAGE_BYTES  4096
#define CHUNK_BYTES ((size_t)(32 * MiB))
#define ALONE_BYTES ((size_t)(4 * MiB)) /* mem_try_alloc gives these huge pages itself */

struct chunk {
    struct chunk *next;
    char *base;        /* [CHUNK_BYTES], zeroed */
    size_t used, live; /* bytes handed out from the begin; blocks not yet freed */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct chunk *chunks; /* guarded by mutex; blocks come from the first */

static size_t padded(size_t size) {
    return (size + 63) / 64 * 64;
}

static enum status chunk_add(struct error *err) {
    void *base;
    if (mem_try_alloc(&base, CHUNK_BYTES, err) != STATUS_OK) {
        return STATUS_ERROR;
    }
    struct chunk *chunk = mem_alloc(sizeof(*chunk));
    *chunk = (struct chunk){.next = chunks, .base = base};
    chunks = chunk;
    return STATUS_OK;
}

enum status block_create(void **out, size_t size, struct error *err) {
    if (size >= ALONE_BYTES) {
        return mem_try_alloc(out, size, err);
    }
    enum status status = STATUS_OK;
    pthread_mutex_lock(&mutex);
    if (chunks == NULL || CHUNK_BYTES - chunks->used < padded(size)) {
        status = chunk_add(err);
    }
    if (status == STATUS_OK) {
        *out = chunks->base + chunks->used;
        chunks->used += padded(size);
        chunks->live++;
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

/* Whole pages inside the block: nobody else's. Their addresses stay taken. */
static void give_back(char *block, size_t size) {
    char *from = block + (PAGE_BYTES - (uintptr_t)block % PAGE_BYTES) % PAGE_BYTES;
    char *to = block + size - (uintptr_t)(block + size) % PAGE_BYTES;
    if (from < to) {
        madvise(from, (size_t)(to - from), MADV_DONTNEED);
    }
}

void block_destroy(void *block, size_t size) {
    if (size >= ALONE_BYTES) {
        mem_free_large(block, size);
        return;
    }
    pthread_mutex_lock(&mutex);
    struct chunk **at = &chunks;
    while ((char *)block < (*at)->base || (char *)block >= (*at)->base + CHUNK_BYTES) {
        at = &(*at)->next;
    }
    struct chunk *chunk = *at;
    chunk->live--;
    if (chunk->live == 0) {
        *at = chunk->next;
        mem_free_large(chunk->base, CHUNK_BYTES);
        mem_free(chunk);
    } else {
        give_back(block, size);
    }
    pthread_mutex_unlock(&mutex);
}
