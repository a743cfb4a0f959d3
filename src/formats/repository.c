/* A repository's small files: config.json and friends, and the model card. Reads and parses only;
 * what a key means is the business of models, tokenizer and tasks. Weights: checkpoint.c. */
#include "formats/formats.h"

#include "formats/card.h"

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
static enum status read_json(struct repository *repository, const char *name, size_t max,
                             const struct json **out, struct error *err) {
    *out = NULL;
    if (leads_out(name))
        return ERR(err, MODEL, "%.100s: leads out of the repository's folder", name);
    const char *path = path_join(&repository->arena, repository->folder, name);
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
    return read_json(repository, name, LIMIT_JSON_FILE, out, err);
}

/* One of the files that every repository may have, of one known type. */
static enum status read_known(struct repository *repository, const char *name, enum json_type type,
                              const struct json **out, struct error *err) {
    if (read_json(repository, name, LIMIT_CONFIG_FILE, out, err) != STATUS_OK)
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

static enum status read_files(struct repository *repository, struct error *err) {
    const struct {
        const char *name;
        enum json_type type;
        const struct json **out;
    } files[] = {
        {"config.json", JSON_OBJECT, &repository->config},
        {"generation_config.json", JSON_OBJECT, &repository->generation_config},
        {"tokenizer_config.json", JSON_OBJECT, &repository->tokenizer_config},
        {"special_tokens_map.json", JSON_OBJECT, &repository->special_tokens_map},
        {"modules.json", JSON_ARRAY, &repository->modules},
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (read_known(repository, files[i].name, files[i].type, files[i].out, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    if (repository->config == NULL)
        return ERR(err, NOT_FOUND, "no config.json in %.200s: is this a model repository?",
                   repository->folder);
    read_card(repository);
    return STATUS_OK;
}

enum status repository_open(struct repository *repository, const char *folder, struct error *err) {
    *repository = (struct repository){0};
    if (!folder_exists(folder))
        return ERR(err, NOT_FOUND, "no folder %.200s", folder);
    repository->folder = arena_strndup(&repository->arena, folder, strlen(folder));
    if (read_files(repository, err) != STATUS_OK) {
        repository_close(repository);
        return STATUS_ERROR;
    }
    return STATUS_OK;
}

void repository_close(struct repository *repository) {
    arena_deinit(&repository->arena);
    *repository = (struct repository){0};
}
