/* What the files of torch.save share: the objects that their pickles make, and the reader that the
 * layouts (zip, pickles in a row, tar) work on. Private to this room.
 *
 * A pickle makes storages (typed arrays, named by a key) and tensors (a storage, an offset, sizes,
 * strides). A layout says where a storage's bytes stand; torch.c then lists the tensors. */
#ifndef BRISK_FORMATS_TORCH_H
#define BRISK_FORMATS_TORCH_H

#include "formats/format.h"
#include "formats/pickle.h"

struct torch_type {
    const char *name;  /* "float32" */
    const char *dtype; /* as dtype_parse knows it, or NULL: such tensors are not read */
    size_t bytes;      /* of an element in the file */
};

enum torch_kind {
    TORCH_STORAGE,
    TORCH_TENSOR,
    TORCH_OPAQUE, /* of no interest: a device, a layout, a set */
};

/* Objects start with their kind; pickle values of type OBJECT point to them. */
struct torch_storage {
    enum torch_kind kind;
    const struct torch_type *type;
    const struct pickle_value *key; /* in the older layouts */
    size_t index;                   /* in the reader's list, in the order of appearance */
    uint64_t numel;
    bool is_view; /* of view_numel elements of the storage `key`, from view_offset on */
    uint64_t view_offset, view_numel;
    const uint8_t *data; /* NULL: not found yet */
    size_t bytes;
};

struct torch_tensor {
    enum torch_kind kind;
    const char *refused; /* why it cannot be read, or NULL: "is sparse" */
    const struct torch_type *type;
    const struct torch_storage *storage; /* NULL: not set yet */
    uint64_t offset;                     /* in elements */
    uint32_t n_dims;
    int64_t dims[LIMIT_TENSOR_DIMS], strides[LIMIT_TENSOR_DIMS]; /* >= 0, in elements */
};

struct torch_named { /* a tensor of the tar layout */
    const struct pickle_value *key;
    struct pickle_value *tensor;
};

struct torch_reader {
    struct arena arena; /* everything that the pickles make; gone when the tensors are listed */
    struct pickle_rules rules;
    struct pickle pickle;
    const void *layout; /* the layout's own */
    size_t n_objects;   /* tensors and storages made so far */
    /* Of the older layouts, where data comes after the pickle that names it. */
    struct torch_storage **storages;
    size_t n_storages, storages_cap;
    struct torch_named *tensors; /* sorted by key */
    size_t n_tensors;
};

/* ---- torch_objects.c ---- */
extern const struct pickle_global torch_globals[];
extern const size_t torch_n_globals;
enum status torch_build(struct pickle *pickle, struct pickle_value *object,
                        const struct pickle_value *state, struct error *err) MUST_CHECK;
/* A zeroed tensor or storage, in the reader's arena. */
enum status torch_new(struct pickle *pickle, size_t size, enum torch_kind kind, void *out,
                      struct error *err) MUST_CHECK;
/* NULL: the value is no such object. */
struct torch_storage *torch_storage_of(const struct pickle_value *value);
struct torch_tensor *torch_tensor_of(const struct pickle_value *value);
const struct torch_type *torch_type_of(const struct pickle_value *value);
/* An OBJECT that holds `object`, one of those above. */
enum status torch_object(struct pickle *pickle, void *object, struct pickle_value **out,
                         struct error *err) MUST_CHECK;
/* A storage from ("storage", class, key, location, numel, …), at least `len` items, not placed. */
enum status torch_storage_new(struct pickle *pickle, const struct pickle_value *id, size_t len,
                              struct torch_storage **out, struct error *err) MUST_CHECK;
bool torch_size(const struct pickle_value *value, uint64_t *out); /* an INT >= 0 */

/* ---- torch_strided.c ---- */
/* out = all elements in row-major order. There is at least one, of at least one dimension, and all
 * stand inside the storage. */
void torch_copy_strided(uint8_t *out, const struct torch_tensor *tensor, size_t element_bytes);

/* ---- torch_legacy.c: *state is the saved object, its storages have their data ---- */
bool torch_tar_sniff(const uint8_t *data, size_t size);
enum status torch_tar_read(struct torch_reader *reader, const uint8_t *data, size_t size,
                           struct pickle_value **state, struct error *err) MUST_CHECK;
enum status torch_row_read(struct torch_reader *reader, const uint8_t *data, size_t size,
                           struct pickle_value **state, struct error *err) MUST_CHECK;

#endif
