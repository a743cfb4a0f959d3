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

struct tensor_list {
    struct arena arena; /* names */
    struct listed *items;
    size_t len, cap;
    uint32_t file; /* what tensor_list_add writes into `file` */
};

/* A zeroed tensor at the end of the list, with a copy of its name; valid until the next call.
 * Refuses names with zeros inside and more than LIMIT_TENSORS. */
enum status tensor_list_add(struct tensor_list *list, struct tensor **out, const char *name,
                            size_t len, struct error *err) MUST_CHECK;
/* Sorts by name and refuses a name that stands there twice. `files` names the files, for the text.
 */
enum status tensor_list_finish(struct tensor_list *list, const char *const *files,
                               struct error *err) MUST_CHECK;
const struct listed *tensor_list_find(const struct tensor_list *list, const char *name);
void tensor_list_deinit(struct tensor_list *list);

struct format {
    const char *file;  /* the weights when they are one file */
    const char *index; /* else: JSON whose `weight_map` says which shard holds which tensor */
    /* Checks data[size] completely and adds its tensors; they point into data. */
    enum status (*list)(struct tensor_list *list, const uint8_t *data, size_t size,
                        struct error *err);
};

#define FORMAT(name) extern const struct format format_##name;
#include "formats/formats.inc"
#undef FORMAT

/* *out = the dtype that safetensors calls text[len]; false when there is none. */
bool dtype_parse(enum dtype *out, const char *text, size_t len);
/* tensor->dtype and dims are set: computes elements and bytes; false when they overflow. */
bool tensor_measure(struct tensor *tensor);

#endif
