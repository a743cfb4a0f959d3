/* The files from before tokenizer.json: vocab.json and merges.txt, or vocab.txt. The pipeline is
 * the one that transformers' slow-to-fast converters build (convert_slow_tokenizer.py), written
 * down as JSON and parsed like any other. */
#include "tokenizer/special_tokens.h"

#include "base/banned.h"

static enum status read_file(struct loader *loader, const char *name, char **data, size_t *len,
                             struct error *err) {
    const char *path = path_join(&loader->arena, loader->folder, name);
    return file_read(data, len, &loader->arena, path, LIMIT_JSON_FILE, err);
}

static bool has_file(struct loader *loader, const char *name) {
    return file_exists(path_join(&loader->arena, loader->folder, name));
}

static enum status parse_stage(struct stage **out, struct loader *loader, stage_parser *parse,
                               struct buf *text, struct error *err) {
    const struct json *config;
    if (json_parse(&config, &loader->arena, text->data, text->len, JSON_STRICT, err) != STATUS_OK ||
        parse(out, loader, config, err) != STATUS_OK)
        return STATUS_ERROR;
    buf_reset(text);
    return STATUS_OK;
}

/* ---- vocabularies -------------------------------------------------------------------------- */

static enum status vocab_json(struct loader *loader, struct error *err) {
    char *data;
    size_t len;
    const struct json *object;
    if (read_file(loader, "vocab.json", &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (json_parse(&object, &loader->arena, data, len, JSON_PYTHON, err) != STATUS_OK) {
        err->code = ERROR_MODEL;
        return error_prefix(err, "vocab.json: ");
    }
    if (!json_is(object, JSON_OBJECT))
        return ERR(err, MODEL, "vocab.json must be an object of tokens and ids");
    for (uint32_t i = 0; i < object->len; i++) {
        const struct json_member *member = &object->members[i];
        int64_t id;
        if (!json_to_int(&member->value, &id) || id < 0 || id >= LIMIT_VOCAB_SIZE)
            return ERR(err, MODEL, "vocab.json: the id of token \"%.*s\" must be 0 to %d",
                       (int)(member->key_len > 60 ? 60 : member->key_len), member->key,
                       LIMIT_VOCAB_SIZE - 1);
        vocab_put(&loader->tokenizer->vocab, member->key, member->key_len, (uint32_t)id);
    }
    return STATUS_OK;
}

/* A token a line, numbered from 0. */
static enum status vocab_txt(struct loader *loader, struct error *err) {
    char *data;
    size_t len, bad;
    if (read_file(loader, "vocab.txt", &data, &len, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!utf8_valid(data, len, &bad))
        return ERR(err, MODEL, "vocab.txt is not valid UTF-8 at byte %zu", bad);
    uint32_t id = 0;
    for (size_t pos = 0; pos < len; id++) {
        const char *stop = memchr(data + pos, '\n', len - pos);
        const size_t end = stop ? (size_t)(stop - data) : len;
        const size_t cut = stop && end > pos && data[end - 1] == '\r' ? end - 1 : end;
        if (id >= LIMIT_VOCAB_SIZE)
            return ERR(err, MODEL, "vocab.txt has more than %d tokens", LIMIT_VOCAB_SIZE);
        vocab_put(&loader->tokenizer->vocab, data + pos, cut - pos, id);
        pos = end + 1;
    }
    return STATUS_OK;
}

/* ---- pipelines ----------------------------------------------------------------------------- */

static void put_pair(struct json_out *json, struct loader *loader, const char *key,
                     enum special_token role) {
    const char *content = special_content(loader, role);
    json_key(json, key);
    json_open_array(json);
    json_string(json, content ? content : "");
    json_int(json,
             content ? tokenizer_token_to_id(loader->tokenizer, content, strlen(content)) : 0);
    json_close_array(json);
}

static enum status cls_sep_processor(struct loader *loader, const char *type,
                                     enum special_token cls, enum special_token sep,
                                     bool trim_offsets, struct error *err) {
    struct buf text;
    buf_init(&text, LIMIT_JSON_FILE);
    struct json_out json = json_out_begin(&text);
    json_open_object(&json);
    json_key(&json, "type");
    json_string(&json, type);
    put_pair(&json, loader, "cls", cls);
    put_pair(&json, loader, "sep", sep);
    json_key(&json, "trim_offsets");
    json_bool(&json, trim_offsets);
    json_key(&json, "add_prefix_space");
    json_bool(&json, json_get_bool(loader->tokenizer_config, "add_prefix_space", false));
    json_close_object(&json);
    const enum status status =
        parse_stage(&loader->tokenizer->post_processor, loader, post_processor_parse, &text, err);
    buf_deinit(&text);
    return status;
}

/* GPT-2 with add_bos_token: the token in front of the first text only. */
static enum status bos_processor(struct loader *loader, struct error *err) {
    const char *bos = special_content(loader, TOKEN_BOS);
    const int32_t id = bos ? tokenizer_token_to_id(loader->tokenizer, bos, strlen(bos)) : -1;
    if (id < 0)
        return ERR(err, MODEL, "add_bos_token is true, but bos_token is not in the vocabulary");
    struct buf text;
    buf_init(&text, LIMIT_JSON_FILE);
    buf_printf(&text,
               "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"bos\","
               "\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":["
               "{\"SpecialToken\":{\"id\":\"bos\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\","
               "\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":"
               "{\"bos\":{\"id\":\"bos\",\"ids\":[%d],\"tokens\":[\"bos\"]}}}",
               id);
    const enum status status =
        parse_stage(&loader->tokenizer->post_processor, loader, post_processor_parse, &text, err);
    buf_deinit(&text);
    return status;
}

static enum status stage_from(struct stage **out, struct loader *loader, stage_parser *parse,
                              const char *json, struct error *err) {
    struct buf text;
    buf_init(&text, LIMIT_JSON_FILE);
    buf_puts(&text, json);
    const enum status status = parse_stage(out, loader, parse, &text, err);
    buf_deinit(&text);
    return status;
}

static const char *byte_level_pre_tokenizer(const struct loader *loader) {
    return json_get_bool(loader->tokenizer_config, "add_prefix_space", false)
               ? "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"
               : "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}";
}

static enum status byte_level_stages(struct loader *loader, const char *pre_tokenizer,
                                     struct error *err) {
    struct tokenizer *tokenizer = loader->tokenizer;
    if (stage_from(&tokenizer->pre_tokenizer, loader, pre_tokenizer_parse, pre_tokenizer, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    return stage_from(&tokenizer->decoder, loader, decoder_parse, "{\"type\":\"ByteLevel\"}", err);
}

static enum status gpt2_stages(struct loader *loader, struct error *err) {
    if (byte_level_stages(loader, byte_level_pre_tokenizer(loader), err) != STATUS_OK)
        return STATUS_ERROR;
    if (json_get_bool(loader->tokenizer_config, "add_bos_token", false))
        return bos_processor(loader, err);
    return stage_from(&loader->tokenizer->post_processor, loader, post_processor_parse,
                      "{\"type\":\"ByteLevel\",\"trim_offsets\":false}", err);
}

static enum status roberta_stages(struct loader *loader, struct error *err) {
    if (byte_level_stages(loader, byte_level_pre_tokenizer(loader), err) != STATUS_OK)
        return STATUS_ERROR;
    return cls_sep_processor(loader, "RobertaProcessing", TOKEN_CLS, TOKEN_SEP,
                             json_get_bool(loader->tokenizer_config, "trim_offsets", true), err);
}

static enum status clip_stages(struct loader *loader, struct error *err) {
    static const char normalizer[] =
        "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},{\"type\":\"Replace\","
        "\"pattern\":{\"Regex\":\"\\\\s+\"},\"content\":\" \"},{\"type\":\"Lowercase\"}]}";
    static const char pre_tokenizer[] =
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
        "\"'s|'t|'re|'ve|'m|'ll|'d|[\\\\p{L}]+|[\\\\p{N}]|[^\\\\s\\\\p{L}\\\\p{N}]+\"},"
        "\"behavior\":\"Removed\",\"invert\":true},{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":false}]}";
    if (stage_from(&loader->tokenizer->normalizer, loader, normalizer_parse, normalizer, err) !=
            STATUS_OK ||
        byte_level_stages(loader, pre_tokenizer, err) != STATUS_OK)
        return STATUS_ERROR;
    return cls_sep_processor(loader, "RobertaProcessing", TOKEN_BOS, TOKEN_EOS, false, err);
}

static enum status qwen2_stages(struct loader *loader, struct error *err) {
    static const char pre_tokenizer[] =
        "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
        "\"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|\\\\p{N}|"
        " ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+\"},"
        "\"behavior\":\"Isolated\",\"invert\":false},{\"type\":\"ByteLevel\",\"use_regex\":false,"
        "\"add_prefix_space\":false}]}";
    if (stage_from(&loader->tokenizer->normalizer, loader, normalizer_parse, "{\"type\":\"NFC\"}",
                   err) != STATUS_OK ||
        byte_level_stages(loader, pre_tokenizer, err) != STATUS_OK)
        return STATUS_ERROR;
    return stage_from(&loader->tokenizer->post_processor, loader, post_processor_parse,
                      "{\"type\":\"ByteLevel\",\"trim_offsets\":false}", err);
}

static const char *json_bool_text(bool value) {
    return value ? "true" : "false";
}

static enum status bert_stages(struct loader *loader, struct error *err) {
    struct tokenizer *tokenizer = loader->tokenizer;
    const struct json *config = loader->tokenizer_config;
    const struct json *strip = json_get(config, "strip_accents");
    const char *normalizer =
        arena_printf(&loader->arena,
                     "{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":%s,"
                     "\"strip_accents\":%s,\"lowercase\":%s}",
                     json_bool_text(json_get_bool(config, "tokenize_chinese_chars", true)),
                     json_is(strip, JSON_BOOL) ? json_bool_text(strip->boolean) : "null",
                     json_bool_text(json_get_bool(config, "do_lower_case", true)));
    if (stage_from(&tokenizer->normalizer, loader, normalizer_parse, normalizer, err) !=
            STATUS_OK ||
        stage_from(&tokenizer->pre_tokenizer, loader, pre_tokenizer_parse,
                   "{\"type\":\"BertPreTokenizer\"}", err) != STATUS_OK ||
        stage_from(&tokenizer->decoder, loader, decoder_parse,
                   "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}", err) != STATUS_OK)
        return STATUS_ERROR;
    return cls_sep_processor(loader, "BertProcessing", TOKEN_CLS, TOKEN_SEP, false, err);
}

/* ---- models -------------------------------------------------------------------------------- */

static enum status wordpiece_model(struct loader *loader, struct error *err) {
    const char *unk = special_content(loader, TOKEN_UNK);
    struct buf text;
    buf_init(&text, LIMIT_JSON_FILE);
    struct json_out json = json_out_begin(&text);
    json_open_object(&json);
    json_key(&json, "type");
    json_string(&json, "WordPiece");
    json_key(&json, "unk_token");
    json_string(&json, unk ? unk : "[UNK]");
    json_close_object(&json);
    const struct json *config;
    enum status status = json_parse(&config, &loader->arena, text.data, text.len, JSON_STRICT, err);
    if (status == STATUS_OK)
        status = model_parse(loader, config, err);
    buf_deinit(&text);
    return status;
}

static enum status bpe_model(struct loader *loader, bool clip, struct error *err) {
    struct buf text;
    buf_init(&text, LIMIT_JSON_FILE);
    struct json_out json = json_out_begin(&text);
    json_open_object(&json);
    json_key(&json, "type");
    json_string(&json, "BPE");
    json_key(&json, "merges");
    json_open_array(&json);
    json_close_array(&json);
    if (clip) {
        json_key(&json, "end_of_word_suffix");
        json_string(&json, "</w>");
        json_key(&json, "unk_token");
        json_string(&json, special_content(loader, TOKEN_UNK));
    }
    json_close_object(&json);
    const struct json *config;
    char *data;
    size_t len;
    enum status status = json_parse(&config, &loader->arena, text.data, text.len, JSON_STRICT, err);
    if (status == STATUS_OK)
        status = model_parse(loader, config, err);
    if (status == STATUS_OK)
        status = read_file(loader, "merges.txt", &data, &len, err);
    if (status == STATUS_OK &&
        bpe_add_merges(&loader->tokenizer->model, loader, data, len, err) != STATUS_OK)
        status = error_prefix(err, "merges.txt: ");
    buf_deinit(&text);
    return status;
}

static const struct {
    enum status (*stages)(struct loader *loader, struct error *err);
} formats[] = {
    [LEGACY_GPT2] = {gpt2_stages}, [LEGACY_ROBERTA] = {roberta_stages},
    [LEGACY_CLIP] = {clip_stages}, [LEGACY_QWEN2] = {qwen2_stages},
    [LEGACY_BERT] = {bert_stages},
};

enum status legacy_load(struct loader *loader, struct error *err) {
    const bool bpe = has_file(loader, "vocab.json") && has_file(loader, "merges.txt");
    const bool wordpiece = has_file(loader, "vocab.txt");
    if (!bpe && !wordpiece)
        return ERR(err, NOT_FOUND,
                   "no tokenizer: neither tokenizer.json, nor vocab.json and merges.txt, nor "
                   "vocab.txt");
    loader->legacy = true;
    if (!loader->class || loader->class == class_generic())
        loader->class = class_named(bpe ? "GPT2Tokenizer" : "BertTokenizer");
    const enum legacy_format format = loader->class->legacy;
    if (format == LEGACY_NONE || (format == LEGACY_BERT ? !wordpiece : !bpe))
        return ERR(err, MODEL, "a %s cannot be built from the files in %s", loader->class->name,
                   loader->folder);
    if (format == LEGACY_BERT) {
        if (vocab_txt(loader, err) != STATUS_OK || wordpiece_model(loader, err) != STATUS_OK)
            return STATUS_ERROR;
    } else if (vocab_json(loader, err) != STATUS_OK ||
               bpe_model(loader, format == LEGACY_CLIP, err) != STATUS_OK) {
        return STATUS_ERROR;
    }
    return formats[format].stages(loader, err);
}
