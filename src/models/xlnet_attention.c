/* XLNet's self-attention (XLNetRelativeAttention): a score is content with content, plus content
 * with the distance of the two tokens, plus content with one of two vectors, which says whether
 * both are of one segment; each with a bias of its own for the query.
 *
 *     (q + r_w_bias) k + (q + r_r_bias) r(i - j) + (q + r_s_bias) seg_embed[types differ]
 *
 * r(d) is the projection of sines and cosines of d. Distances of the longest text of a pass are
 * projected once a layer; a row's bits depend on nothing but its distance. */
#include "models/xlnet.h"

#include <math.h>

#define SELF      "layer.%u.rel_attn."
#define SINE_BASE 10000.0f
#define COLUMNS   64 /* outputs of the projection turned at once */

struct layer {
    struct linear r;               /* [heads * head_size, hidden] */
    const float *r_w, *r_r, *r_s;  /* [heads * head_size] */
    const float *same, *different; /* [heads * head_size] */
};

static uint32_t width_of(const struct stack_spec *spec) {
    return spec->heads * spec->head_size;
}

/* ---- loading ---- */
struct made {
    const struct stack_spec *spec;
    const struct tensor *tensors[4];
};

/* The tensor stands [hidden, heads, head_size]. */
static void fill_r(const void *user, uint32_t first, uint32_t n, float *rows) {
    const struct made *made = user;
    const uint32_t hidden = made->spec->hidden_size, width = width_of(made->spec);
    float column[COLUMNS];
    for (uint32_t done = 0; done < n; done += COLUMNS) {
        const uint32_t some = n - done < COLUMNS ? n - done : COLUMNS;
        for (uint32_t k = 0; k < hidden; k++) {
            tensor_to_floats(made->tensors[0], (size_t)k * width + first + done, some, column);
            for (uint32_t i = 0; i < some; i++)
                rows[(size_t)(done + i) * hidden + k] = column[i];
        }
    }
}

static void fill_vectors(const void *user, uint32_t first, uint32_t n, float *floats) {
    const struct made *made = user;
    (void)first, (void)n;
    for (size_t i = 0; i < ARRAY_LEN(made->tensors); i++) {
        tensor_to_floats(made->tensors[i], 0, made->tensors[i]->elements, floats);
        floats += made->tensors[i]->elements;
    }
}

static enum status load_r(const struct hook_loader *l, struct layer *to, struct error *err) {
    const struct stack_spec *spec = l->spec;
    struct made made = {.spec = spec};
    const struct hook_made words = {
        .words = "distances", .from = made.tensors, .n_from = 1, .user = &made, .fill = fill_r};
    if (hook_tensor(l, SELF "r", spec->hidden_size, width_of(spec), &made.tensors[0], err) !=
        STATUS_OK)
        return STATUS_ERROR;
    return hook_made_linear(l, &to->r, hook_precision(l), spec->hidden_size, width_of(spec), &words,
                            err);
}

static enum status load_vectors(const struct hook_loader *l, struct layer *to, struct error *err) {
    static const char *const names[] = {SELF "r_w_bias", SELF "r_r_bias", SELF "r_s_bias"};
    const struct stack_spec *spec = l->spec;
    const uint32_t width = width_of(spec);
    struct made made = {.spec = spec};
    const struct hook_made words = {.words = "vectors",
                                    .from = made.tensors,
                                    .n_from = ARRAY_LEN(made.tensors),
                                    .user = &made,
                                    .fill = fill_vectors};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (hook_tensor(l, names[i], spec->heads, spec->head_size, &made.tensors[i], err) !=
            STATUS_OK)
            return STATUS_ERROR;
    if (hook_tensor(l, SELF "seg_embed", 2, width, &made.tensors[3], err) != STATUS_OK ||
        hook_made_floats(l, &to->r_w, 5 * width, &words, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!to->r_w)
        return STATUS_OK; /* measured */
    to->r_r = to->r_w + width;
    to->r_s = to->r_r + width;
    to->same = to->r_s + width;
    to->different = to->same + width;
    return STATUS_OK;
}

static enum status load(const struct hook_loader *l, void *layer, struct error *err) {
    if (load_r(l, layer, err) != STATUS_OK)
        return STATUS_ERROR;
    return load_vectors(l, layer, err);
}

static size_t packed_floats(const struct stack_spec *spec) {
    return (size_t)spec->layers * width_of(spec) * (spec->hidden_size + 5);
}

/* ---- a pass ---- */

/* Scratch, and what a row's bias is made of. */
struct positions {
    const struct hook_pass *pass;
    uint32_t far;  /* the longest distance */
    float *sines;  /* [2 * far + 1, hidden] of distances -far to far, kept between layers */
    float *r;      /* [2 * far + 1, heads * head_size] */
    float *q_r;    /* [rows, heads * head_size] q + r_r_bias */
    float *scores; /* [rows, heads, 2] with a key of the same segment, of another */
};

static size_t scratch_floats(const struct stack_spec *spec, uint32_t max_rows) {
    const size_t distances = 2 * (size_t)spec->max_positions - 1, width = width_of(spec);
    return distances * (spec->hidden_size + width) + max_rows * (width + 2 * (size_t)spec->heads);
}

static struct positions positions_of(const struct hook_pass *p) {
    const size_t hidden = p->spec->hidden_size, width = width_of(p->spec);
    struct positions to = {.pass = p, .sines = p->own};
    for (uint32_t s = 0; s < p->n_seqs; s++)
        if (p->seqs[s].rows > to.far + 1)
            to.far = p->seqs[s].rows - 1;
    const size_t distances = 2 * (size_t)to.far + 1;
    to.r = to.sines + distances * hidden;
    to.q_r = to.r + distances * width;
    to.scores = to.q_r + p->rows * width;
    return to;
}

static void fill_sines(const struct positions *to) {
    const struct hook_pass *p = to->pass;
    const uint32_t hidden = p->spec->hidden_size, half = hidden / 2;
    const int64_t clamp = p->spec->hook.options[XLNET_CLAMP];
    size_t from, end;
    lane_range(p->lane, 2 * (size_t)to->far + 1, 1, &from, &end);
    for (size_t i = from; i < end; i++) {
        int64_t distance = (int64_t)i - to->far;
        if (clamp > 0)
            distance = distance < -clamp ? -clamp : distance > clamp ? clamp : distance;
        float *row = to->sines + i * hidden;
        for (uint32_t j = 0; j < half; j++) {
            const float frequency = 1 / powf(SINE_BASE, (float)(2 * j) / (float)hidden);
            row[j] = sinf((float)distance * frequency);
            row[half + j] = cosf((float)distance * frequency);
        }
    }
    lane_barrier(p->lane);
}

/* A product has no more rows than a pass. */
static void project_distances(const struct positions *to, const struct layer *layer) {
    const struct hook_pass *p = to->pass;
    const size_t hidden = p->spec->hidden_size, width = width_of(p->spec);
    const uint32_t distances = 2 * to->far + 1, most = p->spec->max_positions;
    for (uint32_t i = 0; i < distances; i += most) {
        const uint32_t n = distances - i < most ? distances - i : most;
        p->device->linear(p->lane, p->scratch, &layer->r, to->sines + i * hidden, hidden,
                          to->r + i * width, width, n, NULL);
    }
}

/* q becomes q + r_w_bias; what the other terms need of it is kept before. */
static void split_queries(const struct positions *to, const struct layer *layer) {
    const struct hook_pass *p = to->pass;
    const uint32_t width = width_of(p->spec), heads = p->spec->heads, size = p->spec->head_size;
    size_t from, end;
    lane_range(p->lane, p->rows, 1, &from, &end);
    for (size_t row = from; row < end; row++) {
        float *q = p->qkv + row * p->ldqkv, *q_r = to->q_r + row * width;
        float *scores = to->scores + row * 2 * heads;
        for (uint32_t h = 0; h < heads; h++) {
            const float *r_s = layer->r_s + (size_t)h * size, *part = q + (size_t)h * size;
            const float *same = layer->same + (size_t)h * size;
            const float *different = layer->different + (size_t)h * size;
            scores[2 * h] = ops_dot(part, same, size) + ops_dot(r_s, same, size);
            scores[2 * h + 1] = ops_dot(part, different, size) + ops_dot(r_s, different, size);
        }
        for (uint32_t i = 0; i < width; i++) {
            q_r[i] = q[i] + layer->r_r[i];
            q[i] += layer->r_w[i];
        }
    }
    lane_barrier(p->lane);
}

static void row_bias(const void *user, uint32_t seq, uint32_t row, uint32_t h, uint32_t from,
                     uint32_t to, float *out) {
    const struct positions *own = user;
    const struct hook_pass *p = own->pass;
    const uint32_t size = p->spec->head_size;
    const size_t width = width_of(p->spec), start = p->seqs[seq].row, at = start + row;
    const float *q_r = own->q_r + at * width + (size_t)h * size;
    const float *scores = own->scores + (at * p->spec->heads + h) * 2;
    const float *r = own->r + (size_t)h * size;
    for (uint32_t k = from; k < to; k++) {
        const bool differ = p->types[at] != p->types[start + k];
        const size_t distance = (size_t)own->far + row - k; /* from -far on */
        out[k] = p->shape.scale * (ops_dot(q_r, r + distance * width, size) + scores[differ]);
    }
}

static void attention(const struct hook_pass *p, const void *own) {
    const struct layer *layer = own;
    const uint32_t width = width_of(p->spec);
    const struct positions to = positions_of(p);
    struct attention_shape shape = p->shape;
    if (p->layer == 0)
        fill_sines(&to);
    project_distances(&to, layer);
    split_queries(&to, layer);
    p->device->kv_write(p->lane, &shape, p->seqs, p->n_seqs, 0, p->qkv + width, p->ldqkv,
                        p->qkv + 2 * (size_t)width, p->ldqkv);
    shape.row_bias = row_bias;
    shape.row_bias_user = &to;
    p->device->attention(p->lane, p->scratch, &shape, p->seqs, p->n_seqs, 0, p->qkv, p->ldqkv, p->y,
                         p->ldy);
}

const struct hook_table xlnet_attention = {
    .layer_bytes = sizeof(struct layer),
    .floats = packed_floats,
    .scratch_floats = scratch_floats,
    .load = load,
    .attention = attention,
};
