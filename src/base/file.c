/* Files: whole-file reading, mapping, listing, durable writing. No searching, no watching, no
 * formats: what is in the bytes is the caller's business. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/banned.h"

#define PAGE          4096
#define NAME_ATTEMPTS 1000 /* temporary names tried before giving up */

static enum status fail_errno(struct error *err, const char *path, const char *doing) {
    const int code = errno;
    if (code == ENOENT || code == ENOTDIR)
        return ERR(err, NOT_FOUND, "%s: no such file or folder; check the path", path);
    if (code == EACCES || code == EPERM)
        return ERR(err, IO, "%s: %s is not permitted; check owner and mode", path, doing);
    if (code == ENOSPC || code == EDQUOT)
        return ERR(err, IO, "%s: %s failed, the disk is full; free some space", path, doing);
    return ERR(err, IO, "%s: %s failed: %s", path, doing, strerrordesc_np(code));
}

/* Opens for reading; folders are refused. */
static enum status open_file(int *fd, struct stat *info, const char *path, struct error *err) {
    const int opened = open(path, O_RDONLY | O_CLOEXEC);
    if (opened < 0)
        return fail_errno(err, path, "opening");
    enum status status = STATUS_OK;
    if (fstat(opened, info) < 0)
        status = fail_errno(err, path, "opening");
    else if (S_ISDIR(info->st_mode))
        status = ERR(err, IO, "%s: is a folder; name a file", path);
    if (status != STATUS_OK) {
        close(opened);
        return status;
    }
    *fd = opened;
    return STATUS_OK;
}

static int64_t nanoseconds(struct timespec time) {
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct file_identity identity_of(const struct stat *info) {
    return (struct file_identity){.device = info->st_dev,
                                  .inode = info->st_ino,
                                  .size = (uint64_t)info->st_size,
                                  .modified_ns = nanoseconds(info->st_mtim),
                                  .changed_ns = nanoseconds(info->st_ctim)};
}

enum status file_map_open(struct file_map *map, const char *path, struct error *err) {
    int fd = -1;
    struct stat info;
    if (open_file(&fd, &info, path, err) != STATUS_OK)
        return STATUS_ERROR;
    enum status status = STATUS_OK;
    const uint8_t *data = NULL;
    if (!S_ISREG(info.st_mode)) {
        status = ERR(err, IO, "%s: is not a regular file and cannot be mapped", path);
    } else if (info.st_size > 0) {
        void *mapped = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (mapped == MAP_FAILED)
            status = fail_errno(err, path, "mapping");
        else
            data = mapped;
    }
    close(fd);
    if (status == STATUS_OK)
        *map = (struct file_map){.data = data,
                                 .size = (size_t)info.st_size,
                                 .identity = identity_of(&info),
                                 .guard =
                                     data == NULL ? NULL : guard_take(data, (size_t)info.st_size)};
    return status;
}

void file_map_close(struct file_map *map) {
    guard_drop(map->guard);
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (struct file_map){0};
}

/* A file put in the place of the mapped one does not change what is mapped. */
bool file_map_is_intact(const struct file_map *map, const char *path) {
    struct stat info;
    if (guard_was_needed(map->guard) || stat(path, &info) != 0)
        return !guard_was_needed(map->guard);
    const struct file_identity now = identity_of(&info), *then = &map->identity;
    const bool same_file = now.device == then->device && now.inode == then->inode;
    return !same_file || (now.size == then->size && now.modified_ns == then->modified_ns);
}

void file_map_forget(const struct file_map *map, size_t from, size_t size) {
    ASSERT(from <= map->size && size <= map->size - from);
    const size_t first = (from + PAGE - 1) / PAGE * PAGE, end = (from + size) / PAGE * PAGE;
    if (first < end)
        madvise((void *)(uintptr_t)(map->data + first), end - first, MADV_DONTNEED);
}

static enum status fail_too_long(struct error *err, const char *path, size_t max) {
    return ERR(err, IO, "%s: is larger than the %zu bytes that are read", path, max);
}

/* Fills data[size]; *got is less only when the file ends before. */
static enum status read_fully(int fd, char *data, size_t size, size_t *got, const char *path,
                              struct error *err) {
    size_t done = 0;
    while (done < size) {
        const ssize_t n = read(fd, data + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(err, path, "reading");
        if (n == 0)
            break;
        done += (size_t)n;
    }
    *got = done;
    return STATUS_OK;
}

static enum status read_regular(char **data, size_t *len, struct arena *arena, const char *path,
                                int fd, size_t size, struct error *err) {
    char *block = arena_alloc(arena, size + 1);
    size_t got = 0;
    if (read_fully(fd, block, size, &got, path, err) != STATUS_OK)
        return STATUS_ERROR;
    block[got] = 0;
    *data = block;
    *len = got;
    return STATUS_OK;
}

/* Pipes, devices and the files of /proc do not say how long they are. */
static enum status read_stream(char **data, size_t *len, struct arena *arena, const char *path,
                               int fd, size_t max, struct error *err) {
    struct buf buf;
    buf_init(&buf, max + 1); /* one more than allowed shows that there is more */
    enum status status = STATUS_OK;
    for (;;) {
        const size_t left = buf.max - buf.len;
        const size_t piece = left < 64 * KiB ? left : 64 * KiB;
        if (piece == 0) {
            status = fail_too_long(err, path, max);
            break;
        }
        size_t got = 0;
        status = read_fully(fd, buf_reserve(&buf, piece), piece, &got, path, err);
        if (status != STATUS_OK)
            break;
        buf.len += got;
        if (got < piece)
            break;
    }
    if (status == STATUS_OK) {
        *data = arena_strndup(arena, buf.data, buf.len);
        *len = buf.len;
    }
    buf_deinit(&buf);
    return status;
}

enum status file_read(char **data, size_t *len, struct arena *arena, const char *path, size_t max,
                      struct error *err) {
    int fd = -1;
    struct stat info;
    if (open_file(&fd, &info, path, err) != STATUS_OK)
        return STATUS_ERROR;
    enum status status;
    if (S_ISREG(info.st_mode) && info.st_size > 0) {
        const size_t size = (size_t)info.st_size;
        status = size > max ? fail_too_long(err, path, max)
                            : read_regular(data, len, arena, path, fd, size, err);
    } else {
        status = read_stream(data, len, arena, path, fd, max, err);
    }
    close(fd);
    return status;
}

bool file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

bool folder_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* A new file beside `path`, named after it, the process and a count. */
static int create_beside(struct arena *arena, const char *path, char **name) {
    static atomic_uint count; /* publishes nothing: only makes names differ between threads */
    for (int i = 0; i < NAME_ATTEMPTS; i++) {
        *name = arena_printf(arena, "%s.%ld.%u.tmp", path, (long)getpid(),
                             atomic_fetch_add_explicit(&count, 1, memory_order_relaxed));
        const int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static bool write_fully(int fd, const char *data, size_t len) {
    while (len > 0) {
        const ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

bool folder_sync(const char *path) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool ok = fsync(fd) == 0;
    close(fd);
    return ok;
}

static bool sync_folder_of(struct arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *folder = "."; /* the rename is durable only when the folder is written too */
    if (slash)
        folder = slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
    return folder_sync(folder);
}

enum status folder_create(const char *path, struct error *err) {
    char part[PATH_MAX];
    const size_t len = strlen(path);
    if (len == 0 || len >= sizeof part)
        return ERR(err, IO, "the path of a folder has %zu bytes, must be of 1 to %zu", len,
                   sizeof part - 1);
    int why = 0; /* of the first that could not be made: it is why the ones below could not */
    for (size_t i = 0; i <= len; i++) {
        if (i > 0 && (path[i] == '/' || path[i] == 0)) {
            part[i] = 0;
            if (mkdir(part, 0700) != 0 && (why == 0 || why == EEXIST))
                why = errno;
        }
        part[i] = path[i];
    }
    if (folder_exists(path))
        return STATUS_OK;
    errno = why;
    return fail_errno(err, path, "making this folder");
}

enum status file_write_durable(const char *path, const void *data, size_t len, struct error *err) {
    struct arena arena = {0};
    enum status status = STATUS_OK;
    char *name = NULL;
    const int fd = create_beside(&arena, path, &name);
    if (fd < 0) {
        status = fail_errno(err, path, "creating");
        goto out;
    }
    bool ok = write_fully(fd, data, len) && fsync(fd) == 0;
    if (!ok)
        status = fail_errno(err, path, "writing");
    close(fd);
    if (ok && rename(name, path) < 0) {
        status = fail_errno(err, path, "renaming");
        ok = false;
    }
    if (!ok)
        unlink(name);
    else if (!sync_folder_of(&arena, path))
        status = fail_errno(err, path, "writing its folder");
out:
    arena_deinit(&arena);
    return status;
}

char *path_join(struct arena *arena, const char *folder, const char *name) {
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/')
        len--;
    const char *slash = len > 0 && folder[len - 1] == '/' ? "" : "/";
    if (len == 0)
        slash = "";
    return arena_printf(arena, "%.*s%s%s", (int)len, folder, slash, name);
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **folder_list(struct arena *arena, const char *path) {
    DIR *folder = opendir(path);
    if (!folder)
        return NULL;
    char **names = NULL;
    size_t n = 0, cap = 0;
    for (;;) {
        const struct dirent *entry = readdir(folder);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        names = mem_grow(names, &cap, n + 1, sizeof *names);
        names[n++] = arena_strndup(arena, entry->d_name, strlen(entry->d_name));
    }
    closedir(folder);
    if (n > 0)
        qsort(names, n, sizeof *names, compare_names);
    char **list = arena_alloc(arena, (n + 1) * sizeof *list);
    if (n > 0)
        memcpy(list, names, n * sizeof *list);
    list[n] = NULL;
    mem_free(names);
    return list;
}
