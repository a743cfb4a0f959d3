/* A temporary folder of tokenizer files, for the tests of loading and encoding, and cmocka's head
 * lines. Header only. */
#ifndef BRISK_TESTS_TOKENIZER_FOLDER_H
#define BRISK_TESTS_TOKENIZER_FOLDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "tokenizer/tokenizer.h"

struct folder {
    char path[64];
};

static inline void folder_make(struct folder *folder) {
    snprintf(folder->path, sizeof folder->path, "/tmp/brisk-tokenizer-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
}

static inline void folder_write(const struct folder *folder, const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static inline void folder_destroy(const struct folder *folder) {
    struct arena arena = {0};
    char **names = folder_list(&arena, folder->path);
    for (; names && *names; names++)
        unlink(path_join(&arena, folder->path, *names));
    rmdir(folder->path);
    arena_deinit(&arena);
}

/* Loads a tokenizer.json given as text. */
static inline enum status folder_load(struct tokenizer **out, const char *tokenizer_json,
                                      const char *tokenizer_config, struct error *err) {
    struct folder folder;
    folder_make(&folder);
    folder_write(&folder, "tokenizer.json", tokenizer_json);
    if (tokenizer_config)
        folder_write(&folder, "tokenizer_config.json", tokenizer_config);
    const enum status status = tokenizer_load(out, folder.path, err);
    folder_destroy(&folder);
    return status;
}

static inline struct tokenizer *folder_must_load(const char *tokenizer_json) {
    struct tokenizer *tokenizer = NULL;
    struct error err;
    if (folder_load(&tokenizer, tokenizer_json, NULL, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return tokenizer;
}

/* The tokenizer of a folder that is there. */
static inline struct tokenizer *tokenizer_of(const char *path) {
    struct tokenizer *tokenizer = NULL;
    struct error err;
    if (tokenizer_load(&tokenizer, path, &err) != STATUS_OK)
        fail_msg("%s: %s", path, err.text);
    return tokenizer;
}

/* A folder that row `row` wrote, which must not load, and what its error says; it is removed. */
static inline void folder_is_refused(struct folder *folder, size_t row, const char *reason) {
    struct tokenizer *tokenizer = NULL;
    struct error err;
    if (tokenizer_load(&tokenizer, folder->path, &err) == STATUS_OK)
        fail_msg("row %zu was accepted", row);
    if (!strstr(err.text, reason))
        fail_msg("row %zu: wanted \"%s\" in \"%s\"", row, reason, err.text);
    folder_destroy(folder);
}

/* A tokenizer.json, and what its error says. */
struct refusal {
    const char *json, *reason;
};

static inline void folder_refuses(const struct refusal *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct tokenizer *tokenizer;
        struct error err;
        if (folder_load(&tokenizer, rows[i].json, NULL, &err) == STATUS_OK)
            fail_msg("%s was accepted", rows[i].json);
        assert_int_equal(err.code, ERROR_MODEL);
        if (!strstr(err.text, rows[i].reason))
            fail_msg("%s: wanted \"%s\" in \"%s\"", rows[i].json, rows[i].reason, err.text);
    }
}

#endif
