/* GGUF as a weight format: the tensors of one file, or of the parts of a split one, under the names
 * that transformers gives them. Holds files to what ggml writes: known types, rows of whole blocks,
 * aligned offsets inside the file, no overlap. Bytes between tensors are padding.
 *
 * Quantized blocks stay as they stand; tensor_to_floats reads them (blocks.c). Nothing is turned or
 * permuted here either: `turned` and `paired_rows` say how the data stands. */
#include "formats/gguf.h"

#include "formats/advice.h"

/* ---- types ---- */

#define READ(name)                                                                                 \
    { #name, true, DTYPE_##name }
#define OTHER(name)                                                                                \
    { #name, false, DTYPE_F32 }
static const struct {
    const char *name; /* NULL: no such number */
    bool is_read;
    enum dtype dtype;
} types[] = {
    [0] = READ(F32),       [1] = READ(F16),      [2] = READ(Q4_0),      [3] = READ(Q4_1),
    [6] = READ(Q5_0),      [7] = READ(Q5_1),     [8] = READ(Q8_0),      [9] = OTHER(Q8_1),
    [10] = READ(Q2_K),     [11] = READ(Q3_K),    [12] = READ(Q4_K),     [13] = READ(Q5_K),
    [14] = READ(Q6_K),     [15] = OTHER(Q8_K),   [16] = OTHER(IQ2_XXS), [17] = OTHER(IQ2_XS),
    [18] = OTHER(IQ3_XXS), [19] = OTHER(IQ1_S),  [20] = OTHER(IQ4_NL),  [21] = OTHER(IQ3_S),
    [22] = OTHER(IQ2_S),   [23] = OTHER(IQ4_XS), [24] = READ(I8),       [25] = READ(I16),
    [26] = READ(I32),      [27] = READ(I64),     [28] = READ(F64),      [29] = OTHER(IQ1_M),
    [30] = READ(BF16),     [34] = OTHER(TQ1_0),  [35] = OTHER(TQ2_0),   [39] = OTHER(MXFP4),
    [40] = OTHER(NVFP4),   [41] = OTHER(Q1_0),
};

static enum status read_type(struct tensor *tensor, uint32_t type, struct error *err) {
    const bool known = type < ARRAY_LEN(types) && types[type].name != NULL;
    if (!known)
        return ERR(err, MODEL, "tensor \"%.100s\" is of ggml's type %u, which is not known",
                   tensor->name, type);
    if (!types[type].is_read)
        return ERR(err, MODEL,
                   "tensor \"%.100s\" is of ggml's type %s, which is not read: take a file in F16, "
                   "Q8_0 or one of Q2_K to Q6_K",
                   tensor->name, types[type].name);
    tensor->dtype = types[type].dtype;
    return STATUS_OK;
}

/* ---- one tensor ---- */

static enum status read_shape(struct tensor *tensor, const struct gguf_tensor *from,
                              struct error *err) {
    tensor->n_dims = from->n_dims;
    for (uint32_t i = 0; i < from->n_dims; i++) { /* the file has the innermost first */
        const uint64_t dim = from->dims[from->n_dims - 1 - i];
        if (dim > INT64_MAX)
            return ERR(err, MODEL,
                       "tensor \"%.100s\": dimension %u is %llu, must be at most 2^63-1",
                       tensor->name, i, (unsigned long long)dim);
        tensor->dims[i] = (int64_t)dim;
    }
    const size_t block = dtype_block(tensor->dtype);
    const int64_t row = tensor->n_dims > 0 ? tensor->dims[tensor->n_dims - 1] : 1;
    if ((uint64_t)row % block != 0)
        return ERR(err, MODEL,
                   "tensor \"%.100s\": rows of %lld, must be a multiple of %zu, the elements of a "
                   "block of %s",
                   tensor->name, (long long)row, block, dtype_name(tensor->dtype));
    if (!tensor_measure(tensor))
        return ERR(err, MODEL, "tensor \"%.100s\" has more elements than memory has bytes",
                   tensor->name);
    return STATUS_OK;
}

static enum status place(struct tensor *tensor, const struct gguf *gguf, uint64_t offset,
                         struct error *err) {
    if (offset % gguf->alignment != 0)
        return ERR(err, MODEL, "tensor \"%.100s\": offset %llu, must be a multiple of %u",
                   tensor->name, (unsigned long long)offset, gguf->alignment);
    if (offset > gguf->data_len || tensor->bytes > gguf->data_len - offset)
        return ERR(err, MODEL,
                   "tensor \"%.100s\" needs %zu bytes from %llu on, the file has %zu: the download "
                   "is incomplete or the file damaged; " DOWNLOAD,
                   tensor->name, tensor->bytes, (unsigned long long)offset, gguf->data_len);
    tensor->data = gguf->data + offset;
    return STATUS_OK;
}

/* ---- where it differs from transformers ---- */

/* What the first file of a checkpoint says about all of them. */
struct model {
    struct gguf gguf; /* keys only: of a split model, the first part has them */
    const struct gguf_arch *arch;
};

static enum status pair_rows(struct tensor *tensor, const struct model *model, const char *key,
                             struct error *err) {
    int64_t heads = 0;
    const struct gguf_value *value = gguf_arch_value(&model->gguf, model->arch, key);
    if (value == NULL) /* as many heads of keys as of queries */
        value = gguf_arch_value(&model->gguf, model->arch, "attention.head_count");
    const int64_t rows = tensor->n_dims > 0 ? tensor->dims[0] : 0;
    if (!gguf_int(value, &heads) || heads <= 0 || rows <= 0 || rows % heads != 0 ||
        rows / heads % 2 != 0 || rows / heads > LIMIT_HIDDEN_SIZE)
        return ERR(err, MODEL,
                   "tensor \"%.100s\" has %lld rows, \"%s.%s\" must divide them into an even "
                   "number each",
                   tensor->name, (long long)rows, model->arch->name, key);
    tensor->paired_rows = (uint32_t)(rows / heads);
    return STATUS_OK;
}

static enum status add_tensor(struct tensor_list *list, const struct model *model,
                              const struct gguf *gguf, const struct gguf_tensor *from,
                              struct error *err) {
    char name[2048] = ""; /* longer than any name that gguf_read takes, and its prefix */
    struct tensor *tensor = NULL;
    const struct gguf_name *row = gguf_rename(model->arch, from, name, sizeof name);
    if (tensor_list_add(list, &tensor, row != NULL ? name : from->name,
                        row != NULL ? strlen(name) : from->name_len, err) != STATUS_OK ||
        read_type(tensor, from->type, err) != STATUS_OK ||
        read_shape(tensor, from, err) != STATUS_OK ||
        place(tensor, gguf, from->offset, err) != STATUS_OK)
        return STATUS_ERROR;
    tensor->turned = row != NULL && row->turned && tensor->n_dims == 2;
    if (row != NULL && row->row_pairs != NULL)
        return pair_rows(tensor, model, row->row_pairs, err);
    return STATUS_OK;
}

/* ---- one file ---- */

static int compare_places(const void *a, const void *b) {
    const struct tensor *x = &((const struct listed *)a)->tensor;
    const struct tensor *y = &((const struct listed *)b)->tensor;
    if (x->data != y->data)
        return (const uint8_t *)x->data < (const uint8_t *)y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Sorts the items of this file by place; tensor_list_finish sorts all by name anyway. */
static enum status check_overlap(struct listed *items, size_t n, struct error *err) {
    if (n > 0)
        qsort(items, n, sizeof *items, compare_places);
    for (size_t i = 1; i < n; i++) {
        const struct tensor *a = &items[i - 1].tensor, *b = &items[i].tensor;
        if ((const uint8_t *)a->data + a->bytes > (const uint8_t *)b->data)
            return ERR(err, MODEL,
                       "tensors \"%.100s\" and \"%.100s\" overlap: the file is damaged; " DOWNLOAD,
                       a->name, b->name);
    }
    return STATUS_OK;
}

/* A part of a split model says which it is; a file that says nothing is the only one. */
static enum status check_part(const struct gguf *gguf, uint32_t file, uint32_t n_files,
                              struct error *err) {
    int64_t part = 0, parts = 1;
    (void)gguf_int(gguf_find(gguf, "split.no"), &part);
    (void)gguf_int(gguf_find(gguf, "split.count"), &parts);
    if (parts <= 1 && n_files <= 1)
        return STATUS_OK;
    if (parts != n_files)
        return ERR(err, MODEL,
                   "says that the model has %lld parts (\"split.count\"), the folder holds %u: "
                   "download the others, or move what belongs to another model",
                   (long long)parts, n_files);
    if (part != file)
        return ERR(err, MODEL,
                   "says that it is part %lld of %lld (\"split.no\"), its name says %u: the files "
                   "were renamed; download them again",
                   (long long)part + 1, (long long)parts, file + 1);
    return STATUS_OK;
}

static enum status list_file(struct tensor_list *list, struct arena *scratch, const uint8_t *data,
                             size_t size, struct error *err) {
    struct model *model = (struct model *)(uintptr_t)list->kept;
    struct gguf gguf;
    const bool is_first = list->kept == NULL; /* its keys stay for the other parts */
    if (gguf_read(&gguf, is_first ? &list->arena : scratch, data, size, err) != STATUS_OK ||
        check_part(&gguf, list->file, list->n_files, err) != STATUS_OK)
        return STATUS_ERROR;
    if (is_first) {
        model = arena_zalloc(&list->arena, 1, sizeof *model);
        model->gguf = gguf;
        if (gguf_arch_of(&model->arch, &gguf, err) != STATUS_OK)
            return STATUS_ERROR;
        list->kept = model;
    }
    const size_t first = list->len;
    for (size_t i = 0; i < gguf.n_tensors; i++) {
        if (add_tensor(list, model, &gguf, &gguf.tensors[i], err) != STATUS_OK)
            return STATUS_ERROR;
    }
    return check_overlap(list->items + first, list->len - first, err);
}

static enum status gguf_list(struct tensor_list *list, const uint8_t *data, size_t size,
                             struct error *err) {
    struct arena scratch = {0};
    const enum status status = list_file(list, &scratch, data, size, err);
    arena_deinit(&scratch);
    return status;
}

const struct format format_gguf = {.names = {"*.gguf"}, .list = gguf_list};
