/* Loading: which files there are, tokenizer.json or the older ones, settings, and the answers about
 * a loaded tokenizer. What transformers' class changes is in class_apply.c. */
#include "tokenizer/slow.h"

#include "base/banned.h"

#define VERY_LARGE_LENGTH 1e9 /* model_max_length above this means "no limit" */

/* ---- files --------------------------------------------------------------------------------- */

/* Reads a JSON file of the folder; NULL when it is absent. */
static enum status read_json(struct loader *loader, const char *name, const struct json **out,
                             struct error *err) {
    const char *path = path_join(&loader->arena, loader->folder, name);
    char *data;
    size_t len;
    *out = NULL;
    if (!file_exists(path))
        return STATUS_OK;
    if (file_read(&data, &len, &loader->arena, path, LIMIT_JSON_FILE, err) != STATUS_OK)
        return STATUS_ERROR;
    if (json_parse(out, &loader->arena, data, len, JSON_PYTHON, err) != STATUS_OK) {
        err->code = ERROR_MODEL;
        return error_prefix(err, "%s: ", name);
    }
    return STATUS_OK;
}

static enum status read_files(struct loader *loader, struct error *err) {
    if (read_json(loader, "tokenizer.json", &loader->tokenizer_json, err) != STATUS_OK ||
        read_json(loader, "tokenizer_config.json", &loader->tokenizer_config, err) != STATUS_OK ||
        read_json(loader, "special_tokens_map.json", &loader->special_tokens_map, err) != STATUS_OK)
        return STATUS_ERROR;
    struct error ignored; /* a damaged config.json is the model's matter */
    if (read_json(loader, "config.json", &loader->config, &ignored) != STATUS_OK)
        loader->config = NULL;
    return STATUS_OK;
}

/* As AutoTokenizer: tokenizer_config.json, config.json, the model type; NULL: nothing is said, and
 * the reference is the bare library. A class without a row is the generic one. */
static const struct tokenizer_class *find_class(struct loader *loader) {
    const char *name = json_get_string(loader->tokenizer_config, "tokenizer_class", NULL);
    if (!name)
        name = json_get_string(loader->config, "tokenizer_class", NULL);
    loader->class_name = name;
    const char *model_type = json_get_string(loader->config, "model_type", NULL);
    if (!name && !model_type)
        return NULL;
    const struct tokenizer_class *class =
        name ? class_named(name) : class_for_model_type(model_type);
    return class ? class : class_generic();
}

/* tokenizer.json, but for the classes that go back to the older files when add_prefix_space or a
 * special token is not as it was. */
static bool rebuilds(struct loader *loader) {
    const struct tokenizer_class *class = loader->class;
    if (!class || !legacy_is_there(loader))
        return false;
    if (class->is_python)
        return true;
    if (class->rebuilds)
        return !json_is_null(json_get(loader->tokenizer_config, "add_prefix_space"));
    if (class->extra != EXTRA_PEGASUS)
        return false;
    for (int role = 0; role < TOKEN_ROLES; role++) {
        const char *content = special_content(loader, (enum special_token)role);
        const char *usual = role == TOKEN_MASK ? NULL : class->tokens[role];
        if (usual && (!content || strcmp(content, usual) != 0))
            return true;
    }
    return false;
}

/* ---- tokenizer.json ------------------------------------------------------------------------ */

static enum status added_tokens_parse(struct loader *loader, struct error *err) {
    const struct json *list = json_get(loader->tokenizer_json, "added_tokens");
    for (uint32_t i = 0; json_is(list, JSON_ARRAY) && i < list->len; i++) {
        const struct json *object = json_at(list, i), *content = json_get(object, "content");
        if (!json_is(content, JSON_STRING))
            return ERR(err, MODEL, "added token %u has no \"content\"", i);
        added_add(loader->tokenizer,
                  (struct added_token){
                      .content = arena_strndup(loader_arena(loader), content->text, content->len),
                      .len = content->len,
                      .single_word = json_get_bool(object, "single_word", false),
                      .lstrip = json_get_bool(object, "lstrip", false),
                      .rstrip = json_get_bool(object, "rstrip", false),
                      .normalized = json_get_bool(object, "normalized", true),
                      .special = json_get_bool(object, "special", false)});
    }
    return STATUS_OK;
}

static enum status tokenizer_json_load(struct loader *loader, struct error *err) {
    struct tokenizer *tokenizer = loader->tokenizer;
    const struct json *json = loader->tokenizer_json;
    if (!json_is(json, JSON_OBJECT))
        return ERR(err, MODEL, "it must be an object");
    if (model_parse(loader, json_get(json, "model"), err) != STATUS_OK ||
        normalizer_parse(&tokenizer->normalizer, loader, json_get(json, "normalizer"), err) !=
            STATUS_OK ||
        pre_tokenizer_parse(&tokenizer->pre_tokenizer, loader, json_get(json, "pre_tokenizer"),
                            err) != STATUS_OK ||
        post_processor_parse(&tokenizer->post_processor, loader, json_get(json, "post_processor"),
                             err) != STATUS_OK ||
        decoder_parse(&tokenizer->decoder, loader, json_get(json, "decoder"), err) != STATUS_OK)
        return STATUS_ERROR;
    return added_tokens_parse(loader, err);
}

/* ---- settings ------------------------------------------------------------------------------ */

static bool trims(const struct stage *stage) {
    if (stage_is(stage, "ByteLevel"))
        return ((const struct byte_level *)stage->state)->trim_offsets;
    if (stage_is(stage, "RobertaProcessing"))
        return ((const struct cls_sep *)stage->state)->trim_offsets;
    for (size_t i = 0; stage && i < stage->n_children; i++)
        if (trims(stage->children[i]))
            return true;
    return false;
}

static bool is_untyped(const struct loader *loader) {
    const struct json *names = json_get(loader->tokenizer_config, "model_input_names");
    if (!json_is(names, JSON_ARRAY))
        return loader->class && loader->class->untyped;
    for (uint32_t i = 0; i < names->len; i++)
        if (json_equals(json_at(names, i), "token_type_ids"))
            return false;
    return true;
}

static void settings_apply(struct loader *loader) {
    struct tokenizer *tokenizer = loader->tokenizer;
    const struct json *config = loader->tokenizer_config;
    const double max_length =
        json_get_number(config, "model_max_length", json_get_number(config, "max_len", 0));
    if (max_length >= 1 && max_length <= VERY_LARGE_LENGTH)
        tokenizer->max_length = (uint32_t)max_length;
    else if (max_length == 0 && loader->legacy && loader->class)
        tokenizer->max_length = loader->class->legacy_max_length;
    const char *padding =
        json_get_string(json_get(loader->tokenizer_json, "padding"), "direction",
                        loader->class && loader->class->pads_left ? "left" : "right");
    const char *side = json_get_string(config, "padding_side", padding);
    tokenizer->pads_left = strcmp(side, "left") == 0 || strcmp(side, "Left") == 0;
    tokenizer->untyped = is_untyped(loader);
    tokenizer->clean_up =
        json_get_bool(config, "clean_up_tokenization_spaces",
                      loader->legacy && loader->class && loader->class->legacy_clean_up);
    tokenizer->trims_offsets = trims(tokenizer->post_processor);
    tokenizer->source = tokenizer_language(tokenizer, json_get_string(config, "src_lang", ""));
    tokenizer->target = tokenizer_language(tokenizer, json_get_string(config, "tgt_lang", ""));
    tokenizer->splits_special =
        loader->class && json_get_bool(config, "split_special_tokens", false);
}

/* ---- public -------------------------------------------------------------------------------- */

static enum status load(struct loader *loader, struct error *err) {
    const bool is_given = loader->tokenizer_json != NULL;
    if (!is_given && read_files(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    loader->class = find_class(loader);
    if (loader->class && loader->class->refused &&
        !(loader->class->is_python && loader->tokenizer_json))
        return ERR(err, MODEL, "%s is not supported: %s", loader->class->name,
                   loader->class->refused);
    if (!loader->tokenizer_json || (!is_given && rebuilds(loader))) {
        if (legacy_load(loader, err) != STATUS_OK)
            return STATUS_ERROR;
    } else if (tokenizer_json_load(loader, err) != STATUS_OK) {
        return error_prefix(err, "tokenizer.json: ");
    }
    if (special_tokens_apply(loader, err) != STATUS_OK || legacy_finish(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    /* Before the class changes the normalizer: transformers does not normalize them again. */
    added_finish(loader->tokenizer);
    if (class_apply(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    settings_apply(loader);
    return STATUS_OK;
}

static enum status create(struct tokenizer **out, struct loader *loader, struct error *err) {
    struct tokenizer *tokenizer = mem_zalloc(1, sizeof *tokenizer);
    loader->tokenizer = tokenizer;
    for (int role = 0; role < TOKEN_ROLES; role++)
        tokenizer->roles[role] = -1;
    tokenizer->language = tokenizer->source = tokenizer->target = -1;
    vocab_init(&tokenizer->vocab);
    tokenizer->words = word_cache_create();
    added_init(&tokenizer->added);
    const enum status status = load(loader, err);
    arena_deinit(&loader->arena);
    if (status == STATUS_OK)
        *out = tokenizer;
    else
        tokenizer_destroy(tokenizer);
    return status;
}

enum status tokenizer_load(struct tokenizer **out, const char *folder, struct error *err) {
    struct loader loader = {.folder = folder};
    return create(out, &loader, err);
}

enum status tokenizer_load_json(struct tokenizer **out, const char *folder,
                                const struct json *tokenizer_json,
                                const struct json *tokenizer_config, struct error *err) {
    struct loader loader = {
        .folder = folder, .tokenizer_json = tokenizer_json, .tokenizer_config = tokenizer_config};
    return create(out, &loader, err);
}

void tokenizer_destroy(struct tokenizer *tokenizer) {
    if (!tokenizer)
        return;
    if (tokenizer->model.kind && tokenizer->model.kind->destroy)
        tokenizer->model.kind->destroy(&tokenizer->model);
    for (size_t i = 0; i < tokenizer->n_patterns; i++)
        pattern_destroy(tokenizer->patterns[i]);
    mem_free(tokenizer->patterns);
    slow_destroy(tokenizer->slow);
    word_cache_destroy(tokenizer->words);
    vocab_deinit(&tokenizer->vocab);
    added_deinit(&tokenizer->added);
    arena_deinit(&tokenizer->arena);
    mem_free(tokenizer);
}

int32_t tokenizer_special(const struct tokenizer *tokenizer, enum special_token role) {
    return tokenizer->roles[role];
}

uint32_t tokenizer_vocab_size(const struct tokenizer *tokenizer) {
    const uint32_t model = tokenizer->vocab.size, added = tokenizer->added.vocab.size;
    return model > added ? model : added;
}

uint32_t tokenizer_max_length(const struct tokenizer *tokenizer) {
    return tokenizer->max_length;
}

bool tokenizer_pads_left(const struct tokenizer *tokenizer) {
    return tokenizer->pads_left;
}

bool tokenizer_gives_types(const struct tokenizer *tokenizer) {
    return !tokenizer->untyped;
}

bool tokenizer_marks_subwords(const struct tokenizer *tokenizer) {
    const char *prefix = tokenizer->model.continuing_subword_prefix;
    return prefix && *prefix;
}

const char *tokenizer_token_n(const struct tokenizer *tokenizer, int32_t id, size_t *len) {
    const char *added = vocab_token(&tokenizer->added.vocab, id, len);
    return added ? added : vocab_token(&tokenizer->vocab, id, len);
}

const char *tokenizer_token(const struct tokenizer *tokenizer, int32_t id) {
    size_t len;
    return tokenizer_token_n(tokenizer, id, &len);
}

int32_t tokenizer_token_to_id(const struct tokenizer *tokenizer, const char *token, size_t len) {
    const int32_t added = vocab_find(&tokenizer->added.vocab, token, len);
    return added >= 0 ? added : vocab_find(&tokenizer->vocab, token, len);
}

int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *token, size_t len) {
    return tokenizer_token_to_id(tokenizer, token, len);
}

bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id) {
    size_t len;
    const char *token = tokenizer_token_n(tokenizer, id, &len);
    return token && added_is_special(&tokenizer->added, token, len);
}
