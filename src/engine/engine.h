/* The engine: runs any architecture that a `struct arch` describes. It asks what an architecture
 * has, never who it is: names of families stand only in src/models.
 *
 * A model is named stacks (encoder, decoder, …) and links: a stack with cross-attention reads the
 * output of the stack `cross_from`. Arrays of tensors are ragged: tokens of all sequences one
 * after the other, no padding.
 *
 * Reading order: arch.h (the description), then this header, then load.c, forward.c, kv.c. */
#ifndef BRISK_ENGINE_ENGINE_H
#define BRISK_ENGINE_ENGINE_H

#include "base/base.h"
#include "formats/formats.h"
#include "ops/ops.h"
#include "engine/arch.h"

struct model;

struct model_options {
    enum precision precision;
    struct team *team;                          /* borrowed: all passes of the model run on it */
    const struct device *device;                /* NULL: device_cpu() */
    void (*progress)(void *user, double share); /* of loading, 0..1; may be NULL */
    void *user;
    struct team *load_team; /* packs the weights while `team` runs passes; NULL: team does both */
    size_t page_limit;      /* most bytes of a stack's page pool; 0: what the system has */
    struct packed_cache *cache; /* of packed weights; borrowed by the model; or NULL */
};
/* That the checkpoint has all tensors the arch needs, in their shapes; reads no weights. MODEL: a
 * tensor is absent or has another shape: names both. */
enum status model_check(const struct arch *arch, const struct checkpoint *checkpoint,
                        struct error *err) MUST_CHECK;
/* Packs the weights of the checkpoint (which may be closed afterwards). The arch is copied; its
 * strings must outlive the model. MODEL: as model_check. */
enum status model_create(struct model **out, const struct arch *arch,
                         const struct checkpoint *checkpoint, const struct model_options *options,
                         struct error *err) MUST_CHECK;
/* What a load leaves for later, since it would delay the first answer: writes freshly packed
 * weights into the cache, or moves those that are mapped from there into huge pages, where passes
 * read them faster. Once, from any thread, while passes go on; ends early when *stop is set. */
void model_settle(struct model *model, const atomic_bool *stop);
bool model_is_from_cache(const struct model *model);
void model_destroy(struct model *model); /* NULL is fine; all sequences must be gone */

const struct arch *model_arch(const struct model *model);
size_t model_bytes(const struct model *model); /* weights + scratch + page pools */
size_t model_page_bytes(const struct model *model, uint32_t stack); /* of its page pool */
size_t model_page_limit(const struct model *model, uint32_t stack); /* most of them; 0: no limit */
size_t model_weight_bytes_per_token(const struct model *model,
                                    uint32_t stack); /* moved by one decode step */
enum precision model_precision(const struct model *model);
uint32_t model_max_rows(const struct model *model); /* most tokens of one pass */
/* Bytes that loading will need, from the arch alone (for admission). */
size_t model_estimate_bytes(const struct arch *arch, enum precision precision);

/* ---- state of one text in one stack: its keys and values, in pages shared copy-on-write ---- */
struct sequence;
/* Reserves pages for `capacity` tokens at once, so that no later step can fail or allocate.
 * MEMORY when the pool's limit is reached. Not thread-safe per model: the thread that runs passes
 * owns all sequences and memories of a model. */
enum status sequence_create(struct sequence **out, struct model *model, uint32_t stack,
                            uint32_t capacity, struct error *err) MUST_CHECK;
void sequence_destroy(struct sequence *sequence); /* NULL is fine */
uint32_t sequence_length(const struct sequence *sequence);
uint32_t sequence_capacity(const struct sequence *sequence);
/* dst (made with the same stack and at least src's length as capacity) becomes a copy of src: full
 * pages are shared, what differs later is copied when written. Never fails, never allocates. */
void sequence_copy(struct sequence *dst, const struct sequence *src);
/* The same with the first `tokens` of src, for which alone dst needs room. */
void sequence_copy_head(struct sequence *dst, const struct sequence *src, uint32_t tokens);
/* It grows no more: pages beyond its length are given back. */
void sequence_seal(struct sequence *sequence);
size_t sequence_bytes(const struct sequence *sequence); /* of its pages, shared ones too */
void sequence_truncate(struct sequence *sequence, uint32_t length); /* forget tokens from the end */

/* ---- what cross-attention reads: keys and values of every layer of a stack, computed once ---- */
struct memory;
/* For `stack` (one that has cross-attention), room for `tokens` tokens of the stack it reads. */
enum status memory_create(struct memory **out, struct model *model, uint32_t stack, uint32_t tokens,
                          struct error *err) MUST_CHECK;
struct memory *memory_ref(struct memory *memory);
void memory_unref(struct memory *memory);            /* NULL is fine */
uint32_t memory_tokens(const struct memory *memory); /* stored so far */

/* ---- one forward pass ---- */
struct segment {
    const int32_t *tokens;     /* [n] ids, checked by the caller: 0 <= id < vocab_size */
    const int32_t *types;      /* [n] token types, or NULL: all 0; [tables, n] where the stack has
                                  several tables of them */
    uint32_t n;                /* >= 1 */
    struct sequence *sequence; /* of this stack: the tokens are appended to it; NULL: nothing is
                                  kept and the segment is the whole text (positions from 0) */
    uint32_t length;           /* tokens that the text will have when all that is known of it has
                                  been read; 0: it ends with this segment */
    struct memory *memory;     /* read by cross-attention; NULL when the stack has none */
    struct memory *remember;   /* not NULL: this stack's output becomes this memory (tokens == n) */

    /* Wanted rows of the segment; NULL with n_rows == n: all. */
    const uint32_t *rows;
    uint32_t n_rows; /* 0: none */
    float *hidden;   /* [n_rows, hidden_size] last hidden states, or NULL */
    float *logits;   /* [n_rows, head outputs] of the model's head, or NULL */
    float *second;   /* [its outputs] of the second head on the first wanted row, or NULL */
};
/* Runs the segments (rows in all <= model_max_rows) through one stack. All outputs are there when
 * it returns. Cannot fail, allocates nothing. One pass at a time per team; call from one thread. */
void model_forward(struct model *model, uint32_t stack, const struct segment *segments, uint32_t n);

#endif
