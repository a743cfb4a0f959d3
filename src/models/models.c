/* The registry: finds the family of a repository by its config's model_type and the head by its
 * architecture class, and lets the family's file describe it. */
#include "models/family.h"

#include <string.h>

static const struct family *const families[] = {
#define FAMILY(x) &family_##x,
#include "models/families.inc"
#undef FAMILY
};

size_t models_count(void) {
    return ARRAY_LEN(families);
}

const char *models_name(size_t i) {
    return i < ARRAY_LEN(families) ? families[i]->name : NULL;
}

void models_write(size_t i, struct json_out *out) {
    const struct family_type *types = families[i]->types;
    struct arena arena = {0};
    json_open_object(out);
    json_key(out, "family");
    json_string(out, families[i]->name);
    json_key(out, "model_types");
    json_open_array(out);
    for (const struct family_type *type = types; type->model_type; type++)
        json_string(out, type->model_type);
    json_close_array(out);
    json_key(out, "classes");
    json_open_array(out);
    for (const struct family_type *type = types; type->model_type; type++) {
        bool seen = false;
        for (const struct family_type *before = types; before != type && !seen; before++)
            seen = strcmp(before->class_prefix, type->class_prefix) == 0;
        for (const struct head_row *row = families[i]->heads; !seen && row->suffix; row++)
            json_string(out, arena_printf(&arena, "%s%s", type->class_prefix, row->suffix));
    }
    json_close_array(out);
    json_close_object(out);
    arena_deinit(&arena);
}

const char *family_class(const struct json *config) {
    const struct json *first = json_at(json_get(config, "architectures"), 0);
    return json_is(first, JSON_STRING) ? first->text : NULL;
}

/* Whether the repository's class, or what its own code is loaded as where it names none, has this
 * prefix. */
static bool is_class_of(const struct json *config, const char *prefix) {
    const char *class = family_class(config);
    if (class)
        return strncmp(class, prefix, strlen(prefix)) == 0;
    const char *own = json_get_string(json_get(config, "auto_map"), "AutoModel", "");
    const char *dot = strrchr(own, '.');
    return dot && strncmp(dot + 1, prefix, strlen(prefix)) == 0;
}

/* Several families may have one model_type: then the class decides. */
const struct family *family_of(const struct json *config, const struct family_type **type) {
    const char *name = json_get_string(config, "model_type", "");
    const struct family *found = NULL;
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        for (const struct family_type *t = families[i]->types; t->model_type; t++)
            if (strcmp(t->model_type, name) == 0 &&
                (!found || is_class_of(config, t->class_prefix))) {
                found = families[i];
                *type = t;
            }
    return found;
}

/* The known names that are most like `name`, the nearest first. */
static const char *nearest_types(struct arena *arena, const char *name) {
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        for (const struct family_type *type = families[i]->types; type->model_type; type++)
            nearest_see(&nearest, type->model_type);
    return nearest_list(&nearest, arena);
}

static enum status unknown_type(const struct repository *repository, struct error *err) {
    struct arena arena = {0};
    const char *name = json_get_string(repository->config, "model_type", NULL);
    if (name)
        ERR(err, MODEL,
            "config.json: \"model_type\" is \"%.*s\", which Brisk does not run; the nearest names "
            "that it runs are %s (all: brisk list families)",
            NEAREST_BYTES, name, nearest_types(&arena, name));
    else
        ERR(err, MODEL,
            "config.json: \"model_type\" is missing: it names the model's family, one of those of "
            "brisk list families");
    arena_deinit(&arena);
    return STATUS_ERROR;
}

static enum status unknown_class(const struct family *family, const struct family_type *type,
                                 const char *class, struct error *err) {
    struct arena arena = {0};
    const char *known = "";
    for (const struct head_row *row = family->heads; row->suffix; row++)
        known = arena_printf(&arena, "%s%s%s%s", known, *known ? ", " : "", type->class_prefix,
                             row->suffix);
    ERR(err, MODEL, "config.json: architectures[0] is \"%.60s\"; of %s Brisk runs %s", class,
        type->model_type, known);
    arena_deinit(&arena);
    return STATUS_ERROR;
}

/* The row of the class; without a class the family's base. */
static const struct head_row *find_head(const struct family *family, const struct family_type *type,
                                        const char *class) {
    const size_t prefix = strlen(type->class_prefix);
    if (class && strncmp(class, type->class_prefix, prefix) != 0)
        return NULL;
    const char *suffix = class ? class + prefix : family->base;
    for (const struct head_row *row = family->heads; row->suffix; row++)
        if (strcmp(row->suffix, suffix) == 0)
            return row;
    return NULL;
}

/* The same members as if the file had them, behind (or, `over`, before) what it has. */
static enum status add_members(struct repository *repository, const char *text, bool over,
                               struct error *err) {
    struct arena *arena = &repository->arena;
    const struct json *own = repository->config, *more = NULL;
    if (json_parse(&more, arena, text, strlen(text), JSON_STRICT, err) != STATUS_OK)
        return STATUS_ERROR;
    repository->config = over ? json_merge(arena, own, more) : json_merge(arena, more, own);
    return STATUS_OK;
}

/* Generation reads config.json where it has no file of its own: what the class adds to that stands
 * there from here on. */
static enum status complete_generation(struct repository *repository, const struct family *family,
                                       const struct arch *arch, struct error *err) {
    if (repository->generation_config || !family->generation)
        return STATUS_OK;
    if (add_members(repository, family->generation, false, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct json *config = repository->config;
    if (!family->forces_bos || !json_get_bool(config, "force_bos_token_to_be_generated", false) ||
        !json_is_null(json_get(config, "forced_bos_token_id")))
        return STATUS_OK;
    return add_members(repository,
                       arena_printf(&repository->arena, "{\"forced_bos_token_id\":%d}", arch->bos),
                       true, err);
}

enum status models_describe(struct arch *out, struct repository *repository, struct error *err) {
    const struct family_type *type = NULL;
    const struct family *family = family_of(repository->config, &type);
    if (!family)
        return unknown_type(repository, err);
    const char *class = family_class(repository->config);
    const struct head_row *head = find_head(family, type, class);
    if (!head)
        return unknown_class(family, type, class, err);
    struct config config = {.json = repository->config, .err = err};
    struct arch arch = {.family = family->name,
                        .decoder_start = -1,
                        .bos = -1,
                        .eos = -1,
                        .pad = -1,
                        .mask = -1,
                        .question_end = -1};
    family->describe(&arch, &config, head->suffix);
    if (head->fill && !config.failed)
        head->fill(&arch, &config);
    if (config.failed || complete_generation(repository, family, &arch, err) != STATUS_OK)
        return STATUS_ERROR;
    *out = arch;
    return STATUS_OK;
}
