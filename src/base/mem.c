/* Counted allocation: the only callers of malloc and its kin in the program (arena.c stands on
 * this file). Small blocks never fail; large ones come from mmap with an error to return. */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/banned.h"

#define LARGE_BLOCK (4 * MiB) /* from here on mmap and huge pages */
#define HUGE_PAGE   (2 * MiB)
#define CACHE_LINE  64

static _Thread_local uint64_t alloc_count;

uint64_t mem_alloc_count(void) {
    return alloc_count;
}

static _Noreturn void out_of_memory(size_t size) {
    PANIC("out of memory: %zu bytes refused by the system", size);
}

void *mem_alloc(size_t size) {
    alloc_count++;
    void *block = malloc(size ? size : 1);
    if (!block)
        out_of_memory(size);
    return block;
}

void *mem_zalloc(size_t count, size_t size) {
    size_t total;
    if (!size_mul(count, size, &total))
        PANIC("block of %zu x %zu bytes does not fit the address space", count, size);
    alloc_count++;
    void *block = calloc(total ? total : 1, 1);
    if (!block)
        out_of_memory(total);
    return block;
}

void *mem_realloc(void *block, size_t size) {
    alloc_count++;
    void *moved = realloc(block, size ? size : 1);
    if (!moved)
        out_of_memory(size);
    return moved;
}

void mem_free(void *block) {
    free(block);
}

char *mem_strndup(const char *text, size_t len) {
    char *copy = mem_alloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

char *mem_strdup(const char *text) {
    return mem_strndup(text, strlen(text));
}

void *mem_grow(void *array, size_t *cap, size_t need, size_t elem_size) {
    if (need <= *cap)
        return array;
    size_t wanted = *cap < 8 ? 8 : *cap + *cap / 2;
    if (wanted < need)
        wanted = need;
    size_t bytes;
    if (!size_mul(wanted, elem_size, &bytes))
        PANIC("array of %zu x %zu bytes does not fit the address space", wanted, elem_size);
    array = mem_realloc(array, bytes);
    *cap = wanted;
    return array;
}

/* The mapping's true size; 0 when it does not fit. */
static size_t large_size(size_t size) {
    size_t padded;
    if (!size_add(size, 2 * HUGE_PAGE, &padded) || padded > PTRDIFF_MAX)
        return 0;
    return (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
}

/* Maps one huge page too much and gives back what lies outside the aligned part. */
static void *map_aligned(size_t size) {
    char *raw =
        mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    const size_t head = (HUGE_PAGE - (uintptr_t)raw % HUGE_PAGE) % HUGE_PAGE;
    if (head > 0)
        munmap(raw, head);
    if (head < HUGE_PAGE)
        munmap(raw + head + size, HUGE_PAGE - head);
    madvise(raw + head, size, MADV_HUGEPAGE); /* a wish: without it the block works the same */
    return raw + head;
}

enum status mem_try_alloc(void **block, size_t size, struct error *err) {
    alloc_count++;
    void *made = NULL;
    if (size >= LARGE_BLOCK) {
        const size_t mapped = large_size(size);
        made = mapped ? map_aligned(mapped) : NULL;
    } else {
        const size_t padded = (size ? size + CACHE_LINE - 1 : CACHE_LINE) / CACHE_LINE * CACHE_LINE;
        made = aligned_alloc(CACHE_LINE, padded);
        if (made)
            memset(made, 0, padded);
    }
    if (!made)
        return ERR(err, MEMORY,
                   "the system refused %.1f MiB of memory; free some or lower --memory",
                   (double)size / (double)MiB);
    *block = made;
    return STATUS_OK;
}

void mem_free_large(void *block, size_t size) {
    if (!block)
        return;
    if (size >= LARGE_BLOCK)
        munmap(block, large_size(size));
    else
        free(block);
}

bool size_mul(size_t a, size_t b, size_t *out) {
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool size_add(size_t a, size_t b, size_t *out) {
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}
