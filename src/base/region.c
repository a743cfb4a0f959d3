/* Regions of addresses over mmap. The one trick: what is to stand in a place is mapped elsewhere
 * and mremap puts it over the old pages. The kernel does that under its lock of the address space,
 * so that a reader sees either the old page or the new one, which hold the same bytes. */
#include "base/region.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/banned.h"

#define HUGE_PAGE ((size_t)(2 * MiB))
#define PAGE      ((size_t)4096)
#define PIECE     (8 * HUGE_PAGE) /* that is copied at once: the memory held twice */
/* Below this huge pages waste more memory than they save time. */
#define HUGE_LEAST (2 * HUGE_PAGE)

size_t region_round(size_t size) {
    size_t padded;
    if (!size_add(size, HUGE_PAGE - 1, &padded) || padded > PTRDIFF_MAX - HUGE_PAGE)
        return 0;
    return padded / HUGE_PAGE * HUGE_PAGE;
}

static enum status refuse(struct error *err, size_t size) {
    return ERR(err, MEMORY, "the system refused %.1f MiB of memory; free some or lower --memory",
               (double)size / (double)MiB);
}

/* Addresses of `size` bytes, aligned: one huge page too much, less what lies outside. */
static char *map_aligned(size_t size, int protection) {
    char *raw = mmap(NULL, size + HUGE_PAGE, protection,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    const size_t head = (HUGE_PAGE - (uintptr_t)raw % HUGE_PAGE) % HUGE_PAGE;
    if (head > 0)
        munmap(raw, head);
    munmap(raw + head + size, HUGE_PAGE - head);
    return raw + head;
}

enum status region_reserve(struct region *region, size_t size, struct error *err) {
    const size_t rounded = region_round(size > 0 ? size : 1);
    char *base = rounded > 0 ? map_aligned(rounded, PROT_NONE) : NULL;
    if (base == NULL)
        return refuse(err, size);
    *region = (struct region){.base = base, .size = rounded};
    return STATUS_OK;
}

void region_release(struct region *region) {
    if (region->base != NULL)
        munmap(region->base, region->size);
    *region = (struct region){0};
}

enum status region_memory(const struct region *region, size_t from, size_t size,
                          struct error *err) {
    ASSERT(from % HUGE_PAGE == 0 && from + size <= region->size);
    if (size == 0)
        return STATUS_OK;
    /* Huge pages are whole: the last one may reach beyond size, within the region. */
    const size_t mapped = size >= HUGE_LEAST ? region_round(size) : size;
    if (mmap(region->base + from, mapped, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        return refuse(err, size);
    if (size >= HUGE_LEAST)
        madvise(region->base + from, mapped, MADV_HUGEPAGE); /* a wish */
    return STATUS_OK;
}

static bool move_to(char *at, void *mapped, size_t size) {
    return mremap(mapped, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) != MAP_FAILED;
}

/* All of it is mapped, whatever stands there. */
static bool is_mapped(char *at, size_t size) {
    return msync(at, size, MS_ASYNC) == 0 || errno != ENOMEM;
}

/* Nobody else's mapping may come between the hole's addresses any more. */
static bool claim(char *at, size_t size) {
    return mmap(at, size, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == at;
}

/* What is mapped elsewhere takes the place of what is at `at`, in one step for those who read
 * there. False: the system refused, and both stand where they were.
 *
 * The kernel looks first whether it has mappings left, then takes away what is at `at`, and may
 * then still lack the memory for its own records: `mapped` stays, the addresses are a hole. Nothing
 * brings back what was there, so what was to come is put there once more; without it the weights
 * are lost, and who reads them next would end the process anyway. */
static bool put_over(char *at, void *mapped, size_t size) {
    if (move_to(at, mapped, size))
        return true;
    const int error = errno;
    const bool refused = is_mapped(at, size);
    if (!refused && !(claim(at, size) && move_to(at, mapped, size)))
        PANIC("the system took the mapping of %zu MiB of weights and gave none for it: %s",
              size / (size_t)MiB, strerrordesc_np(error));
    errno = error;
    return !refused;
}

enum status region_file(const struct region *region, size_t from, size_t size, int fd,
                        size_t offset, struct error *err) {
    ASSERT(from % PAGE == 0 && offset % PAGE == 0 && from + size <= region->size);
    if (size == 0)
        return STATUS_OK;
    void *mapped = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)offset);
    if (mapped == MAP_FAILED)
        return ERR(err, IO, "mapping failed: %s", strerrordesc_np(errno));
    if (put_over(region->base + from, mapped, size))
        return STATUS_OK;
    munmap(mapped, size);
    return ERR(err, IO, "mapping failed: %s", strerrordesc_np(errno));
}

void region_populate(const struct region *region, size_t from, size_t size) {
    ASSERT(from % PAGE == 0 && from + size <= region->size);
    madvise(region->base + from, size, MADV_POPULATE_READ); /* before Linux 5.14: one by one */
}

/* False: the system refused, the old pages stand. `n` bytes to copy, `whole` to replace. */
static bool collapse_piece(char *at, size_t n, size_t whole) {
    char *copy = map_aligned(whole, PROT_READ | PROT_WRITE);
    if (copy == NULL)
        return false;
    madvise(copy, whole, MADV_HUGEPAGE);
    memcpy(copy, at, n);
    mprotect(copy, whole, PROT_READ);
    if (put_over(at, copy, whole))
        return true;
    munmap(copy, whole);
    return false;
}

void region_collapse(const struct region *region, size_t from, size_t size,
                     const atomic_bool *stop) {
    ASSERT(from % HUGE_PAGE == 0 && from + size <= region->size);
    if (size < HUGE_LEAST)
        return;
    for (size_t at = 0; at < size; at += PIECE) {
        const size_t n = size - at < PIECE ? size - at : PIECE;
        if (atomic_load_explicit(stop, memory_order_relaxed) ||
            !collapse_piece(region->base + from + at, n, region_round(n)))
            return;
    }
}
