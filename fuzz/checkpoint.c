/* Fuzzes whole folders: index and shards, weight norm, an adapter on its base model, modules.json.
 * An input is text: lines "@name" begin a file of the folder, what follows is in it. Of safetensors
 * files only the header is written there; its length and some data are added. Every tensor that
 * comes out of it is read. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DATA 64 /* bytes of a safetensors file behind its header, all of them or none */

static const char *const files[] = {
    "model.safetensors",
    "1.safetensors",
    "2.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "modules.json",
    "0/config.json",
    "0/model.safetensors",
    "adapter/adapter_config.json",
    "adapter/adapter_model.safetensors",
    "adapter/config.json",
};

static struct arena paths; /* of one input */
static char folder[64];

static char *path_of(const char *name) {
    return path_join(&paths, folder, name);
}

static void folders_make(void) {
    snprintf(folder, sizeof folder, "/tmp/brisk-fuzz-%d", (int)getpid());
    mkdir(folder, 0700);
    mkdir(path_of("adapter"), 0700);
    mkdir(path_of("0"), 0700);
}

static void folders_clear(void) {
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(path_of(files[i]));
}

static void folders_remove(void) {
    folders_clear();
    rmdir(path_of("adapter"));
    rmdir(path_of("0"));
    rmdir(folder);
    arena_deinit(&paths);
}

static void write_file(const char *name, const char *text, size_t len) {
    static const uint8_t bytes[DATA] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 60, 61, 62, 63};
    const bool is_weights = strstr(name, ".safetensors") != NULL && strstr(name, ".json") == NULL;
    FILE *file = fopen(path_of(name), "wb");
    if (file == NULL)
        PANIC("no file %s", name);
    for (size_t i = 0; is_weights && i < 8; i++)
        fputc((int)(len >> (8 * i) & 255), file);
    fwrite(text, 1, len, file);
    /* The header says how much data there is: cut where the last tensor of a seed ends. */
    size_t n = 0;
    for (size_t i = 0; is_weights && i + 1 < len; i++) {
        if (text[i] == ',' && text[i + 1] >= '0' && text[i + 1] <= '9')
            n = strtoul(text + i + 1, NULL, 10) > n ? strtoul(text + i + 1, NULL, 10) : n;
    }
    fwrite(bytes, 1, n < DATA ? n : DATA, file);
    fclose(file);
}

/* Cuts the input at "@name" lines. */
static void write_files(const char *text) {
    const char *at = text;
    while ((at = strchr(at, '@')) != NULL) {
        const char *end = strchr(at, '\n');
        if (end == NULL)
            return;
        const char *next = strstr(end, "\n@");
        const size_t len = next != NULL ? (size_t)(next - end - 1) : strlen(end + 1);
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
            if (strlen(files[i]) == (size_t)(end - at) - 1 &&
                memcmp(files[i], at + 1, strlen(files[i])) == 0)
                write_file(files[i], end + 1, next == end ? 0 : len);
        }
        at = end;
    }
}

static enum status find_base(const void *user, const char *adapter_folder, const char *name,
                             struct arena *arena, char **found, struct error *err) {
    *found = arena_printf(arena, "%s", folder);
    return STATUS_OK;
}

static void read_all(const struct checkpoint *checkpoint) {
    float floats[256];
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++) {
        const struct tensor *tensor = checkpoint_at(checkpoint, i);
        if (checkpoint_find(checkpoint, tensor->name) != tensor)
            PANIC("tensor %s is not found", tensor->name);
        for (size_t at = 0, n = 0; at < tensor->elements && at < 65536; at += n) {
            n = tensor->elements - at < 256 ? tensor->elements - at : 256;
            tensor_to_floats(tensor, at, n, floats);
        }
    }
}

static void open_as(const char *path) {
    const struct locate locate = {.find = find_base};
    struct repository repository;
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    if (repository_open_located(&repository, path, &locate, &err) != STATUS_OK)
        goto refused;
    const enum status status = checkpoint_open_repository(&checkpoint, &repository, &err);
    if (status == STATUS_OK)
        read_all(checkpoint);
    checkpoint_close(checkpoint);
    repository_close(&repository);
    if (status == STATUS_OK)
        return;
refused:
    if (err.text[0] == 0 || !utf8_valid(err.text, strlen(err.text), NULL))
        PANIC("an error without a readable text");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (folder[0] == 0) {
        log_set_level(LOG_ERROR + 1);
        folders_make();
        atexit(folders_remove);
    }
    char *text = mem_alloc(size + 1);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = 0;
    write_files(text);
    open_as(folder);
    open_as(path_of("adapter"));
    folders_clear();
    arena_reset(&paths);
    mem_free(text);
    return 0;
}
