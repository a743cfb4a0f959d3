/* A temporary folder for what is read from files only, gone when the fuzzer ends. One a program.
 * Header only. */
#ifndef BRISK_FUZZ_FOLDER_H
#define BRISK_FUZZ_FOLDER_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

static char folder[] = "/tmp/brisk-fuzz-XXXXXX";

static void folder_remove(void) {
    struct arena arena = {0};
    char **names = folder_list(&arena, folder);
    for (; names && *names; names++)
        unlink(path_join(&arena, folder, *names));
    rmdir(folder);
    arena_deinit(&arena);
}

/* Makes it at the first call. */
static void folder_need(void) {
    static bool made;
    if (made)
        return;
    if (!mkdtemp(folder))
        PANIC("cannot make a folder below /tmp");
    atexit(folder_remove);
    made = true;
}

static void folder_put(const char *name, const void *data, size_t size) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *out = fopen(path, "wb");
    if (!out || (size > 0 && fwrite(data, 1, size, out) != size) || fclose(out) != 0)
        PANIC("cannot write %s", path);
}

static void folder_drop(const char *name) {
    char path[96];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
}

#endif
