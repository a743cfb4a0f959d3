/* The folder of packed files: finding one, storing one, and keeping the whole within its limit.
 *
 *   <key>.packed            a packed file, complete: it appears under this name by rename alone
 *   <key>.<pid>.<n>.tmp     one being written; its writer holds a lock on it, so that one whose
 *                           writer is gone is known and removed
 *   seen                    contents of weight files (packed_seen.h)
 *
 * Other names are somebody else's (the folder may be any) and stay untouched. Files are only ever
 * renamed into place or removed, never changed or shortened: who has one mapped keeps what he has.
 * The time of modification says when a file was last used. */
#include "formats/packed_file.h"
#include "formats/packed_seen.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define SUFFIX  ".packed"
#define PARTIAL ".tmp"
#define PIECE   ((size_t)(4 * MiB)) /* of a weight file, hashed by one lane */

struct packed_cache {
    char *folder;
    size_t max_bytes;
    atomic_uint names; /* publishes nothing: only makes names differ */
    struct lock lock;  /* guards all below */
    struct seen seen;
    struct packed_figures figures;
    bool told; /* that it cannot be written */
};

static const char *path_of(struct arena *arena, const struct packed_cache *cache,
                           const struct packed_digest *key, const char *suffix) {
    char hex[2 * PACKED_DIGEST + 1];
    for (size_t i = 0; i < PACKED_DIGEST; i++)
        snprintf(hex + 2 * i, 3, "%02x", key->bytes[i]);
    return arena_printf(arena, "%s/%s%s", cache->folder, hex, suffix);
}

static const char *seen_path(struct arena *arena, const struct packed_cache *cache) {
    return path_join(arena, cache->folder, "seen");
}

enum status packed_cache_create(struct packed_cache **out, const struct packed_options *options,
                                struct error *err) {
    struct arena arena = {0};
    if (folder_create(options->folder, err) != STATUS_OK)
        return STATUS_ERROR;
    struct packed_cache *cache = mem_zalloc(1, sizeof *cache);
    cache->folder = mem_strdup(options->folder);
    cache->max_bytes =
        options->max_bytes > 0 ? options->max_bytes : (size_t)LIMIT_PACKED_CACHE_BYTES;
    lock_init(&cache->lock);
    seen_read(&cache->seen, seen_path(&arena, cache));
    arena_deinit(&arena);
    *out = cache;
    return STATUS_OK;
}

/* The first failure is told; the cache then goes on reading. */
static void tell(struct packed_cache *cache, const char *path, const struct error *err) {
    lock_take(&cache->lock);
    const bool told = cache->told;
    cache->told = true;
    lock_drop(&cache->lock);
    if (!told)
        log_warn("packed cache: %s: %s; weights are packed anew at each start until this works "
                 "(--cache-dir names another folder, or none)",
                 path, err->text);
}

/* With the lock taken. */
static void write_seen(struct packed_cache *cache) {
    struct arena arena = {0};
    struct error err = {0};
    if (cache->seen.changed &&
        seen_write(&cache->seen, seen_path(&arena, cache), &err) != STATUS_OK && !cache->told) {
        cache->told = true;
        log_warn("packed cache: %s", err.text);
    }
    arena_deinit(&arena);
}

void packed_cache_destroy(struct packed_cache *cache) {
    if (cache == NULL)
        return;
    write_seen(cache);
    seen_deinit(&cache->seen);
    lock_deinit(&cache->lock);
    mem_free(cache->folder);
    mem_free(cache);
}

struct packed_figures packed_cache_figures(struct packed_cache *cache) {
    lock_take(&cache->lock);
    const struct packed_figures figures = cache->figures;
    lock_drop(&cache->lock);
    return figures;
}

static void count(struct packed_cache *cache, uint64_t *figure) {
    lock_take(&cache->lock);
    ++*figure;
    lock_drop(&cache->lock);
}

/* ---- contents ---- */

struct hashing {
    const struct file_map *map;
    size_t n_pieces;
    struct packed_digest *digests; /* [n_pieces] */
};

static void hash_lane(struct lane *lane, void *arg) {
    const struct hashing *h = arg;
    size_t from, to;
    lane_range(lane, h->n_pieces, 1, &from, &to);
    for (size_t i = from; i < to; i++) {
        const size_t at = i * PIECE, left = h->map->size - at;
        const size_t n = left < PIECE ? left : PIECE;
        packed_digest(&h->digests[i], h->map->data + at, n);
        file_map_forget(h->map, at, n);
    }
}

static struct packed_digest hash_file(const struct file_map *map, struct team *team) {
    struct hashing h = {.map = map, .n_pieces = (map->size + PIECE - 1) / PIECE};
    struct packed_digest all;
    h.digests = mem_zalloc(h.n_pieces + 1, sizeof *h.digests);
    team_run(team, hash_lane, &h);
    packed_digest(&all, h.digests, h.n_pieces * sizeof *h.digests);
    mem_free(h.digests);
    return all;
}

static int64_t wall_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct packed_digest content_of(struct packed_cache *cache, const struct file_map *map,
                                       struct team *team) {
    struct packed_digest content;
    lock_take(&cache->lock);
    const bool known = seen_find(&cache->seen, &map->identity, &content);
    lock_drop(&cache->lock);
    if (known)
        return content;
    const int64_t now_ns = wall_ns(); /* before it is read */
    content = hash_file(map, team);
    lock_take(&cache->lock);
    seen_add(&cache->seen, &map->identity, &content, now_ns);
    lock_drop(&cache->lock);
    return content;
}

void packed_content(struct packed_cache *cache, const struct file_map *maps, size_t n,
                    struct team *team, struct packed_digest *out) {
    struct {
        uint64_t size;
        struct packed_digest content;
    } *files = mem_zalloc(n + 1, sizeof *files);
    for (size_t i = 0; i < n; i++) {
        files[i].size = maps[i].size;
        files[i].content = content_of(cache, &maps[i], team);
    }
    packed_digest(out, files, n * sizeof *files);
    mem_free(files);
}

/* ---- finding ---- */

/* The verified file behind the region's addresses. */
static enum status map_file(int fd, const struct packed_layout *layout,
                            const struct packed_sizes *sizes, struct region *region,
                            struct error *err) {
    struct region made;
    if (region_reserve(&made, packed_region_bytes(sizes), err) != STATUS_OK)
        return STATUS_ERROR;
    if (region_file(&made, 0, sizes->streamed, fd, layout->streamed_at, err) != STATUS_OK ||
        region_file(&made, packed_tables_at(sizes), sizes->looked_up, fd, layout->tables_at, err) !=
            STATUS_OK) {
        region_release(&made);
        return STATUS_ERROR;
    }
    region_populate(&made, 0, sizes->streamed);
    *region = made;
    return STATUS_OK;
}

enum status packed_open(struct packed_cache *cache, const struct packed_digest *key,
                        const struct packed_sizes *sizes, struct team *team,
                        struct region *region) {
    struct arena arena = {0};
    struct error err = {0};
    struct packed_layout layout;
    enum status status = STATUS_DECLINED;
    const char *path = path_of(&arena, cache, key, SUFFIX);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        goto out;
    const enum status verified = packed_verify(fd, key, sizes, &layout, team, &err);
    if (verified == STATUS_DECLINED) {
        log_info("packed cache: %s was written by another build, it is written anew", path);
        (void)unlink(path);
    } else if (verified != STATUS_OK && err.code == ERROR_MEMORY) { /* nothing is known of it */
        log_warn("packed cache: %s: %s; it is ignored", path, err.text);
    } else if (verified != STATUS_OK) {
        log_warn("packed cache: %s %s; it is ignored and written anew", path, err.text);
        (void)unlink(path);
        count(cache, &cache->figures.damaged);
    } else if (map_file(fd, &layout, sizes, region, &err) != STATUS_OK) {
        log_warn("packed cache: %s: %s; it is ignored", path, err.text);
    } else {
        status = STATUS_OK;
        (void)futimens(fd, NULL); /* used now; a folder that is only read has no order */
    }
    close(fd);
out:
    count(cache, status == STATUS_OK ? &cache->figures.hits : &cache->figures.misses);
    arena_deinit(&arena);
    return status;
}

/* ---- keeping within the limit ---- */

struct stored {
    const char *path;
    size_t bytes;
    int64_t used_ns;
};

/* Whether the name is a key's, with such an end. */
static bool is_ours(const char *name, const char *end) {
    const size_t hex = strspn(name, "0123456789abcdef"), len = strlen(name), n = strlen(end);
    return hex == (size_t)2 * PACKED_DIGEST && name[hex] == '.' && len >= hex + n &&
           strcmp(name + len - n, end) == 0;
}

/* A partial file that nobody holds: its writer was killed. */
static void remove_stale(const char *path) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)unlink(path);
    close(fd);
}

/* Packed files in the folder; those being written and left behind are removed on the way. */
static size_t list_stored(struct arena *arena, const struct packed_cache *cache,
                          struct stored **out) {
    char **names = folder_list(arena, cache->folder);
    size_t n = 0, most = 0;
    while (names != NULL && names[most] != NULL)
        most++;
    *out = arena_zalloc(arena, most + 1, sizeof **out);
    for (size_t i = 0; i < most; i++) {
        struct stat info;
        const char *path = path_join(arena, cache->folder, names[i]);
        if (is_ours(names[i], PARTIAL))
            remove_stale(path);
        if (!is_ours(names[i], SUFFIX) || stat(path, &info) != 0 || !S_ISREG(info.st_mode))
            continue;
        (*out)[n++] =
            (struct stored){path, (size_t)info.st_size,
                            (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec};
    }
    return n;
}

static int longest_unused_first(const void *a, const void *b) {
    const struct stored *x = a, *y = b;
    return x->used_ns < y->used_ns ? -1 : x->used_ns > y->used_ns;
}

/* Removes files, longest unused first, until so many bytes more stay within the limit. */
static void make_room(struct packed_cache *cache, size_t bytes) {
    struct arena arena = {0};
    struct stored *files = NULL;
    const size_t n = list_stored(&arena, cache, &files);
    size_t total = bytes;
    for (size_t i = 0; i < n; i++)
        total += files[i].bytes;
    qsort(files, n, sizeof *files, longest_unused_first);
    for (size_t i = 0; i < n && total > cache->max_bytes; i++) {
        if (unlink(files[i].path) != 0 && errno != ENOENT)
            continue;
        total -= files[i].bytes;
        count(cache, &cache->figures.evicted);
    }
    arena_deinit(&arena);
}

/* ---- storing ---- */

/* A new file that is ours: locked, so that nobody takes it for one left behind. */
static int create_partial(struct packed_cache *cache, const struct packed_digest *key,
                          struct arena *arena, const char **path) {
    for (;;) {
        char suffix[64];
        snprintf(suffix, sizeof suffix, ".%ld.%u" PARTIAL, (long)getpid(),
                 atomic_fetch_add_explicit(&cache->names, 1, memory_order_relaxed));
        *path = path_of(arena, cache, key, suffix);
        const int fd = open(*path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno == EEXIST)
            continue; /* of another machine or namespace: the next number */
        if (fd < 0)
            return -1;
        struct stat info;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &info) == 0 && info.st_nlink > 0)
            return fd;
        close(fd); /* somebody was quicker than our lock and removed it: again */
    }
}

static enum status write_file(struct packed_cache *cache, const struct packed_digest *key,
                              const struct packed_sizes *sizes, const struct region *region,
                              const char *path, const atomic_bool *stop, struct error *err) {
    struct arena arena = {0};
    const char *partial = NULL;
    const int fd = create_partial(cache, key, &arena, &partial);
    enum status status = STATUS_OK;
    if (fd < 0) {
        status = ERR(err, IO, "cannot be created: %s", strerrordesc_np(errno));
        goto out;
    }
    status = packed_write(fd, key, sizes, region, stop, err);
    (void)fchmod(fd, 0400); /* nobody is to shorten by accident what others have mapped */
    if (status == STATUS_OK && rename(partial, path) != 0)
        status = ERR(err, IO, "cannot be renamed: %s", strerrordesc_np(errno));
    if (status != STATUS_OK) {
        (void)unlink(partial);
    } else {
        struct packed_layout layout;
        (void)folder_sync(cache->folder);
        if (packed_lay_out(&layout, sizes)) /* tables are read by row: the page cache will do */
            status = region_file(region, packed_tables_at(sizes), sizes->looked_up, fd,
                                 layout.tables_at, err);
    }
    close(fd);
out:
    arena_deinit(&arena);
    return status;
}

void packed_store(struct packed_cache *cache, const struct packed_digest *key,
                  const struct packed_sizes *sizes, const struct region *region,
                  const atomic_bool *stop) {
    struct packed_layout layout;
    struct arena arena = {0};
    struct error err = {0};
    const char *path = path_of(&arena, cache, key, SUFFIX);
    lock_take(&cache->lock);
    write_seen(cache);
    lock_drop(&cache->lock);
    if (file_exists(path) || !packed_lay_out(&layout, sizes))
        goto out; /* another process was quicker */
    if (layout.file_bytes > cache->max_bytes) {
        ERR(&err, IO, "would need %zu MB, the limit of the cache is %zu MB (--cache-size)",
            layout.file_bytes / (size_t)MiB + 1, cache->max_bytes / (size_t)MiB);
        tell(cache, path, &err);
        goto out;
    }
    make_room(cache, layout.file_bytes);
    switch (write_file(cache, key, sizes, region, path, stop, &err)) {
    case STATUS_OK:
        count(cache, &cache->figures.stored);
        break;
    case STATUS_ERROR:
        tell(cache, path, &err);
        break;
    default: /* told to stop */
        break;
    }
out:
    arena_deinit(&arena);
}
