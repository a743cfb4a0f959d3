/* Files: whole-file reading, mapping, listing, durable writing, paths. Errors name the path and say
 * what to do. Formats are not its business. */
#ifndef BRISK_BASE_FILE_H
#define BRISK_BASE_FILE_H

#include "base/mem.h"

struct file_map {
    const uint8_t *data; /* read-only, shared; NULL for an empty file */
    size_t size;
};

/* NOT_FOUND when it is absent, IO otherwise. */
enum status file_map_open(struct file_map *map, const char *path, struct error *err) MUST_CHECK;
void file_map_close(struct file_map *map);
/* The whole file into the arena with a zero behind it; more than max bytes is an error. */
enum status file_read(char **data, size_t *len, struct arena *arena, const char *path, size_t max,
                      struct error *err) MUST_CHECK;
bool file_exists(const char *path); /* a regular file, following links */
bool folder_exists(const char *path);
/* Writes to a temporary name, fsyncs file and folder, renames: all or nothing, survives kill -9. */
enum status file_write_durable(const char *path, const void *data, size_t len,
                               struct error *err) MUST_CHECK;
/* "folder/name" in the arena. */
char *path_join(struct arena *arena, const char *folder, const char *name);
/* A sorted, NULL-terminated list of the names in a folder (no . and ..), or NULL when unreadable.
 */
char **folder_list(struct arena *arena, const char *path);

#endif
