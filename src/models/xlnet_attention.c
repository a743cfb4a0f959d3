/* XLNet's self-attention (XLNetRelativeAttention): a score is content with content, plus content
 * with the distance of the two tokens, plus content with one of two vectors, which says whether
 * both are of one segment; each with a bias of its own for the query.
 *
 *     (q + r_w_bias) k + (q + r_r_bias) r(i - j) + (q + r_s_bias) seg_embed[types differ]
 *
 * r(d) is the projection of sines and cosines of d. Distances that occur in a pass are projected
 * once a layer; a row's bits depend on nothing but its distance.
 *
 * Where the model writes text there are two streams: a text has one row more, which stands behind
 * its last token, begins as the same learned row whatever is to come there, and sees all tokens
 * without being seen by them. The head looks at it. */
#include "models/xlnet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SELF      "layer.%u.rel_attn."
#define SINE_BASE 10000.0f
#define COLUMNS   64 /* outputs of the projection turned at once */

struct layer {
    struct linear r;               /* [heads * head_size, hidden] */
    const float *r_w, *r_r, *r_s;  /* [heads * head_size] */
    const float *same, *different; /* [heads * head_size] */
    /* Of the first layer alone: */
    const float *sines; /* [2 * max_positions + 1, hidden] of distances -max_positions and on */
    const float *begin; /* [hidden] of the second stream */
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

static size_t distances_of(const struct stack_spec *spec) {
    return 2 * (size_t)spec->max_positions + 1;
}

static void fill_sines(const void *user, uint32_t first, uint32_t n, float *sines) {
    const struct stack_spec *spec = user;
    const uint32_t hidden = spec->hidden_size, half = hidden / 2;
    const int64_t clamp = spec->hook.options[XLNET_CLAMP];
    (void)first, (void)n;
    for (uint32_t j = 0; j < half; j++) {
        const float frequency = 1 / powf(SINE_BASE, (float)(2 * j) / (float)hidden);
        for (size_t i = 0; i < distances_of(spec); i++) {
            int64_t distance = (int64_t)i - spec->max_positions;
            if (clamp > 0)
                distance = distance < -clamp ? -clamp : distance > clamp ? clamp : distance;
            sines[i * hidden + j] = sinf((float)distance * frequency);
            sines[i * hidden + half + j] = cosf((float)distance * frequency);
        }
    }
}

static enum status load_sines(const struct hook_loader *l, struct layer *to, struct error *err) {
    const struct stack_spec *spec = l->spec;
    char words[64];
    snprintf(words, sizeof words, "sines to %u of %u held to %u", spec->max_positions,
             spec->hidden_size, spec->hook.options[XLNET_CLAMP]);
    const struct hook_made made = {.words = words, .user = spec, .fill = fill_sines};
    return hook_made_floats(l, &to->sines, (uint32_t)(distances_of(spec) * spec->hidden_size),
                            &made, err);
}

static enum status load(const struct hook_loader *l, void *own, struct error *err) {
    struct layer *layer = own;
    if (load_r(l, layer, err) != STATUS_OK || load_vectors(l, layer, err) != STATUS_OK)
        return STATUS_ERROR;
    return l->layer == 0 ? load_sines(l, layer, err) : STATUS_OK;
}

static void fill_begin(const void *user, uint32_t first, uint32_t n, float *begin) {
    const struct tensor *tensor = user;
    (void)first, (void)n;
    tensor_to_floats(tensor, 0, tensor->elements, begin);
}

static enum status load_both(const struct hook_loader *l, void *own, struct error *err) {
    struct layer *layer = own;
    const struct tensor *tensor;
    if (load(l, layer, err) != STATUS_OK)
        return STATUS_ERROR;
    if (l->layer > 0)
        return STATUS_OK;
    if (hook_tensor(l, "mask_emb", l->spec->hidden_size, 0, &tensor, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct hook_made made = {
        .words = "begin", .from = &tensor, .n_from = 1, .user = tensor, .fill = fill_begin};
    return hook_made_floats(l, &layer->begin, l->spec->hidden_size, &made, err);
}

static size_t packed_floats(const struct stack_spec *spec) {
    return (size_t)spec->layers * width_of(spec) * (spec->hidden_size + 5) +
           (distances_of(spec) + 1) * spec->hidden_size;
}

/* ---- a pass ---- */

/* Scratch, and what a row's bias is made of. */
struct positions {
    const struct hook_pass *pass;
    int64_t least; /* distances of the pass are [least, least + n) */
    uint32_t n;
    float *r;      /* [n, heads * head_size] */
    float *q_r;    /* [rows, heads * head_size] q + r_r_bias */
    float *scores; /* [rows, heads, 2] with a key of the same segment, of another */
};

static size_t scratch_floats(const struct stack_spec *spec, uint32_t max_rows) {
    const size_t width = width_of(spec);
    return distances_of(spec) * width + max_rows * (width + 2 * (size_t)spec->heads);
}

static struct positions positions_of(const struct hook_pass *p) {
    const size_t width = width_of(p->spec);
    const uint32_t beyond = p->first_side < p->rows; /* a row stands behind each text */
    uint32_t before = 0, behind = 0;
    for (uint32_t s = 0; s < p->n_seqs; s++) {
        const uint32_t last = p->seqs[s].keys - 1;
        before = last + beyond > before ? last + beyond : before;
        behind = last - p->seqs[s].past > behind ? last - p->seqs[s].past : behind;
    }
    struct positions to = {.pass = p, .least = -(int64_t)behind, .n = behind + 1 + before};
    to.r = p->own;
    to.q_r = to.r + to.n * width;
    to.scores = to.q_r + p->rows * width;
    return to;
}

/* A product has no more rows than a pass. */
static void project_distances(const struct positions *to, const struct layer *layer) {
    const struct hook_pass *p = to->pass;
    const size_t hidden = p->spec->hidden_size, width = width_of(p->spec);
    const uint32_t most = p->spec->max_positions;
    const float *sines =
        ((const struct layer *)p->first)->sines + (size_t)(to->least + most) * hidden;
    for (uint32_t i = 0; i < to->n; i += most) {
        const uint32_t n = to->n - i < most ? to->n - i : most;
        p->device->linear(p->lane, p->scratch, &layer->r, sines + i * hidden, hidden,
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

/* Rows of texts, or those that stand behind them. */
struct asked {
    const struct positions *to;
    const struct attention_seq *texts, *seqs;
    bool typed; /* all keys are rows of the pass: their segments are known */
};

/* The first key that is seen. The prompt sees itself, whatever its length. */
static uint32_t first_seen(const struct stack_spec *spec, const struct attention_seq *text) {
    const uint32_t memory = spec->hook.options[XLNET_MEMORY], own = memory > 2 ? memory : 2;
    return memory > 0 && text->past > 0 && text->keys > own ? text->keys - own : 0;
}

static void row_bias(const void *user, uint32_t seq, uint32_t row, uint32_t h, uint32_t from,
                     uint32_t end, float *out) {
    const struct asked *asked = user;
    const struct positions *to = asked->to;
    const struct hook_pass *p = to->pass;
    const struct attention_seq *text = &asked->seqs[seq];
    const uint32_t size = p->spec->head_size;
    const size_t width = width_of(p->spec), at = text->row + row;
    const float *q_r = to->q_r + at * width + (size_t)h * size;
    const float *r = to->r + (size_t)h * size;
    const uint32_t seen = first_seen(p->spec, &asked->texts[seq]);
    const int64_t nearest = (int64_t)text->past + row - to->least; /* of key 0, from the least on */
    for (uint32_t k = from; k < end; k++)
        out[k] = ops_dot(q_r, r + (size_t)(nearest - k) * width, size);
    if (asked->typed) {
        const float *scores = to->scores + (at * p->spec->heads + h) * 2;
        for (uint32_t k = from; k < end; k++)
            out[k] += scores[p->types[at] != p->types[text->row + k]];
    }
    for (uint32_t k = from; k < end; k++)
        out[k] = k < seen ? ATTENTION_HIDDEN : out[k] * p->shape.scale;
}

/* Rows `seqs` of n texts. */
static void attend(const struct positions *to, const struct attention_seq *texts,
                   const struct attention_seq *seqs, uint32_t n, size_t offset, bool typed) {
    const struct hook_pass *p = to->pass;
    const struct asked asked = {to, texts, seqs, typed};
    struct attention_shape shape = p->shape;
    if (n == 0)
        return;
    shape.causal = false;
    shape.row_bias = row_bias;
    shape.row_bias_user = &asked;
    p->device->attention(p->lane, p->scratch, &shape, seqs, n, offset, p->qkv, p->ldqkv, p->y,
                         p->ldy);
}

static void attention(const struct hook_pass *p, const void *own) {
    const struct layer *layer = own;
    const uint32_t width = width_of(p->spec), n_passing = p->n_seqs - p->n_kept;
    const struct attention_seq *passing = p->seqs + p->n_kept;
    const float *k = p->qkv + width, *v = k + width;
    const struct positions to = positions_of(p);
    project_distances(&to, layer);
    split_queries(&to, layer);
    p->device->kv_write(p->lane, &p->shape, p->seqs, p->n_kept, p->kept_offset, k, p->ldqkv, v,
                        p->ldqkv);
    p->device->kv_write(p->lane, &p->shape, passing, n_passing, 0, k, p->ldqkv, v, p->ldqkv);
    attend(&to, p->seqs, p->seqs, p->n_kept, p->kept_offset, false);
    attend(&to, passing, passing, n_passing, 0, true);
    if (p->first_side < p->rows) {
        attend(&to, p->seqs, p->sides, p->n_kept, p->kept_offset, false);
        attend(&to, passing, p->sides + p->n_kept, n_passing, 0, false);
    }
}

static uint32_t side_rows(const struct stack_spec *spec, uint32_t tokens) {
    (void)spec, (void)tokens;
    return 1;
}

static void embed(const struct hook_pass *p, const void *own, float *x) {
    const struct layer *first = own;
    const size_t hidden = p->spec->hidden_size;
    size_t from, to;
    lane_range(p->lane, p->rows - p->first_side, 1, &from, &to);
    for (size_t i = from; i < to; i++)
        memcpy(x + (p->first_side + i) * hidden, first->begin, hidden * sizeof *x);
    lane_barrier(p->lane);
}

const struct hook_table xlnet_attention = {
    .layer_bytes = sizeof(struct layer),
    .floats = packed_floats,
    .scratch_floats = scratch_floats,
    .load = load,
    .attention = attention,
};

const struct hook_table xlnet_two_streams = {
    .layer_bytes = sizeof(struct layer),
    .floats = packed_floats,
    .scratch_floats = scratch_floats,
    .load = load_both,
    .attention = attention,
    .side_rows = side_rows,
    .side_heads = true,
    .keeps = true,
    .embed = embed,
};
