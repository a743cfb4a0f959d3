/* Files: whole-file reading, mapping, listing, durable writing, paths. Errors name the path and say
 * what to do. Formats are not its business. */
#ifndef BRISK_BASE_FILE_H
#define BRISK_BASE_FILE_H

#include "base/guard.h"
#include "base/mem.h"

/* What tells whether a file is still the one that was read: any change of its bytes changes one of
 * these (times are nanoseconds since 1970). */
struct file_identity {
    uint64_t device, inode, size;
    int64_t modified_ns, changed_ns;
};

struct file_map {
    const uint8_t *data; /* read-only, shared; NULL for an empty file */
    size_t size;
    struct file_identity identity; /* when it was opened */
    struct guard *guard;
};

/* NOT_FOUND when it is absent, IO otherwise. */
enum status file_map_open(struct file_map *map, const char *path, struct error *err) MUST_CHECK;
void file_map_close(struct file_map *map);
/* False: the file at `path`, which the map was opened from, was changed meanwhile, or could not be
 * read: what was read from the map may be anything (zeros, where the file has ended since). */
bool file_map_is_intact(const struct file_map *map, const char *path);
/* Whole pages of data[from, from + size) no longer count as the process's until they are read. */
void file_map_forget(const struct file_map *map, size_t from, size_t size);
/* The whole file into the arena with a zero behind it; more than max bytes is an error. */
enum status file_read(char **data, size_t *len, struct arena *arena, const char *path, size_t max,
                      struct error *err) MUST_CHECK;
bool file_exists(const char *path); /* a regular file, following links */
bool folder_exists(const char *path);
/* Writes to a temporary name, fsyncs file and folder, renames: all or nothing, survives kill -9.
 * The file is its owner's alone. */
enum status file_write_durable(const char *path, const void *data, size_t len,
                               struct error *err) MUST_CHECK;
/* Makes the folder and those above it, for the owner alone; fine when it is there. */
enum status folder_create(const char *path, struct error *err) MUST_CHECK;
/* What was created or renamed in the folder survives if the machine stops now. False: perhaps not.
 */
bool folder_sync(const char *path);
/* "folder/name" in the arena. */
char *path_join(struct arena *arena, const char *folder, const char *name);
/* A sorted, NULL-terminated list of the names in a folder (no . and ..), or NULL when unreadable.
 */
char **folder_list(struct arena *arena, const char *path);

#endif
