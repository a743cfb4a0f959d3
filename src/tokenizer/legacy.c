/* Which legacy format a folder has, and what the formats share: reading the files, stages from
 * JSON, templates. The formats themselves are in legacy_*.c, a function each. */
#include "tokenizer/slow.h"

#include "base/banned.h"

/* ---- files --------------------------------------------------------------------------------- */

enum status legacy_read(struct loader *loader, const char *name, char **data, size_t *len,
                        struct error *err) {
    const char *path = path_join(&loader->arena, loader->folder, name);
    return file_read(data, len, &loader->arena, path, LIMIT_JSON_FILE, err);
}

bool legacy_has(struct loader *loader, const char *name) {
    return file_exists(path_join(&loader->arena, loader->folder, name));
}

enum status legacy_vocab_object(const struct json *object, struct vocab *vocab, const char *name,
                                struct error *err) {
    if (!json_is(object, JSON_OBJECT))
        return ERR(err, MODEL, "%s must be an object of tokens and ids", name);
    vocab_reserve(vocab, object->len);
    for (uint32_t i = 0; i < object->len; i++) {
        const struct json_member *member = &object->members[i];
        int64_t id;
        if (!json_to_int(&member->value, &id) || id < 0 || id >= LIMIT_VOCAB_SIZE)
            return ERR(err, MODEL, "%s: the id of token \"%.*s\" must be 0 to %d", name,
                       (int)(member->key_len > 60 ? 60 : member->key_len), member->key,
                       LIMIT_VOCAB_SIZE - 1);
        vocab_put(vocab, member->key, member->key_len, (uint32_t)id);
    }
    return STATUS_OK;
}

enum status legacy_vocab_json_into(struct loader *loader, struct vocab *vocab, const char *name,
                                   struct error *err) {
    char *data;
    size_t len;
    const struct json *object;
    if (legacy_read(loader, name, &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (json_parse(&object, &loader->arena, data, len, JSON_PYTHON, err) != STATUS_OK) {
        err->code = ERROR_MODEL;
        return error_prefix(err, "%s: ", name);
    }
    return legacy_vocab_object(object, vocab, name, err);
}

enum status legacy_vocab_json(struct loader *loader, const char *name, struct error *err) {
    return legacy_vocab_json_into(loader, &loader->tokenizer->vocab, name, err);
}

enum status legacy_vocab_txt(struct loader *loader, const char *name, struct error *err) {
    char *data;
    size_t len, bad;
    if (legacy_read(loader, name, &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!utf8_valid(data, len, &bad))
        return ERR(err, MODEL, "%s is not valid UTF-8 at byte %zu", name, bad);
    uint32_t id = 0;
    for (size_t pos = 0; pos < len; id++) {
        const char *stop = memchr(data + pos, '\n', len - pos);
        const size_t end = stop ? (size_t)(stop - data) : len;
        const size_t cut = stop && end > pos && data[end - 1] == '\r' ? end - 1 : end;
        if (id >= LIMIT_VOCAB_SIZE)
            return ERR(err, MODEL, "%s has more than %d tokens", name, LIMIT_VOCAB_SIZE);
        vocab_put(&loader->tokenizer->vocab, data + pos, cut - pos, id);
        pos = end + 1;
    }
    return STATUS_OK;
}

/* ---- stages -------------------------------------------------------------------------------- */

static enum status stage_from(struct stage **out, struct loader *loader, stage_parser *parse,
                              const char *text, struct error *err) {
    const struct json *config;
    if (json_parse(&config, &loader->arena, text, strlen(text), JSON_STRICT, err) != STATUS_OK)
        return STATUS_ERROR;
    return parse(out, loader, config, err);
}

enum status legacy_model(struct loader *loader, const char *json, struct error *err) {
    const struct json *config;
    if (json_parse(&config, &loader->arena, json, strlen(json), JSON_STRICT, err) != STATUS_OK)
        return STATUS_ERROR;
    return model_parse(loader, config, err);
}

enum status legacy_normalizer(struct loader *loader, const char *json, struct error *err) {
    return stage_from(&loader->tokenizer->normalizer, loader, normalizer_parse, json, err);
}

enum status legacy_pre_tokenizer(struct loader *loader, const char *json, struct error *err) {
    return stage_from(&loader->tokenizer->pre_tokenizer, loader, pre_tokenizer_parse, json, err);
}

enum status legacy_post_processor(struct loader *loader, const char *json, struct error *err) {
    return stage_from(&loader->tokenizer->post_processor, loader, post_processor_parse, json, err);
}

enum status legacy_decoder(struct loader *loader, const char *json, struct error *err) {
    return stage_from(&loader->tokenizer->decoder, loader, decoder_parse, json, err);
}

const char *legacy_quoted(struct loader *loader, const char *text) {
    struct buf buf;
    buf_init(&buf, LIMIT_JSON_FILE);
    struct json_out json = json_out_begin(&buf);
    json_string(&json, text);
    const char *quoted = arena_strndup(&loader->arena, buf.data, buf.len);
    buf_deinit(&buf);
    return quoted;
}

bool legacy_flag(const struct loader *loader, const char *key, bool otherwise) {
    return json_get_bool(loader->tokenizer_config, key, otherwise);
}

uint32_t legacy_count(const struct loader *loader, const char *key) {
    const double count = json_get_number(loader->tokenizer_config, key, 0);
    return count >= 1 && count <= LIMIT_TEXT ? (uint32_t)count : 0;
}

const char *legacy_bool(bool value) {
    return value ? "true" : "false";
}

/* ---- post-processors ----------------------------------------------------------------------- */

static int32_t id_of(struct loader *loader, const char *token, size_t len) {
    /* The converters ask the slow class, what a class applies afterwards the fast one. */
    const bool asks_slow = loader->legacy_post || loader->tokenizer->slow;
    int32_t id = asks_slow ? special_declared_id(loader, token, len) : -1;
    if (id < 0)
        id = tokenizer_token_to_id(loader->tokenizer, token, len);
    const char *unk = id < 0 ? special_content(loader, TOKEN_UNK) : NULL;
    if (unk)
        id = tokenizer_token_to_id(loader->tokenizer, unk, strlen(unk));
    return id < 0 ? 0 : id;
}

/* "name:1" into its name's length and type id. */
static size_t split_piece(const char *piece, size_t len, int *type_id) {
    *type_id = 0;
    if (len < 3 || piece[len - 2] != ':' || piece[len - 1] < '0' || piece[len - 1] > '9')
        return len;
    *type_id = piece[len - 1] - '0';
    return len - 2;
}

static void put_pieces(struct json_out *json, const char *key, const char *pieces) {
    json_key(json, key);
    json_open_array(json);
    for (const char *at = pieces; *at;) {
        const size_t len = strcspn(at, " ");
        int type_id;
        const size_t name = split_piece(at, len, &type_id);
        const bool sequence = at[0] == '$' && name == 2;
        json_open_object(json);
        json_key(json, sequence ? "Sequence" : "SpecialToken");
        json_open_object(json);
        json_key(json, "id");
        json_string_n(json, sequence ? at + 1 : at, sequence ? 1 : name);
        json_key(json, "type_id");
        json_int(json, type_id);
        json_close_object(json);
        json_close_object(json);
        at += len + (at[len] == ' ');
    }
    json_close_array(json);
}

static void put_tokens(struct json_out *json, struct loader *loader, const char *pieces) {
    for (const char *at = pieces; *at;) {
        const size_t len = strcspn(at, " ");
        int type_id;
        const size_t name = split_piece(at, len, &type_id);
        if (at[0] != '$') {
            char key[LIMIT_ERROR_TEXT];
            snprintf(key, sizeof key, "%.*s", (int)name, at);
            json_key(json, key);
            json_open_object(json);
            json_key(json, "id");
            json_string(json, key);
            json_key(json, "ids");
            json_open_array(json);
            json_int(json, id_of(loader, at, name));
            json_close_array(json);
            json_key(json, "tokens");
            json_open_array(json);
            json_string(json, key);
            json_close_array(json);
            json_close_object(json);
        }
        at += len + (at[len] == ' ');
    }
}

enum status template_set(struct loader *loader, const char *single, const char *pair,
                         struct error *err) {
    struct buf text;
    buf_init(&text, LIMIT_JSON_FILE);
    struct json_out json = json_out_begin(&text);
    json_open_object(&json);
    json_key(&json, "type");
    json_string(&json, "TemplateProcessing");
    put_pieces(&json, "single", single);
    put_pieces(&json, "pair", pair);
    json_key(&json, "special_tokens");
    json_open_object(&json);
    put_tokens(&json, loader, single);
    put_tokens(&json, loader, pair);
    json_close_object(&json);
    json_close_object(&json);
    const enum status status = legacy_post_processor(loader, text.data, err);
    buf_deinit(&text);
    return status;
}

static void put_role(struct json_out *json, struct loader *loader, const char *key,
                     enum special_token role) {
    const char *content = special_content(loader, role);
    json_key(json, key);
    json_open_array(json);
    json_string(json, content ? content : "");
    json_int(json, content ? id_of(loader, content, strlen(content)) : 0);
    json_close_array(json);
}

static enum status cls_sep_set(struct loader *loader, const struct legacy_post *post,
                               struct error *err) {
    struct buf text;
    buf_init(&text, LIMIT_JSON_FILE);
    struct json_out json = json_out_begin(&text);
    json_open_object(&json);
    json_key(&json, "type");
    json_string(&json, post->type);
    put_role(&json, loader, "cls", post->cls);
    put_role(&json, loader, "sep", post->sep);
    json_key(&json, "trim_offsets");
    json_bool(&json, post->trim_offsets);
    json_key(&json, "add_prefix_space");
    json_bool(&json, legacy_flag(loader, "add_prefix_space", loader->class->prefix_space));
    json_close_object(&json);
    const enum status status = legacy_post_processor(loader, text.data, err);
    buf_deinit(&text);
    return status;
}

void legacy_post(struct loader *loader, struct legacy_post post) {
    loader->legacy_post = arena_copy(&loader->arena, &post, sizeof post);
}

enum status legacy_finish(struct loader *loader, struct error *err) {
    const struct legacy_post *post = loader->legacy_post;
    const struct slow *slow = loader->tokenizer->slow;
    if (slow && slow->kind->finish && slow->kind->finish(loader, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!post)
        return STATUS_OK;
    const enum status status = post->type ? cls_sep_set(loader, post, err)
                                          : template_set(loader, post->single, post->pair, err);
    loader->legacy_post = NULL;
    return status;
}

/* ---- formats ------------------------------------------------------------------------------- */

static const struct {
    const char *name, *files;
    enum status (*load)(struct loader *loader, struct error *err);
} formats[] = {
#define LEGACY(name, files) [LEGACY_##name] = {#name, files, legacy_##name},
#include "tokenizer/legacy_formats.inc"
#undef LEGACY
};

static bool has_all(struct loader *loader, const char *files) {
    for (const char *at = files; *at;) {
        const size_t len = strcspn(at, " ");
        if (!legacy_has(loader, arena_strndup(&loader->arena, at, len)))
            return false;
        at += len + (at[len] == ' ');
    }
    return true;
}

/* A folder that says no class: those that its files tell apart. */
static const struct tokenizer_class *class_by_files(struct loader *loader) {
    if (has_all(loader, formats[LEGACY_gpt2].files))
        return class_named("GPT2Tokenizer");
    if (has_all(loader, formats[LEGACY_qwen].files))
        return class_named("QWenTokenizer");
    return has_all(loader, formats[LEGACY_bert].files) ? class_named("BertTokenizer") : NULL;
}

bool legacy_is_there(struct loader *loader) {
    return loader->class && loader->class->legacy != LEGACY_none &&
           has_all(loader, formats[loader->class->legacy].files);
}

/* Any class that can be built of a tokenizer.model, or says nothing, takes tiktoken's too, and
 * Mistral's tekken.json. */
static bool takes_model(struct loader *loader) {
    const enum legacy_format format = loader->class ? loader->class->legacy : LEGACY_none;
    return format == LEGACY_none || strcmp(formats[format].files, "tokenizer.model") == 0;
}

enum status legacy_load(struct loader *loader, struct error *err) {
    loader->legacy = true;
    if (takes_model(loader) && has_all(loader, formats[LEGACY_tekken].files)) {
        loader->class = class_named("MistralCommonTokenizer");
        return legacy_tekken(loader, err);
    }
    if (takes_model(loader) && legacy_is_tiktoken(loader)) {
        if (!loader->class)
            loader->class = class_generic();
        return legacy_tiktoken(loader, err);
    }
    const bool is_named = loader->class_name && loader->class != class_generic();
    if (loader->class_name && !class_named(loader->class_name))
        return ERR(err, MODEL, "no tokenizer: a %s cannot be built without tokenizer.json",
                   loader->class_name);
    if (!is_named && (!loader->class || loader->class == class_generic()))
        loader->class = class_by_files(loader);
    if (!loader->class)
        return ERR(err, NOT_FOUND,
                   "no tokenizer: neither tokenizer.json, nor vocab.json and merges.txt, nor "
                   "vocab.txt");
    const enum legacy_format format = loader->class->legacy;
    if (format == LEGACY_none)
        return ERR(err, MODEL, "no tokenizer: a %s cannot be built without tokenizer.json",
                   loader->class->name);
    if (!has_all(loader, formats[format].files))
        return ERR(err, NOT_FOUND, "no tokenizer: a %s is built from tokenizer.json or from %s",
                   loader->class->name, formats[format].files);
    return formats[format].load(loader, err);
}
