/* Temporary folders and safetensors files for this room's tests. Everything a test makes stands in
 * one folder under $TMPDIR that folder_remove takes away again. */
#ifndef BRISK_TESTS_FORMATS_FILES_H
#define BRISK_TESTS_FORMATS_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/base.h"

struct folder {
    char path[256];
};

static inline void folder_make(struct folder *folder) {
    const char *tmp = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/brisk-formats-XXXXXX",
             tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder->path));
}

static inline void folder_remove(struct folder *folder) {
    struct arena arena = {0};
    char **names = folder_list(&arena, folder->path);
    for (char **name = names; name != NULL && *name != NULL; name++) {
        const char *path = path_join(&arena, folder->path, *name);
        assert_true(unlink(path) == 0 || rmdir(path) == 0);
    }
    assert_int_equal(rmdir(folder->path), 0);
    arena_deinit(&arena);
}

static inline void folder_put(struct folder *folder, const char *name, const void *data,
                              size_t len) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static inline void folder_put_text(struct folder *folder, const char *name, const char *text) {
    folder_put(folder, name, text, strlen(text));
}

/* A safetensors file: length, header, n_data bytes counting 0, 1, 2, … Free with mem_free. */
static inline uint8_t *safetensors_make(const char *header, size_t n_data, size_t *size) {
    const size_t len = strlen(header);
    *size = 8 + len + n_data;
    uint8_t *file = mem_alloc(*size);
    for (size_t i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)len >> (8 * i));
    memcpy(file + 8, header, len);
    for (size_t i = 0; i < n_data; i++)
        file[8 + len + i] = (uint8_t)i;
    return file;
}

static inline void folder_put_safetensors(struct folder *folder, const char *name,
                                          const char *header, size_t n_data) {
    size_t size = 0;
    uint8_t *file = safetensors_make(header, n_data, &size);
    folder_put(folder, name, file, size);
    mem_free(file);
}

/* The row's error is there, and is a refusal of the model. */
static inline void assert_refused(enum status status, const struct error *err, const char *row,
                                  const char *wanted) {
    if (status != STATUS_ERROR)
        fail_msg("%s: accepted, wanted the error: %s", row, wanted);
    if (strstr(err->text, wanted) == NULL)
        fail_msg("%s:\n  wanted: %s\n  got:    %s", row, wanted, err->text);
}

#endif
