/* What a GGUF file's header says in place of config.json, tokenizer_config.json and tokenizer.json:
 * the same JSON trees that a repository's files give, so that nobody above knows the difference.
 * Which keys those are stands in gguf_names.c; as transformers' load_gguf_checkpoint. */
#include "formats/gguf.h"

/* ---- config.json ---- */

static void write_number(struct json_out *out, const struct gguf_value *value) {
    int64_t integer = 0;
    double number = 0;
    if (gguf_int(value, &integer))
        json_int(out, integer);
    else if (gguf_float(value, &number))
        json_double(out, number);
    else
        json_bool(out, gguf_bool(value, false));
}

static bool is_number(const struct gguf_value *value) {
    return value->type != GGUF_STRING && value->type != GGUF_ARRAY;
}

/* A number; of an array one, where all are the same (a value a layer), else the array. */
static void write_value(struct json_out *out, const struct gguf_value *value) {
    if (is_number(value)) {
        write_number(out, value);
        return;
    }
    const struct gguf_value first = gguf_item(value, 0);
    const size_t size = (size_t)(gguf_item(value, value->len - 1).data - first.data) /
                        (value->len > 1 ? value->len - 1 : 1);
    bool same = true;
    for (uint64_t i = 1; i < value->len && same; i++)
        same = memcmp(first.data, gguf_item(value, i).data, size) == 0;
    if (same) {
        write_number(out, &first);
        return;
    }
    json_open_array(out);
    for (uint64_t i = 0; i < value->len; i++) {
        const struct gguf_value item = gguf_item(value, i);
        write_number(out, &item);
    }
    json_close_array(out);
}

static bool is_writable(const struct gguf_value *value) {
    return value != NULL && value->type != GGUF_STRING &&
           (value->type != GGUF_ARRAY ||
            (value->item != GGUF_STRING && value->len > 0 && value->len <= LIMIT_LAYERS));
}

static void write_key(struct json_out *out, const struct gguf_value *value, const char *name) {
    if (!is_writable(value))
        return;
    json_key(out, name);
    write_value(out, value);
}

void gguf_write_config(struct json_out *out, const struct gguf *gguf, const struct gguf_arch *arch,
                       bool tied, const struct json *own) {
    static const struct gguf_key others[] = {
        {"tokenizer.ggml.bos_token_id", "bos_token_id"},
        {"tokenizer.ggml.eos_token_id", "eos_token_id"},
        {"tokenizer.ggml.unknown_token_id", "unk_token_id"},
        {"tokenizer.ggml.padding_token_id", "pad_token_id"},
        {"tokenizer.ggml.token_type_count", "type_vocab_size"},
    };
    const struct gguf_value *tokens = gguf_find(gguf, "tokenizer.ggml.tokens");
    json_open_object(out);
    json_key(out, "model_type");
    json_string(out, arch->model_type);
    json_key(out, "tie_word_embeddings");
    json_bool(out, tied);
    if (tokens != NULL && tokens->type == GGUF_ARRAY) {
        json_key(out, "vocab_size");
        json_int(out, (int64_t)tokens->len);
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        write_key(out, gguf_find(gguf, others[i].key), others[i].hf);
    for (const struct gguf_key *key = arch->keys; key->key != NULL; key++)
        write_key(out, gguf_arch_value(gguf, arch, key->key), key->hf);
    for (uint32_t i = 0; json_is(own, JSON_OBJECT) && i < own->len; i++) {
        json_key_n(out, own->members[i].key, own->members[i].key_len);
        json_value(out, &own->members[i].value);
    }
    json_close_object(out);
}

/* ---- files ---- */

static bool has_output(const struct gguf *gguf) {
    static const char name[] = "output.weight";
    for (size_t i = 0; i < gguf->n_tensors; i++) {
        if (gguf->tensors[i].name_len == sizeof name - 1 &&
            memcmp(gguf->tensors[i].name, name, sizeof name - 1) == 0)
            return true;
    }
    return false;
}

/* Runs `use` on the header of folder/name, which is mapped meanwhile. */
struct use {
    enum status (*header)(void *user, const struct gguf *gguf, struct arena *scratch,
                          struct error *err);
    void *user;
};

static enum status with_header(const char *path, const char *name, const struct use *use,
                               struct error *err) {
    struct file_map map = {0};
    struct arena scratch = {0};
    struct gguf gguf;
    if (file_map_open(&map, path, err) != STATUS_OK)
        return STATUS_ERROR;
    enum status status = map.size == 0 ? ERR(err, MODEL, "is empty: download it again")
                                       : gguf_read(&gguf, &scratch, map.data, map.size, err);
    if (status == STATUS_OK)
        status = use->header(use->user, &gguf, &scratch, err);
    if (status != STATUS_OK)
        error_prefix(err, "%.100s: ", name);
    arena_deinit(&scratch);
    file_map_close(&map);
    return status;
}

/* Text that we wrote, as a tree in `arena`. */
static enum status parse(const struct json **out, struct arena *arena, const struct buf *buf,
                         struct error *err) {
    if (buf->overflow)
        return ERR(err, MODEL, "its header is larger than the %zu bytes of JSON that are read",
                   buf->max);
    if (json_parse(out, arena, buf->data, buf->len, JSON_PYTHON, err) == STATUS_OK)
        return STATUS_OK;
    err->code = ERROR_MODEL;
    return STATUS_ERROR;
}

struct reading {
    struct repository *repository;
    struct buf buf;
    bool first, tied;
};

static enum status see_output(void *user, const struct gguf *gguf, struct arena *scratch,
                              struct error *err) {
    struct reading *reading = user;
    (void)scratch;
    (void)err;
    reading->tied = reading->tied && !has_output(gguf);
    return STATUS_OK;
}

static enum status read_config(void *user, const struct gguf *gguf, struct arena *scratch,
                               struct error *err) {
    struct reading *reading = user;
    const struct gguf_arch *arch = NULL;
    (void)scratch;
    if (gguf_arch_of(&arch, gguf, err) != STATUS_OK)
        return STATUS_ERROR;
    struct json_out out = json_out_begin(&reading->buf);
    const struct json *own = reading->repository->config;
    gguf_write_config(&out, gguf, arch, reading->tied, own);
    return parse(&reading->repository->config, &reading->repository->arena, &reading->buf, err);
}

static enum status read_tokenizer_config(void *user, const struct gguf *gguf, struct arena *scratch,
                                         struct error *err) {
    struct reading *reading = user;
    struct repository *repository = reading->repository;
    (void)scratch;
    struct json_out out = json_out_begin(&reading->buf);
    gguf_write_tokenizer_config(&out, gguf);
    return parse(&repository->tokenizer_config, &repository->arena, &reading->buf, err);
}

/* ---- public ---- */

/* A folder that has other weights may hold GGUF files beside them, and then any number. */
static enum status find(struct repository *repository, const char *folder, bool needed,
                        const char ***files, uint32_t *n, struct error *err) {
    struct error ignored = {0};
    struct error *which = needed ? err : &ignored;
    if (format_files(&repository->arena, &format_gguf, folder, files, n, which) == STATUS_OK)
        return STATUS_OK;
    *n = 0;
    return needed ? STATUS_ERROR : STATUS_OK;
}

bool gguf_exists(const char *folder) {
    struct arena scratch = {0};
    struct error ignored = {0};
    const char **files = NULL;
    uint32_t n = 0;
    const bool several =
        format_files(&scratch, &format_gguf, folder, &files, &n, &ignored) != STATUS_OK;
    arena_deinit(&scratch);
    return several || n > 0;
}

enum status gguf_complete_config(struct repository *repository, struct error *err) {
    const char **files = NULL;
    uint32_t n = 0;
    const char *folder = repository->model_folder;
    if (repository->config != NULL && json_get(repository->config, "architectures") != NULL)
        return STATUS_OK;
    if (find(repository, folder, repository->config == NULL, &files, &n, err) != STATUS_OK)
        return STATUS_ERROR;
    struct reading reading = {.repository = repository, .tied = true};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < n && status == STATUS_OK; i++)
        status = with_header(path_join(&repository->arena, folder, files[i]), files[i],
                             &(struct use){see_output, &reading}, err);
    buf_init(&reading.buf, LIMIT_CONFIG_FILE);
    if (n > 0 && status == STATUS_OK)
        status = with_header(path_join(&repository->arena, folder, files[0]), files[0],
                             &(struct use){read_config, &reading}, err);
    buf_deinit(&reading.buf);
    return status;
}

enum status gguf_complete_tokenizer(struct repository *repository, struct error *err) {
    const char **files = NULL;
    uint32_t n = 0;
    const char *folder = repository->tokenizer_folder;
    if (find(repository, folder, false, &files, &n, err) != STATUS_OK)
        return STATUS_ERROR;
    if (n == 0)
        return STATUS_OK;
    repository->gguf = path_join(&repository->arena, folder, files[0]);
    if (repository->tokenizer_config != NULL)
        return STATUS_OK;
    struct reading reading = {.repository = repository};
    buf_init(&reading.buf, LIMIT_CONFIG_FILE);
    const enum status status = with_header(repository->gguf, files[0],
                                           &(struct use){read_tokenizer_config, &reading}, err);
    buf_deinit(&reading.buf);
    return status;
}

struct tokenizer_reading {
    struct arena *arena;
    const struct json **out;
};

static enum status read_tokenizer(void *user, const struct gguf *gguf, struct arena *scratch,
                                  struct error *err) {
    struct tokenizer_reading *reading = user;
    const struct gguf_value *whole = gguf_find(gguf, "tokenizer.huggingface.json");
    struct buf buf;
    buf_init(&buf, LIMIT_JSON_FILE);
    enum status status = STATUS_OK;
    struct json_out out = json_out_begin(&buf);
    if (gguf_is_string(whole))
        buf_append(&buf, whole->data, (size_t)whole->len);
    else
        status = gguf_write_tokenizer(&out, gguf, scratch, err);
    if (status == STATUS_OK)
        status = parse(reading->out, reading->arena, &buf, err);
    if (status == STATUS_OK && !gguf_is_string(whole))
        status = gguf_add_pieces(*reading->out, reading->arena, gguf, err);
    buf_deinit(&buf);
    return status;
}

enum status repository_tokenizer(const struct repository *repository, struct arena *arena,
                                 const struct json **out, struct error *err) {
    *out = NULL;
    if (repository->gguf == NULL)
        return STATUS_OK;
    const char *slash = strrchr(repository->gguf, '/');
    struct tokenizer_reading reading = {arena, out};
    return with_header(repository->gguf, slash != NULL ? slash + 1 : repository->gguf,
                       &(struct use){read_tokenizer, &reading}, err);
}

/* ---- for tests ---- */

static enum status check_texts(const struct gguf *gguf, struct arena *arena, struct error *err) {
    const struct gguf_arch *arch = NULL;
    const struct json *tree = NULL;
    if (gguf_arch_of(&arch, gguf, err) != STATUS_OK)
        return STATUS_ERROR;
    struct buf buf;
    buf_init(&buf, LIMIT_JSON_FILE);
    enum status status = STATUS_OK;
    for (int i = 0; i < 3 && status == STATUS_OK; i++) {
        buf_reset(&buf);
        struct json_out out = json_out_begin(&buf);
        if (i == 0)
            gguf_write_config(&out, gguf, arch, !has_output(gguf), NULL);
        else if (i == 1)
            gguf_write_tokenizer_config(&out, gguf);
        else
            status = gguf_write_tokenizer(&out, gguf, arena, err);
        if (status == STATUS_OK)
            status = parse(&tree, arena, &buf, err);
    }
    buf_deinit(&buf);
    return status == STATUS_OK ? gguf_add_pieces(tree, arena, gguf, err) : status;
}

enum status gguf_check(const void *data, size_t size, struct error *err) {
    static const char *const files[] = {"the file"};
    struct tensor_list list = {.n_files = 1};
    struct arena arena = {0};
    struct gguf gguf;
    enum status status = format_gguf.list(&list, data, size, err);
    if (status == STATUS_OK)
        status = tensor_list_finish(&list, files, err);
    if (status == STATUS_OK)
        status = gguf_read(&gguf, &arena, data, size, err);
    if (status == STATUS_OK)
        status = check_texts(&gguf, &arena, err);
    arena_deinit(&arena);
    tensor_list_deinit(&list);
    return status;
}
