/* ConvBERT's self-attention (transformers' ConvBertSelfAttention): beside the heads of attention
 * stand as many of a convolution, whose weights each token makes of its query and of the tokens
 * around it; what both give stands one behind the other. */
#include "models/convbert.h"

#include <string.h>

#define SELF "encoder.layer.%u.attention.self."

struct layer {
    const float *depthwise;  /* [taps, hidden] */
    struct linear pointwise; /* [width, hidden] */
    struct linear kernel;    /* [heads * taps, width] */
    struct linear out;       /* [width, hidden]: what is convolved */
};

static uint32_t taps_of(const struct stack_spec *spec) {
    return spec->hook.options[CONVBERT_TAPS];
}

static uint32_t width_of(const struct stack_spec *spec) {
    return spec->heads * spec->head_size;
}

/* ---- loading ---- */

struct source {
    const struct stack_spec *spec;
    const struct tensor *weight, *bias;
};

/* Tap by tap, so that all channels of one stand together. */
static void fill_depthwise(const void *user, uint32_t first, uint32_t n, float *floats) {
    const struct source *s = user;
    const uint32_t taps = taps_of(s->spec), hidden = s->spec->hidden_size;
    float row[CONVBERT_TAPS_MOST];
    (void)first, (void)n;
    for (uint32_t c = 0; c < hidden; c++) {
        tensor_to_floats(s->weight, (size_t)c * taps, taps, row);
        for (uint32_t t = 0; t < taps; t++)
            floats[(size_t)t * hidden + c] = row[t];
    }
}

static void fill_pointwise(const void *user, uint32_t first, uint32_t n, float *rows) {
    const struct source *s = user;
    const size_t hidden = s->spec->hidden_size;
    tensor_to_floats(s->weight, first * hidden, n * hidden, rows);
}

static void fill_pointwise_bias(const void *user, float *bias) {
    const struct source *s = user;
    tensor_to_floats(s->bias, 0, width_of(s->spec), bias);
}

static enum status load_separable(const struct hook_loader *l, struct layer *to,
                                  struct error *err) {
    const uint32_t hidden = l->spec->hidden_size, taps = taps_of(l->spec),
                   width = width_of(l->spec);
    struct source depth = {.spec = l->spec}, point = depth;
    if (hook_convolution(l, SELF "key_conv_attn_layer.depthwise.weight", hidden, 1, taps,
                         &depth.weight, err) != STATUS_OK ||
        hook_convolution(l, SELF "key_conv_attn_layer.pointwise.weight", width, hidden, 1,
                         &point.weight, err) != STATUS_OK ||
        hook_tensor(l, SELF "key_conv_attn_layer.bias", width, 1, &point.bias, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct tensor *from[] = {point.weight, point.bias};
    const struct hook_made taps_made = {"taps", &depth.weight, 1, &depth, fill_depthwise, NULL};
    const struct hook_made made = {"pointwise", from,           ARRAY_LEN(from),
                                   &point,      fill_pointwise, fill_pointwise_bias};
    if (hook_made_floats(l, &to->depthwise, taps * hidden, &taps_made, err) != STATUS_OK)
        return STATUS_ERROR;
    return hook_made_linear(l, &to->pointwise, hook_precision(l), hidden, width, &made, err);
}

static enum status load(const struct hook_loader *l, void *own, struct error *err) {
    static const char *const names[] = {SELF "conv_kernel_layer", SELF "conv_out_layer"};
    struct layer *to = own;
    const uint32_t width = width_of(l->spec), weights = l->spec->heads * taps_of(l->spec);
    if (load_separable(l, to, err) != STATUS_OK ||
        hook_linear(l, &to->kernel, width, names, &weights, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    return hook_linear(l, &to->out, l->spec->hidden_size, names + 1, &width, 1, err);
}

static size_t packed_floats(const struct stack_spec *spec) {
    const size_t hidden = spec->hidden_size, width = width_of(spec), taps = taps_of(spec);
    return spec->layers * (taps * hidden + 2 * width * hidden + width * spec->heads * taps);
}

/* ---- a pass ---- */

/* Scratch: what the taps give [rows, hidden]; that and the query [rows, width]; the weights
 * [rows, heads, taps]; what is convolved [rows, width]. */
static size_t scratch_floats(const struct stack_spec *spec, uint32_t max_rows) {
    return (size_t)max_rows *
           (spec->hidden_size + 2 * width_of(spec) + spec->heads * taps_of(spec));
}

/* A lane's rows of one text and how far the taps reach within it. */
struct reach {
    size_t row, first, end; /* of the batch: the row, its text */
    uint32_t taps;
};

/* The row that tap t of the row is on, or false: beyond the text. */
static bool tap_row(const struct reach *at, uint32_t t, size_t *row) {
    const size_t shifted = at->row + t, half = at->taps / 2;
    if (shifted < at->first + half || shifted >= at->end + half)
        return false;
    *row = shifted - half;
    return true;
}

/* Calls `f` for each row that is the lane's. */
static void each_row(const struct hook_pass *p, const struct layer *layer,
                     void (*f)(const struct hook_pass *p, const struct layer *layer,
                               const struct reach *at)) {
    size_t from, to;
    lane_range(p->lane, p->rows, 1, &from, &to);
    for (uint32_t s = 0; s < p->n_seqs; s++) {
        struct reach at = {.first = p->seqs[s].row, .taps = taps_of(p->spec)};
        at.end = at.first + p->seqs[s].rows;
        for (at.row = from > at.first ? from : at.first; at.row < to && at.row < at.end; at.row++)
            f(p, layer, &at);
    }
    lane_barrier(p->lane);
}

static void convolve_depth(const struct hook_pass *p, const struct layer *layer,
                           const struct reach *at) {
    const size_t hidden = p->spec->hidden_size;
    float *out = p->own + at->row * hidden;
    memset(out, 0, hidden * sizeof *out);
    for (uint32_t t = 0; t < at->taps; t++) {
        size_t row;
        if (!tap_row(at, t, &row))
            continue;
        const float *weights = layer->depthwise + t * hidden, *x = p->x + row * hidden;
        for (size_t c = 0; c < hidden; c++)
            out[c] += weights[c] * x[c];
    }
}

/* Where the scratch's parts begin. */
static float *queries_of(const struct hook_pass *p) {
    return p->own + (size_t)p->rows * p->spec->hidden_size;
}

static float *weights_of(const struct hook_pass *p) {
    return queries_of(p) + (size_t)p->rows * width_of(p->spec);
}

static float *values_of(const struct hook_pass *p) {
    return weights_of(p) + (size_t)p->rows * p->spec->heads * taps_of(p->spec);
}

/* A row's weights become shares of 1, and what they make of its neighbours stands behind what
 * attention gives. */
static void convolve_own(const struct hook_pass *p, const struct layer *layer,
                         const struct reach *at) {
    const uint32_t heads = p->spec->heads, size = p->spec->head_size;
    const size_t width = width_of(p->spec);
    const float *values = values_of(p);
    float *out = p->y + at->row * p->ldy + width;
    (void)layer;
    memset(out, 0, width * sizeof *out);
    for (uint32_t h = 0; h < heads; h++, out += size, values += size) {
        float *weights = weights_of(p) + (at->row * heads + h) * at->taps;
        ops_softmax(weights, at->taps);
        for (uint32_t t = 0; t < at->taps; t++) {
            size_t row;
            if (!tap_row(at, t, &row))
                continue;
            for (uint32_t i = 0; i < size; i++)
                out[i] += weights[t] * values[row * width + i];
        }
    }
}

static void multiply(const struct hook_pass *p, const struct linear *linear, const float *x,
                     float *y) {
    p->device->linear(p->lane, p->scratch, linear, x, linear->in, y, linear->out, p->rows, NULL);
}

static void attention(const struct hook_pass *p, const void *own) {
    const struct layer *layer = own;
    const uint32_t width = width_of(p->spec);
    float *q = p->qkv, *k = q + width, *v = k + width, *queries = queries_of(p);
    each_row(p, layer, convolve_depth);
    multiply(p, &layer->pointwise, p->own, queries);
    p->device->activate(p->lane, ACTIVATION_NONE, queries, width, q, p->ldqkv, p->rows, width);
    multiply(p, &layer->kernel, queries, weights_of(p));
    multiply(p, &layer->out, p->x, values_of(p));
    each_row(p, layer, convolve_own);
    p->device->kv_write(p->lane, &p->shape, p->seqs, p->n_seqs, 0, k, p->ldqkv, v, p->ldqkv);
    p->device->attention(p->lane, p->scratch, &p->shape, p->seqs, p->n_seqs, 0, q, p->ldqkv, p->y,
                         p->ldy);
}

const struct hook_table convbert_attention = {
    .layer_bytes = sizeof(struct layer),
    .floats = packed_floats,
    .scratch_floats = scratch_floats,
    .load = load,
    .attention = attention,
};
