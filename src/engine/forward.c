/* One forward pass, walked by every lane of the team together: embeddings, layers, final norm,
 * head.
 *
 * Each operation ends with a barrier, so the walk reads like a serial program. Rows nobody wants
 * are dropped after the last attention of the last layer. Shapes: x, t [rows, hidden]; wide
 * [rows, qkv or feed-forward]; attn [rows, heads * head_size]. */
#include "engine/model.h"

#include <math.h>
#include <string.h>

/* A lane's view of the pass. x and t change places when rows are dropped. */
struct walk {
    struct lane *lane;
    const struct pass *pass;
    const struct device *device;
    struct step *step;
    const struct stack_spec *spec;
    uint32_t hidden, rows;
    float *x, *t, *attn;
};

static void product(struct walk *w, const struct linear *linear, const float *x, size_t ldx,
                    float *y, enum activation activation, const float *residual) {
    const struct epilogue epilogue = {.activation = activation, .residual = residual};
    w->device->linear(w->lane, w->step->scratch, linear, x, ldx, y, linear->out, w->rows,
                      &epilogue);
}

static void apply_norm(struct walk *w, const struct norm *norm, const float *x, float *y) {
    w->device->norm(w->lane, norm, x, y, w->rows);
}

/* Shared pages that this pass writes: each lane copies its share of every one. */
static void copy_blocks(struct walk *w, const struct pool *pool) {
    if (w->pass->n_copies == 0)
        return;
    size_t from, to;
    lane_range(w->lane, pool->block_floats, 16, &from, &to);
    for (uint32_t i = 0; i < w->pass->n_copies; i++)
        memcpy(w->step->copies[i].to + from, w->step->copies[i].from + from,
               (to - from) * sizeof(float));
    lane_barrier(w->lane);
}

static void embed(struct walk *w, const struct stack *stack) {
    const float *tables[3] = {stack->tokens};
    const int32_t *ids[3] = {w->step->tokens};
    uint32_t n = 1;
    if (stack->positions) {
        tables[n] = stack->positions;
        ids[n++] = w->step->positions;
    }
    if (stack->types) {
        tables[n] = stack->types;
        ids[n++] = w->step->types;
    }
    const float scale = w->spec->embed_scale != 0 ? w->spec->embed_scale : 1.0f;
    w->device->embed(w->lane, tables, ids, n, scale, w->x, w->rows, w->hidden);
    if (stack_has(w->spec, STACK_EMBED_NORM))
        apply_norm(w, &stack->embed_norm, w->x, w->x);
}

static struct attention_shape shape_of(const struct stack_spec *spec, uint32_t layer, bool causal) {
    float scale =
        spec->attention_scale != 0 ? spec->attention_scale : 1.0f / sqrtf((float)spec->head_size);
    if (stack_has(spec, STACK_SCALE_BY_LAYER))
        scale /= (float)(layer + 1);
    return (struct attention_shape){.heads = spec->heads,
                                    .kv_heads = spec->kv_heads,
                                    .head_size = spec->head_size,
                                    .scale = scale,
                                    .causal = causal};
}

/* Rows that are not wanted go no further: x and attn shrink to those that are. */
static void drop_rows(struct walk *w) {
    const uint32_t n = w->pass->n_wanted, attn_size = stack_attn_size(w->spec);
    const uint32_t *ids = w->step->wanted;
    w->device->gather(w->lane, w->attn, attn_size, ids, n, attn_size, w->step->wide, attn_size);
    w->device->gather(w->lane, w->x, w->hidden, ids, n, w->hidden, w->t, w->hidden);
    float *x = w->x;
    w->x = w->t;
    w->t = x;
    w->attn = w->step->wide;
    w->rows = n;
}

static bool drops_rows(const struct pass *pass) {
    return !pass->all_wanted && pass->n_remember == 0;
}

/* What attention gives goes back into the stream. `last`: no attention follows in this pass. */
static void attention_out(struct walk *w, const struct linear *out, const struct norm *norm,
                          bool last) {
    if (last && drops_rows(w->pass))
        drop_rows(w);
    product(w, out, w->attn, out->in, w->x, ACTIVATION_NONE, w->x);
    if (w->spec->norm_place == NORM_POST)
        apply_norm(w, norm, w->x, w->x);
}

/* The input of a block: the stream, or its norm. */
static const float *block_in(struct walk *w, const struct norm *norm) {
    if (w->spec->norm_place == NORM_POST)
        return w->x;
    apply_norm(w, norm, w->x, w->t);
    return w->t;
}

/* Texts that are kept write and read layer i of their blocks, the others the scratch's pages. */
static void self_attention(struct walk *w, const struct layer *layer, uint32_t i, bool last) {
    const struct pass *pass = w->pass;
    const struct stack_spec *spec = w->spec;
    const struct attention_shape shape = shape_of(spec, i, stack_has(spec, STACK_CAUSAL));
    const size_t qkv = stack_qkv_size(spec), attn_size = stack_attn_size(spec);
    const float *q = w->step->wide, *k = q + attn_size, *v = k + stack_kv_size(spec);
    const struct {
        const struct attention_seq *seqs;
        uint32_t n;
        size_t page_offset;
    } groups[2] = {
        {w->step->seqs, pass->n_kept, i * kv_page_floats(spec->kv_heads, spec->head_size)},
        {w->step->seqs + pass->n_kept, pass->n_seqs - pass->n_kept, 0},
    };
    product(w, &layer->qkv, block_in(w, &layer->attn_norm), w->hidden, w->step->wide,
            ACTIVATION_NONE, NULL);
    for (uint32_t g = 0; g < ARRAY_LEN(groups); g++)
        if (groups[g].n > 0)
            w->device->kv_write(w->lane, &shape, groups[g].seqs, groups[g].n, groups[g].page_offset,
                                k, qkv, v, qkv);
    if (last && drops_rows(pass) && pass->n_wanted == 0) {
        w->rows = 0; /* a piece of a prompt: its keys were all it was for */
        return;
    }
    for (uint32_t g = 0; g < ARRAY_LEN(groups); g++)
        if (groups[g].n > 0)
            w->device->attention(w->lane, w->step->scratch, &shape, groups[g].seqs, groups[g].n,
                                 groups[g].page_offset, q, qkv, w->attn, attn_size);
    attention_out(w, &layer->attn_out, &layer->attn_norm, last);
}

static void cross_attention(struct walk *w, const struct layer *layer, uint32_t i, bool last) {
    const struct stack_spec *spec = w->spec;
    const struct attention_shape shape = shape_of(spec, i, false);
    const size_t attn_size = stack_attn_size(spec);
    product(w, &layer->cross_q, block_in(w, &layer->cross_norm), w->hidden, w->step->wide,
            ACTIVATION_NONE, NULL);
    w->device->attention(w->lane, w->step->scratch, &shape, w->step->cross, w->pass->n_cross,
                         i * kv_page_floats(spec->kv_heads, spec->head_size), w->step->wide,
                         attn_size, w->attn, attn_size);
    attention_out(w, &layer->cross_out, &layer->cross_norm, last);
}

static void feed_forward(struct walk *w, const struct layer *layer) {
    const struct stack_spec *spec = w->spec;
    float *inside = w->step->wide;
    const size_t width = stack_ffn_size(spec);
    const float *in = block_in(w, &layer->ffn_norm);
    if (stack_has(spec, STACK_GATED)) {
        product(w, &layer->ffn_up, in, w->hidden, inside, ACTIVATION_NONE, NULL);
        w->device->activate(w->lane, spec->activation, inside, width,
                            inside + spec->intermediate_size, width, w->rows,
                            spec->intermediate_size);
    } else {
        product(w, &layer->ffn_up, in, w->hidden, inside, spec->activation, NULL);
    }
    product(w, &layer->ffn_down, inside, width, w->x, ACTIVATION_NONE, w->x);
    if (spec->norm_place == NORM_POST)
        apply_norm(w, &layer->ffn_norm, w->x, w->x);
}

static void run_layers(struct walk *w, const struct stack *stack) {
    for (uint32_t i = 0; i < w->spec->layers && w->rows > 0; i++) {
        const bool last = i + 1 == w->spec->layers, cross = stack_has(w->spec, STACK_CROSS);
        self_attention(w, &stack->layers[i], i, last && !cross);
        if (cross)
            cross_attention(w, &stack->layers[i], i, last);
        if (w->rows > 0)
            feed_forward(w, &stack->layers[i]);
    }
}

/* Keys and values for the cross-attention of the stack that reads this one, all its layers. */
static void remember(struct walk *w) {
    const struct pass *pass = w->pass;
    if (pass->n_remember == 0)
        return;
    const struct stack *reader = &pass->model->stacks[pass->remember_stack];
    const struct attention_shape shape = shape_of(reader->spec, 0, false);
    const size_t kv = stack_kv_size(reader->spec),
                 floats = kv_page_floats(shape.kv_heads, shape.head_size);
    const float *k = w->step->wide, *v = k + kv;
    for (uint32_t i = 0; i < reader->spec->layers; i++) {
        product(w, &reader->layers[i].cross_kv, w->x, w->hidden, w->step->wide, ACTIVATION_NONE,
                NULL);
        w->device->kv_write(w->lane, &shape, w->step->remember, pass->n_remember, i * floats, k,
                            2 * kv, v, 2 * kv);
    }
}

/* Each lane writes its share of the rows that were asked for. */
static void write_hidden(struct walk *w) {
    size_t from, to;
    lane_range(w->lane, w->pass->n_wanted, 1, &from, &to);
    for (size_t i = from; i < to; i++)
        if (w->step->hidden_out[i])
            memcpy(w->step->hidden_out[i], w->x + i * w->hidden, w->hidden * sizeof(float));
}

void pass_run(struct lane *lane, void *arg) {
    const struct pass *pass = arg;
    struct model *model = pass->model;
    const struct stack *stack = &model->stacks[pass->stack];
    struct walk w = {.lane = lane,
                     .pass = pass,
                     .device = model->device,
                     .step = &model->step,
                     .spec = stack->spec,
                     .hidden = stack->spec->hidden_size,
                     .rows = pass->rows,
                     .x = model->step.x,
                     .t = model->step.t,
                     .attn = model->step.attn};
    copy_blocks(&w, &stack->pool);
    embed(&w, stack);
    run_layers(&w, stack);
    if (w.rows == 0)
        return;
    if (stack_has(w.spec, STACK_FINAL_NORM))
        apply_norm(&w, &stack->final_norm, w.x, w.x);
    remember(&w);
    if (w.rows != pass->n_wanted) { /* all were needed for `remember`, or there is no layer */
        model->device->gather(lane, w.x, w.hidden, model->step.wanted, pass->n_wanted, w.hidden,
                              w.t, w.hidden);
        float *x = w.x;
        w.x = w.t;
        w.t = x;
    }
    write_hidden(&w);
    head_run(lane, pass, w.x, w.t);
}

void model_forward(struct model *model, uint32_t stack, const struct segment *segments,
                   uint32_t n) {
    ASSERT(stack < model->arch.n_stacks);
    while (n > 0) {
        struct pass pass;
        const uint32_t taken = pass_plan(&pass, model, stack, segments, n);
        team_run(model->team, pass_run, &pass);
        for (uint32_t i = 0; i < taken; i++)
            if (segments[i].sequence)
                segments[i].sequence->length += segments[i].n;
        segments += taken;
        n -= taken;
    }
}
