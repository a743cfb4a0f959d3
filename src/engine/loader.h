/* The loader's inside: what find.c, pack.c and weights.c share while a checkpoint becomes a model's
 * image. Private to the engine; see weights.c for the walk. */
#ifndef BRISK_ENGINE_LOADER_H
#define BRISK_ENGINE_LOADER_H

#include "engine/model.h"

#define LOADER_NAME_BYTES 256 /* of a tensor's name without its prefix */

enum loading { LOADING_MEASURE, LOADING_PACK, LOADING_TAKE };

struct table {
    const struct tensor *tensor;
    const float *data;
};

struct loader {
    struct model *model;
    const struct checkpoint *checkpoint;
    enum loading loading;
    void (*progress)(void *user, double share);
    void *user;
    struct buf *plan; /* what is packed from what, in words, for the cache's key; or NULL */
    float *buffer;    /* [lanes, buffer_floats], when packing */
    size_t buffer_floats;
    size_t done, total;                   /* elements */
    struct packed_sizes used;             /* of the image, so far */
    struct table tables[(2 + ARCH_TYPE_TABLES) * ARCH_STACKS]; /* so far: stacks may share one */
    uint32_t n_tables;
    uint32_t expert;                              /* whose tensors are looked for */
    const struct tensor *embeddings[ARCH_STACKS]; /* EMBED_TOKENS of each stack, for tied heads */
};

/* A linear or a norm as the checkpoint holds it. */
struct source {
    const struct tensor *weight, *bias; /* bias may be NULL */
    const struct tensor *rest;          /* [*, outputs]: of the inputs behind weight's; or NULL */
    uint32_t outputs;
    bool transposed;                  /* weight is [in, outputs] */
    float scale;                      /* of weight and bias; 0: 1 */
    uint32_t turned;                  /* output i is stored at i + turned, from the end on at 0 */
    const struct stack_spec *grouped; /* whose qkv_layout its outputs stand in, or NULL: in order */
};

/* ---- find.c ---- */

/* The pattern with the layer's number in place of its first "%u", the expert's of its second. */
void loader_expand(const struct loader *l, char name[static LOADER_NAME_BYTES], const char *pattern,
                   uint32_t layer);
/* The tensor <name><suffix>, with the arch's prefix in front, then without; NULL: there is none. */
const struct tensor *loader_find(const struct loader *l, const char *name, const char *suffix);
const struct tensor *loader_find_either(const struct loader *l, const char *name,
                                        const char *suffix, const char *old_suffix);
/* The error that the checkpoint has no such tensor; returns STATUS_ERROR. */
enum status loader_absent(const struct loader *l, const char *name, struct error *err);
/* The first of the slot's names that the checkpoint has. */
bool loader_find_slot(const struct loader *l, uint32_t stack, enum slot slot, uint32_t layer,
                      struct source *out);
/* The slot's first name, for messages; false: the family has no such slot. */
bool loader_first_name(const struct loader *l, uint32_t stack, enum slot slot, uint32_t layer,
                       char name[static LOADER_NAME_BYTES]);
enum status loader_need_slot(const struct loader *l, uint32_t stack, enum slot slot, uint32_t layer,
                             struct source *out, struct error *err) MUST_CHECK;
/* MODEL: another shape; names the tensor and both shapes. A vector may have leading dimensions
 * of 1. */
enum status loader_check_matrix(const struct tensor *tensor, uint32_t rows, uint32_t cols,
                                struct error *err) MUST_CHECK;
enum status loader_check_vector(const struct tensor *tensor, uint32_t size,
                                struct error *err) MUST_CHECK;
/* A matrix of blocks along its diagonal: as a 1x1 convolution [outputs, in / groups, 1]
 * (SqueezeBERT), or [groups, in / groups, outputs / groups] (ConvBERT). */
bool loader_is_blocks(const struct source *source, uint32_t in);
bool loader_is_groups(const struct source *source, uint32_t in);
enum status loader_check_source(const struct source *source, uint32_t in,
                                struct error *err) MUST_CHECK;

/* ---- pack.c: each takes its place in the image and, when packing, fills it ---- */

/* Sources fused along their outputs into one packed linear. */
enum status loader_pack(struct loader *l, struct linear *linear, enum precision precision,
                        uint32_t in, const struct source *sources, uint32_t n_sources,
                        struct error *err) MUST_CHECK;
enum status loader_pack_norm(struct loader *l, struct norm *norm, const struct stack_spec *spec,
                             uint32_t size, const struct source *source,
                             struct error *err) MUST_CHECK;
/* A norm a head, of names with the head's number for the second "%u" (StableLM). */
enum status loader_pack_head_norms(struct loader *l, struct norm *norm, uint32_t stack,
                                   enum slot slot, uint32_t layer, uint32_t heads,
                                   struct error *err) MUST_CHECK;
/* A table of floats [rows, cols], the slot's of this number; one that another stack has loaded
 * already is shared. */
enum status loader_pack_table(struct loader *l, const float **table, uint32_t stack, enum slot slot,
                              uint32_t number, uint32_t rows, uint32_t cols,
                              struct error *err) MUST_CHECK;
/* The first row of a slot's tensor [*, cols] is added to each of the table's. */
enum status loader_add_row(struct loader *l, const float *table, uint32_t stack, enum slot slot,
                           uint32_t rows, uint32_t cols, struct error *err) MUST_CHECK;

/* Tables that no tensor holds: sines and cosines of positions [*, hidden_size]; what distances add
 * to scores [heads, 2 * max_positions - 1], which T5's buckets give. */
enum status loader_pack_sines(struct loader *l, const float **table, uint32_t stack,
                              struct error *err) MUST_CHECK;
enum status loader_pack_bias(struct loader *l, const float **table, uint32_t stack,
                             struct error *err) MUST_CHECK;
/* The next `bytes` of one part of the image; NULL while measuring. */
enum status loader_place(struct loader *l, size_t bytes, bool looked_up, void **out,
                         struct error *err) MUST_CHECK;
/* A line of the plan, if one is written. */
#define PLAN(l, ...) ((l)->plan ? (void)buf_printf((l)->plan, "\n" __VA_ARGS__) : (void)0)
void loader_plan_tensor(struct loader *l, const struct tensor *tensor);

#endif
