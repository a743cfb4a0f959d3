/* Finding repositories under the model folders. Ids are checked by their letters before they touch
 * a path, so nothing outside the folders can be named; links inside them are followed, since the
 * owner of the folder made them. */
#include "runtime/repos.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/banned.h"

enum status repos_init(struct repos *repos, const char *const *folders, bool paths,
                       struct error *err) {
    size_t n = 0;
    while (folders != NULL && folders[n] != NULL)
        n++;
    for (size_t i = 0; i < n; i++) {
        if (!folder_exists(folders[i]))
            return ERR(err, NOT_FOUND, "model folder \"%s\" does not exist", folders[i]);
    }
    repos->folders = mem_zalloc(n + 1, sizeof(char *));
    for (size_t i = 0; i < n; i++)
        repos->folders[i] = mem_strdup(folders[i]);
    repos->paths = paths;
    return STATUS_OK;
}

void repos_deinit(struct repos *repos) {
    for (size_t i = 0; repos->folders != NULL && repos->folders[i] != NULL; i++)
        mem_free(repos->folders[i]);
    mem_free(repos->folders);
    repos->folders = NULL;
}

static bool id_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

bool repos_id_valid(const char *id) {
    const size_t len = strlen(id);
    if (len == 0 || len > LIMIT_MODEL_ID)
        return false;
    size_t slashes = 0;
    for (size_t i = 0; i < len; i++) {
        const bool begins = i == 0 || id[i - 1] == '/';
        if (id[i] == '/') {
            slashes++;
            if (begins || i + 1 == len)
                return false;
        } else if (!id_letter(id[i]) || (begins && id[i] == '.')) {
            return false;
        }
    }
    return slashes <= 1;
}

static bool is_repository(struct arena *arena, const char *folder, bool need_config) {
    if (!need_config)
        return folder_exists(folder);
    (void)arena;
    return repository_exists(folder);
}

enum status repos_find(const struct repos *repos, const char *id, bool need_config,
                       struct arena *arena, char **folder, struct error *err) {
    if (repos->paths && id[0] == '/') {
        if (!folder_exists(id))
            return ERR(err, NOT_FOUND, "folder \"%s\" does not exist", id);
        if (!is_repository(arena, id, need_config))
            return ERR(err, NOT_FOUND, "folder \"%s\" holds no config.json", id);
        *folder = arena_strndup(arena, id, strlen(id));
        return STATUS_OK;
    }
    for (size_t i = 0; repos_id_valid(id) && repos->folders[i] != NULL; i++) {
        char *path = path_join(arena, repos->folders[i], id);
        if (is_repository(arena, path, need_config)) {
            *folder = path;
            return STATUS_OK;
        }
    }
    return ERR(err, NOT_FOUND, "Model %.256s does not exist", id);
}

/* ---- what belongs to a repository but lies elsewhere ---- */

/* Whether the folder is in one of the model folders, all links followed. */
static bool inside(const struct repos *repos, const char *path) {
    char real[PATH_MAX], parent[PATH_MAX];
    if (realpath(path, real) == NULL)
        return false;
    for (size_t i = 0; repos->folders[i] != NULL; i++) {
        const size_t len = realpath(repos->folders[i], parent) == NULL ? 0 : strlen(parent);
        if (len > 0 && strncmp(real, parent, len) == 0 && real[len] == '/')
            return true;
    }
    return false;
}

static bool take_path(const struct repos *repos, char *path, char **folder) {
    if ((!repos->paths && !inside(repos, path)) || !repository_exists(path))
        return false;
    *folder = path;
    return true;
}

/* What an adapter says is not trusted: its path must lead into the model folders. */
static enum status find_base(const void *user, const char *adapter_folder, const char *name,
                             struct arena *arena, char **folder, struct error *err) {
    const struct repos *repos = user;
    if (name[0] == '/')
        return take_path(repos, arena_printf(arena, "%s", name), folder)
                   ? STATUS_OK
                   : ERR(err, NOT_FOUND, "%.256s is in no model folder", name);
    if (repos_id_valid(name) && repos_find(repos, name, true, arena, folder, err) == STATUS_OK)
        return STATUS_OK;
    static const char *const beside[] = {"", "../", "../../"};
    for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
        char *path = arena_printf(arena, "%s/%s%s", adapter_folder, beside[i], name);
        if (take_path(repos, path, folder))
            return STATUS_OK;
    }
    return ERR(err, NOT_FOUND, "Model %.256s does not exist", name);
}

struct locate repos_locate(const struct repos *repos) {
    return (struct locate){.find = find_base, .user = repos};
}

/* One listed before in an earlier folder is not told again. */
static bool listed_before(const struct repos *repos, size_t folder, struct arena *arena,
                          const char *id) {
    for (size_t i = 0; i < folder; i++) {
        if (is_repository(arena, path_join(arena, repos->folders[i], id), true))
            return true;
    }
    return false;
}

static void each_of(const struct repos *repos, size_t i, const char *prefix,
                    void (*each)(void *user, const char *id), void *user) {
    struct arena arena = {0};
    const char *parent =
        prefix == NULL ? repos->folders[i] : path_join(&arena, repos->folders[i], prefix);
    char **names = folder_list(&arena, parent);
    for (size_t n = 0; names != NULL && names[n] != NULL; n++) {
        const char *id = prefix == NULL ? names[n] : path_join(&arena, prefix, names[n]);
        const char *path = path_join(&arena, repos->folders[i], id);
        if (!repos_id_valid(id) || !folder_exists(path))
            continue;
        if (is_repository(&arena, path, true)) {
            if (!listed_before(repos, i, &arena, id))
                each(user, id);
        } else if (prefix == NULL) {
            each_of(repos, i, id, each, user);
        }
    }
    arena_deinit(&arena);
}

void repos_each(const struct repos *repos, void (*each)(void *user, const char *id), void *user) {
    for (size_t i = 0; repos->folders[i] != NULL; i++)
        each_of(repos, i, NULL, each, user);
}

/* FNV-1a; a stamp guards against nobody's malice. */
static uint64_t mix(uint64_t hash, const void *data, size_t len) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3u;
    return hash;
}

static uint64_t stamp_of(uint64_t hash, struct arena *arena, const char *folder, bool deeper) {
    char **names = folder_list(arena, folder);
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        const char *path = path_join(arena, folder, names[i]);
        struct stat st;
        if (stat(path, &st) != 0)
            continue;
        if (S_ISDIR(st.st_mode)) {
            if (deeper)
                hash = stamp_of(hash, arena, path, false);
            continue;
        }
        hash = mix(hash, names[i], strlen(names[i]) + 1);
        hash = mix(hash, &st.st_mtim.tv_sec, sizeof(st.st_mtim.tv_sec));
        hash = mix(hash, &st.st_mtim.tv_nsec, sizeof(st.st_mtim.tv_nsec));
        hash = mix(hash, &st.st_size, sizeof(st.st_size));
    }
    return hash;
}

uint64_t repos_stamp(const struct repos *repos, const char *folder) {
    struct arena arena = {0};
    const struct locate locate = repos_locate(repos);
    uint64_t stamp = stamp_of(0xcbf29ce484222325u, &arena, folder, true);
    const char *base = repository_base(folder, &locate, &arena);
    if (base != NULL)
        stamp = stamp_of(mix(stamp, base, strlen(base)), &arena, base, true);
    arena_deinit(&arena);
    return stamp;
}

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Of one format: a folder may hold the same weights in several. */
static size_t bytes_of(struct arena *arena, const char *folder, char **names, const char *end) {
    size_t bytes = 0;
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        struct stat st;
        if (ends_with(names[i], end) && stat(path_join(arena, folder, names[i]), &st) == 0)
            bytes += (size_t)st.st_size;
    }
    return bytes;
}

size_t repos_weight_bytes(const char *folder) {
    static const char *const ends[] = {".safetensors", ".bin", ".gguf"};
    struct arena arena = {0};
    char **names = folder_list(&arena, folder);
    size_t bytes = 0;
    for (size_t i = 0; i < ARRAY_LEN(ends) && bytes == 0; i++)
        bytes = bytes_of(&arena, folder, names, ends[i]);
    arena_deinit(&arena);
    return bytes;
}
