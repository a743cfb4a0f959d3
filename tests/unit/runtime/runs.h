/* Loaded goldens and runs made by hand, for the tests of the scheduler's parts. No JSON, no
 * tokenizer: tokens are numbers. */
#ifndef BRISK_TESTS_RUNTIME_RUNS_H
#define BRISK_TESTS_RUNTIME_RUNS_H

#include "runtime/run.h"

struct bench_of_runs { /* a model, its team, and an arena for the runs */
    struct team *team;
    struct loaded *loaded;
    struct arena arena;
};

/* page_bytes: most for keys and values; 0: what the system has. */
static inline void runs_open_as(struct bench_of_runs *runs, const char *model,
                                enum precision precision, uint32_t threads, size_t page_bytes) {
    struct error err = {0};
    struct arena arena = {0};
    *runs = (struct bench_of_runs){0};
    if (team_create(&runs->team, threads, &err) != STATUS_OK)
        PANIC("%s", err.text);
    const struct load load = {
        .id = model,
        .folder = arena_printf(&arena, "tests/golden/%s", model),
        .precision = {.precision = precision},
        .team = runs->team,
        .page_bytes = page_bytes,
    };
    if (loaded_create(&runs->loaded, &load, &err) != STATUS_OK)
        PANIC("%s", err.text);
    arena_deinit(&arena);
}

static inline void runs_open_pages(struct bench_of_runs *runs, const char *model,
                                   size_t page_bytes) {
    runs_open_as(runs, model, PRECISION_FP32, 2, page_bytes);
}

static inline void runs_open(struct bench_of_runs *runs, const char *model) {
    runs_open_pages(runs, model, 0);
}

static inline void runs_close(struct bench_of_runs *runs) {
    loaded_destroy(runs->loaded);
    team_destroy(runs->team);
    arena_deinit(&runs->arena);
}

/* An item of n tokens 5, 6, 7, …; with new_tokens it generates so many. */
static inline struct item *runs_item(struct bench_of_runs *runs, uint32_t n, uint32_t new_tokens) {
    const struct arch *arch = &runs->loaded->arch;
    struct item *item = arena_zalloc(&runs->arena, 1, sizeof(*item));
    int32_t *tokens = arena_alloc(&runs->arena, n * sizeof(*tokens));
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = 5 + (int32_t)i % 20;
    item->tokens = tokens;
    item->n = n;
    if (arch_has_decoder(arch)) {
        item->decoder_tokens = arena_zalloc(&runs->arena, 1, sizeof(int32_t));
        item->n_decoder = 1;
    }
    if (new_tokens > 0) {
        struct generation_config *config = arena_zalloc(&runs->arena, 1, sizeof(*config));
        generation_config_default(config);
        config->max_new_tokens = config->min_new_tokens = new_tokens;
        config->n_eos = 0;
        item->kind = ITEM_GENERATE;
        item->config = config;
    } else {
        uint32_t *row = arena_zalloc(&runs->arena, 1, sizeof(*row));
        item->rows = row;
        item->n_rows = 1;
        item->hidden = arena_alloc(&runs->arena, LIMIT_HIDDEN_SIZE * sizeof(float));
    }
    return item;
}

/* A run of `count` such items. */
static inline struct run runs_run(struct bench_of_runs *runs, uint32_t count, uint32_t n,
                                  uint32_t new_tokens) {
    static const atomic_bool never;
    struct item *items = NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = runs_item(runs, n, new_tokens);
        item->next = items;
        items = item;
    }
    return (struct run){.loaded = runs->loaded,
                        .arena = &runs->arena,
                        .items = items,
                        .deadline_ns = UINT64_MAX,
                        .cancelled = &never};
}

#endif
