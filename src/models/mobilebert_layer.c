/* MobileBERT's layer (transformers' MobileBertLayer): the stream is narrowed, attention and several
 * feed-forwards add to the narrow one, and that is widened and added to the stream.
 *
 * Norms stand behind each sum and behind what narrows. The first layer begins with the norm of the
 * embeddings: that one and the norm of a layer's last feed-forward have torch's own epsilon,
 * whatever config.json says. */
#include "models/mobilebert.h"

#include <stdio.h>

#define LAYER     "encoder.layer.%u."
#define TORCH_EPS 1e-5f

#define NAME_BYTES 96

struct feed_forward {
    struct linear up, down; /* [intermediate, inside], [inside, intermediate] */
    struct norm norm;
};

struct layer {
    struct norm embed_norm;        /* of the first layer */
    struct linear narrow, shared;  /* [inside, hidden] */
    struct linear qk, v;           /* [2 * inside, *], [inside, *] of what they read */
    struct linear attn_out, widen; /* [inside, inside], [hidden, inside] */
    struct norm narrow_norm, shared_norm, attn_norm, widen_norm;
    struct feed_forward feed_forwards[MOBILEBERT_FEED_FORWARDS_MOST];
};

static bool has(const struct stack_spec *spec, uint32_t flag) {
    return (spec->hook.options[MOBILEBERT_FLAGS] & flag) != 0;
}

static uint32_t inside_of(const struct stack_spec *spec) {
    return spec->hook.options[MOBILEBERT_INSIDE];
}

static uint32_t feed_forwards_of(const struct stack_spec *spec) {
    return spec->hook.options[MOBILEBERT_FEED_FORWARDS];
}

/* ---- loading ---- */

/* A linear and the norm behind it, "<name>dense" and "<name>LayerNorm". */
static enum status load_normed(const struct hook_loader *l, struct linear *linear,
                               struct norm *norm, uint32_t in, uint32_t out, const char *name,
                               struct error *err) {
    char dense[2 * NAME_BYTES], behind[2 * NAME_BYTES];
    snprintf(dense, sizeof dense, "%sdense", name);
    snprintf(behind, sizeof behind, "%sLayerNorm", name);
    const char *const names[] = {dense};
    if (hook_linear(l, linear, in, names, &out, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    return hook_norm(l, norm, out, behind, err);
}

static enum status load_attention(const struct hook_loader *l, struct layer *to,
                                  struct error *err) {
    static const char *const names[] = {LAYER "attention.self.query", LAYER "attention.self.key",
                                        LAYER "attention.self.value"};
    const struct stack_spec *spec = l->spec;
    const uint32_t hidden = spec->hidden_size, inside = inside_of(spec);
    const uint32_t outputs[] = {inside, inside};
    if (has(spec, MOBILEBERT_NARROWS) &&
        load_normed(l, &to->narrow, &to->narrow_norm, hidden, inside, LAYER "bottleneck.input.",
                    err) != STATUS_OK)
        return STATUS_ERROR;
    if (has(spec, MOBILEBERT_SHARED) &&
        load_normed(l, &to->shared, &to->shared_norm, hidden, inside, LAYER "bottleneck.attention.",
                    err) != STATUS_OK)
        return STATUS_ERROR;
    if (hook_linear(l, &to->qk, inside, names, outputs, 2, err) != STATUS_OK ||
        hook_linear(l, &to->v, has(spec, MOBILEBERT_ALL) ? inside : hidden, names + 2, outputs, 1,
                    err) != STATUS_OK)
        return STATUS_ERROR;
    return load_normed(l, &to->attn_out, &to->attn_norm, inside, inside, LAYER "attention.output.",
                       err);
}

/* The last one's names have no number. */
static void name_feed_forward(const struct stack_spec *spec, uint32_t i, const char *part,
                              char name[static NAME_BYTES]) {
    if (i + 1 == feed_forwards_of(spec))
        snprintf(name, NAME_BYTES, "encoder.layer.%%u.%s", part);
    else
        snprintf(name, NAME_BYTES, "encoder.layer.%%u.ffn.%u.%s", i, part);
}

static enum status load_feed_forward(const struct hook_loader *l, struct feed_forward *to,
                                     uint32_t i, struct error *err) {
    const uint32_t inside = inside_of(l->spec), between = l->spec->intermediate_size;
    char up[NAME_BYTES], down[NAME_BYTES];
    const char *const names[] = {up};
    name_feed_forward(l->spec, i, "intermediate.dense", up);
    name_feed_forward(l->spec, i, "output.", down);
    if (hook_linear(l, &to->up, inside, names, &between, 1, err) != STATUS_OK ||
        load_normed(l, &to->down, &to->norm, between, inside, down, err) != STATUS_OK)
        return STATUS_ERROR;
    if (i + 1 == feed_forwards_of(l->spec))
        to->norm.eps = TORCH_EPS;
    return STATUS_OK;
}

static enum status load(const struct hook_loader *l, void *own, struct error *err) {
    struct layer *to = own;
    const uint32_t hidden = l->spec->hidden_size, inside = inside_of(l->spec);
    if (l->layer == 0) {
        if (hook_norm(l, &to->embed_norm, hidden, "embeddings.LayerNorm", err) != STATUS_OK)
            return STATUS_ERROR;
        to->embed_norm.eps = TORCH_EPS;
    }
    if (load_attention(l, to, err) != STATUS_OK)
        return STATUS_ERROR;
    for (uint32_t i = 0; i < feed_forwards_of(l->spec); i++)
        if (load_feed_forward(l, &to->feed_forwards[i], i, err) != STATUS_OK)
            return STATUS_ERROR;
    return has(l->spec, MOBILEBERT_NARROWS) ? load_normed(l, &to->widen, &to->widen_norm, inside,
                                                          hidden, LAYER "output.bottleneck.", err)
                                            : STATUS_OK;
}

static size_t packed_floats(const struct stack_spec *spec) {
    const size_t inside = inside_of(spec), hidden = spec->hidden_size;
    const size_t feed_forwards = (size_t)2 * feed_forwards_of(spec) * spec->intermediate_size;
    return spec->layers * inside * (3 * inside + 4 * hidden + feed_forwards);
}

/* ---- a pass ---- */

/* The stream within and what queries and keys read, [rows, inside] each. */
static size_t scratch_floats(const struct stack_spec *spec, uint32_t max_rows) {
    return (size_t)2 * max_rows * inside_of(spec);
}

static void multiply(const struct hook_pass *p, const struct linear *linear, const float *x,
                     float *y, size_t ldy, enum activation activation, const float *residual) {
    const struct epilogue epilogue = {.activation = activation, .residual = residual};
    p->device->linear(p->lane, p->scratch, linear, x, linear->in, y, ldy, p->rows, &epilogue);
}

/* y = norm(linear(x) + residual) */
static void multiply_and_norm(const struct hook_pass *p, const struct linear *linear,
                              const struct norm *norm, const float *x, float *y,
                              const float *residual) {
    multiply(p, linear, x, y, linear->out, ACTIVATION_NONE, residual);
    p->device->norm(p->lane, norm, y, y, p->rows);
}

/* q and k of one input, v of another. */
static void attend(const struct hook_pass *p, const struct layer *layer, const float *for_qk,
                   const float *for_v) {
    const size_t inside = inside_of(p->spec);
    float *q = p->qkv, *k = q + inside, *v = k + inside;
    multiply(p, &layer->qk, for_qk, q, p->ldqkv, ACTIVATION_NONE, NULL);
    multiply(p, &layer->v, for_v, v, p->ldqkv, ACTIVATION_NONE, NULL);
    p->device->kv_write(p->lane, &p->shape, p->seqs, p->n_seqs, 0, k, p->ldqkv, v, p->ldqkv);
    p->device->attention(p->lane, p->scratch, &p->shape, p->seqs, p->n_seqs, 0, q, p->ldqkv, p->y,
                         p->ldy);
}

static void run(const struct hook_pass *p, const void *own, const struct hook_stream *stream) {
    const struct layer *layer = own;
    const struct stack_spec *spec = p->spec;
    const bool narrows = has(spec, MOBILEBERT_NARROWS), all = has(spec, MOBILEBERT_ALL);
    float *x = stream->x, *within = narrows ? p->own : x;
    float *shared = p->own + (size_t)p->rows * inside_of(spec);
    if (p->layer == 0)
        p->device->norm(p->lane, &layer->embed_norm, x, x, p->rows);
    if (narrows)
        multiply_and_norm(p, &layer->narrow, &layer->narrow_norm, x, within, NULL);
    if (has(spec, MOBILEBERT_SHARED))
        multiply_and_norm(p, &layer->shared, &layer->shared_norm, x, shared, NULL);
    attend(p, layer, has(spec, MOBILEBERT_SHARED) ? shared : all ? within : x, all ? within : x);
    multiply_and_norm(p, &layer->attn_out, &layer->attn_norm, p->y, within, within);
    for (uint32_t i = 0; i < feed_forwards_of(spec); i++) {
        const struct feed_forward *f = &layer->feed_forwards[i];
        multiply(p, &f->up, within, p->qkv, f->up.out, spec->activation, NULL);
        multiply_and_norm(p, &f->down, &f->norm, p->qkv, within, within);
    }
    if (narrows)
        multiply_and_norm(p, &layer->widen, &layer->widen_norm, within, x, x);
}

const struct hook_table mobilebert_layer = {
    .layer_bytes = sizeof(struct layer),
    .floats = packed_floats,
    .scratch_floats = scratch_floats,
    .load = load,
    .layer = run,
};
