/* A repository's small files: config.json and friends, and the model card. Reads and parses only;
 * what a key means is the business of models, tokenizer and tasks. Weights: checkpoint.c. */
#include "formats/adapter.h"
#include "formats/card.h"
#include "formats/gguf.h"

/* A name from a file (modules.json has such) must not lead out of the folder. */
static bool leads_out(const char *name) {
    if (name[0] == '/')
        return true;
    for (const char *at = strstr(name, ".."); at != NULL; at = strstr(at + 1, "..")) {
        if ((at == name || at[-1] == '/') && (at[2] == 0 || at[2] == '/'))
            return true;
    }
    return false;
}

/* Parses folder/name; *out NULL when it is absent. */
static enum status read_json(struct repository *repository, const char *folder, const char *name,
                             size_t max, const struct json **out, struct error *err) {
    *out = NULL;
    if (leads_out(name))
        return ERR(err, MODEL, "%.100s: leads out of the repository's folder", name);
    const char *path = path_join(&repository->arena, folder, name);
    if (!file_exists(path))
        return STATUS_OK;
    struct arena scratch = {0}; /* the text goes, the tree stays */
    char *text = NULL;
    size_t len = 0;
    enum status status = file_read(&text, &len, &scratch, path, max, err);
    if (status == STATUS_OK && len == 0)
        status = ERR(err, MODEL, "%.100s is empty: download it again", name);
    else if (status == STATUS_OK) {
        status = json_parse(out, &repository->arena, text, len, JSON_PYTHON, err);
        if (status != STATUS_OK) {
            err->code = ERROR_MODEL;
            error_prefix(err, "%.100s: ", name);
        }
    }
    arena_deinit(&scratch);
    return status;
}

enum status repository_json(struct repository *repository, const char *name,
                            const struct json **out, struct error *err) {
    return read_json(repository, repository->folder, name, LIMIT_JSON_FILE, out, err);
}

/* One of the files that every repository may have, of one known type. */
static enum status read_known(struct repository *repository, const char *folder, const char *name,
                              enum json_type type, const struct json **out, struct error *err) {
    if (read_json(repository, folder, name, LIMIT_CONFIG_FILE, out, err) != STATUS_OK)
        return STATUS_ERROR;
    if (*out != NULL && !json_is(*out, type))
        return ERR(err, MODEL, "%s: holds a JSON %s, must be an %s", name,
                   json_type_name((*out)->type), json_type_name(type));
    return STATUS_OK;
}

/* The card is for people: one that is damaged is said once and otherwise does as if absent. */
static void read_card(struct repository *repository) {
    const char *path = path_join(&repository->arena, repository->folder, "README.md");
    struct file_map map = {0};
    struct card card = {0};
    struct error err = {0};
    if (!file_exists(path))
        return;
    enum status status = file_map_open(&map, path, &err);
    if (status == STATUS_OK) {
        const size_t len = map.size < LIMIT_CARD_FRONT_MATTER ? map.size : LIMIT_CARD_FRONT_MATTER;
        if (len > 0)
            status = card_parse(&card, &repository->arena, (const char *)map.data, len, &err);
        file_map_close(&map);
    }
    if (status != STATUS_OK)
        log_warn("%s: %s; its pipeline_tag is ignored", path, err.text);
    repository->pipeline_tag = card.pipeline_tag;
    repository->library_name = card.library_name;
}

/* ---- where the parts are ---- */

static bool has_file(struct repository *repository, const char *folder, const char *name) {
    return file_exists(path_join(&repository->arena, folder, name));
}

/* sentence-transformers may keep the transformer in a folder of its own. */
static const char *transformer_folder(struct repository *repository) {
    const struct json *modules = repository->modules;
    for (size_t i = 0; json_is(modules, JSON_ARRAY) && i < modules->len; i++) {
        const char *type = json_get_string(json_at(modules, i), "type", "");
        const char *path = json_get_string(json_at(modules, i), "path", "");
        const size_t len = strlen(type), end = sizeof ".Transformer" - 1;
        if (len >= end && strcmp(type + len - end, ".Transformer") == 0 && path[0] != 0 &&
            !leads_out(path))
            return path_join(&repository->arena, repository->folder, path);
    }
    return repository->folder;
}

/* Files that hold a tokenizer's vocabulary: an adapter with one of them has its own. */
static bool has_tokenizer(struct repository *repository, const char *folder) {
    static const char *const names[] = {"tokenizer.json", "vocab.txt",   "vocab.json",
                                        "spiece.model",   "source.spm",  "tokenizer.model",
                                        "bpe.codes",      "vocab.model", "sentencepiece.bpe.model"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (has_file(repository, folder, names[i]))
            return true;
    }
    return false;
}

/* What an adapter folder lacks is its base model's. */
static enum status find_base(struct repository *repository, const struct locate *locate,
                             struct error *err) {
    struct arena *arena = &repository->arena;
    const char *own = repository->folder;
    char *base = NULL;
    if (adapter_base(&base, repository->adapter, own, locate, arena, err) != STATUS_OK)
        return STATUS_ERROR;
    repository->model_folder = base;
    repository->tokenizer_folder = has_tokenizer(repository, own) ? own : base;
    return STATUS_OK;
}

static enum status find_parts(struct repository *repository, const struct locate *locate,
                              struct error *err) {
    const char *folder = repository->folder;
    if (read_known(repository, folder, "modules.json", JSON_ARRAY, &repository->modules, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    repository->model_folder = transformer_folder(repository);
    repository->tokenizer_folder = repository->model_folder;
    if (!adapter_exists(folder))
        return STATUS_OK;
    if (read_known(repository, folder, ADAPTER_CONFIG, JSON_OBJECT, &repository->adapter, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    return repository->adapter == NULL ? STATUS_OK : find_base(repository, locate, err);
}

char *repository_base(const char *folder, const struct locate *locate, struct arena *arena) {
    struct repository repository = {.folder = folder};
    struct error ignored = {0};
    char *base = NULL;
    if (!adapter_exists(folder))
        return NULL;
    if (read_known(&repository, folder, ADAPTER_CONFIG, JSON_OBJECT, &repository.adapter,
                   &ignored) != STATUS_OK ||
        adapter_base(&base, repository.adapter, folder, locate, arena, &ignored) != STATUS_OK)
        base = NULL;
    arena_deinit(&repository.arena);
    return base;
}

/* ---- reading all ---- */

static enum status read_config(struct repository *repository, struct error *err) {
    const char *own = repository->folder;
    const bool adapted = repository->adapter != NULL;
    const bool has_own = adapted && has_file(repository, own, "config.json");
    repository->config_is_adapters = has_own;
    if (read_known(repository, has_own ? own : repository->model_folder, "config.json", JSON_OBJECT,
                   &repository->config, err) != STATUS_OK ||
        gguf_complete_config(repository, err) != STATUS_OK)
        return STATUS_ERROR;
    if (repository->config == NULL)
        return ERR(err, NOT_FOUND, "no config.json in %.200s: is this a model repository?",
                   repository->model_folder);
    return adapted && !has_own ? adapter_config(repository, err) : STATUS_OK;
}

static enum status read_files(struct repository *repository, struct error *err) {
    const char *own = repository->folder;
    const bool generates = has_file(repository, own, "generation_config.json");
    const struct {
        const char *folder, *name;
        const struct json **out;
    } files[] = {
        {generates ? own : repository->model_folder, "generation_config.json",
         &repository->generation_config},
        {repository->tokenizer_folder, "tokenizer_config.json", &repository->tokenizer_config},
        {repository->tokenizer_folder, "special_tokens_map.json", &repository->special_tokens_map},
    };
    if (read_config(repository, err) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (read_known(repository, files[i].folder, files[i].name, JSON_OBJECT, files[i].out,
                       err) != STATUS_OK)
            return STATUS_ERROR;
    }
    if (!has_tokenizer(repository, repository->tokenizer_folder) &&
        gguf_complete_tokenizer(repository, err) != STATUS_OK)
        return STATUS_ERROR;
    read_card(repository);
    return STATUS_OK;
}

enum status repository_open_located(struct repository *repository, const char *folder,
                                    const struct locate *locate, struct error *err) {
    *repository = (struct repository){0};
    if (!folder_exists(folder))
        return ERR(err, NOT_FOUND, "no folder %.200s", folder);
    repository->folder = arena_strndup(&repository->arena, folder, strlen(folder));
    if (find_parts(repository, locate, err) != STATUS_OK ||
        read_files(repository, err) != STATUS_OK) {
        repository_close(repository);
        return STATUS_ERROR;
    }
    return STATUS_OK;
}

enum status repository_open(struct repository *repository, const char *folder, struct error *err) {
    return repository_open_located(repository, folder, NULL, err);
}

bool repository_exists(const char *folder) {
    static const char *const names[] = {"config.json", ADAPTER_CONFIG, "modules.json"};
    struct arena scratch = {0};
    bool exists = false;
    for (size_t i = 0; i < ARRAY_LEN(names) && !exists; i++)
        exists = file_exists(path_join(&scratch, folder, names[i]));
    exists = exists || gguf_exists(folder);
    arena_deinit(&scratch);
    return exists;
}

void repository_close(struct repository *repository) {
    arena_deinit(&repository->arena);
    *repository = (struct repository){0};
}
