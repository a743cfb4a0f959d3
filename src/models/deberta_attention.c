/* DeBERTa's self-attention: a score is content with content, plus content with position both ways,
 * and the convolution beside the first layer that some of the second generation have.
 *
 * What the table of relative positions becomes in each layer's projections is constant: it is
 * packed at load as two linears, heads * columns outputs of head_size each, scale and all. In a
 * pass queries and keys go through them once a head, for the columns that the longest text can
 * reach, and each score picks its two numbers. */
#include "models/deberta.h"

#include <math.h>
#include <string.h>

#define SELF "encoder.layer.%u.attention.self."

struct layer {
    struct linear c2p, p2c; /* [heads * columns, head_size] */
    struct linear conv;     /* [hidden, taps * hidden] */
    struct norm conv_norm;
    const float *rows_of; /* [2 * max_positions - 1] row of the table, by query - key */
    const float *biases;  /* [2, heads * head_size] of q and v, or NULL */
};

static uint32_t option(const struct stack_spec *spec, int which) {
    return spec->hook.options[which];
}

static bool has(const struct stack_spec *spec, uint32_t flag) {
    return (option(spec, DEBERTA_FLAGS) & flag) != 0;
}

/* Rows of the table, in whole panels. */
static uint32_t columns_of(const struct stack_spec *spec) {
    return (2 * option(spec, DEBERTA_SPAN) + 15) / 16 * 16;
}

static uint32_t width_of(const struct stack_spec *spec) {
    return spec->heads * spec->head_size;
}

static size_t conv_size(const struct stack_spec *spec) {
    return (size_t)option(spec, DEBERTA_CONV) * spec->hidden_size;
}

/* ---- loading ---- */

/* The row of the table for query - key (make_log_bucket_position, in single precision as there). */
static uint32_t table_row(const struct stack_spec *spec, int64_t distance) {
    const int64_t span = option(spec, DEBERTA_SPAN), middle = option(spec, DEBERTA_BUCKETS) / 2;
    const int64_t far = distance < 0 ? -distance : distance;
    int64_t bucket = distance;
    if (middle > 0 && far > middle) {
        const float most = (float)((option(spec, DEBERTA_REACH) - 1.0) / (double)middle);
        const float share = logf((float)far / (float)middle) / logf(most);
        bucket = (int64_t)ceilf(share * (float)(middle - 1)) + middle;
        bucket = distance < 0 ? -bucket : bucket;
    }
    const int64_t row = bucket + span;
    return (uint32_t)(row < 0 ? 0 : row >= 2 * span ? 2 * span - 1 : row);
}

static void fill_rows(const void *user, uint32_t first, uint32_t n, float *rows) {
    const struct stack_spec *spec = user;
    const int64_t most = spec->max_positions - 1;
    (void)first, (void)n;
    for (int64_t distance = -most; distance <= most; distance++)
        rows[distance + most] = (float)table_row(spec, distance);
}

/* Biases of q, then of v. */
static void fill_biases(const void *user, uint32_t first, uint32_t n, float *floats) {
    const struct tensor *const *tensors = user;
    (void)first, (void)n;
    for (size_t i = 0; i < 2; i++)
        tensor_to_floats(tensors[i], 0, tensors[i]->elements,
                         floats + i * (size_t)tensors[0]->elements);
}

/* What projected positions are made of, in floats while they are packed. */
struct projection {
    const struct stack_spec *spec;
    const struct tensor *table, *weight, *bias, *norm_weight, *norm_bias;
    float *floats; /* all below */
    float *rows;   /* [2 * span, hidden], normed */
    float *w;      /* [heads * head_size, hidden] */
    float *b;      /* [heads * head_size] */
};

static void norm_row(const struct projection *p, const float *weight, const float *bias,
                     float *row) {
    const uint32_t n = p->spec->hidden_size;
    double sum = 0, squares = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += row[i];
    const double mean = sum / n;
    for (uint32_t i = 0; i < n; i++)
        squares += (row[i] - mean) * (row[i] - mean);
    const double scale = 1 / sqrt(squares / n + p->spec->norm_eps);
    for (uint32_t i = 0; i < n; i++)
        row[i] = (float)((row[i] - mean) * scale * weight[i] + bias[i]);
}

static enum status read_projection(struct projection *p, struct error *err) {
    const size_t hidden = p->spec->hidden_size, width = width_of(p->spec);
    const size_t rows = (size_t)2 * option(p->spec, DEBERTA_SPAN);
    void *block = NULL;
    if (mem_try_alloc(&block, (rows * hidden + width * hidden + width + 2 * hidden) * sizeof(float),
                      err) != STATUS_OK)
        return STATUS_ERROR;
    p->floats = block;
    p->rows = p->floats;
    p->w = p->rows + rows * hidden;
    p->b = p->w + width * hidden;
    float *norm = p->b + width;
    tensor_to_floats(p->table, 0, rows * hidden, p->rows);
    tensor_to_floats(p->weight, 0, width * hidden, p->w);
    memset(p->b, 0, width * sizeof *p->b);
    if (p->bias)
        tensor_to_floats(p->bias, 0, width, p->b);
    if (p->norm_weight) {
        tensor_to_floats(p->norm_weight, 0, hidden, norm);
        tensor_to_floats(p->norm_bias, 0, hidden, norm + hidden);
    }
    for (size_t i = 0; p->norm_weight && i < rows; i++)
        norm_row(p, norm, norm + hidden, p->rows + i * hidden);
    return STATUS_OK;
}

static void drop_projection(struct projection *p) {
    const size_t hidden = p->spec->hidden_size, width = width_of(p->spec);
    const size_t rows = (size_t)2 * option(p->spec, DEBERTA_SPAN);
    if (p->floats)
        mem_free_large(p->floats,
                       (rows * hidden + width * hidden + width + 2 * hidden) * sizeof(float));
}

/* Output h * columns + r: row r of the table as head h of the projection sees it. */
static void fill_positions(const void *user, uint32_t first, uint32_t n, float *out) {
    const struct projection *p = user;
    const uint32_t size = p->spec->head_size, hidden = p->spec->hidden_size;
    const uint32_t columns = columns_of(p->spec), rows = 2 * option(p->spec, DEBERTA_SPAN);
    for (uint32_t o = first; o < first + n; o++, out += size) {
        const uint32_t h = o / columns, r = o % columns;
        for (uint32_t j = 0; j < size; j++) {
            const size_t at = (size_t)h * size + j;
            out[j] = 0;
            if (r < rows)
                out[j] =
                    p->spec->attention_scale *
                    (ops_dot(p->w + at * hidden, p->rows + (size_t)r * hidden, hidden) + p->b[at]);
        }
    }
}

/* The tensors of one projection of positions: in words for the plan, too. */
static enum status load_positions(const struct hook_loader *l, const char *weight, const char *bias,
                                  struct linear *to, struct error *err) {
    const struct stack_spec *spec = l->spec;
    const uint32_t hidden = spec->hidden_size, width = width_of(spec);
    struct projection p = {.spec = spec};
    if (hook_tensor(l, "encoder.rel_embeddings.weight", 2 * option(spec, DEBERTA_SPAN), hidden,
                    &p.table, err) != STATUS_OK ||
        hook_tensor(l, weight, width, hidden, &p.weight, err) != STATUS_OK ||
        (bias && hook_tensor(l, bias, width, 0, &p.bias, err) != STATUS_OK))
        return STATUS_ERROR;
    if (has(spec, DEBERTA_NORM) &&
        (hook_tensor(l, "encoder.LayerNorm.weight", hidden, 0, &p.norm_weight, err) != STATUS_OK ||
         hook_tensor(l, "encoder.LayerNorm.bias", hidden, 0, &p.norm_bias, err) != STATUS_OK))
        return STATUS_ERROR;
    const struct tensor *from[] = {p.table, p.weight, bias ? p.bias : p.weight,
                                   p.norm_weight ? p.norm_weight : p.table,
                                   p.norm_bias ? p.norm_bias : p.table};
    char words[96];
    snprintf(words, sizeof words, "projected positions %u %a %a", spec->head_size,
             (double)spec->attention_scale, (double)spec->norm_eps);
    const struct hook_made made = {.words = words,
                                   .from = from,
                                   .n_from = ARRAY_LEN(from),
                                   .user = &p,
                                   .fill = fill_positions};
    enum status status = hook_packs(l) ? read_projection(&p, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = hook_made_linear(l, to, PRECISION_FP32, spec->head_size,
                                  spec->heads * columns_of(spec), &made, err);
    drop_projection(&p);
    return status;
}

/* Both directions, by the names of the generation. */
static enum status load_both(const struct hook_loader *l, struct layer *to, struct error *err) {
    static const char *const names[3][4] = {
        {SELF "pos_key_proj.weight", SELF "pos_key_proj.bias", SELF "pos_query_proj.weight",
         SELF "pos_query_proj.bias"},
        {SELF "key_proj.weight", SELF "key_proj.bias", SELF "query_proj.weight",
         SELF "query_proj.bias"},
        {SELF "pos_proj.weight", NULL, SELF "pos_q_proj.weight", SELF "pos_q_proj.bias"},
    };
    const char *const *name = names[has(l->spec, DEBERTA_FIRST)    ? 2
                                    : has(l->spec, DEBERTA_SHARED) ? 1
                                                                   : 0];
    if (has(l->spec, DEBERTA_C2P) &&
        load_positions(l, name[0], name[1], &to->c2p, err) != STATUS_OK)
        return STATUS_ERROR;
    return has(l->spec, DEBERTA_P2C) ? load_positions(l, name[2], name[3], &to->p2c, err)
                                     : STATUS_OK;
}

/* [hidden, hidden, taps] as the tensor has it, and its bias. */
struct conv_source {
    const struct stack_spec *spec;
    const struct tensor *weight, *bias;
    float *w;
};

static void fill_conv(const void *user, uint32_t first, uint32_t n, float *rows) {
    const struct conv_source *c = user;
    const uint32_t taps = option(c->spec, DEBERTA_CONV), hidden = c->spec->hidden_size;
    for (uint32_t o = 0; o < n; o++)
        for (uint32_t t = 0; t < taps; t++)
            for (uint32_t i = 0; i < hidden; i++)
                *rows++ = c->w[((size_t)(first + o) * hidden + i) * taps + t];
}

static void fill_conv_bias(const void *user, float *bias) {
    const struct conv_source *c = user;
    tensor_to_floats(c->bias, 0, c->spec->hidden_size, bias);
}

static enum status load_conv(const struct hook_loader *l, struct layer *to, struct error *err) {
    const struct stack_spec *spec = l->spec;
    const uint32_t hidden = spec->hidden_size, taps = option(spec, DEBERTA_CONV);
    struct conv_source c = {.spec = spec};
    if (hook_convolution(l, "encoder.conv.conv.weight", hidden, hidden, taps, &c.weight, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    if (hook_tensor(l, "encoder.conv.conv.bias", hidden, 0, &c.bias, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct tensor *from[] = {c.weight, c.bias};
    const struct hook_made made = {"convolution", from,          ARRAY_LEN(from), &c,
                                   fill_conv,     fill_conv_bias};
    const size_t bytes = conv_size(spec) * hidden * sizeof(float);
    void *block = NULL;
    if (hook_packs(l)) {
        if (mem_try_alloc(&block, bytes, err) != STATUS_OK)
            return STATUS_ERROR;
        c.w = block;
        tensor_to_floats(c.weight, 0, bytes / sizeof(float), c.w);
    }
    enum status status = hook_made_linear(l, &to->conv, hook_precision(l),
                                          (uint32_t)conv_size(spec), hidden, &made, err);
    if (block)
        mem_free_large(block, bytes);
    return status == STATUS_OK ? hook_norm(l, &to->conv_norm, hidden, "encoder.conv.LayerNorm", err)
                               : status;
}

static enum status load(const struct hook_loader *l, void *layer, struct error *err) {
    struct layer *to = layer;
    const struct stack_spec *spec = l->spec;
    char words[96];
    snprintf(words, sizeof words, "rows by distance %u %u %u", option(spec, DEBERTA_SPAN),
             option(spec, DEBERTA_BUCKETS), option(spec, DEBERTA_REACH));
    const struct hook_made rows = {.words = words, .user = spec, .fill = fill_rows};
    if (hook_made_floats(l, &to->rows_of, 2 * spec->max_positions - 1, &rows, err) != STATUS_OK)
        return STATUS_ERROR;
    if (has(spec, DEBERTA_FIRST)) {
        const struct tensor *from[2];
        const struct hook_made biases = {"biases", from, 2, from, fill_biases, NULL};
        if (hook_tensor(l, SELF "q_bias", width_of(spec), 0, &from[0], err) != STATUS_OK ||
            hook_tensor(l, SELF "v_bias", width_of(spec), 0, &from[1], err) != STATUS_OK ||
            hook_made_floats(l, &to->biases, 2 * width_of(spec), &biases, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    if (load_both(l, to, err) != STATUS_OK)
        return STATUS_ERROR;
    return l->layer == 0 && conv_size(spec) > 0 ? load_conv(l, to, err) : STATUS_OK;
}

static size_t packed_floats(const struct stack_spec *spec) {
    const size_t directions = has(spec, DEBERTA_C2P) + has(spec, DEBERTA_P2C);
    return spec->layers * directions * columns_of(spec) * width_of(spec) +
           conv_size(spec) * spec->hidden_size;
}

/* ---- a pass ---- */

/* Scratch: what the convolution gives [rows, hidden], the windows it reads [rows, taps * hidden],
 * then, for as many heads as there is room for, the products of both directions. */
#define PRODUCT_FLOATS ((size_t)4 * 1024 * 1024)

static size_t product_floats(const struct stack_spec *spec, uint32_t max_rows) {
    const size_t one = (size_t)2 * max_rows * columns_of(spec);
    return one > PRODUCT_FLOATS ? one : PRODUCT_FLOATS;
}

static size_t conv_floats(const struct stack_spec *spec, uint32_t rows) {
    const size_t taps = option(spec, DEBERTA_CONV);
    return taps > 0 ? rows * (taps + 1) * spec->hidden_size : 0;
}

static size_t scratch_floats(const struct stack_spec *spec, uint32_t max_rows) {
    return conv_floats(spec, max_rows) + product_floats(spec, max_rows);
}

static void add_biases(const struct hook_pass *p, const float *biases) {
    const uint32_t width = width_of(p->spec);
    size_t from, to;
    lane_range(p->lane, p->rows, 1, &from, &to);
    for (size_t r = from; r < to; r++) {
        float *q = p->qkv + r * p->ldqkv, *v = q + 2 * (size_t)width;
        for (uint32_t i = 0; i < width; i++) {
            q[i] += biases[i];
            v[i] += biases[width + i];
        }
    }
    lane_barrier(p->lane);
}

/* The rows around each row of its text, zeros beyond its ends. */
static void gather_windows(const struct hook_pass *p, float *windows) {
    const size_t hidden = p->spec->hidden_size, taps = option(p->spec, DEBERTA_CONV);
    size_t from, to;
    lane_range(p->lane, p->rows, 1, &from, &to);
    for (uint32_t s = 0; s < p->n_seqs; s++) {
        const size_t first = p->seqs[s].row, n = p->seqs[s].rows;
        for (size_t r = from > first ? from : first; r < to && r < first + n; r++)
            for (size_t t = 0; t < taps; t++) {
                float *out = windows + (r * taps + t) * hidden;
                const size_t at = r + t; /* of the row, taps / 2 further on */
                if (at < first + taps / 2 || at >= first + n + taps / 2)
                    memset(out, 0, hidden * sizeof *out);
                else
                    memcpy(out, p->x + (at - taps / 2) * hidden, hidden * sizeof *out);
            }
    }
    lane_barrier(p->lane);
}

/* Of what the first layer reads, before that layer changes it. */
static void convolve(const struct hook_pass *p, const struct layer *layer) {
    const uint32_t hidden = p->spec->hidden_size;
    float *windows = p->own + (size_t)p->rows * hidden;
    const struct epilogue epilogue = {
        .activation = (enum activation)option(p->spec, DEBERTA_CONV_ACTIVATION)};
    gather_windows(p, windows);
    p->device->linear(p->lane, p->scratch, &layer->conv, windows, conv_size(p->spec), p->own,
                      hidden, p->rows, &epilogue);
}

/* Products of some heads with the columns from `first` on: [head][row][n]. */
struct products {
    const struct hook_pass *pass;
    const float *rows_of;
    const float *c2p, *p2c; /* or NULL */
    uint32_t first, n, head;
};

static void row_bias(const void *user, uint32_t seq, uint32_t row, uint32_t h, uint32_t from,
                     uint32_t to, float *out) {
    const struct products *p = user;
    const size_t start = p->pass->seqs[seq].row, n = p->n;
    const size_t head = (size_t)(h - p->head) * p->pass->rows * n;
    const float *rows_of = p->rows_of + (p->pass->spec->max_positions - 1 + row);
    const float *c2p = p->c2p ? p->c2p + head + (start + row) * n : NULL;
    const float *p2c = p->p2c ? p->p2c + head + start * n : NULL;
    for (uint32_t k = from; k < to; k++) {
        const size_t at = (size_t) * (rows_of - k) - p->first;
        out[k] = (c2p ? c2p[at] : 0) + (p2c ? p2c[k * n + at] : 0);
    }
}

static uint32_t longest(const struct hook_pass *p) {
    uint32_t most = 1;
    for (uint32_t s = 0; s < p->n_seqs; s++)
        most = p->seqs[s].rows > most ? p->seqs[s].rows : most;
    return most;
}

static void multiply(const struct hook_pass *p, const struct linear *positions,
                     const struct products *products, uint32_t heads, const float *x, float *out) {
    const uint32_t columns = columns_of(p->spec), size = p->spec->head_size;
    for (uint32_t i = 0; i < heads; i++) {
        const uint32_t h = products->head + i;
        const struct linear part =
            linear_part(positions, h * columns + products->first, products->n);
        p->device->linear(p->lane, p->scratch, &part, x + (size_t)h * size, p->ldqkv,
                          out + (size_t)i * p->rows * products->n, products->n, p->rows, NULL);
    }
}

/* All heads, as many at once as their products have room. */
static void attend(const struct hook_pass *p, const struct layer *layer) {
    const struct stack_spec *spec = p->spec;
    const uint32_t far = longest(p) - 1;
    const float *middle = layer->rows_of + spec->max_positions - 1;
    struct products products = {.pass = p, .rows_of = layer->rows_of};
    products.first = (uint32_t) * (middle - far) / 16 * 16;
    products.n = (uint32_t)middle[far] + 1 - products.first;
    const size_t one = (size_t)2 * p->rows * products.n;
    const size_t room = product_floats(spec, p->rows) / one;
    float *c2p = p->own + conv_floats(spec, p->rows);
    for (uint32_t n; products.head < spec->heads; products.head += n) {
        n = spec->heads - products.head;
        n = n < room ? n : (uint32_t)room;
        float *p2c = c2p + one / 2 * n;
        products.c2p = has(spec, DEBERTA_C2P) ? c2p : NULL;
        products.p2c = has(spec, DEBERTA_P2C) ? p2c : NULL;
        if (products.c2p)
            multiply(p, &layer->c2p, &products, n, p->qkv, c2p);
        if (products.p2c)
            multiply(p, &layer->p2c, &products, n, p->qkv + width_of(spec), p2c);
        struct attention_shape shape = p->shape;
        shape.row_bias = products.c2p || products.p2c ? row_bias : NULL;
        shape.row_bias_user = &products;
        shape.first_head = products.head;
        shape.n_heads = n;
        p->device->attention(p->lane, p->scratch, &shape, p->seqs, p->n_seqs, 0, p->qkv, p->ldqkv,
                             p->y, p->ldy);
    }
}

static void attention(const struct hook_pass *p, const void *own) {
    const struct layer *layer = own;
    const uint32_t width = width_of(p->spec);
    if (layer->biases)
        add_biases(p, layer->biases);
    if (p->layer == 0 && conv_size(p->spec) > 0)
        convolve(p, layer);
    p->device->kv_write(p->lane, &p->shape, p->seqs, p->n_seqs, 0, p->qkv + width, p->ldqkv,
                        p->qkv + 2 * (size_t)width, p->ldqkv);
    attend(p, layer);
}

static void after_layer(const struct hook_pass *p, const void *own,
                        const struct hook_stream *stream) {
    const struct layer *layer = own;
    const uint32_t hidden = p->spec->hidden_size;
    const float *conv = p->own;
    if (p->layer > 0 || conv_size(p->spec) == 0)
        return;
    if (stream->ids) {
        p->device->gather(p->lane, conv, hidden, stream->ids, stream->rows, hidden, stream->t,
                          hidden);
        conv = stream->t;
    }
    p->device->add(p->lane, conv, stream->x, (size_t)stream->rows * hidden);
    p->device->norm(p->lane, &layer->conv_norm, stream->x, stream->x, stream->rows);
}

const struct hook_table deberta_attention = {
    .layer_bytes = sizeof(struct layer),
    .floats = packed_floats,
    .scratch_floats = scratch_floats,
    .load = load,
    .attention = attention,
    .after_layer = after_layer,
};
