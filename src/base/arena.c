/* Arena: many small blocks freed at once. A list of chunks, newest first, each about as large as
 * all before it (up to a bound); a block that would waste much of a chunk gets one of its own,
 * placed behind the newest so that the room left there is still used. */
#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define CHUNK_FIRST (4 * KiB)
#define CHUNK_MOST  (16 * MiB)
#define CHUNK_KEPT  (1 * MiB)
#define CHUNK_LARGE                                                                                \
    (4 * MiB) /* from here on by mem_try_alloc: page faults cost more than the work */

struct arena_chunk {
    struct arena_chunk *next; /* older */
    size_t size;              /* bytes behind this header */
};

static_assert(sizeof(struct arena_chunk) == 16, "blocks behind the header must be 16-byte aligned");

static char *chunk_data(struct arena_chunk *chunk) {
    return (char *)(chunk + 1);
}

static struct arena_chunk *chunk_create(struct arena *arena, size_t size) {
    struct arena_chunk *chunk;
    if (size >= CHUNK_LARGE) {
        struct error err;
        void *block;
        if (mem_try_alloc(&block, sizeof *chunk + size, &err) != STATUS_OK)
            PANIC("%s", err.text);
        chunk = block;
    } else {
        chunk = mem_alloc(sizeof *chunk + size);
    }
    *chunk = (struct arena_chunk){.size = size};
    arena->total += sizeof *chunk + size;
    return chunk;
}

static void chunk_destroy(struct arena_chunk *chunk) {
    if (chunk->size >= CHUNK_LARGE)
        mem_free_large(chunk, sizeof *chunk + chunk->size);
    else
        mem_free(chunk);
}

/* The slow path of arena_alloc: size is a multiple of 16 and does not fit the newest chunk. */
static void *alloc_from_new_chunk(struct arena *arena, size_t size) {
    size_t wanted = arena->total < CHUNK_FIRST ? CHUNK_FIRST : arena->total;
    if (wanted > CHUNK_MOST)
        wanted = CHUNK_MOST;
    if (arena->chunks && size > wanted / 4) {
        struct arena_chunk *own = chunk_create(arena, size);
        own->next = arena->chunks->next;
        arena->chunks->next = own;
        return chunk_data(own);
    }
    struct arena_chunk *chunk = chunk_create(arena, size > wanted ? size : wanted);
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->cap = chunk->size;
    arena->used = size;
    return chunk_data(chunk);
}

void *arena_alloc(struct arena *arena, size_t size) {
    if (size > PTRDIFF_MAX)
        PANIC("arena block of %zu bytes does not fit the address space", size);
    size = size ? (size + 15) & ~(size_t)15 : 16;
    if (size > arena->cap - arena->used)
        return alloc_from_new_chunk(arena, size);
    void *block = chunk_data(arena->chunks) + arena->used;
    arena->used += size;
    return block;
}

void *arena_zalloc(struct arena *arena, size_t count, size_t size) {
    size_t total;
    if (!size_mul(count, size, &total))
        PANIC("arena block of %zu x %zu bytes does not fit the address space", count, size);
    void *block = arena_alloc(arena, total);
    memset(block, 0, total);
    return block;
}

void *arena_copy(struct arena *arena, const void *data, size_t size) {
    void *block = arena_alloc(arena, size);
    if (size > 0)
        memcpy(block, data, size);
    return block;
}

char *arena_strndup(struct arena *arena, const char *text, size_t len) {
    char *copy = arena_alloc(arena, len + 1);
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    const size_t len = n < 0 ? 0 : (size_t)n;
    char *text = arena_alloc(arena, len + 1);
    text[0] = 0;
    vsnprintf(text, len + 1, format, again);
    va_end(again);
    return text;
}

/* Keeps the newest chunk, about half of what was used, unless that is more than worth holding. */
void arena_reset(struct arena *arena) {
    struct arena_chunk *kept = arena->chunks;
    if (!kept || kept->size > CHUNK_KEPT) {
        arena_deinit(arena);
        return;
    }
    struct arena older = {.chunks = kept->next};
    arena_deinit(&older);
    kept->next = NULL;
    *arena = (struct arena){.chunks = kept, .cap = kept->size, .total = sizeof *kept + kept->size};
}

void arena_deinit(struct arena *arena) {
    struct arena_chunk *chunk = arena->chunks;
    while (chunk) {
        struct arena_chunk *older = chunk->next;
        chunk_destroy(chunk);
        chunk = older;
    }
    *arena = (struct arena){0};
}
