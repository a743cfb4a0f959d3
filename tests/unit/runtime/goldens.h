/* The cases under tests/golden/<family>/<name>/cases.json, for the tests that walk them all. Each
 * folder is a model repository beside its cases. */
#ifndef BRISK_TESTS_RUNTIME_GOLDENS_H
#define BRISK_TESTS_RUNTIME_GOLDENS_H

#include <string.h>

#include "base/base.h"

#define GOLDEN_FOLDER "tests/golden"

/* Tests that ask all goldens many times over take every so many under a sanitizer, which is many times
 * as slow: golden_test asks each of them there, and what the sanitizers look for, in memory and
 * between threads, is in the code that all share. */
#if defined(__SANITIZE_THREAD__)
#define GOLDENS_STEP 13
#elif defined(__SANITIZE_ADDRESS__)
#define GOLDENS_STEP 5
#else
#define GOLDENS_STEP 1
#endif

struct golden {
    const char *model; /* "bert/fill-mask" */
    const char *name, *task;
    const char *body; /* JSON text */
    size_t body_len;
    const struct json *answer;
    double tolerance;
    const char *title; /* letters, digits and '_' only */
};

struct goldens {
    struct arena arena;
    struct golden *at;
    size_t n, cap;
};

static inline const char *golden_title(struct arena *arena, const char *model, const char *name) {
    char *title = arena_printf(arena, "%s_%s", model, name);
    for (char *c = title; *c != '\0'; c++) {
        const bool fine =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        *c = fine ? *c : '_';
    }
    return title;
}

static inline void golden_add(struct goldens *goldens, const char *model, const struct json *row) {
    struct buf body;
    buf_init(&body, LIMIT_BODY);
    struct json_out out = json_out_begin(&body);
    json_value(&out, json_get(row, "body"));
    goldens->at = mem_grow(goldens->at, &goldens->cap, goldens->n + 1, sizeof(*goldens->at));
    const char *name = json_get_string(row, "name", "?");
    goldens->at[goldens->n++] = (struct golden){
        .model = model,
        .name = name,
        .task = json_get_string(row, "task", NULL),
        .body = arena_strndup(&goldens->arena, body.data, body.len),
        .body_len = body.len,
        .answer = json_get(row, "answer"),
        .tolerance = json_get_number(row, "tolerance", 0.002),
        .title = golden_title(&goldens->arena, model, name),
    };
    buf_deinit(&body);
}

static inline bool golden_has_weights(struct goldens *goldens, const char *model) {
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json",
                                        "adapter_config.json", "model.gguf",
                                        "model-00001-of-00003.gguf"};
    bool has = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        has |=
            file_exists(arena_printf(&goldens->arena, "%s/%s/%s", GOLDEN_FOLDER, model, names[i]));
    return has;
}

static inline void goldens_of(struct goldens *goldens, const char *model) {
    struct error err = {0};
    char *text = NULL;
    size_t len = 0;
    const struct json *rows = NULL;
    const char *path = arena_printf(&goldens->arena, "%s/%s/cases.json", GOLDEN_FOLDER, model);
    if (!file_exists(path) || !golden_has_weights(goldens, model))
        return; /* cases of something else */
    if (file_read(&text, &len, &goldens->arena, path, LIMIT_JSON_FILE, &err) != STATUS_OK ||
        json_parse(&rows, &goldens->arena, text, len, JSON_PYTHON, &err) != STATUS_OK)
        PANIC("%s: %s", path, err.text);
    for (size_t i = 0; i < rows->len; i++)
        golden_add(goldens, model, json_at(rows, i));
}

/* All folders; with GOLDEN=<family> in the environment that family's only. */
static inline void goldens_load(struct goldens *goldens) {
    const char *only = getenv("GOLDEN");
    *goldens = (struct goldens){0};
    char **families = folder_list(&goldens->arena, GOLDEN_FOLDER);
    for (size_t f = 0; families != NULL && families[f] != NULL; f++) {
        if (only != NULL && strcmp(only, families[f]) != 0)
            continue;
        char **names =
            folder_list(&goldens->arena, path_join(&goldens->arena, GOLDEN_FOLDER, families[f]));
        for (size_t n = 0; names != NULL && names[n] != NULL; n++)
            goldens_of(goldens, path_join(&goldens->arena, families[f], names[n]));
    }
}

static inline void goldens_free(struct goldens *goldens) {
    mem_free(goldens->at);
    arena_deinit(&goldens->arena);
}

#endif
