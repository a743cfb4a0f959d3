/* A family's own self-attention, for what no description can say: DeBERTa's positions that meet
 * contents, Longformer's global tokens, ProphetNet's second stream; or a whole layer, where the
 * stream itself is another: MobileBERT's. A stack's `hook` names it; the family's file owns it.
 *
 * At load it packs tensors of its own into the model's image, layer by layer: load is called to
 * measure, then to pack or to take, and must ask for the same things in the same order each time.
 * In a pass it is given the fused q, k, v of all rows and writes what attention gives; every lane
 * calls it with the same arguments, and it is written like an operation of ops/ops.h: lanes divide
 * rows, columns or heads, and a row's bits depend on nothing but its text.
 *
 * A hook may have rows of its own beside those of the tokens (`side_rows`). They stand behind the
 * tokens of all texts, are embedded by the hook, and go through all layers as tokens do; only
 * attention tells them apart. */
#ifndef BRISK_ENGINE_HOOK_H
#define BRISK_ENGINE_HOOK_H

#include "base/base.h"
#include "formats/formats.h"
#include "ops/ops.h"

struct stack_spec;
struct loader;
struct hook_table;

#define HOOK_OPTIONS 6
/* What a description says about it. */
struct hook {
    const struct hook_table *table; /* NULL: there is none */
    uint32_t options[HOOK_OPTIONS]; /* the table's own */
    uint32_t max_in;                /* largest K of its linears */
    uint32_t more_out;              /* numbers a row that it gives behind those of the heads */
};

/* ---- loading ---- */
struct hook_loader {
    struct loader *loader;
    const struct stack_spec *spec;
    uint32_t stack, layer;
};

/* The tensor of this full name, or NULL. */
const struct tensor *hook_find(const struct hook_loader *l, const char *name);
/* The tensor of this full name ("%u" is the layer), [rows, cols] or, with cols 0, a vector. */
enum status hook_tensor(const struct hook_loader *l, const char *name, uint32_t rows, uint32_t cols,
                        const struct tensor **out, struct error *err) MUST_CHECK;
/* The same of a convolution [outputs, inputs, taps]. */
enum status hook_convolution(const struct hook_loader *l, const char *name, uint32_t outputs,
                             uint32_t inputs, uint32_t taps, const struct tensor **out,
                             struct error *err) MUST_CHECK;
/* <name>.weight [outputs[i], in] and <name>.bias, one after the other along the outputs, in the
 * model's precision; n at most HOOK_SOURCES. */
#define HOOK_SOURCES 3
enum status hook_linear(const struct hook_loader *l, struct linear *linear, uint32_t in,
                        const char *const *names, const uint32_t *outputs, uint32_t n,
                        struct error *err) MUST_CHECK;
/* <name>.weight and .bias (or .gamma, .beta), of the stack's kind of norm. */
enum status hook_norm(const struct hook_loader *l, struct norm *norm, uint32_t size,
                      const char *name, struct error *err) MUST_CHECK;
/* Whether `fill` is about to be called: then is the time to read what it needs. */
bool hook_packs(const struct hook_loader *l);
/* Weights that a function makes. The words, with the tensors, say all that decides their values. */
struct hook_made {
    const char *words;
    const struct tensor *const *from;
    uint32_t n_from;
    const void *user;
    /* Outputs [first, first + n) as rows of `in` floats; called by several threads. */
    void (*fill)(const void *user, uint32_t first, uint32_t n, float *rows);
    void (*fill_bias)(const void *user, float *bias); /* NULL: there is none */
};
enum status hook_made_linear(const struct hook_loader *l, struct linear *linear,
                             enum precision precision, uint32_t in, uint32_t out,
                             const struct hook_made *made, struct error *err) MUST_CHECK;
/* n floats; `fill` is called once, for all of them as one output. */
enum status hook_made_floats(const struct hook_loader *l, const float **floats, uint32_t n,
                             const struct hook_made *made, struct error *err) MUST_CHECK;
/* T5's bucket of key - query, as the stack's buckets say. */
uint32_t hook_bucket(const struct stack_spec *spec, int64_t distance);
enum precision hook_precision(const struct hook_loader *l);

/* ---- a pass ---- */
struct hook_pass {
    struct lane *lane;
    const struct device *device;
    struct scratch *scratch; /* of the operations */
    const struct stack_spec *spec;
    uint32_t layer, rows; /* rows of the whole pass */
    uint32_t first_side;  /* [first_side, rows) are side rows */
    const struct attention_seq *seqs;
    uint32_t n_seqs;
    /* Texts that are kept come first; their pages of this layer are at kept_offset. */
    uint32_t n_kept;
    size_t kept_offset;
    const struct attention_seq *sides; /* [n_seqs] their side rows, if the hook has any */
    struct attention_shape shape;      /* as the description has it */
    const int32_t *tokens, *types;
    const int32_t *positions; /* [rows] rows of the table; a side row's is its text's first */
    const float *position_table;
    const struct linear *qkv_linear;
    const float *x; /* [rows, hidden] what q, k and v were made of */
    float *qkv;     /* [rows, ldqkv] all q, all k, all v; may be changed */
    size_t ldqkv;
    float *y; /* [rows, heads * head_size + more_out] */
    size_t ldy;
    float *own;        /* what scratch_floats asked for; kept between the layers of a pass */
    const void *first; /* what the hook keeps of layer 0 */
};

/* Behind a layer: the stream itself. */
struct hook_stream {
    float *x, *t;        /* [rows, hidden]; t is free for use */
    const uint32_t *ids; /* [rows] of the pass's rows, those that are left; NULL: all */
    uint32_t rows;
};

struct hook_table {
    size_t layer_bytes; /* zeroed, for each layer, to be filled by load */
    /* Packed floats of all layers, about, before anything is read. */
    size_t (*floats)(const struct stack_spec *spec);
    size_t (*scratch_floats)(const struct stack_spec *spec, uint32_t max_rows);
    enum status (*load)(const struct hook_loader *l, void *layer, struct error *err);
    /* Writes keys and values where it needs them (kv_write into the pages of seqs). */
    void (*attention)(const struct hook_pass *pass, const void *layer);
    void (*after_layer)(const struct hook_pass *pass, const void *layer,
                        const struct hook_stream *stream); /* or NULL */

    /* The rest is not there in most. Keys that stand behind those of a text's tokens in its pages,
     * where there is room for so many; of texts that are not kept. */
    uint32_t (*extra_keys)(const struct stack_spec *spec, uint32_t tokens);
    /* Side rows of a text, a new piece of a kept one: sides[i] says where, and where their keys go:
     * behind those of the tokens as extra ones, or by `side_pages` into pages that only this pass
     * has, the first at past % KV_PAGE_TOKENS. With neither they have none, and stand behind the
     * text, whose keys they see. */
    uint32_t (*side_rows)(const struct stack_spec *spec, uint32_t tokens);
    bool side_pages;
    bool side_heads; /* they are the last tokens', and it is these rows that the head looks at */
    bool keeps;      /* knows of kept texts: the stack may generate */
    /* Writes the side rows of x [rows, hidden], before EMBED_NORM. */
    void (*embed)(const struct hook_pass *pass, const void *first, float *x);
    /* The side rows of t, the norm of x, once more where their norm is another; or NULL. */
    void (*norm_sides)(const struct hook_pass *pass, const void *layer, const float *x, float *t);
    /* In place of all the above and of the engine's own layers, whose slots are not loaded then:
     * a whole layer, from stream to stream. NULL: layers are the engine's. */
    void (*layer)(const struct hook_pass *pass, const void *layer,
                  const struct hook_stream *stream);
};

#endif
