/* safetensors: 8 bytes little-endian length, a JSON header, the tensors' bytes back to back.
 *
 *     {"__metadata__": {"format": "pt"},
 *      "wte.weight": {"dtype": "F32", "shape": [50257, 768], "data_offsets": [0, 154389504]}, ...}
 *
 * Holds files to the rules of the safetensors library: the tensors, in the order of their offsets,
 * cover the buffer without hole or overlap; every size is what dtype and shape say; __metadata__
 * maps strings to strings. It is stricter in three points: a tensor has at most LIMIT_TENSOR_DIMS
 * dimensions, a file at most LIMIT_TENSORS tensors, and no name holds a zero. Nothing here maps
 * or reads files. */
#include "formats/format.h"

#include "formats/advice.h"

/* A file with one of these starts is no safetensors file, whatever its name says. */
static const struct impostor impostors[] = {
    {"PK\003\004", "is a PyTorch zip file under another name: rename it to pytorch_model.bin"},
    {"GGUF", "is a GGUF file under another name: rename it, so that it ends in .gguf"},
};

/* Finds the header's JSON behind its length. */
static enum status locate_header(const uint8_t *data, size_t size, size_t *header_len,
                                 struct error *err) {
    if (size < 8)
        return ERR(err, MODEL,
                   "is %zu bytes, a safetensors file starts with 8 of length: " DOWNLOAD, size);
    uint64_t len = 0;
    for (size_t i = 0; i < 8; i++)
        len |= (uint64_t)data[i] << (8 * i);
    if (len > LIMIT_SAFETENSORS_HEADER) {
        if (refuse_impostor(impostors, ARRAY_LEN(impostors), data, size, err) != STATUS_OK)
            return STATUS_ERROR;
        return ERR(err, MODEL,
                   "header length is %llu, must be at most %llu: not a safetensors file, or "
                   "damaged; " DOWNLOAD,
                   (unsigned long long)len, LIMIT_SAFETENSORS_HEADER);
    }
    if (len > size - 8)
        return ERR(
            err, MODEL,
            "is %zu bytes, its header alone promises %llu: the download is incomplete; " DOWNLOAD,
            size, (unsigned long long)len + 8);
    *header_len = (size_t)len;
    return STATUS_OK;
}

static enum status parse_header(const struct json **out, struct arena *arena, const uint8_t *text,
                                size_t len, struct error *err) {
    if (json_parse(out, arena, (const char *)text, len, JSON_STRICT, err) != STATUS_OK) {
        err->code = ERROR_MODEL;
        return error_prefix(err, "header is damaged, " DOWNLOAD ": ");
    }
    if (!json_is(*out, JSON_OBJECT))
        return ERR(err, MODEL, "header is a JSON %s, must be an object: " DOWNLOAD,
                   json_type_name((*out)->type));
    return STATUS_OK;
}

static bool is_metadata(const struct json_member *member) {
    static const char key[] = "__metadata__";
    return member->key_len == sizeof key - 1 && memcmp(member->key, key, sizeof key - 1) == 0;
}

static enum status check_metadata(const struct json *metadata, struct error *err) {
    if (json_is_null(metadata)) /* the library takes it for absent */
        return STATUS_OK;
    if (!json_is(metadata, JSON_OBJECT))
        return ERR(err, MODEL, "\"__metadata__\" is a JSON %s, must be an object of strings",
                   json_type_name(metadata->type));
    for (uint32_t i = 0; i < metadata->len; i++) {
        const struct json_member *member = &metadata->members[i];
        if (!json_is(&member->value, JSON_STRING))
            return ERR(err, MODEL, "\"__metadata__\": \"%.100s\" is a JSON %s, must be a string",
                       member->key, json_type_name(member->value.type));
    }
    return STATUS_OK;
}

/* Where a tensor's bytes stand: offsets from the end of the header. */
struct span {
    uint64_t begin, end;
};

static enum status read_dtype(struct tensor *tensor, const struct json *info, struct error *err) {
    const struct json *dtype = json_get(info, "dtype");
    if (!json_is(dtype, JSON_STRING))
        return ERR(err, MODEL, "tensor \"%.100s\": \"dtype\" is %s, must be a string like \"F32\"",
                   tensor->name, dtype == NULL ? "missing" : json_type_name(dtype->type));
    if (!dtype_parse(&tensor->dtype, dtype->text, dtype->len))
        return ERR(
            err, MODEL,
            "tensor \"%.100s\": dtype \"%.32s\" is not supported; save the model as F32, F16 "
            "or BF16 (quantized repositories: use the original one)",
            tensor->name, dtype->text);
    return STATUS_OK;
}

/* As the library: written as an integer, 4.0 is none. */
static bool read_size(const struct json *value, int64_t *out) {
    return json_is(value, JSON_NUMBER) && value->boolean && json_to_int(value, out) && *out >= 0;
}

static enum status read_shape(struct tensor *tensor, const struct json *info, struct error *err) {
    const struct json *shape = json_get(info, "shape");
    if (!json_is(shape, JSON_ARRAY))
        return ERR(err, MODEL, "tensor \"%.100s\": \"shape\" is %s, must be an array of sizes",
                   tensor->name, shape == NULL ? "missing" : json_type_name(shape->type));
    if (shape->len > LIMIT_TENSOR_DIMS)
        return ERR(err, MODEL,
                   "tensor \"%.100s\": \"shape\" has %u dimensions, at most %d are read",
                   tensor->name, shape->len, LIMIT_TENSOR_DIMS);
    tensor->n_dims = shape->len;
    for (uint32_t i = 0; i < shape->len; i++) {
        if (!read_size(json_at(shape, i), &tensor->dims[i]))
            return ERR(err, MODEL,
                       "tensor \"%.100s\": \"shape\"[%u] is not a size from 0 to 2^63-1",
                       tensor->name, i);
    }
    if (!tensor_measure(tensor))
        return ERR(err, MODEL,
                   "tensor \"%.100s\": \"shape\" has more elements than memory has bytes",
                   tensor->name);
    return STATUS_OK;
}

static enum status read_span(struct span *span, const struct tensor *tensor,
                             const struct json *info, struct error *err) {
    const struct json *offsets = json_get(info, "data_offsets");
    int64_t begin = 0, end = 0;
    if (!json_is(offsets, JSON_ARRAY) || offsets->len != 2 ||
        !read_size(json_at(offsets, 0), &begin) || !read_size(json_at(offsets, 1), &end))
        return ERR(err, MODEL, "tensor \"%.100s\": \"data_offsets\" %s two offsets [begin, end]",
                   tensor->name, offsets == NULL ? "is missing, must be" : "must be");
    if (end < begin)
        return ERR(err, MODEL,
                   "tensor \"%.100s\": \"data_offsets\" end at %lld, before they begin at %lld",
                   tensor->name, (long long)end, (long long)begin);
    if ((uint64_t)(end - begin) != tensor->bytes)
        return ERR(err, MODEL,
                   "tensor \"%.100s\": \"data_offsets\" span %lld bytes, its shape in %s needs %zu",
                   tensor->name, (long long)(end - begin), dtype_name(tensor->dtype),
                   tensor->bytes);
    *span = (struct span){(uint64_t)begin, (uint64_t)end};
    return STATUS_OK;
}

/* A tensor between the header and the list: its span waits for the check against the others. */
struct placed {
    struct span span;
    size_t item; /* in the list */
};

/* Adds every tensor of the header, without data yet, and notes its span in placed[*n]. */
static enum status read_tensors(struct tensor_list *list, struct placed *placed, size_t *n,
                                const struct json *header, struct error *err) {
    for (uint32_t i = 0; i < header->len; i++) {
        const struct json_member *member = &header->members[i];
        if (is_metadata(member)) {
            if (check_metadata(&member->value, err) != STATUS_OK)
                return STATUS_ERROR;
            continue;
        }
        if (!json_is(&member->value, JSON_OBJECT))
            return ERR(err, MODEL, "tensor \"%.100s\" is a JSON %s, must be an object", member->key,
                       json_type_name(member->value.type));
        struct tensor *tensor = NULL;
        struct placed *place = &placed[*n];
        place->item = list->len;
        if (tensor_list_add(list, &tensor, member->key, member->key_len, err) != STATUS_OK ||
            read_dtype(tensor, &member->value, err) != STATUS_OK ||
            read_shape(tensor, &member->value, err) != STATUS_OK ||
            read_span(&place->span, tensor, &member->value, err) != STATUS_OK)
            return STATUS_ERROR;
        ++*n;
    }
    return STATUS_OK;
}

static int compare_placed(const void *a, const void *b) {
    const struct span *x = &((const struct placed *)a)->span;
    const struct span *y = &((const struct placed *)b)->span;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* A cut-off file says so, with both sizes, before anything is said about single tensors. */
static enum status check_complete(const struct tensor_list *list, const struct placed *placed,
                                  size_t n, size_t buffer, size_t size, struct error *err) {
    const struct placed *last = NULL;
    for (size_t i = 0; i < n; i++) {
        if (last == NULL || placed[i].span.end > last->span.end)
            last = &placed[i];
    }
    if (last == NULL || last->span.end <= buffer)
        return STATUS_OK;
    return ERR(
        err, MODEL,
        "is %zu bytes, its header promises %llu (tensor \"%.100s\" ends there): the download "
        "is incomplete or the file damaged; " DOWNLOAD,
        size, (unsigned long long)(size - buffer) + last->span.end,
        list->items[last->item].tensor.name);
}

/* The tensors must cover the buffer in order, without hole or overlap. Sorts them. */
static enum status check_coverage(const struct tensor_list *list, struct placed *placed, size_t n,
                                  size_t buffer, struct error *err) {
    qsort(placed, n, sizeof *placed, compare_placed);
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const struct span *span = &placed[i].span;
        const char *name = list->items[placed[i].item].tensor.name;
        if (span->begin < at)
            return ERR(err, MODEL,
                       "tensors \"%.100s\" and \"%.100s\" overlap at byte %llu of the data: the "
                       "file is damaged; " DOWNLOAD,
                       list->items[placed[i - 1].item].tensor.name, name,
                       (unsigned long long)span->begin);
        if (span->begin > at)
            return ERR(err, MODEL,
                       "%llu bytes before tensor \"%.100s\" belong to no tensor: the file is "
                       "damaged; " DOWNLOAD,
                       (unsigned long long)(span->begin - at), name);
        at = span->end;
    }
    if (at != buffer)
        return ERR(
            err, MODEL,
            "%llu bytes behind the last tensor belong to no tensor: the file is damaged; " DOWNLOAD,
            (unsigned long long)(buffer - at));
    return STATUS_OK;
}

static enum status list_tensors(struct tensor_list *list, struct arena *scratch,
                                const uint8_t *data, size_t size, struct error *err) {
    size_t header_len = 0;
    if (locate_header(data, size, &header_len, err) != STATUS_OK)
        return STATUS_ERROR;
    const uint8_t *buffer = data + 8 + header_len;
    const size_t buffer_len = size - 8 - header_len;
    const struct json *header = NULL;
    if (parse_header(&header, scratch, data + 8, header_len, err) != STATUS_OK)
        return STATUS_ERROR;
    struct placed *placed = arena_zalloc(scratch, header->len, sizeof *placed);
    size_t n = 0;
    if (read_tensors(list, placed, &n, header, err) != STATUS_OK ||
        check_complete(list, placed, n, buffer_len, size, err) != STATUS_OK ||
        check_coverage(list, placed, n, buffer_len, err) != STATUS_OK)
        return STATUS_ERROR;
    for (size_t i = 0; i < n; i++)
        list->items[placed[i].item].tensor.data = buffer + placed[i].span.begin;
    return STATUS_OK;
}

static enum status safetensors_list(struct tensor_list *list, const uint8_t *data, size_t size,
                                    struct error *err) {
    struct arena scratch = {0};
    const enum status status = list_tensors(list, &scratch, data, size, err);
    arena_deinit(&scratch);
    return status;
}

enum status safetensors_check(const void *data, size_t size, struct error *err) {
    static const char *const files[] = {"the file"};
    struct tensor_list list = {0};
    enum status status = safetensors_list(&list, data, size, err);
    if (status == STATUS_OK)
        status = tensor_list_finish(&list, files, err);
    tensor_list_deinit(&list);
    return status;
}

const struct format format_safetensors = {
    .names = {"model.safetensors"},
    .adapter = "adapter_model.safetensors",
    .index = "model.safetensors.index.json",
    .list = safetensors_list,
};
