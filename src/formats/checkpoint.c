/* Checkpoints: a folder's weights as one sorted list of tensors, whatever files they stand in.
 *
 * Finds the files (one, or the shards that an index names), maps them, lets the weight format list
 * their tensors, and checks what concerns several files: names, the index against the shards. What
 * a file looks like inside is the format's business; a new one adds a line to formats.inc. */
#include <fnmatch.h>

#include "formats/format.h"

static const struct format *const formats[] = {
#define FORMAT(name) &format_##name,
#include "formats/formats.inc"
#undef FORMAT
};

/* ---- the list of tensors ---- */

enum status tensor_list_add(struct tensor_list *list, struct tensor **out, const char *name,
                            size_t len, struct error *err) {
    if (memchr(name, 0, len) != NULL)
        return ERR(err, MODEL, "tensor name \"%.100s\" has a zero inside: the file is damaged",
                   name);
    if (list->len >= LIMIT_TENSORS)
        return ERR(err, MODEL, "holds more than %d tensors, the most that are read", LIMIT_TENSORS);
    list->items = mem_grow(list->items, &list->cap, list->len + 1, sizeof *list->items);
    struct listed *item = &list->items[list->len++];
    *item = (struct listed){.file = list->file};
    item->tensor.name = arena_strndup(&list->arena, name, len);
    *out = &item->tensor;
    return STATUS_OK;
}

static int compare_listed(const void *a, const void *b) {
    return strcmp(((const struct listed *)a)->tensor.name, ((const struct listed *)b)->tensor.name);
}

enum status tensor_list_finish(struct tensor_list *list, const char *const *files,
                               struct error *err) {
    if (list->len == 0)
        return STATUS_OK;
    qsort(list->items, list->len, sizeof *list->items, compare_listed);
    for (size_t i = 1; i < list->len; i++) {
        const struct listed *a = &list->items[i - 1], *b = &list->items[i];
        if (strcmp(a->tensor.name, b->tensor.name) == 0)
            return ERR(err, MODEL,
                       "tensor \"%.100s\" stands twice, in %.100s and %.100s: the checkpoint is "
                       "damaged; download it again",
                       a->tensor.name, files[a->file], files[b->file]);
    }
    return STATUS_OK;
}

const struct listed *tensor_list_find(const struct tensor_list *list, const char *name) {
    if (list->len == 0)
        return NULL;
    const struct listed key = {.tensor.name = name};
    return bsearch(&key, list->items, list->len, sizeof key, compare_listed);
}

void tensor_list_deinit(struct tensor_list *list) {
    mem_free(list->items);
    arena_deinit(&list->arena);
    *list = (struct tensor_list){0};
}

/* ---- the files ---- */

struct checkpoint {
    struct arena arena; /* names and paths of the files */
    struct tensor_list list;
    const char **files;    /* [n_files], sorted */
    struct file_map *maps; /* [n_files] */
    uint32_t n_files;
    size_t bytes; /* of all tensors */
};

/* Maps file i and adds its tensors. */
static enum status add_file(struct checkpoint *checkpoint, const struct format *format,
                            const char *folder, uint32_t i, struct error *err) {
    const char *name = checkpoint->files[i];
    const char *path = path_join(&checkpoint->arena, folder, name);
    if (file_map_open(&checkpoint->maps[i], path, err) != STATUS_OK)
        return STATUS_ERROR; /* names the path */
    const struct file_map *map = &checkpoint->maps[i];
    if (map->size == 0)
        return ERR(err, MODEL, "%.100s is empty: download it again", name);
    checkpoint->list.file = i;
    if (format->list(&checkpoint->list, map->data, map->size, err) != STATUS_OK)
        return error_prefix(err, "%.100s: ", name);
    return STATUS_OK;
}

/* Takes the names (in the checkpoint's arena, sorted) and reads the files. */
static enum status add_files(struct checkpoint *checkpoint, const struct format *format,
                             const char *folder, const char **files, uint32_t n,
                             struct error *err) {
    checkpoint->files = files;
    checkpoint->maps = arena_zalloc(&checkpoint->arena, n, sizeof *checkpoint->maps);
    checkpoint->n_files = n;
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

/* ---- folders without weights that are read here ---- */

#define SAVE_PRETRAINED "in Python with the class that config.json names under \"architectures\": "

static const struct {
    const char *pattern, *advice;
} foreign[] = {
    {"pytorch_model*.bin", "convert it " SAVE_PRETRAINED "from_pretrained(FOLDER)"
                           ".save_pretrained(FOLDER, safe_serialization=True)"},
    {"tf_model*.h5", "convert it " SAVE_PRETRAINED "from_pretrained(FOLDER, from_tf=True)"
                     ".save_pretrained(FOLDER, safe_serialization=True)"},
    {"flax_model*.msgpack", "convert it " SAVE_PRETRAINED "from_pretrained(FOLDER, from_flax=True)"
                            ".save_pretrained(FOLDER, safe_serialization=True)"},
    {"adapter_model.*", "this is an adapter: merge it into its base model (peft: "
                        "merge_and_unload) and save that"},
    {"*.safetensors", "rename it when it holds the whole model, else download the missing file"},
    {"*.incomplete", "the download did not finish: start it again"},
    {"*.gguf", "GGUF is not read: download the original repository it was made from"},
    {"*.onnx", "ONNX is not read: download the original repository it was made from"},
    {"onnx", "ONNX is not read: download the original repository it was made from"},
    {"*.ckpt*", "checkpoints of TensorFlow 1 are not read: convert it with transformers' scripts"},
};

static enum status refuse_foreign(struct arena *scratch, const char *folder, struct error *err) {
    char **names = folder_list(scratch, folder);
    if (names == NULL)
        return ERR(err, NOT_FOUND, "no readable folder %.200s", folder);
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        for (char **name = names; *name != NULL; name++) {
            if (fnmatch(foreign[i].pattern, *name, 0) == 0)
                return ERR(err, MODEL, "the folder holds %.100s but no model.safetensors: %s",
                           *name, foreign[i].advice);
        }
    }
    return ERR(err, NOT_FOUND, "no weights: model.safetensors is missing");
}

/* ---- opening ---- */

static enum status open_folder(struct checkpoint *checkpoint, const char *folder,
                               struct error *err) {
    struct arena *arena = &checkpoint->arena;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (file_exists(path_join(arena, folder, formats[i]->file))) {
            const char **files = arena_zalloc(arena, 1, sizeof *files);
            files[0] = formats[i]->file;
            return add_files(checkpoint, formats[i], folder, files, 1, err);
        }
        const char *index = path_join(arena, folder, formats[i]->index);
        if (file_exists(index))
            return add_shards(checkpoint, formats[i], folder, index, err);
    }
    return refuse_foreign(arena, folder, err);
}

enum status checkpoint_open(struct checkpoint **out, const char *folder, struct error *err) {
    struct checkpoint *checkpoint = mem_zalloc(1, sizeof *checkpoint);
    if (open_folder(checkpoint, folder, err) != STATUS_OK) {
        checkpoint_close(checkpoint);
        return STATUS_ERROR;
    }
    for (size_t i = 0; i < checkpoint->list.len; i++) /* no overlap: fits as the mappings do */
        checkpoint->bytes += checkpoint->list.items[i].tensor.bytes;
    *out = checkpoint;
    return STATUS_OK;
}

void checkpoint_close(struct checkpoint *checkpoint) {
    if (checkpoint == NULL)
        return;
    for (uint32_t i = 0; i < checkpoint->n_files; i++)
        file_map_close(&checkpoint->maps[i]);
    tensor_list_deinit(&checkpoint->list);
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
    return checkpoint->bytes;
}
