/* Checkpoints: a folder's weights as one sorted list of tensors, whatever files they stand in.
 *
 * Finds the files (one, or the shards that an index names), maps them, lets the weight format list
 * their tensors, and checks what concerns several files: names, the index against the shards. What
 * a file looks like inside is the format's business; a new one adds a line to formats.inc. */
#include <fnmatch.h>

#include "formats/adapter.h"

static const struct format *const formats[] = {
#define FORMAT(name) &format_##name,
#include "formats/formats.inc"
#undef FORMAT
};

/* ---- the files ---- */

struct checkpoint {
    struct arena arena; /* names and paths of the files */
    struct tensor_list list;
    const char **files;    /* [n_files], sorted */
    const char **paths;    /* [n_files] */
    struct file_map *maps; /* [n_files] */
    uint32_t n_files;
    struct checkpoint *merged;     /* the adapter, whose tensors are in the list; or NULL */
    struct packed_digest settings; /* of its adapter_config.json */
};

/* Maps file i and adds its tensors. */
static enum status add_file(struct checkpoint *checkpoint, const struct format *format,
                            const char *folder, uint32_t i, struct error *err) {
    const char *name = checkpoint->files[i];
    const char *path = checkpoint->paths[i] = path_join(&checkpoint->arena, folder, name);
    if (file_map_open(&checkpoint->maps[i], path, err) != STATUS_OK)
        return STATUS_ERROR; /* names the path */
    const struct file_map *map = &checkpoint->maps[i];
    if (map->size == 0)
        return ERR(err, MODEL, "%.100s is empty: download it again", name);
    checkpoint->list.file = i;
    size_t may_own = 0;
    if (size_mul(map->size, LIMIT_OWNED_RATIO, &may_own))
        checkpoint->list.may_own += may_own;
    if (format->list(&checkpoint->list, map->data, map->size, err) != STATUS_OK)
        return error_prefix(err, "%.100s: ", name);
    return STATUS_OK;
}

/* Takes the names (in the checkpoint's arena, sorted) and reads the files. */
static enum status add_files(struct checkpoint *checkpoint, const struct format *format,
                             const char *folder, const char **files, uint32_t n,
                             struct error *err) {
    checkpoint->files = files;
    checkpoint->paths = arena_zalloc(&checkpoint->arena, n, sizeof *checkpoint->paths);
    checkpoint->maps = arena_zalloc(&checkpoint->arena, n, sizeof *checkpoint->maps);
    checkpoint->n_files = n;
    checkpoint->list.n_files = n;
    for (uint32_t i = 0; i < n; i++) {
        if (add_file(checkpoint, format, folder, i, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    return tensor_list_finish(&checkpoint->list, files, err);
}

/* ---- shards ---- */

/* A shard is a file of the same folder: nothing an index says reaches outside it. */
static bool is_plain_name(const struct json *name) {
    return json_is(name, JSON_STRING) && name->len > 0 && name->text[0] != '.' &&
           memchr(name->text, '/', name->len) == NULL && memchr(name->text, 0, name->len) == NULL;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The distinct file names of the map, sorted. */
static enum status list_shards(const char ***files, uint32_t *n, struct checkpoint *checkpoint,
                               const struct json *map, struct error *err) {
    const char **names = arena_zalloc(&checkpoint->arena, map->len, sizeof *names);
    for (uint32_t i = 0; i < map->len; i++) {
        const struct json *name = &map->members[i].value;
        if (!is_plain_name(name))
            return ERR(
                err, MODEL,
                "\"weight_map\": \"%.100s\" stands in %s%.100s%s, must be the name of a file in "
                "the same folder",
                map->members[i].key, json_is(name, JSON_STRING) ? "\"" : "a JSON ",
                json_is(name, JSON_STRING) ? name->text : json_type_name(name->type),
                json_is(name, JSON_STRING) ? "\"" : "");
        names[i] = name->text;
    }
    qsort(names, map->len, sizeof *names, compare_names);
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < map->len; i++) {
        if (distinct == 0 || strcmp(names[distinct - 1], names[i]) != 0)
            names[distinct++] = names[i];
    }
    if (distinct > LIMIT_SHARDS)
        return ERR(err, MODEL, "\"weight_map\" names %u files, at most %d are read", distinct,
                   LIMIT_SHARDS);
    for (uint32_t i = 0; i < distinct; i++) /* the map goes away, the checkpoint stays */
        names[i] = arena_strndup(&checkpoint->arena, names[i], strlen(names[i]));
    *files = names;
    *n = distinct;
    return STATUS_OK;
}

/* Every tensor that the index promises is in the shard that it names. */
static enum status check_index(const struct checkpoint *checkpoint, const struct json *map,
                               struct error *err) {
    for (uint32_t i = 0; i < map->len; i++) {
        const char *name = map->members[i].key, *file = map->members[i].value.text;
        const struct listed *item = tensor_list_find(&checkpoint->list, name);
        if (item == NULL)
            return ERR(err, MODEL,
                       "tensor \"%.100s\" should be in %.100s, which does not hold it: index and "
                       "shards are of different downloads; download all again",
                       name, file);
        if (strcmp(checkpoint->files[item->file], file) != 0)
            return ERR(
                err, MODEL,
                "tensor \"%.100s\" should be in %.100s but stands in %.100s: index and shards "
                "are of different downloads; download all again",
                name, file, checkpoint->files[item->file]);
    }
    return STATUS_OK;
}

static enum status check_shards_exist(struct checkpoint *checkpoint, const char *folder,
                                      const char **files, uint32_t n, struct error *err) {
    for (uint32_t i = 0; i < n; i++) {
        if (!file_exists(path_join(&checkpoint->arena, folder, files[i])))
            return ERR(err, MODEL, "shard %.100s (%u of %u) is missing: download it", files[i],
                       i + 1, n);
    }
    return STATUS_OK;
}

static enum status parse_index(const struct json **map, struct arena *scratch, const char *path,
                               struct error *err) {
    char *text = NULL;
    size_t len = 0;
    const struct json *index = NULL;
    if (file_read(&text, &len, scratch, path, LIMIT_CONFIG_FILE, err) != STATUS_OK)
        return STATUS_ERROR;
    if (json_parse(&index, scratch, text, len, JSON_PYTHON, err) != STATUS_OK) {
        err->code = ERROR_MODEL;
        return STATUS_ERROR;
    }
    *map = json_get(index, "weight_map");
    if (!json_is(*map, JSON_OBJECT) || (*map)->len == 0)
        return ERR(err, MODEL, "\"weight_map\" must be an object of tensor and file names");
    return STATUS_OK;
}

static enum status add_shards(struct checkpoint *checkpoint, const struct format *format,
                              const char *folder, const char *path, struct error *err) {
    struct arena scratch = {0};
    const struct json *map = NULL;
    const char **files = NULL;
    uint32_t n = 0;
    enum status status = parse_index(&map, &scratch, path, err);
    if (status == STATUS_OK)
        status = list_shards(&files, &n, checkpoint, map, err);
    if (status == STATUS_OK)
        status = check_shards_exist(checkpoint, folder, files, n, err);
    if (status != STATUS_OK)
        error_prefix(err, "%s: ", format->index);
    if (status == STATUS_OK)
        status = add_files(checkpoint, format, folder, files, n, err);
    if (status == STATUS_OK && check_index(checkpoint, map, err) != STATUS_OK)
        status = error_prefix(err, "%s: ", format->index);
    arena_deinit(&scratch);
    return status;
}

/* ---- opening ---- */

static bool is_pattern(const char *name) {
    return strpbrk(name, "*?[") != NULL;
}

/* Two names of one series: equal but for the five digits of "-00001-of-". */
static bool same_series(const char *a, const char *b) {
    const char *x = strstr(a, "-of-"), *y = strstr(b, "-of-");
    return x != NULL && y != NULL && x - a == y - b && x - a > 5 && strcmp(x, y) == 0 &&
           memcmp(a, b, (size_t)(x - a) - 5) == 0;
}

/* The files that match the pattern: one, or one series. *n 0: none. */
static enum status match_files(struct arena *arena, const char *folder, const char *pattern,
                               const char ***files, uint32_t *n, struct error *err) {
    *n = 0;
    char **names = folder_list(arena, folder);
    size_t len = 0;
    while (names != NULL && names[len] != NULL)
        len++;
    const char **found = arena_zalloc(arena, len + 1, sizeof *found);
    for (size_t i = 0; i < len; i++) {
        if (fnmatch(pattern, names[i], FNM_PERIOD) != 0 ||
            !file_exists(path_join(arena, folder, names[i])))
            continue;
        if (*n > 0 && !same_series(found[0], names[i]))
            return ERR(err, MODEL,
                       "the folder holds %.100s and %.100s: keep the one that shall be read, move "
                       "the others to folders of their own",
                       found[0], names[i]);
        if (*n == LIMIT_SHARDS)
            return ERR(err, MODEL, "%.100s comes in more than %d parts, the most that are read",
                       found[0], LIMIT_SHARDS);
        found[(*n)++] = names[i];
    }
    *files = found;
    return STATUS_OK;
}

enum status format_files(struct arena *arena, const struct format *format, const char *folder,
                         const char ***files, uint32_t *n, struct error *err) {
    *n = 0;
    for (size_t i = 0; i < FORMAT_NAMES && format->names[i] != NULL && *n == 0; i++) {
        if (is_pattern(format->names[i])) {
            if (match_files(arena, folder, format->names[i], files, n, err) != STATUS_OK)
                return STATUS_ERROR;
        } else if (file_exists(path_join(arena, folder, format->names[i]))) {
            *files = arena_copy(arena, &format->names[i], sizeof **files);
            *n = 1;
        }
    }
    return STATUS_OK;
}

static enum status open_folder(struct checkpoint *checkpoint, const char *folder,
                               struct error *err) {
    struct arena *arena = &checkpoint->arena;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        const char **files = NULL;
        uint32_t n = 0;
        if (format_files(arena, formats[i], folder, &files, &n, err) != STATUS_OK)
            return STATUS_ERROR;
        if (n > 0)
            return add_files(checkpoint, formats[i], folder, files, n, err);
        if (formats[i]->index == NULL)
            continue;
        const char *index = path_join(arena, folder, formats[i]->index);
        if (file_exists(index))
            return add_shards(checkpoint, formats[i], folder, index, err);
    }
    return foreign_refuse(arena, folder, err);
}

typedef enum status opener(struct checkpoint *checkpoint, const char *folder, struct error *err);

static enum status open_with(struct checkpoint **out, const char *folder, opener *open,
                             struct error *err) {
    struct checkpoint *checkpoint = mem_zalloc(1, sizeof *checkpoint);
    checkpoint->list.may_own = LIMIT_OWNED_FREE;
    if (open(checkpoint, folder, err) != STATUS_OK ||
        weight_norm_apply(&checkpoint->list, checkpoint->files, err) != STATUS_OK) {
        checkpoint_close(checkpoint);
        return STATUS_ERROR;
    }
    *out = checkpoint;
    return STATUS_OK;
}

enum status checkpoint_open(struct checkpoint **out, const char *folder, struct error *err) {
    return open_with(out, folder, open_folder, err);
}

/* ---- adapters ---- */

static enum status open_adapter(struct checkpoint *checkpoint, const char *folder,
                                struct error *err) {
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        const char *name = formats[i]->adapter;
        if (name != NULL && file_exists(path_join(&checkpoint->arena, folder, name))) {
            const char **files = arena_copy(&checkpoint->arena, &name, sizeof *files);
            return add_files(checkpoint, formats[i], folder, files, 1, err);
        }
    }
    return ERR(err, MODEL, "the adapter's adapter_model.safetensors is missing: download it");
}

enum status checkpoint_open_adapter(struct checkpoint **out, const char *folder,
                                    struct error *err) {
    return open_with(out, folder, open_adapter, err);
}

static struct packed_digest digest_json(const struct json *json) {
    struct buf buf;
    struct packed_digest digest;
    buf_init(&buf, 2 * LIMIT_JSON_FILE);
    struct json_out out = json_out_begin(&buf);
    json_value(&out, json);
    packed_digest(&digest, buf.data, buf.len);
    buf_deinit(&buf);
    return digest;
}

static enum status merge_adapter(struct checkpoint *checkpoint, const struct repository *repository,
                                 struct error *err) {
    struct adapter_settings settings;
    if (adapter_settings_read(&settings, repository->adapter, err) != STATUS_OK ||
        checkpoint_open_adapter(&checkpoint->merged, repository->folder, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct tensor_list *given = &checkpoint->merged->list;
    checkpoint->list.may_own += given->may_own;
    checkpoint->settings = digest_json(repository->adapter);
    return adapter_merge(&checkpoint->list, checkpoint->files, given, &settings, err);
}

enum status checkpoint_open_repository(struct checkpoint **out, const struct repository *repository,
                                       struct error *err) {
    struct checkpoint *checkpoint = NULL;
    if ((!repository->config_is_adapters &&
         foreign_quantized(repository->config, err) != STATUS_OK) ||
        checkpoint_open(&checkpoint, repository->model_folder, err) != STATUS_OK)
        return STATUS_ERROR;
    if (repository->adapter != NULL && merge_adapter(checkpoint, repository, err) != STATUS_OK) {
        checkpoint_close(checkpoint);
        return STATUS_ERROR;
    }
    *out = checkpoint;
    return STATUS_OK;
}

void checkpoint_close(struct checkpoint *checkpoint) {
    if (checkpoint == NULL)
        return;
    for (uint32_t i = 0; i < checkpoint->n_files; i++)
        file_map_close(&checkpoint->maps[i]);
    tensor_list_deinit(&checkpoint->list);
    checkpoint_close(checkpoint->merged);
    arena_deinit(&checkpoint->arena);
    mem_free(checkpoint);
}

size_t checkpoint_count(const struct checkpoint *checkpoint) {
    return checkpoint->list.len;
}

const struct tensor *checkpoint_at(const struct checkpoint *checkpoint, size_t i) {
    ASSERT(i < checkpoint->list.len);
    return &checkpoint->list.items[i].tensor;
}

const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name) {
    const struct listed *item = tensor_list_find(&checkpoint->list, name);
    return item == NULL ? NULL : &item->tensor;
}

size_t checkpoint_bytes(const struct checkpoint *checkpoint) {
    size_t bytes = 0;
    for (size_t i = 0; i < checkpoint->list.len; i++)
        bytes += checkpoint->list.items[i].tensor.bytes;
    return bytes;
}

void checkpoint_content(const struct checkpoint *checkpoint, struct packed_cache *cache,
                        struct team *team, struct packed_digest *out) {
    struct packed_digest parts[3] = {0};
    const struct checkpoint *merged = checkpoint->merged;
    packed_content(cache, checkpoint->maps, checkpoint->n_files, team, &parts[0]);
    if (merged != NULL)
        packed_content(cache, merged->maps, merged->n_files, team, &parts[1]);
    parts[2] = checkpoint->settings;
    packed_digest(out, parts, sizeof parts);
}

void checkpoint_forget(const struct checkpoint *checkpoint, const struct tensor *tensor) {
    const uint8_t *data = tensor->data;
    for (uint32_t i = 0; i < checkpoint->n_files; i++) {
        const struct file_map *map = &checkpoint->maps[i];
        if (data >= map->data && data < map->data + map->size)
            file_map_forget(map, (size_t)(data - map->data), tensor->bytes);
    }
}

/* ---- norms ---- */

struct preparing {
    const struct checkpoint *checkpoint;
    atomic_size_t next; /* tensor that nobody has taken; publishes nothing */
};

static void prepare_lane(struct lane *lane, void *arg) {
    struct preparing *p = arg;
    for (;;) {
        const size_t i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (i >= checkpoint_count(p->checkpoint))
            return;
        const struct tensor *tensor = checkpoint_at(p->checkpoint, i);
        if (change_prepare(tensor))
            checkpoint_forget(p->checkpoint, tensor);
    }
}

void checkpoint_prepare(const struct checkpoint *checkpoint, struct team *team) {
    struct preparing preparing = {.checkpoint = checkpoint};
    if (checkpoint->list.n_scalings > 0)
        team_run(team, prepare_lane, &preparing);
}

enum status checkpoint_intact(const struct checkpoint *checkpoint, struct error *err) {
    for (uint32_t i = 0; i < checkpoint->n_files; i++) {
        if (!file_map_is_intact(&checkpoint->maps[i], checkpoint->paths[i]))
            return ERR(err, MODEL,
                       "%.100s was changed, or could not be read, while it was loaded: wait until "
                       "its download has ended",
                       checkpoint->files[i]);
    }
    return checkpoint->merged == NULL ? STATUS_OK : checkpoint_intact(checkpoint->merged, err);
}
