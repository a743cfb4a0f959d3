/* What commands with a model share: opening a runtime, naming the model, loading it with a bar.
 * Nothing here runs one. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "base/banned.h"

#define BAR_WIDTH 30

const char *cache_folder(const struct cache_flags *flags, const char *data_dir,
                         struct arena *arena) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (flags->folder != NULL)
        return strcmp(flags->folder, "none") == 0 ? NULL : flags->folder;
    if (data_dir != NULL)
        return path_join(arena, data_dir, "packed");
    if (base != NULL && base[0] == '/') /* as the XDG base directory specification says */
        return path_join(arena, base, "brisk");
    return home != NULL && home[0] == '/' ? path_join(arena, home, ".cache/brisk") : NULL;
}

int runtime_open(struct brisk **out, const char *command, const struct model_flags *flags) {
    char error[LIMIT_ERROR_TEXT];
    const struct brisk_options options = {
        .model_folders = flags->folders.texts,
        .precision = flags->precision,
        .threads = flags->threads,
        .memory_bytes = flags->memory_bytes,
        .cache_folder = flags->cache_folder,
        .cache_bytes = flags->cache_bytes,
    };
    log_set_level(LOG_WARN);
    const int code = brisk_create(out, &options, error, sizeof(error));
    return code == 0 ? 0 : command_error(command, code, "%s", error);
}

const char *model_argument(struct arena *arena, const char *text) {
    char path[PATH_MAX];
    if (folder_exists(text) && realpath(text, path) != NULL)
        return arena_strndup(arena, path, strlen(path));
    return arena_strndup(arena, text, strlen(text));
}

static void draw_bar(void *user, double share) {
    const char *model = user;
    const char *name = strrchr(model, '/') == NULL ? model : strrchr(model, '/') + 1;
    char bar[BAR_WIDTH + 1];
    const int full = (int)(share * BAR_WIDTH);
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i < full ? '#' : '.';
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\rloading %s [%s] %3d %%", name, bar, (int)(share * 100));
    fflush(stderr);
}

int model_load(struct brisk *brisk, const char *command, const char *model) {
    char error[LIMIT_ERROR_TEXT];
    const bool terminal = isatty(STDERR_FILENO);
    log_set_level(LOG_ERROR + 1); /* the error is told below, once */
    const int code = brisk_model_load(brisk, model, terminal ? draw_bar : NULL, (void *)model,
                                      error, sizeof(error));
    log_set_level(LOG_WARN);
    if (terminal)
        fprintf(stderr, "\r\033[K"); /* the bar goes away */
    return code == 0 ? 0 : command_error(command, code, "%s", error);
}
