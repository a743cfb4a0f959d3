/* The container: GGUF files, versions 2 and 3, little endian: a header of typed keys and values,
 * the tensors' names, shapes and offsets, padding, and the tensors' bytes.
 *
 *     "GGUF", u32 version, u64 tensors, u64 pairs,
 *     pairs:   string key, u32 type, value        (a string is a u64 length and its bytes)
 *     tensors: string name, u32 n_dims, u64 dims[n_dims], u32 type, u64 offset
 *
 * Every count and length is held against the bytes that are left before anything is made of that
 * size. Nothing here knows what a key or a name means: gguf_names.c. */
#include "formats/gguf.h"

#include "formats/advice.h"
#include "formats/bytes.h"

#define MAX_DIMS  4    /* ggml's own limit */
#define MAX_NAME  1024 /* bytes of a key or of a tensor's name; real ones stay below 64 */
#define ALIGNMENT 32   /* where general.alignment says nothing */

static const uint8_t type_sizes[GGUF_TYPES] = {
    [GGUF_U8] = 1,  [GGUF_I8] = 1,   [GGUF_U16] = 2, [GGUF_I16] = 2, [GGUF_U32] = 4, [GGUF_I32] = 4,
    [GGUF_F32] = 4, [GGUF_BOOL] = 1, [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

/* ---- reading front to back ---- */

struct reader {
    const uint8_t *begin, *at, *end;
    struct error *err;
};

static enum status fail_end(const struct reader *r, const char *what) {
    return ERR(
        r->err, MODEL,
        "ends at byte %zu within %s: the download is incomplete or the file damaged; " DOWNLOAD,
        (size_t)(r->end - r->begin), what);
}

static enum status read_number(struct reader *r, size_t bytes, uint64_t *out, const char *what) {
    if ((size_t)(r->end - r->at) < bytes)
        return fail_end(r, what);
    *out = bytes_little(r->at, bytes);
    r->at += bytes;
    return STATUS_OK;
}

/* A length and so many bytes. */
static enum status read_string(struct reader *r, const char **text, uint64_t *len,
                               const char *what) {
    if (read_number(r, 8, len, what) != STATUS_OK)
        return STATUS_ERROR;
    if (*len > (uint64_t)(r->end - r->at))
        return ERR(r->err, MODEL,
                   "%s at byte %zu has a length of %llu, %zu bytes are left: the download is "
                   "incomplete or the file damaged; " DOWNLOAD,
                   what, (size_t)(r->at - r->begin) - 8, (unsigned long long)*len,
                   (size_t)(r->end - r->at));
    *text = (const char *)r->at;
    r->at += *len;
    return STATUS_OK;
}

/* A string that stands for itself: not long, without zeros, not empty. */
static enum status read_name(struct reader *r, const char **text, size_t *len, const char *what) {
    uint64_t n = 0;
    if (read_string(r, text, &n, what) != STATUS_OK)
        return STATUS_ERROR;
    if (n == 0 || n > MAX_NAME || memchr(*text, 0, (size_t)n) != NULL)
        return ERR(r->err, MODEL,
                   "%s at byte %zu has %llu bytes, must be 1 to %d without a zero: the file is "
                   "damaged; " DOWNLOAD,
                   what, (size_t)((const uint8_t *)*text - r->begin), (unsigned long long)n,
                   MAX_NAME);
    *len = (size_t)n;
    return STATUS_OK;
}

/* ---- keys and values ---- */

static enum status read_type(struct reader *r, enum gguf_type *out, const char *key) {
    uint64_t type = 0;
    if (read_number(r, 4, &type, "a value's type") != STATUS_OK)
        return STATUS_ERROR;
    if (type >= GGUF_TYPES)
        return ERR(r->err, MODEL, "\"%.100s\" has the value type %llu, must be 0 to %d: " DOWNLOAD,
                   key, (unsigned long long)type, GGUF_TYPES - 1);
    *out = (enum gguf_type)type;
    return STATUS_OK;
}

static enum status read_array(struct reader *r, struct gguf_value *value, const char *key) {
    if (read_type(r, &value->item, key) != STATUS_OK ||
        read_number(r, 8, &value->len, "an array's length") != STATUS_OK)
        return STATUS_ERROR;
    if (value->item == GGUF_ARRAY)
        return ERR(r->err, MODEL, "\"%.100s\" is an array of arrays, which is not read", key);
    const size_t bytes = value->item == GGUF_STRING ? 8 : type_sizes[value->item];
    const size_t left = (size_t)(r->end - r->at);
    if (value->len > left / bytes)
        return ERR(r->err, MODEL,
                   "\"%.100s\" promises %llu items of at least %zu bytes, %zu bytes are left: the "
                   "download is incomplete or the file damaged; " DOWNLOAD,
                   key, (unsigned long long)value->len, bytes, left);
    value->data = r->at;
    if (value->item != GGUF_STRING) {
        r->at += value->len * bytes;
        return STATUS_OK;
    }
    for (uint64_t i = 0; i < value->len; i++) {
        const char *text = NULL;
        uint64_t len = 0;
        if (read_string(r, &text, &len, "a string") != STATUS_OK)
            return error_prefix(r->err, "\"%.100s\": ", key);
    }
    return STATUS_OK;
}

static enum status read_value(struct reader *r, struct gguf_value *value, const char *key) {
    *value = (struct gguf_value){.len = 1};
    if (read_type(r, &value->type, key) != STATUS_OK)
        return STATUS_ERROR;
    if (value->type == GGUF_ARRAY)
        return read_array(r, value, key);
    if (value->type == GGUF_STRING) {
        const char *text = NULL;
        if (read_string(r, &text, &value->len, "a string") != STATUS_OK)
            return error_prefix(r->err, "\"%.100s\": ", key);
        value->data = (const uint8_t *)text;
        return STATUS_OK;
    }
    uint64_t ignored = 0;
    value->data = r->at;
    return read_number(r, type_sizes[value->type], &ignored, "a value");
}

static int compare_pairs(const void *a, const void *b) {
    return strcmp(((const struct gguf_pair *)a)->key, ((const struct gguf_pair *)b)->key);
}

static enum status read_pairs(struct reader *r, struct gguf *gguf, struct arena *arena) {
    gguf->pairs = arena_zalloc(arena, gguf->n_pairs, sizeof *gguf->pairs);
    for (size_t i = 0; i < gguf->n_pairs; i++) {
        const char *key = NULL;
        size_t len = 0;
        if (read_name(r, &key, &len, "a key") != STATUS_OK)
            return STATUS_ERROR;
        gguf->pairs[i].key = arena_strndup(arena, key, len);
        if (read_value(r, &gguf->pairs[i].value, gguf->pairs[i].key) != STATUS_OK)
            return STATUS_ERROR;
    }
    if (gguf->n_pairs > 0)
        qsort(gguf->pairs, gguf->n_pairs, sizeof *gguf->pairs, compare_pairs);
    for (size_t i = 1; i < gguf->n_pairs; i++) {
        if (strcmp(gguf->pairs[i - 1].key, gguf->pairs[i].key) == 0)
            return ERR(r->err, MODEL,
                       "the key \"%.100s\" stands twice: the file is damaged; " DOWNLOAD,
                       gguf->pairs[i].key);
    }
    return STATUS_OK;
}

/* ---- tensors ---- */

static enum status read_tensor(struct reader *r, struct gguf_tensor *tensor) {
    uint64_t n_dims = 0, type = 0;
    if (read_name(r, &tensor->name, &tensor->name_len, "a tensor's name") != STATUS_OK ||
        read_number(r, 4, &n_dims, "a tensor's shape") != STATUS_OK)
        return STATUS_ERROR;
    if (n_dims > MAX_DIMS)
        return ERR(r->err, MODEL, "tensor \"%.*s\" has %llu dimensions, must be at most %d",
                   (int)(tensor->name_len < 100 ? tensor->name_len : 100), tensor->name,
                   (unsigned long long)n_dims, MAX_DIMS);
    for (size_t i = 0; i < n_dims; i++) {
        if (read_number(r, 8, &tensor->dims[i], "a tensor's shape") != STATUS_OK)
            return STATUS_ERROR;
    }
    if (read_number(r, 4, &type, "a tensor's type") != STATUS_OK)
        return STATUS_ERROR;
    tensor->n_dims = (uint32_t)n_dims;
    tensor->type = (uint32_t)type;
    return read_number(r, 8, &tensor->offset, "a tensor's offset");
}

static enum status read_tensors(struct reader *r, struct gguf *gguf, struct arena *arena) {
    gguf->tensors = arena_zalloc(arena, gguf->n_tensors, sizeof *gguf->tensors);
    for (size_t i = 0; i < gguf->n_tensors; i++) {
        if (read_tensor(r, &gguf->tensors[i]) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

/* ---- the header ---- */

static enum status read_version(struct reader *r) {
    uint64_t magic = 0, version = 0;
    if (r->end - r->at < 4 || memcmp(r->at, "GGUF", 4) != 0)
        return ERR(
            r->err, MODEL,
            "does not begin with \"GGUF\": it is no GGUF file, or a Git LFS pointer; " DOWNLOAD);
    if (read_number(r, 4, &magic, "the header") != STATUS_OK ||
        read_number(r, 4, &version, "the header") != STATUS_OK)
        return STATUS_ERROR;
    if (version == 2 || version == 3)
        return STATUS_OK;
    if (version == 1)
        return ERR(r->err, MODEL,
                   "is of GGUF version 1, versions 2 and 3 are read: convert the "
                   "original repository again");
    if ((version & 0xffff) == 0)
        return ERR(r->err, MODEL, "is a big-endian GGUF file, only little-endian ones are read");
    return ERR(r->err, MODEL, "is of GGUF version %llu, versions 2 and 3 are read",
               (unsigned long long)version);
}

/* A count that the limits and the rest of the file allow. */
static enum status read_count(struct reader *r, size_t *out, size_t limit, size_t item,
                              const char *what) {
    uint64_t n = 0;
    if (read_number(r, 8, &n, "the header") != STATUS_OK)
        return STATUS_ERROR;
    if (n > limit)
        return ERR(r->err, MODEL, "promises %llu %s, at most %zu are read", (unsigned long long)n,
                   what, limit);
    if (n > (uint64_t)(r->end - r->at) / item)
        return ERR(r->err, MODEL,
                   "promises %llu %s, more than its %zu bytes hold: the download is incomplete or "
                   "the file damaged; " DOWNLOAD,
                   (unsigned long long)n, what, (size_t)(r->end - r->begin));
    *out = (size_t)n;
    return STATUS_OK;
}

static enum status find_data(struct reader *r, struct gguf *gguf) {
    const struct gguf_value *value = gguf_find(gguf, "general.alignment");
    gguf->alignment = ALIGNMENT;
    if (value != NULL) {
        const uint64_t alignment = value->type == GGUF_U32 ? bytes_little(value->data, 4) : 0;
        if (alignment == 0 || (alignment & (alignment - 1)) != 0)
            return ERR(r->err, MODEL, "\"general.alignment\" must be a power of two (u32)");
        gguf->alignment = (uint32_t)alignment;
    }
    const size_t used = (size_t)(r->at - r->begin), size = (size_t)(r->end - r->begin);
    const size_t padding = (gguf->alignment - used % gguf->alignment) % gguf->alignment;
    gguf->data = padding <= size - used ? r->at + padding : r->end;
    gguf->data_len = (size_t)(r->end - gguf->data);
    return STATUS_OK;
}

enum status gguf_read(struct gguf *out, struct arena *arena, const uint8_t *data, size_t size,
                      struct error *err) {
    enum { TENSOR_BYTES = 8 + 4 + 4 + 8, PAIR_BYTES = 8 + 4 + 1 }; /* the least that one takes */
    struct reader r = {data, data, data + size, err};
    struct gguf gguf = {0};
    if (read_version(&r) != STATUS_OK ||
        read_count(&r, &gguf.n_tensors, LIMIT_TENSORS, TENSOR_BYTES, "tensors") != STATUS_OK ||
        read_count(&r, &gguf.n_pairs, LIMIT_GGUF_KEYS, PAIR_BYTES, "keys") != STATUS_OK ||
        read_pairs(&r, &gguf, arena) != STATUS_OK || read_tensors(&r, &gguf, arena) != STATUS_OK ||
        find_data(&r, &gguf) != STATUS_OK)
        return STATUS_ERROR;
    *out = gguf;
    return STATUS_OK;
}

/* ---- values ---- */

const struct gguf_value *gguf_find(const struct gguf *gguf, const char *key) {
    if (gguf->n_pairs == 0)
        return NULL;
    const struct gguf_pair wanted = {.key = key};
    const struct gguf_pair *pair =
        bsearch(&wanted, gguf->pairs, gguf->n_pairs, sizeof wanted, compare_pairs);
    return pair == NULL ? NULL : &pair->value;
}

bool gguf_int(const struct gguf_value *value, int64_t *out) {
    if (value == NULL)
        return false;
    switch (value->type) {
    case GGUF_U8:
    case GGUF_U16:
    case GGUF_U32:
    case GGUF_U64: {
        const uint64_t number = bytes_little(value->data, type_sizes[value->type]);
        *out = (int64_t)number;
        return number <= INT64_MAX;
    }
    case GGUF_I8:
        *out = (int8_t)value->data[0];
        return true;
    case GGUF_I16:
        *out = (int16_t)bytes_little(value->data, 2);
        return true;
    case GGUF_I32:
        *out = (int32_t)bytes_little(value->data, 4);
        return true;
    case GGUF_I64:
        *out = (int64_t)bytes_little(value->data, 8);
        return true;
    default:
        return false;
    }
}

bool gguf_bool(const struct gguf_value *value, bool otherwise) {
    return value != NULL && value->type == GGUF_BOOL ? value->data[0] != 0 : otherwise;
}

bool gguf_float(const struct gguf_value *value, double *out) {
    float single;
    if (value != NULL && value->type == GGUF_F32) {
        memcpy(&single, value->data, sizeof single);
        *out = (double)single;
        return true;
    }
    if (value != NULL && value->type == GGUF_F64) {
        memcpy(out, value->data, sizeof *out);
        return true;
    }
    return false;
}

bool gguf_is_string(const struct gguf_value *value) {
    return value != NULL && value->type == GGUF_STRING;
}

bool gguf_is_array(const struct gguf_value *value, enum gguf_type item) {
    return value != NULL && value->type == GGUF_ARRAY && value->item == item;
}

struct gguf_value gguf_item(const struct gguf_value *array, size_t i) {
    ASSERT(array->type == GGUF_ARRAY && array->item != GGUF_STRING && i < array->len);
    return (struct gguf_value){
        .type = array->item, .len = 1, .data = array->data + i * type_sizes[array->item]};
}

const char *gguf_next_string(const uint8_t **at, size_t *len) {
    *len = (size_t)bytes_little(*at, 8); /* checked by read_array */
    const char *text = (const char *)*at + 8;
    *at += 8 + *len;
    return text;
}
