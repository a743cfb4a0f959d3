/* pytorch_model.bin: what torch.save writes of a state_dict. Three layouts, told apart by their
 * first bytes:
 *
 *     zip   archive/data.pkl, archive/data/0, archive/data/1, …   since torch 1.6
 *     row   pickles one after the other, then the storages        torch_legacy.c
 *     tar   storages, tensors and pickle as files of a tar        torch_legacy.c, before torch 0.2
 *
 * The pickle is a dictionary; its tensors are listed, whatever else stands in it is passed over, as
 * transformers does with torch.load(weights_only=True). Data stays in the mapping; a tensor whose
 * strides are not row-major (transposed, expanded) is copied. Tied tensors share their bytes. */
#include "formats/torch.h"
#include "formats/advice.h"
#include "formats/zip.h"

/* ---- tensors into the list ---- */

static bool is_row_major(const struct torch_tensor *tensor) {
    uint64_t expected = 1;
    for (uint32_t i = tensor->n_dims; i-- > 0;) {
        if (tensor->dims[i] != 1 && (uint64_t)tensor->strides[i] != expected)
            return false;
        expected *= (uint64_t)tensor->dims[i]; /* fits: tensor_measure took the product */
    }
    return true;
}

/* Whether all elements stand inside the storage; there is at least one. */
static bool is_inside(const struct torch_tensor *tensor, size_t element_bytes) {
    size_t last = tensor->offset, step = 0, end = 0;
    for (uint32_t i = 0; i < tensor->n_dims; i++) {
        if (!size_mul((size_t)tensor->dims[i] - 1, (size_t)tensor->strides[i], &step) ||
            !size_add(last, step, &last))
            return false;
    }
    return size_add(last, 1, &last) && size_mul(last, element_bytes, &end) &&
           end <= tensor->storage->bytes;
}

static enum status set_shape(struct tensor *out, const struct torch_tensor *tensor,
                             struct error *err) {
    if (tensor->refused != NULL)
        return ERR(err, MODEL, "tensor \"%.100s\" %s: save the model as plain tensors", out->name,
                   tensor->refused);
    if (tensor->storage == NULL)
        return ERR(err, MODEL, "tensor \"%.100s\" has no storage: the file is damaged", out->name);
    const char *dtype = tensor->type->dtype;
    if (dtype == NULL || !dtype_parse(&out->dtype, dtype, strlen(dtype)))
        return ERR(err, MODEL,
                   "tensor \"%.100s\": dtype torch.%s is not read; save the model as float32, "
                   "float16 or bfloat16",
                   out->name, tensor->type->name);
    out->n_dims = tensor->n_dims;
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        out->dims[i] = tensor->dims[i];
    if (!tensor_measure(out))
        return ERR(err, MODEL, "tensor \"%.100s\" has more elements than memory has bytes",
                   out->name);
    return STATUS_OK;
}

static enum status add_tensor(struct tensor_list *list, const struct pickle_value *name,
                              const struct torch_tensor *tensor, struct error *err) {
    struct tensor *out = NULL;
    if (tensor_list_add(list, &out, name->text, name->len, err) != STATUS_OK ||
        set_shape(out, tensor, err) != STATUS_OK)
        return STATUS_ERROR;
    const size_t element_bytes = dtype_size(out->dtype);
    out->data = tensor->storage->data;
    if (out->elements == 0)
        return STATUS_OK;
    if (!is_inside(tensor, element_bytes))
        return ERR(err, MODEL,
                   "tensor \"%.100s\" reaches beyond its storage of %zu bytes: the file is "
                   "damaged; " DOWNLOAD,
                   out->name, tensor->storage->bytes);
    if (is_row_major(tensor)) {
        out->data = tensor->storage->data + tensor->offset * element_bytes;
        return STATUS_OK;
    }
    void *copy = NULL;
    if (tensor_list_own(list, &copy, out->bytes, err) != STATUS_OK)
        return error_prefix(err, "tensor \"%.100s\": ", out->name);
    torch_copy_strided(copy, tensor, element_bytes);
    out->data = copy;
    return STATUS_OK;
}

/* A file with no tensors but with dictionaries that may hold some was saved by a training script.
 */
static enum status refuse_nested(const struct pickle_value *state, struct error *err) {
    for (size_t i = 0; i + 1 < state->len; i += 2) {
        const struct pickle_value *key = state->items[i], *value = state->items[i + 1];
        if (value->type == PICKLE_DICT && value->len > 0 && key->type == PICKLE_TEXT)
            return ERR(err, MODEL,
                       "holds no tensors but a dictionary \"%.*s\": save that alone with "
                       "torch.save",
                       (int)(key->len < 100 ? key->len : 100), key->text);
    }
    return STATUS_OK;
}

static enum status list_state(struct tensor_list *list, const struct pickle_value *state,
                              struct error *err) {
    if (state->type != PICKLE_DICT)
        return ERR(err, MODEL,
                   "holds %s, must be a dictionary of tensors: save the model's state_dict()",
                   pickle_type_name(state->type));
    size_t found = 0;
    for (size_t i = 0; i + 1 < state->len; i += 2) {
        const struct torch_tensor *tensor = torch_tensor_of(state->items[i + 1]);
        if (tensor == NULL || state->items[i]->type != PICKLE_TEXT)
            continue;
        if (add_tensor(list, state->items[i], tensor, err) != STATUS_OK)
            return STATUS_ERROR;
        found++;
    }
    return found == 0 ? refuse_nested(state, err) : STATUS_OK;
}

/* ---- the zip layout ---- */

struct zip_layout {
    struct zip zip;
    const char *folder; /* "archive/": the name that the model was saved under */
};

/* Of a file in that folder; both are at most LIMIT_PICKLE_NAME bytes. */
static const struct zip_entry *find_entry(const struct zip_layout *layout, const char *name) {
    char path[2 * LIMIT_PICKLE_NAME + 16];
    snprintf(path, sizeof path, "%s%s", layout->folder, name);
    return zip_find(&layout->zip, path, strlen(path));
}

static enum status zip_persistent(struct pickle *pickle, const struct pickle_value *id,
                                  struct pickle_value **out, struct error *err) {
    const struct torch_reader *reader = pickle->context;
    const struct zip_layout *layout = reader->layout;
    struct torch_storage *storage = NULL;
    if (torch_storage_new(pickle, id, 5, &storage, err) != STATUS_OK)
        return STATUS_ERROR;
    char name[LIMIT_PICKLE_NAME + 8];
    snprintf(name, sizeof name, "data/%.*s", (int)storage->key->len, storage->key->text);
    const struct zip_entry *entry = find_entry(layout, name);
    if (entry == NULL)
        return ERR(err, MODEL,
                   "refers to \"%.100s\", which the archive does not hold: the file is "
                   "damaged; " DOWNLOAD,
                   name);
    if (!size_mul(storage->numel, storage->type->bytes, &storage->bytes) ||
        storage->bytes != entry->size)
        return ERR(err, MODEL,
                   "says that \"%.100s\" has %llu elements of %s, its %zu bytes are not as many: "
                   "the file is damaged; " DOWNLOAD,
                   name, (unsigned long long)storage->numel, storage->type->name, entry->size);
    storage->data = entry->data;
    return torch_object(pickle, storage, out, err);
}

/* Everything stands in one folder, whose name is that of the first entry. */
static enum status find_folder(struct zip_layout *layout, struct arena *arena, struct error *err) {
    const char *first = layout->zip.first;
    const char *slash = first == NULL ? NULL : strchr(first, '/');
    if (slash == NULL || slash - first >= LIMIT_PICKLE_NAME)
        return ERR(err, MODEL, "is a zip archive, but not one of torch.save");
    layout->folder = arena_strndup(arena, first, (size_t)(slash + 1 - first));
    if (find_entry(layout, "constants.pkl") != NULL)
        return ERR(err, MODEL, "is a TorchScript program: only saved state dictionaries are read");
    const struct zip_entry *order = find_entry(layout, "byteorder");
    if (order != NULL && (order->size != 6 || memcmp(order->data, "little", 6) != 0))
        return ERR(err, MODEL,
                   "was saved with byte order \"%.*s\", must be little: save it again "
                   "on a little-endian machine",
                   (int)(order->size < 16 ? order->size : 16), (const char *)order->data);
    return STATUS_OK;
}

static enum status read_zip(struct torch_reader *reader, const uint8_t *data, size_t size,
                            struct pickle_value **state, struct error *err) {
    struct zip_layout *layout = arena_zalloc(&reader->arena, 1, sizeof *layout);
    if (zip_read(&layout->zip, &reader->arena, data, size, err) != STATUS_OK ||
        find_folder(layout, &reader->arena, err) != STATUS_OK)
        return STATUS_ERROR;
    reader->layout = layout;
    reader->rules.persistent = zip_persistent;
    const struct zip_entry *pickle = find_entry(layout, "data.pkl");
    if (pickle == NULL)
        return ERR(err, MODEL, "is a zip archive without %.100sdata.pkl: not of torch.save",
                   layout->folder);
    size_t used = 0;
    return pickle_read(&reader->pickle, pickle->data, pickle->size, &used, state, err);
}

/* ---- the file ---- */

/* A file with one of these starts is none of torch.save, whatever its name says. */
static const struct impostor impostors[] = {
    {"GGUF", "is a GGUF file under another name: rename it to model.gguf"},
    {"\x89HDF", "is a TensorFlow file under another name: download the PyTorch one"},
};

static enum status read_file(struct torch_reader *reader, const uint8_t *data, size_t size,
                             struct pickle_value **state, struct error *err) {
    enum { PROTO = 0x80 };
    if (zip_sniff(data, size))
        return read_zip(reader, data, size, state, err);
    if (torch_tar_sniff(data, size))
        return torch_tar_read(reader, data, size, state, err);
    if (size > 0 && data[0] == PROTO)
        return torch_row_read(reader, data, size, state, err);
    if (refuse_impostor(impostors, ARRAY_LEN(impostors), data, size, err) != STATUS_OK)
        return STATUS_ERROR;
    return ERR(err, MODEL, "is not a file of torch.save, or damaged: " DOWNLOAD);
}

static enum status torch_list(struct tensor_list *list, const uint8_t *data, size_t size,
                              struct error *err) {
    struct torch_reader reader = {
        .rules = {.globals = torch_globals, .n_globals = torch_n_globals, .build = torch_build}};
    reader.pickle.rules = &reader.rules;
    reader.pickle.context = &reader;
    reader.pickle.arena = &reader.arena;
    struct pickle_value *state = NULL;
    enum status status = read_file(&reader, data, size, &state, err);
    if (status == STATUS_OK)
        status = list_state(list, state, err);
    mem_free(reader.storages);
    pickle_deinit(&reader.pickle);
    arena_deinit(&reader.arena);
    return status;
}

const struct format format_torch = {
    .names = {"pytorch_model.bin"},
    .adapter = "adapter_model.bin",
    .index = "pytorch_model.bin.index.json",
    .list = torch_list,
};
