/* The layouts of torch.save before its zip archives.
 *
 * Row (torch 0.2 to 1.5, and later by choice), six parts one after the other:
 *
 *     pickle of the magic number, of 1001, of a description of the machine
 *     pickle of the object; storages stand in it as ("storage", class, key, location, numel, view)
 *     pickle of the list of keys
 *     for each key: int64 numel, the elements
 *
 * Tar (torch 0.1), a tar archive of:
 *
 *     storages  pickle of a count; each: pickle of (key, location, class), int64 numel, elements;
 *               pickle of the views: a list of (key, key of the whole, offset, numel)
 *     tensors   pickle of a count; each: pickle of (key, key of the storage, class), int32
 *               dimensions, 4 bytes of nothing, int64 sizes, int64 strides, int64 offset
 *     pickle    of the object; tensors stand in it as their keys
 *
 * Data is little-endian, whatever the machine was. As torch.serialization._legacy_load reads them.
 */
#include "formats/torch.h"
#include "formats/advice.h"
#include "formats/bytes.h"

/* What is still to be read of a file. */
struct rest {
    const uint8_t *at;
    size_t len;
};

static enum status next_pickle(struct torch_reader *reader, struct rest *rest,
                               struct pickle_value **out, struct error *err) {
    size_t used = 0;
    if (pickle_read(&reader->pickle, rest->at, rest->len, &used, out, err) != STATUS_OK)
        return STATUS_ERROR;
    rest->at += used;
    rest->len -= used;
    return STATUS_OK;
}

static enum status take(struct rest *rest, size_t n, const uint8_t **bytes, struct error *err) {
    if (n > rest->len)
        return ERR(err, MODEL, "ends %zu bytes too early: the download is incomplete; " DOWNLOAD,
                   n - rest->len);
    *bytes = rest->at;
    rest->at += n;
    rest->len -= n;
    return STATUS_OK;
}

/* ---- storages by key ---- */

/* Keys are strings or, in tar files, integers. */
static int compare_keys(const struct pickle_value *a, const struct pickle_value *b) {
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    if (a->type == PICKLE_INT)
        return (a->integer > b->integer) - (a->integer < b->integer);
    const int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_storages(const void *a, const void *b) {
    const struct torch_storage *x = *(struct torch_storage *const *)a;
    const struct torch_storage *y = *(struct torch_storage *const *)b;
    const int order = compare_keys(x->key, y->key);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static void sort_storages(struct torch_reader *reader) {
    if (reader->n_storages > 0)
        qsort(reader->storages, reader->n_storages, sizeof(*reader->storages), compare_storages);
}

static void add_storage(struct torch_reader *reader, struct torch_storage *storage) {
    reader->storages = mem_grow(reader->storages, &reader->storages_cap, reader->n_storages + 1,
                                sizeof(*reader->storages));
    storage->index = reader->n_storages;
    reader->storages[reader->n_storages++] = storage;
}

/* Where in the sorted list the storages of this key begin; n_storages: there is none. */
static size_t find_storages(const struct torch_reader *reader, const struct pickle_value *key) {
    size_t low = 0;
    for (size_t high = reader->n_storages; low < high;) {
        const size_t middle = low + (high - low) / 2;
        if (compare_keys(reader->storages[middle]->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const bool found =
        low < reader->n_storages && compare_keys(reader->storages[low]->key, key) == 0;
    return found ? low : reader->n_storages;
}

static bool is_key(const struct pickle_value *value) {
    return value->type == PICKLE_TEXT || value->type == PICKLE_INT;
}

/* Reads a count and as many elements. */
static enum status take_storage(struct torch_storage *storage, struct rest *rest,
                                struct error *err) {
    const uint8_t *count = NULL;
    if (take(rest, 8, &count, err) != STATUS_OK)
        return STATUS_ERROR;
    storage->numel = bytes_little(count, 8);
    if (!size_mul(storage->numel, storage->type->bytes, &storage->bytes))
        return ERR(err, MODEL, "has a storage of %llu elements: the file is damaged; " DOWNLOAD,
                   (unsigned long long)storage->numel);
    return take(rest, storage->bytes, &storage->data, err);
}

/* Narrows the storage, which has all bytes of `whole`, to its view. */
static enum status narrow(struct torch_storage *storage, const struct torch_storage *whole,
                          struct error *err) {
    const uint64_t offset = storage->view_offset, numel = storage->view_numel;
    if (offset > whole->numel || numel > whole->numel - offset)
        return ERR(err, MODEL,
                   "has a view of %llu elements from %llu of a storage of %llu: the file is "
                   "damaged; " DOWNLOAD,
                   (unsigned long long)numel, (unsigned long long)offset,
                   (unsigned long long)whole->numel);
    storage->data = whole->data + offset * whole->type->bytes;
    storage->bytes = numel * whole->type->bytes;
    storage->numel = numel;
    return STATUS_OK;
}

/* ---- the row of pickles ---- */

static enum status row_persistent(struct pickle *pickle, const struct pickle_value *id,
                                  struct pickle_value **out, struct error *err) {
    struct torch_storage *storage = NULL;
    if (torch_storage_new(pickle, id, 6, &storage, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct pickle_value *view = id->items[5]; /* (key, offset, numel) or None */
    if (view->type != PICKLE_NONE) {
        storage->is_view = true;
        if (view->type != PICKLE_TUPLE || view->len != 3 ||
            !torch_size(view->items[1], &storage->view_offset) ||
            !torch_size(view->items[2], &storage->view_numel))
            return ERR(err, MODEL,
                       "has a view of a storage without offset and size: the file is "
                       "damaged; " DOWNLOAD);
    }
    add_storage(pickle->context, storage);
    return torch_object(pickle, storage, out, err);
}

/* Reads the data of a key and gives it to all storages that have it. The first says the type. */
static enum status place_key(struct torch_reader *reader, const struct pickle_value *key,
                             struct rest *rest, struct error *err) {
    const size_t first = is_key(key) ? find_storages(reader, key) : reader->n_storages;
    if (first == reader->n_storages)
        return ERR(err, MODEL,
                   "has data of a storage that nothing refers to: the file is "
                   "damaged; " DOWNLOAD);
    struct torch_storage whole = *reader->storages[first];
    const uint64_t promised = whole.numel;
    if (whole.data != NULL)
        return ERR(err, MODEL, "has data of a storage twice: the file is damaged; " DOWNLOAD);
    if (take_storage(&whole, rest, err) != STATUS_OK)
        return STATUS_ERROR;
    if (whole.numel != promised)
        return ERR(err, MODEL,
                   "has %llu elements in a storage of %llu: the file is damaged; " DOWNLOAD,
                   (unsigned long long)whole.numel, (unsigned long long)promised);
    for (size_t i = first; i < reader->n_storages; i++) {
        struct torch_storage *storage = reader->storages[i];
        if (compare_keys(storage->key, key) != 0)
            break;
        storage->data = whole.data;
        storage->bytes = whole.bytes;
        if (storage->is_view && narrow(storage, &whole, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

static enum status place_storages(struct torch_reader *reader, const struct pickle_value *keys,
                                  struct rest *rest, struct error *err) {
    if (keys->type != PICKLE_LIST)
        return ERR(err, MODEL,
                   "has %s where the list of storages should be: the file is "
                   "damaged; " DOWNLOAD,
                   pickle_type_name(keys->type));
    sort_storages(reader);
    for (size_t i = 0; i < keys->len; i++) {
        if (place_key(reader, keys->items[i], rest, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    for (size_t i = 0; i < reader->n_storages; i++) {
        const struct torch_storage *storage = reader->storages[i];
        if (storage->data == NULL)
            return ERR(err, MODEL,
                       "has no data of storage \"%.*s\": the file is damaged; " DOWNLOAD,
                       (int)storage->key->len, storage->key->text);
    }
    return STATUS_OK;
}

static bool is_magic(const struct pickle_value *value) {
    static const char magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    return value->type == PICKLE_LONG && value->len == sizeof magic - 1 &&
           memcmp(value->text, magic, value->len) == 0;
}

enum status torch_row_read(struct torch_reader *reader, const uint8_t *data, size_t size,
                           struct pickle_value **state, struct error *err) {
    struct rest rest = {data, size};
    struct pickle_value *magic = NULL, *version = NULL, *machine = NULL, *keys = NULL;
    reader->rules.persistent = row_persistent;
    if (next_pickle(reader, &rest, &magic, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!is_magic(magic))
        return ERR(err, MODEL,
                   "is a pickle, but not one of torch.save: save the model's "
                   "state_dict() with torch.save, best as safetensors");
    if (next_pickle(reader, &rest, &version, err) != STATUS_OK)
        return STATUS_ERROR;
    if (version->type != PICKLE_INT || version->integer != 1001)
        return ERR(err, MODEL, "is of a version of torch.save other than 1001: save it again");
    if (next_pickle(reader, &rest, &machine, err) != STATUS_OK ||
        next_pickle(reader, &rest, state, err) != STATUS_OK ||
        next_pickle(reader, &rest, &keys, err) != STATUS_OK)
        return STATUS_ERROR;
    return place_storages(reader, keys, &rest, err);
}

/* ---- tar ---- */

enum { TAR_BLOCK = 512 };

bool torch_tar_sniff(const uint8_t *data, size_t size) {
    return size >= TAR_BLOCK && memcmp(data + 257, "ustar", 5) == 0;
}

/* Octal digits, as tar writes numbers; false for anything else. */
static bool read_octal(const uint8_t *at, size_t n, size_t *out) {
    size_t value = 0, i = 0;
    while (i < n && at[i] == ' ')
        i++;
    const size_t digits = i;
    for (; i < n && at[i] >= '0' && at[i] <= '7'; i++)
        value = value * 8 + (size_t)(at[i] - '0');
    *out = value;
    return i > digits && (i == n || at[i] == ' ' || at[i] == 0);
}

/* The plain file of this name. Other entries, pax headers too, are passed over. */
static enum status find_file(struct rest *file, const uint8_t *data, size_t size, const char *name,
                             struct error *err) {
    struct rest rest = {data, size};
    while (rest.len >= TAR_BLOCK && rest.at[0] != 0) {
        const uint8_t *header = rest.at;
        size_t len = 0;
        if (!read_octal(header + 124, 12, &len))
            return ERR(err, MODEL, "has a damaged tar header: " DOWNLOAD);
        rest.at += TAR_BLOCK;
        rest.len -= TAR_BLOCK;
        if (len > rest.len)
            break;
        const bool is_plain = header[156] == '0' || header[156] == 0;
        if (is_plain && strncmp((const char *)header, name, 100) == 0) {
            *file = (struct rest){rest.at, len};
            return STATUS_OK;
        }
        const size_t padded = (len + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
        if (padded > rest.len)
            break;
        rest.at += padded;
        rest.len -= padded;
    }
    return ERR(err, MODEL,
               "is a tar archive without a whole file \"%s\": not of torch.save, or "
               "incomplete; " DOWNLOAD,
               name);
}

/* A pickled count at the start of a file. */
static enum status read_count(struct torch_reader *reader, struct rest *rest, uint64_t *count,
                              struct error *err) {
    struct pickle_value *value = NULL;
    if (next_pickle(reader, rest, &value, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!torch_size(value, count) || *count > LIMIT_TORCH_OBJECTS)
        return ERR(err, MODEL, "does not begin with a count of at most %d", LIMIT_TORCH_OBJECTS);
    return STATUS_OK;
}

/* A pickled tuple of at least three, the first a key. */
static enum status read_entry(struct torch_reader *reader, struct rest *rest,
                              struct pickle_value **entry, struct error *err) {
    if (next_pickle(reader, rest, entry, err) != STATUS_OK)
        return STATUS_ERROR;
    if ((*entry)->type != PICKLE_TUPLE || (*entry)->len != 3 || !is_key((*entry)->items[0]))
        return ERR(err, MODEL,
                   "describes an entry by %s, must be a tuple of 3 with a key: the "
                   "file is damaged; " DOWNLOAD,
                   pickle_type_name((*entry)->type));
    return STATUS_OK;
}

/* Adds the views behind the whole storages, whose sorted list they are looked up in. */
static enum status read_views(struct torch_reader *reader, const struct pickle_value *views,
                              struct error *err) {
    if (views->type != PICKLE_LIST)
        return ERR(err, MODEL, "has %s where the list of views should be: the file is damaged",
                   pickle_type_name(views->type));
    sort_storages(reader);
    struct torch_storage **made =
        arena_zalloc(&reader->arena, views->len, sizeof(struct torch_storage *));
    for (size_t i = 0; i < views->len; i++) {
        const struct pickle_value *view = views->items[i];
        struct torch_storage *storage = NULL;
        if (torch_new(&reader->pickle, sizeof *storage, TORCH_STORAGE, &storage, err) != STATUS_OK)
            return STATUS_ERROR;
        made[i] = storage;
        if (view->type != PICKLE_TUPLE || view->len != 4 || !is_key(view->items[0]) ||
            !is_key(view->items[1]) || !torch_size(view->items[2], &storage->view_offset) ||
            !torch_size(view->items[3], &storage->view_numel))
            return ERR(err, MODEL, "has a view that is no tuple of 4: the file is damaged");
        const size_t root = find_storages(reader, view->items[1]);
        if (root == reader->n_storages)
            return ERR(err, MODEL,
                       "has a view of a storage that it does not hold: the file is "
                       "damaged; " DOWNLOAD);
        const struct torch_storage *whole = reader->storages[root];
        storage->type = whole->type;
        storage->key = view->items[0];
        if (narrow(storage, whole, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    for (size_t i = 0; i < views->len; i++)
        add_storage(reader, made[i]);
    sort_storages(reader);
    return STATUS_OK;
}

static enum status read_storages(struct torch_reader *reader, struct rest rest, struct error *err) {
    uint64_t count = 0;
    if (read_count(reader, &rest, &count, err) != STATUS_OK)
        return STATUS_ERROR;
    for (uint64_t i = 0; i < count; i++) {
        struct pickle_value *entry = NULL;
        if (read_entry(reader, &rest, &entry, err) != STATUS_OK)
            return STATUS_ERROR;
        struct torch_storage *storage = NULL;
        if (torch_new(&reader->pickle, sizeof *storage, TORCH_STORAGE, &storage, err) != STATUS_OK)
            return STATUS_ERROR;
        storage->type = torch_type_of(entry->items[2]);
        storage->key = entry->items[0];
        if (storage->type == NULL)
            return ERR(err, MODEL, "has a storage without a type: the file is damaged");
        if (take_storage(storage, &rest, err) != STATUS_OK)
            return STATUS_ERROR;
        add_storage(reader, storage);
    }
    struct pickle_value *views = NULL;
    if (next_pickle(reader, &rest, &views, err) != STATUS_OK)
        return STATUS_ERROR;
    return read_views(reader, views, err);
}

/* Sizes, strides and offset as they stand behind a tensor's pickle. */
static enum status read_tensor(struct torch_tensor *tensor, struct rest *rest, struct error *err) {
    const uint8_t *at = NULL;
    if (take(rest, 8, &at, err) != STATUS_OK)
        return STATUS_ERROR;
    const uint64_t n_dims = bytes_little(at, 4);
    if (n_dims > LIMIT_TENSOR_DIMS)
        return ERR(err, MODEL, "has a tensor of %llu dimensions, at most %d are read",
                   (unsigned long long)n_dims, LIMIT_TENSOR_DIMS);
    if (take(rest, (2 * n_dims + 1) * 8, &at, err) != STATUS_OK)
        return STATUS_ERROR;
    tensor->n_dims = (uint32_t)n_dims;
    tensor->offset = bytes_little(at + 16 * n_dims, 8);
    bool is_fine = tensor->offset <= INT64_MAX;
    for (uint32_t i = 0; i < n_dims; i++) {
        tensor->dims[i] = (int64_t)bytes_little(at + 8 * i, 8);
        tensor->strides[i] = (int64_t)bytes_little(at + 8 * (n_dims + i), 8);
        is_fine = is_fine && tensor->dims[i] >= 0 && tensor->strides[i] >= 0;
    }
    if (!is_fine)
        return ERR(err, MODEL,
                   "has a tensor with a negative size, stride or offset: the file is "
                   "damaged; " DOWNLOAD);
    return STATUS_OK;
}

static int compare_named(const void *a, const void *b) {
    return compare_keys(((const struct torch_named *)a)->key, ((const struct torch_named *)b)->key);
}

static enum status read_tensors(struct torch_reader *reader, struct rest rest, struct error *err) {
    uint64_t count = 0;
    if (read_count(reader, &rest, &count, err) != STATUS_OK)
        return STATUS_ERROR;
    if (count > rest.len) /* a tensor takes more than a byte */
        return ERR(err, MODEL, "promises %llu tensors: the file is damaged; " DOWNLOAD,
                   (unsigned long long)count);
    reader->tensors = arena_zalloc(&reader->arena, (size_t)count, sizeof *reader->tensors);
    for (uint64_t i = 0; i < count; i++) {
        struct pickle_value *entry = NULL;
        if (read_entry(reader, &rest, &entry, err) != STATUS_OK)
            return STATUS_ERROR;
        const struct pickle_value *key = entry->items[1];
        const size_t place = is_key(key) ? find_storages(reader, key) : reader->n_storages;
        if (place == reader->n_storages)
            return ERR(err, MODEL,
                       "has a tensor of a storage that it does not hold: the file is "
                       "damaged; " DOWNLOAD);
        struct torch_tensor *tensor = NULL;
        if (torch_new(&reader->pickle, sizeof *tensor, TORCH_TENSOR, &tensor, err) != STATUS_OK)
            return STATUS_ERROR;
        tensor->storage = reader->storages[place];
        tensor->type = tensor->storage->type;
        struct torch_named *named = &reader->tensors[reader->n_tensors++];
        named->key = entry->items[0];
        if (read_tensor(tensor, &rest, err) != STATUS_OK ||
            torch_object(&reader->pickle, tensor, &named->tensor, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    if (reader->n_tensors > 0)
        qsort(reader->tensors, reader->n_tensors, sizeof *reader->tensors, compare_named);
    return STATUS_OK;
}

/* Some writers made strings of the numbers. */
static struct pickle_value number_of(const struct pickle_value *key) {
    struct pickle_value number = {.type = PICKLE_INT};
    bool is_number = key->type == PICKLE_TEXT && key->len > 0 && key->len < 19;
    for (size_t i = 0; is_number && i < key->len; i++) {
        is_number = key->text[i] >= '0' && key->text[i] <= '9';
        number.integer = number.integer * 10 + (key->text[i] - '0');
    }
    return is_number ? number : *key;
}

static enum status tar_persistent(struct pickle *pickle, const struct pickle_value *id,
                                  struct pickle_value **out, struct error *err) {
    const struct torch_reader *reader = pickle->context;
    const struct pickle_value number = number_of(id);
    const struct torch_named key = {.key = &number};
    const struct torch_named *named =
        is_key(&number) && reader->n_tensors > 0
            ? bsearch(&key, reader->tensors, reader->n_tensors, sizeof key, compare_named)
            : NULL;
    if (named == NULL)
        return ERR(err, MODEL,
                   "refers to a tensor that the file does not hold: it is "
                   "damaged; " DOWNLOAD);
    *out = named->tensor;
    return STATUS_OK;
}

enum status torch_tar_read(struct torch_reader *reader, const uint8_t *data, size_t size,
                           struct pickle_value **state, struct error *err) {
    struct rest storages, tensors, pickle;
    if (find_file(&storages, data, size, "storages", err) != STATUS_OK ||
        find_file(&tensors, data, size, "tensors", err) != STATUS_OK ||
        find_file(&pickle, data, size, "pickle", err) != STATUS_OK)
        return STATUS_ERROR;
    if (read_storages(reader, storages, err) != STATUS_OK)
        return error_prefix(err, "storages: ");
    if (read_tensors(reader, tensors, err) != STATUS_OK)
        return error_prefix(err, "tensors: ");
    reader->rules.persistent = tar_persistent;
    return next_pickle(reader, &pickle, state, err);
}
