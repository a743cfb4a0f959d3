/* The classes and functions that pickles of torch.save may name: what torch.load(weights_only=True)
 * knows, no more. Each is a row; calling one makes a tensor, a storage's class names an element
 * type, and what no weight is made of (devices, layouts, sets) gives an opaque object.
 *
 * Tensors that are not read (quantized, sparse, complex, …) are made all the same and refused by
 * name when they are listed: a value that nobody asks for is no error, as in torch. */
#include "formats/torch.h"

/* ---- classes ---- */

/* TYPE(storage and tensor class, dtype, dtype here or NULL, bytes) */
#define TYPES(TYPE)                                                                                \
    TYPE(Double, float64, "F64", 8)                                                                \
    TYPE(Float, float32, "F32", 4)                                                                 \
    TYPE(Half, float16, "F16", 2)                                                                  \
    TYPE(BFloat16, bfloat16, "BF16", 2)                                                            \
    TYPE(Long, int64, "I64", 8)                                                                    \
    TYPE(Int, int32, "I32", 4)                                                                     \
    TYPE(Short, int16, "I16", 2)                                                                   \
    TYPE(Char, int8, "I8", 1)                                                                      \
    TYPE(Byte, uint8, "U8", 1)                                                                     \
    TYPE(Bool, bool, "BOOL", 1)                                                                    \
    TYPE(ComplexDouble, complex128, NULL, 16)                                                      \
    TYPE(ComplexFloat, complex64, NULL, 8)                                                         \
    TYPE(QInt8, qint8, NULL, 1)                                                                    \
    TYPE(QUInt8, quint8, NULL, 1)                                                                  \
    TYPE(QInt32, qint32, NULL, 4)                                                                  \
    TYPE(QUInt4x2, quint4x2, NULL, 1)                                                              \
    TYPE(QUInt2x4, quint2x4, NULL, 1)

/* Newer dtypes stand in storages without a type: DTYPE_ONLY(dtype, dtype here or NULL, bytes) */
#define DTYPES_ONLY(DTYPE_ONLY)                                                                    \
    DTYPE_ONLY(float8_e4m3fn, "F8_E4M3", 1)                                                        \
    DTYPE_ONLY(float8_e5m2, "F8_E5M2", 1)                                                          \
    DTYPE_ONLY(float8_e8m0fnu, "F8_E8M0", 1)                                                       \
    DTYPE_ONLY(float8_e4m3fnuz, NULL, 1)                                                           \
    DTYPE_ONLY(float8_e5m2fnuz, NULL, 1)                                                           \
    DTYPE_ONLY(float4_e2m1fn_x2, NULL, 1)                                                          \
    DTYPE_ONLY(uint16, "U16", 2)                                                                   \
    DTYPE_ONLY(uint32, "U32", 4)                                                                   \
    DTYPE_ONLY(uint64, "U64", 8)                                                                   \
    DTYPE_ONLY(complex32, NULL, 4)                                                                 \
    DTYPE_ONLY(bits8, NULL, 1)                                                                     \
    DTYPE_ONLY(bits16, NULL, 2)                                                                    \
    DTYPE_ONLY(bits1x8, NULL, 1)                                                                   \
    DTYPE_ONLY(bits2x4, NULL, 1)                                                                   \
    DTYPE_ONLY(bits4x2, NULL, 1)

#define TYPE(class, name, dtype, bytes)                                                            \
    static const struct torch_type type_##name = {#name, dtype, bytes};
#define DTYPE_ONLY(name, dtype, bytes) TYPE(, name, dtype, bytes)
TYPES(TYPE)
DTYPES_ONLY(DTYPE_ONLY)
TYPE(, untyped, "U8", 1)
#undef TYPE
#undef DTYPE_ONLY

/* What a row of the table holds beside its call. */
struct torch_class {
    const struct torch_type *type;
    const char *refused;
};

const struct torch_type *torch_type_of(const struct pickle_value *value) {
    if (value->type != PICKLE_GLOBAL || value->global->data == NULL)
        return NULL;
    return ((const struct torch_class *)value->global->data)->type;
}

/* ---- objects ---- */

static enum torch_kind kind_of(const struct pickle_value *value) {
    return value->type == PICKLE_OBJECT ? *(const enum torch_kind *)value->object : TORCH_OPAQUE;
}

struct torch_storage *torch_storage_of(const struct pickle_value *value) {
    return kind_of(value) == TORCH_STORAGE ? value->object : NULL;
}

struct torch_tensor *torch_tensor_of(const struct pickle_value *value) {
    return kind_of(value) == TORCH_TENSOR ? value->object : NULL;
}

enum status torch_new(struct pickle *pickle, size_t size, enum torch_kind kind, void *out,
                      struct error *err) {
    struct torch_reader *reader = pickle->context;
    if (reader->n_objects >= LIMIT_TORCH_OBJECTS)
        return ERR(err, MODEL, "holds more than %d tensors and storages, the most that are read",
                   LIMIT_TORCH_OBJECTS);
    reader->n_objects++;
    enum torch_kind *object = arena_zalloc(&reader->arena, 1, size);
    *object = kind;
    memcpy(out, &object, sizeof object);
    return STATUS_OK;
}

enum status torch_object(struct pickle *pickle, void *object, struct pickle_value **out,
                         struct error *err) {
    if (pickle_new(pickle, PICKLE_OBJECT, out, err) != STATUS_OK)
        return STATUS_ERROR;
    (*out)->object = object;
    return STATUS_OK;
}

bool torch_size(const struct pickle_value *value, uint64_t *out) {
    if (value->type != PICKLE_INT || value->integer < 0)
        return false;
    *out = (uint64_t)value->integer;
    return true;
}

enum status torch_storage_new(struct pickle *pickle, const struct pickle_value *id, size_t len,
                              struct torch_storage **out, struct error *err) {
    if (id->type != PICKLE_TUPLE || id->len < len || !pickle_is_text(id->items[0], "storage"))
        return ERR(err, MODEL,
                   "refers to %s outside itself, must be a storage: only tensors are read",
                   pickle_type_name(id->type));
    const struct torch_type *type = torch_type_of(id->items[1]);
    struct torch_storage *storage = NULL;
    if (torch_new(pickle, sizeof *storage, TORCH_STORAGE, &storage, err) != STATUS_OK)
        return STATUS_ERROR;
    storage->type = type;
    storage->key = id->items[2];
    if (type == NULL || !torch_size(id->items[4], &storage->numel))
        return ERR(err, MODEL, "has a storage without a type and a size: the file is damaged");
    if (storage->key->type != PICKLE_TEXT || storage->key->len > LIMIT_PICKLE_NAME ||
        memchr(storage->key->text, 0, storage->key->len) != NULL)
        return ERR(err, MODEL, "names a storage by %s, must be a string of at most %d bytes",
                   pickle_type_name(storage->key->type), LIMIT_PICKLE_NAME);
    *out = storage;
    return STATUS_OK;
}

/* ---- tensors ---- */

static enum status new_tensor(struct pickle *pickle, struct torch_tensor **tensor,
                              struct pickle_value **out, struct error *err) {
    if (torch_new(pickle, sizeof **tensor, TORCH_TENSOR, tensor, err) != STATUS_OK)
        return STATUS_ERROR;
    return torch_object(pickle, *tensor, out, err);
}

/* Storage, offset, sizes and strides from four values in a row. */
static enum status set_tensor(struct torch_tensor *tensor, struct pickle_value *const values[4],
                              struct error *err) {
    const struct pickle_value *sizes = values[2], *strides = values[3];
    tensor->storage = torch_storage_of(values[0]);
    if (tensor->storage == NULL)
        return ERR(err, MODEL, "makes a tensor of %s, must be a storage",
                   pickle_type_name(values[0]->type));
    tensor->type = tensor->storage->type;
    if (!torch_size(values[1], &tensor->offset))
        return ERR(err, MODEL,
                   "makes a tensor with an offset that is no size: the file is damaged");
    if (sizes->type != PICKLE_TUPLE || strides->type != PICKLE_TUPLE || sizes->len != strides->len)
        return ERR(err, MODEL,
                   "makes a tensor without as many strides as sizes: the file is "
                   "damaged");
    if (sizes->len > LIMIT_TENSOR_DIMS) {
        tensor->refused = "has more dimensions than are read";
        return STATUS_OK;
    }
    tensor->n_dims = (uint32_t)sizes->len;
    for (size_t i = 0; i < sizes->len; i++) {
        uint64_t size = 0, stride = 0;
        if (!torch_size(sizes->items[i], &size) || !torch_size(strides->items[i], &stride))
            return ERR(err, MODEL,
                       "makes a tensor with a size or stride that is not from 0 to 2^63-1");
        tensor->dims[i] = (int64_t)size;
        tensor->strides[i] = (int64_t)stride;
    }
    return STATUS_OK;
}

static enum status need_args(const struct pickle_global *global, const struct pickle_value *args,
                             size_t least, struct error *err) {
    if (args->len < least)
        return ERR(err, MODEL, "calls %s.%s with %zu values, needs %zu: the file is damaged",
                   global->module, global->name, args->len, least);
    return STATUS_OK;
}

/* The conjugate and negative bits of a tensor's metadata: its bytes are not its values then. */
static bool has_flags(const struct pickle_value *metadata) {
    for (size_t i = 1; metadata->type == PICKLE_DICT && i < metadata->len; i += 2) {
        if (metadata->items[i]->type != PICKLE_BOOL || metadata->items[i]->boolean)
            return true;
    }
    return metadata->type != PICKLE_DICT && metadata->type != PICKLE_NONE;
}

/* _rebuild_tensor(storage, offset, size, stride) and
 * _rebuild_tensor_v2(…, requires_grad, backward_hooks, metadata=None) */
static enum status call_tensor(struct pickle *pickle, const struct pickle_global *global,
                               const struct pickle_value *args, struct pickle_value **out,
                               struct error *err) {
    struct torch_tensor *tensor = NULL;
    if (need_args(global, args, 4, err) != STATUS_OK ||
        new_tensor(pickle, &tensor, out, err) != STATUS_OK ||
        set_tensor(tensor, args->items, err) != STATUS_OK)
        return STATUS_ERROR;
    if (args->len > 6 && has_flags(args->items[6]))
        tensor->refused = "is a negated or conjugated view";
    return STATUS_OK;
}

/* _rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, metadata=None) */
static enum status call_tensor_v3(struct pickle *pickle, const struct pickle_global *global,
                                  const struct pickle_value *args, struct pickle_value **out,
                                  struct error *err) {
    struct torch_tensor *tensor = NULL;
    if (need_args(global, args, 7, err) != STATUS_OK ||
        new_tensor(pickle, &tensor, out, err) != STATUS_OK ||
        set_tensor(tensor, args->items, err) != STATUS_OK)
        return STATUS_ERROR;
    tensor->type = torch_type_of(args->items[6]);
    if (tensor->type == NULL)
        return ERR(err, MODEL, "makes a tensor without a dtype: the file is damaged");
    if (args->len > 7 && has_flags(args->items[7]))
        tensor->refused = "is a negated or conjugated view";
    return STATUS_OK;
}

/* Parameter(data, …), _rebuild_parameter(data, …): the tensor that it wraps. */
static enum status call_parameter(struct pickle *pickle, const struct pickle_global *global,
                                  const struct pickle_value *args, struct pickle_value **out,
                                  struct error *err) {
    if (need_args(global, args, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    if (torch_tensor_of(args->items[0]) == NULL)
        return ERR(err, MODEL, "makes a parameter of %s, must be a tensor",
                   pickle_type_name(args->items[0]->type));
    *out = args->items[0];
    return STATUS_OK;
}

/* _rebuild_from_type_v2(function, class, its arguments, state): tensors with attributes. */
static enum status call_from_type(struct pickle *pickle, const struct pickle_global *global,
                                  const struct pickle_value *args, struct pickle_value **out,
                                  struct error *err) {
    if (need_args(global, args, 3, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct pickle_value *callee = args->items[0], *inner = args->items[2];
    /* A call of itself would nest as deep as a file likes. */
    if (callee->type != PICKLE_GLOBAL || inner->type != PICKLE_TUPLE ||
        callee->global->call == NULL || callee->global->call == global->call)
        return ERR(err, MODEL, "makes a tensor by %s, must be a function of torch that does",
                   pickle_type_name(callee->type));
    return callee->global->call(pickle, callee->global, inner, out, err);
}

/* torch.FloatTensor(): an empty tensor that BUILD sets, as torch wrote in its first years. */
static enum status call_empty(struct pickle *pickle, const struct pickle_global *global,
                              const struct pickle_value *args, struct pickle_value **out,
                              struct error *err) {
    struct torch_tensor *tensor = NULL;
    if (new_tensor(pickle, &tensor, out, err) != STATUS_OK)
        return STATUS_ERROR;
    if (args->len > 0)
        tensor->refused = "is made from values, not from a storage";
    return STATUS_OK;
}

static enum status call_refused(struct pickle *pickle, const struct pickle_global *global,
                                const struct pickle_value *args, struct pickle_value **out,
                                struct error *err) {
    struct torch_tensor *tensor = NULL;
    if (new_tensor(pickle, &tensor, out, err) != STATUS_OK)
        return STATUS_ERROR;
    tensor->refused = ((const struct torch_class *)global->data)->refused;
    return STATUS_OK;
}

enum status torch_build(struct pickle *pickle, struct pickle_value *object,
                        const struct pickle_value *state, struct error *err) {
    struct torch_tensor *tensor = torch_tensor_of(object);
    if (tensor == NULL || tensor->storage != NULL || tensor->refused != NULL)
        return STATUS_OK; /* attributes */
    if (state->type != PICKLE_TUPLE || state->len != 4)
        return ERR(err, MODEL, "sets a tensor from %s, must be a tuple of 4",
                   pickle_type_name(state->type));
    return set_tensor(tensor, state->items, err);
}

/* ---- other values ---- */

/* OrderedDict() or OrderedDict([[key, value], …]), as Python 2 writes it. */
static enum status call_dict(struct pickle *pickle, const struct pickle_global *global,
                             const struct pickle_value *args, struct pickle_value **out,
                             struct error *err) {
    if (pickle_new(pickle, PICKLE_DICT, out, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct pickle_value *from = args->len > 0 ? args->items[0] : NULL;
    if (from == NULL)
        return STATUS_OK;
    for (size_t i = 0; from->type == PICKLE_DICT && i < from->len; i++) {
        if (pickle_append(pickle, *out, from->items[i], err) != STATUS_OK)
            return STATUS_ERROR;
    }
    for (size_t i = 0; from->type == PICKLE_LIST && i < from->len; i++) {
        const struct pickle_value *pair = from->items[i];
        if ((pair->type != PICKLE_LIST && pair->type != PICKLE_TUPLE) || pair->len != 2)
            return ERR(err, MODEL, "makes a dictionary of %s, must be pairs",
                       pickle_type_name(pair->type));
        if (pickle_append(pickle, *out, pair->items[0], err) != STATUS_OK ||
            pickle_append(pickle, *out, pair->items[1], err) != STATUS_OK)
            return STATUS_ERROR;
    }
    return STATUS_OK;
}

/* torch.Size((2, 3)): the tuple. */
static enum status call_size(struct pickle *pickle, const struct pickle_global *global,
                             const struct pickle_value *args, struct pickle_value **out,
                             struct error *err) {
    if (need_args(global, args, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    *out = args->items[0];
    return STATUS_OK;
}

static enum status call_opaque(struct pickle *pickle, const struct pickle_global *global,
                               const struct pickle_value *args, struct pickle_value **out,
                               struct error *err) {
    static enum torch_kind opaque = TORCH_OPAQUE;
    return torch_object(pickle, &opaque, out, err);
}

/* ---- the table ---- */

#define CLASS(...)                                                                                 \
    &(const struct torch_class) {                                                                  \
        __VA_ARGS__                                                                                \
    }
#define REFUSED(name, text)                                                                        \
    { "torch._utils", name, call_refused, CLASS(.refused = text) }
#define TYPE(class, name, dtype, bytes)                                                            \
    {"torch", #class "Storage", NULL, CLASS(.type = &type_##name)},                                \
        {"torch.cuda", #class "Storage", NULL, CLASS(.type = &type_##name)},                       \
        {"torch", #class "Tensor", call_empty, CLASS(.type = &type_##name)},                       \
        {"torch.cuda", #class "Tensor", call_empty, CLASS(.type = &type_##name)},                  \
        {"torch", #name, NULL, CLASS(.type = &type_##name)},
#define DTYPE_ONLY(name, dtype, bytes) {"torch", #name, NULL, CLASS(.type = &type_##name)},

const struct pickle_global torch_globals[] = {
    /* clang-format off */
    {"collections", "OrderedDict", call_dict, NULL},
    {"collections", "Counter", call_dict, NULL},
    {"torch._utils", "_rebuild_tensor_v2", call_tensor, NULL},
    {"torch._utils", "_rebuild_tensor", call_tensor, NULL},
    {"torch._utils", "_rebuild_tensor_v3", call_tensor_v3, NULL},
    {"torch._utils", "_rebuild_parameter", call_parameter, NULL},
    {"torch._utils", "_rebuild_parameter_with_state", call_parameter, NULL},
    {"torch._utils", "_rebuild_device_tensor_from_cpu_tensor", call_parameter, NULL},
    {"torch._tensor", "_rebuild_from_type_v2", call_from_type, NULL},
    {"torch.tensor", "_rebuild_from_type_v2", call_from_type, NULL}, /* before torch 1.9 */
    REFUSED("_rebuild_qtensor", "is quantized"),
    REFUSED("_rebuild_sparse_tensor", "is sparse"),
    REFUSED("_rebuild_nested_tensor", "is nested"),
    REFUSED("_rebuild_meta_tensor_no_storage", "is on the meta device and has no data"),
    REFUSED("_rebuild_wrapper_subclass", "is of a class of its own"),
    REFUSED("_rebuild_device_tensor_from_numpy", "is an array of numpy"),
    {"torch.nn.parameter", "Parameter", call_parameter, NULL},
    {"torch", "Tensor", call_empty, NULL},
    {"torch", "Size", call_size, NULL},
    {"torch", "device", call_opaque, NULL},
    {"torch.serialization", "_get_layout", call_opaque, NULL},
    {"_codecs", "encode", call_opaque, NULL},
    {"builtins", "bytearray", call_opaque, NULL},
    {"__builtin__", "bytearray", call_opaque, NULL},
    {"builtins", "set", call_opaque, NULL},
    {"__builtin__", "set", call_opaque, NULL},
    {"builtins", "complex", call_opaque, NULL},
    {"__builtin__", "complex", call_opaque, NULL},
    {"torch", "per_tensor_affine", NULL, NULL},
    {"torch", "per_tensor_symmetric", NULL, NULL},
    {"torch", "per_channel_affine", NULL, NULL},
    {"torch", "per_channel_symmetric", NULL, NULL},
    {"torch", "per_channel_affine_float_qparams", NULL, NULL},
    {"torch.storage", "UntypedStorage", NULL, CLASS(.type = &type_untyped)},
    {"torch", "UntypedStorage", NULL, CLASS(.type = &type_untyped)},
    TYPES(TYPE)
    DTYPES_ONLY(DTYPE_ONLY)
    /* clang-format on */
};
const size_t torch_n_globals = ARRAY_LEN(torch_globals);
