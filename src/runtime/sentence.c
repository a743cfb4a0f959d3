/* sentence-transformers folders: modules.json names the modules in order (Transformer, Pooling,
 * Dense, Normalize), each with a folder of its own that holds a config.json and, for Dense, the
 * weights. Class names as sentence_transformers/models has them. */
#include "runtime/sentence.h"

#include <fnmatch.h>
#include <string.h>

#include "base/banned.h"

/* The last part of "sentence_transformers.models.Pooling". */
static const char *class_name(const char *type) {
    const char *dot = strrchr(type, '.');
    return dot == NULL ? type : dot + 1;
}

/* folder/config.json of a module; *out NULL when it is absent. */
static enum status module_config(const struct json **out, struct repository *repository,
                                 const char *path, struct error *err) {
    return repository_json(repository, path_join(&repository->arena, path, "config.json"), out,
                           err);
}

static void pooling_by_name(struct sentence_modules *out, const struct json *mode) {
    out->pool_cls = out->pool_cls || json_equals(mode, "cls");
    out->pool_mean = out->pool_mean || json_equals(mode, "mean");
    out->pool_max = out->pool_max || json_equals(mode, "max");
    out->pool_mean_sqrt_len = out->pool_mean_sqrt_len || json_equals(mode, "mean_sqrt_len_tokens");
    out->pool_weighted_mean = out->pool_weighted_mean || json_equals(mode, "weightedmean");
    out->pool_last = out->pool_last || json_equals(mode, "lasttoken");
}

static uint32_t pooling_count(const struct sentence_modules *out) {
    return (uint32_t)out->pool_cls + out->pool_mean + out->pool_max + out->pool_mean_sqrt_len +
           out->pool_weighted_mean + out->pool_last;
}

static enum status read_pooling(struct sentence_modules *out, struct repository *repository,
                                const char *path, uint32_t *width, struct error *err) {
    const struct json *config = NULL;
    if (module_config(&config, repository, path, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!json_is(config, JSON_OBJECT)) /* a guess would give other vectors */
        return ERR(err, MODEL, "modules.json: %s/config.json is %s: download it again", path,
                   config == NULL ? "missing" : "not an object");
    out->pool_cls = json_get_bool(config, "pooling_mode_cls_token", false);
    out->pool_mean = json_get_bool(config, "pooling_mode_mean_tokens", false);
    out->pool_max = json_get_bool(config, "pooling_mode_max_tokens", false);
    out->pool_mean_sqrt_len = json_get_bool(config, "pooling_mode_mean_sqrt_len_tokens", false);
    out->pool_weighted_mean = json_get_bool(config, "pooling_mode_weightedmean_tokens", false);
    out->pool_last = json_get_bool(config, "pooling_mode_lasttoken", false);
    const struct json *mode = json_get(config, "pooling_mode"); /* the form of newer versions */
    pooling_by_name(out, mode);
    for (size_t i = 0; json_is(mode, JSON_ARRAY) && i < mode->len; i++)
        pooling_by_name(out, json_at(mode, i));
    if (pooling_count(out) == 0)
        out->pool_mean = true; /* the library's default */
    out->exclude_prompt = !json_get_bool(config, "include_prompt", true);
    *width *= pooling_count(out);
    return STATUS_OK;
}

/* Weights of a Dense module are not in the model's estimate, and are kept as floats. */
#define DENSE_ELEMENTS (64u * 1024 * 1024)

static const float *floats_of(struct arena *arena, const struct tensor *tensor) {
    float *floats = arena_alloc(arena, tensor->elements * sizeof(float));
    tensor_to_floats(tensor, 0, tensor->elements, floats);
    return floats;
}

/* What may follow what: one Transformer, one Pooling, Dense modules, one Normalize. Another order
 * gives other vectors, and is not run here. */
enum place { PLACE_START, PLACE_TRANSFORMER, PLACE_POOLING, PLACE_DENSE, PLACE_NORMALIZE };

/* What reading carries along. */
struct reading {
    struct sentence_modules *out;
    struct repository *repository;
    bool weights;   /* take them, too; else they are only looked at */
    uint32_t width; /* of the vector behind the modules so far */
    enum place place;
};

static enum status dense_weights(const struct reading *reading, struct sentence_dense *dense,
                                 const char *path, struct error *err) {
    struct repository *repository = reading->repository;
    struct checkpoint *checkpoint = NULL;
    const char *folder = path_join(&repository->arena, repository->folder, path);
    if (checkpoint_open(&checkpoint, folder, err) != STATUS_OK)
        return error_prefix(err, "modules.json: %s: ", path);
    enum status status = STATUS_ERROR;
    const struct tensor *weight = checkpoint_find(checkpoint, "linear.weight");
    const struct tensor *bias = checkpoint_find(checkpoint, "linear.bias");
    if (weight == NULL || weight->n_dims != 2 || weight->dims[0] != dense->out ||
        weight->dims[1] != dense->in) {
        error_set(err, ERROR_MODEL, "%s: linear.weight must be [%u, %u]", path, dense->out,
                  dense->in);
        goto out;
    }
    if (bias != NULL && bias->elements != dense->out) {
        error_set(err, ERROR_MODEL, "%s: linear.bias must be [%u]", path, dense->out);
        goto out;
    }
    status = STATUS_OK;
    if (!reading->weights)
        goto out;
    dense->weight = floats_of(&repository->arena, weight);
    dense->bias = bias == NULL ? NULL : floats_of(&repository->arena, bias);
out:
    checkpoint_close(checkpoint);
    return status;
}

/* "torch.nn.modules.activation.Tanh"; Identity is no activation. */
static bool dense_activation(const char *text, enum activation *out) {
    static const struct {
        const char *name;
        enum activation activation;
    } names[] = {{"Tanh", ACTIVATION_TANH},       {"Identity", ACTIVATION_NONE},
                 {"ReLU", ACTIVATION_RELU},       {"GELU", ACTIVATION_GELU},
                 {"Sigmoid", ACTIVATION_SIGMOID}, {"SiLU", ACTIVATION_SILU}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(class_name(text), names[i].name) == 0) {
            *out = names[i].activation;
            return true;
        }
    }
    return false;
}

static enum status read_dense(struct reading *reading, const char *path, struct error *err) {
    struct sentence_modules *out = reading->out;
    if (out->n_dense == SENTENCE_DENSE_MAX)
        return ERR(err, MODEL, "modules.json: more than %d Dense modules", SENTENCE_DENSE_MAX);
    const struct json *config = NULL;
    if (module_config(&config, reading->repository, path, err) != STATUS_OK)
        return STATUS_ERROR;
    struct sentence_dense *dense = &out->dense[out->n_dense];
    const int64_t in = json_get_int(config, "in_features", 0);
    const int64_t outputs = json_get_int(config, "out_features", 0);
    if (in != (int64_t)reading->width || outputs < 1 || outputs > LIMIT_HIDDEN_SIZE)
        return ERR(err, MODEL,
                   "%s/config.json: in_features %lld, out_features %lld do not follow a vector of "
                   "%u",
                   path, (long long)in, (long long)outputs, reading->width);
    if (in * outputs > DENSE_ELEMENTS)
        return ERR(err, MODEL, "%s/config.json: in_features %lld x out_features %lld are over %u",
                   path, (long long)in, (long long)outputs, DENSE_ELEMENTS);
    *dense = (struct sentence_dense){.in = (uint32_t)in, .out = (uint32_t)outputs};
    const char *activation =
        json_get_string(config, "activation_function", "torch.nn.modules.activation.Tanh");
    if (!dense_activation(activation, &dense->activation))
        return ERR(err, MODEL, "%s/config.json: activation_function \"%s\" is not supported", path,
                   activation);
    if (dense_weights(reading, dense, path, err) != STATUS_OK)
        return STATUS_ERROR;
    out->n_dense++;
    reading->width = dense->out;
    return STATUS_OK;
}

static enum status step_to(enum place *place, enum place to, const char *type, struct error *err) {
    if (to < *place || (to == *place && to != PLACE_DENSE))
        return ERR(err, MODEL,
                   "modules.json: %s stands behind %s, which is not supported; the order must be "
                   "Transformer, Pooling, Dense, Normalize",
                   type,
                   *place == PLACE_NORMALIZE ? "Normalize"
                   : *place == PLACE_DENSE   ? "Dense"
                   : *place == PLACE_POOLING ? "Pooling"
                                             : "Transformer");
    *place = to;
    return STATUS_OK;
}

/* Tokens of the shortest text: one, and one special at each end. */
#define SHORTEST_TEXT 3

/* "sentence_<family>_config.json" of the transformer's folder. */
static const char *settings_file(struct repository *repository, const char *path) {
    struct arena *arena = &repository->arena;
    const char *folder = path_join(arena, repository->folder, path);
    char **names = folder_list(arena, folder);
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        if (fnmatch("sentence_*_config.json", names[i], 0) == 0)
            return path[0] == 0 ? names[i] : path_join(arena, path, names[i]);
    }
    return "sentence_bert_config.json";
}

/* The transformer's own settings: how long a text may be. */
static enum status read_transformer(struct sentence_modules *out, struct repository *repository,
                                    const char *path, struct error *err) {
    const char *file = settings_file(repository, path);
    const struct json *config = NULL;
    if (repository_json(repository, file, &config, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct json *said = json_get(config, "max_seq_length");
    int64_t length = 0;
    if (!json_is_null(said) && (!json_to_int(said, &length) || length < SHORTEST_TEXT))
        return ERR(
            err, MODEL,
            "%s: \"max_seq_length\" must be null or a whole number of %d or more: a text with its "
            "special tokens",
            file, SHORTEST_TEXT);
    out->max_seq_length = length < LIMIT_POSITIONS ? (uint32_t)length : 0;
    out->lower_case = json_get_bool(config, "do_lower_case", false);
    return STATUS_OK;
}

static enum status read_module(struct reading *reading, const struct json *module,
                               struct error *err) {
    const char *type = class_name(json_get_string(module, "type", ""));
    const char *path = json_get_string(module, "path", "");
    struct sentence_modules *out = reading->out;
    if (strstr(path, "..") != NULL || path[0] == '/')
        return ERR(err, MODEL, "modules.json: path \"%s\" leaves the folder", path);
    if (strcmp(type, "Transformer") == 0)
        return step_to(&reading->place, PLACE_TRANSFORMER, type, err) == STATUS_OK
                   ? read_transformer(out, reading->repository, path, err)
                   : STATUS_ERROR;
    if (strcmp(type, "Pooling") == 0)
        return step_to(&reading->place, PLACE_POOLING, type, err) == STATUS_OK
                   ? read_pooling(out, reading->repository, path, &reading->width, err)
                   : STATUS_ERROR;
    if (strcmp(type, "Dense") == 0)
        return step_to(&reading->place, PLACE_DENSE, type, err) == STATUS_OK
                   ? read_dense(reading, path, err)
                   : STATUS_ERROR;
    if (strcmp(type, "Normalize") == 0) {
        out->normalize = true;
        return step_to(&reading->place, PLACE_NORMALIZE, type, err);
    }
    return ERR(err, MODEL,
               "modules.json: module \"%s\" is not supported, only Transformer, Pooling, Dense and "
               "Normalize",
               type);
}

static enum status read_all(struct reading *reading, struct error *err) {
    struct sentence_modules *out = reading->out;
    struct repository *repository = reading->repository;
    const struct json *modules = repository->modules;
    *out = (struct sentence_modules){0};
    if (modules == NULL)
        return STATUS_OK;
    for (size_t i = 0; i < modules->len; i++) {
        if (read_module(reading, json_at(modules, i), err) != STATUS_OK)
            return STATUS_ERROR;
    }
    const struct json *config = NULL;
    if (repository_json(repository, "config_sentence_transformers.json", &config, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct json *prompts = json_get(config, "prompts");
    out->prompts = json_is(prompts, JSON_OBJECT) ? prompts : NULL;
    out->default_prompt = json_get_string(config, "default_prompt_name", NULL);
    if (pooling_count(out) == 0)
        out->pool_mean = true;
    out->present = true;
    return STATUS_OK;
}

enum status sentence_read(struct sentence_modules *out, struct repository *repository,
                          uint32_t hidden_size, struct error *err) {
    struct reading reading = {
        .out = out, .repository = repository, .weights = true, .width = hidden_size};
    return read_all(&reading, err);
}

enum status sentence_check(struct repository *repository, uint32_t hidden_size, struct error *err) {
    struct sentence_modules modules;
    struct reading reading = {.out = &modules, .repository = repository, .width = hidden_size};
    return read_all(&reading, err);
}
