/* A temporary folder for tests that need files: made, written into, removed with all it holds.
 * Copies of goldens come from here too. */
#ifndef BRISK_TESTS_RUNTIME_FOLDER_H
#define BRISK_TESTS_RUNTIME_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

struct folder {
    char path[64];
    struct arena arena; /* of the paths handed out */
};

static inline void folder_make(struct folder *folder) {
    *folder = (struct folder){.path = "/tmp/brisk-test-XXXXXX"};
    if (mkdtemp(folder->path) == NULL)
        PANIC("no temporary folder");
}

static inline const char *folder_path(struct folder *folder, const char *name) {
    return path_join(&folder->arena, folder->path, name);
}

/* Writes a file, making the folders above it. */
static inline void folder_write_n(struct folder *folder, const char *name, const void *data,
                                  size_t len) {
    char *path = arena_printf(&folder->arena, "%s/%s", folder->path, name);
    for (char *slash = path + strlen(folder->path) + 1; (slash = strchr(slash, '/')) != NULL;
         slash++) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(data, 1, len, file) != len || fclose(file) != 0)
        PANIC("cannot write %s", path);
}

static inline void folder_write(struct folder *folder, const char *name, const char *text) {
    folder_write_n(folder, name, text, strlen(text));
}

/* Copies the files of a repository (no folders below it). */
static inline void folder_copy(struct folder *folder, const char *from, const char *name) {
    char **names = folder_list(&folder->arena, from);
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        const char *path = path_join(&folder->arena, from, names[i]);
        struct error err = {0};
        char *data = NULL;
        size_t len = 0;
        if (!file_exists(path))
            continue;
        if (file_read(&data, &len, &folder->arena, path, LIMIT_JSON_FILE, &err) != STATUS_OK)
            PANIC("%s", err.text);
        folder_write_n(folder, path_join(&folder->arena, name, names[i]), data, len);
    }
}

static inline int folder_remove_one(const char *path, const struct stat *st, int kind,
                                    struct FTW *at) {
    return remove(path);
}

static inline void folder_remove(struct folder *folder) {
    nftw(folder->path, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
    arena_deinit(&folder->arena);
}

#endif
