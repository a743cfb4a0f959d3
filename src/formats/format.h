/* What a weight format implements, and the list of tensors it fills. Private to this room.
 *
 * A format knows the layout of one file in memory. Finding the files, mapping them, shards and
 * looking names up is the business of checkpoint.c and the same for all formats. */
#ifndef BRISK_FORMATS_FORMAT_H
#define BRISK_FORMATS_FORMAT_H

#include "formats/formats.h"

/* A tensor and the file it came from: an index into the checkpoint's files. */
struct listed {
    struct tensor tensor;
    uint32_t file;
};

struct block {
    void *data;
    size_t bytes;
};

struct tensor_list {
    struct arena arena; /* names */
    struct listed *items;
    size_t len, cap;
    uint32_t file;        /* what tensor_list_add writes into `file` */
    uint32_t n_files;     /* of the checkpoint */
    const void *kept;     /* the format's own, from one file to the next */
    struct block *blocks; /* of tensor_list_own */
    size_t n_blocks, blocks_cap;
    size_t owned, may_own;     /* bytes: of all blocks, and the most they may be */
    struct scaling **scalings; /* of all changes, for their locks */
    size_t n_scalings, scalings_cap;
};

/* A zeroed tensor at the end of the list, with a copy of its name; valid until the next call.
 * Refuses names with zeros inside and more than LIMIT_TENSORS. */
enum status tensor_list_add(struct tensor_list *list, struct tensor **out, const char *name,
                            size_t len, struct error *err) MUST_CHECK;
/* Zeroed memory for data that the file does not hold as a tensor needs it (strided, compressed): it
 * goes with the list. MODEL when the files would need more than LIMIT_OWNED_RATIO times their size;
 * MEMORY when there is none. */
enum status tensor_list_own(struct tensor_list *list, void **block, size_t bytes,
                            struct error *err) MUST_CHECK;
/* Sorts by name and refuses a name that stands there twice. `files` names the files, for the text.
 */
enum status tensor_list_finish(struct tensor_list *list, const char *const *files,
                               struct error *err) MUST_CHECK;
const struct listed *tensor_list_find(const struct tensor_list *list, const char *name);
void tensor_list_deinit(struct tensor_list *list);

/* ---- tensors that are computed ----
 * A product that is added to a tensor's floats, then a factor for each index of one dimension;
 * either may be absent. Computed piece by piece when the floats are read: a merged adapter takes no
 * memory but its own. */
struct change {
    struct change *next; /* what is done after this one */
    /* Floats [rows, cols] += left [rows, rank] * right [rank, cols]. left NULL: no product. */
    const float *left, *right;
    size_t rank, cols;
    struct scaling *scaling; /* or NULL */
};

/* Element i times magnitude[j] / norm[j], j = i / inner % count, where norm[j] is the length of all
 * elements of that j before the factor. The norms take one pass over the tensor by one thread, on
 * first use at the latest. */
struct scaling {
    const float *magnitude; /* [count] */
    size_t inner, count;
    struct lock lock;
    _Atomic bool ready; /* published with `factors` written, to all threads */
    float *factors;     /* [count], guarded by lock until ready */
};

/* The changes of the tensor up to `stop` (NULL: all) on out[n], its elements from `from` on. */
void change_apply(const struct tensor *tensor, const struct change *stop, size_t from, size_t n,
                  float *out);
/* Computes all norms of the tensor now; false: it has none, nothing was read. */
bool change_prepare(const struct tensor *tensor);
/* A change behind those that the tensor has already; lives in the list. */
struct change *change_add(struct tensor_list *list, struct tensor *tensor);
/* The change's factor along dimension `dim` (or, with n_dims, one for all), magnitude[count] being
 * copied. */
void change_scale(struct tensor_list *list, struct change *change, const struct tensor *tensor,
                  uint32_t dim, const struct tensor *magnitude);

/* weight_g and weight_v (also parametrizations.weight.original0 and 1) become "weight", as
 * torch.nn.utils computes it. The list is finished, before and after. */
enum status weight_norm_apply(struct tensor_list *list, const char *const *files,
                              struct error *err) MUST_CHECK;

#define FORMAT_NAMES 4

struct format {
    /* Names of weights that are one file, best first. A name may be a pattern (fnmatch): then one
     * file of the folder must match, or all parts of one series "*-00001-of-00002.*". Variants
     * (model.fp16.safetensors) have names of their own and are not taken. */
    const char *names[FORMAT_NAMES];
    const char *adapter; /* the name of an adapter's weights, or NULL */
    const char *index;   /* JSON whose `weight_map` says which shard holds what, or NULL */
    /* Checks data[size] completely and adds its tensors; they point into data, which outlives the
     * list, or into memory of tensor_list_own. */
    enum status (*list)(struct tensor_list *list, const uint8_t *data, size_t size,
                        struct error *err);
};

/* The format's weights in the folder that are no shards of an index: one file, or the parts of a
 * series, sorted; everything lives in the arena. *n 0: none. MODEL: several, and none to prefer. */
enum status format_files(struct arena *arena, const struct format *format, const char *folder,
                         const char ***files, uint32_t *n, struct error *err) MUST_CHECK;

#define FORMAT(name) extern const struct format format_##name;
#include "formats/formats.inc"
#undef FORMAT

/* Why the folder, in which no format found its files, holds no weights that are read. */
enum status foreign_refuse(struct arena *scratch, const char *folder, struct error *err) MUST_CHECK;

/* MODEL: config.json says that the weights are quantized in a way that is not read. */
enum status foreign_quantized(const struct json *config, struct error *err) MUST_CHECK;

/* *out = the dtype that safetensors calls text[len]; false when there is none. */
bool dtype_parse(enum dtype *out, const char *text, size_t len);
/* tensor->dtype and dims are set: computes elements and bytes; false when they overflow. */
bool tensor_measure(struct tensor *tensor);

#endif
