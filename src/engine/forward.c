/* One forward pass, walked by every lane of the team together: embeddings, layers, final norm,
 * head.
 *
 * Each operation ends with a barrier, so the walk reads like a serial program. Rows nobody wants
 * are dropped after the last attention of the last layer. Shapes: x, t [rows, hidden]; wide
 * [rows, qkv or feed-forward]; attn [rows, heads * head_size]. */
#include "engine/walk.h"

#include <math.h>
#include <string.h>

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

/* Token, position and type rows summed; `tokens` false: the others alone. */
static void embed_rows(struct walk *w, const struct stack *stack, bool tokens, float scale,
                       float *y, uint32_t size) {
    const float *tables[2 + ARCH_TYPE_TABLES] = {stack->tokens};
    const int32_t *ids[2 + ARCH_TYPE_TABLES] = {w->step->tokens};
    uint32_t n = tokens ? 1 : 0;
    if (stack->positions) {
        tables[n] = stack->positions;
        ids[n++] = w->step->positions;
    }
    for (uint32_t i = 0; i < ARCH_TYPE_TABLES && stack->types[i]; i++) {
        tables[n] = stack->types[i];
        ids[n++] = w->step->types[i];
    }
    w->device->embed(w->lane, tables, ids, n, scale, y, w->rows, size);
}

/* The rows of a text's tokens [from, to) of the batch in wide: each stands between those of the
 * token behind it and the one before it, zeros beyond the text's ends. */
static void write_trigrams(struct walk *w, const float *table, const struct attention_seq *text,
                           size_t from, size_t to, float scale) {
    const size_t size = w->spec->embed_size, first = text->row, end = first + text->rows;
    for (size_t r = from > first ? from : first; r < to && r < end; r++)
        for (size_t part = 0; part < 3; part++) {
            const size_t at = r + 2 - part; /* of the token, one further on */
            float *out = w->step->wide + (3 * r + part) * size;
            if (at == first || at > end) {
                memset(out, 0, size * sizeof *out);
                continue;
            }
            const float *row = table + (size_t)w->step->tokens[at - 1] * size;
            for (size_t i = 0; i < size; i++)
                out[i] = row[i] * scale;
        }
}

static void embed_trigrams(struct walk *w, const float *table, float scale) {
    size_t from, to;
    lane_range(w->lane, w->rows, 1, &from, &to);
    for (uint32_t i = 0; i < w->pass->n_seqs; i++)
        write_trigrams(w, table, &w->step->seqs[i], from, to, scale);
    lane_barrier(w->lane);
}

/* Only the tokens' rows are of another size: they become hidden ones before the others are added
 * to them. */
static void embed_projected(struct walk *w, const struct stack *stack, float scale) {
    const uint32_t size = stack_project_in(w->spec);
    const int32_t *ids[1] = {w->step->tokens};
    if (stack_has(w->spec, STACK_TRIGRAMS))
        embed_trigrams(w, stack->tokens, scale);
    else
        w->device->embed(w->lane, &stack->tokens, ids, 1, scale, w->step->wide, w->rows, size);
    const bool more = stack->positions || stack->types[0];
    if (more)
        embed_rows(w, stack, false, 1, w->x, w->hidden);
    product(w, &stack->embed_project, w->step->wide, size, w->x, ACTIVATION_NONE,
            more ? w->x : NULL);
}

/* ESM's token dropout: masks become zeros, and the other tokens of their text are enlarged as they
 * were in training, where this share was masked. */
#define DROPPED_IN_TRAINING (0.15f * 0.8f)

static void scale_text(struct walk *w, const struct attention_seq *text, size_t from, size_t to) {
    const int32_t mask = w->pass->model->arch.mask, *tokens = w->step->tokens + text->row;
    uint32_t masks = 0;
    for (uint32_t i = 0; i < text->rows; i++)
        masks += tokens[i] == mask;
    const float seen = 1 - (float)masks / (float)text->rows;
    for (uint32_t i = 0; i < text->rows; i++) {
        float *row = w->x + (size_t)(text->row + i) * w->hidden;
        for (size_t j = from; j < to; j++)
            row[j] = tokens[i] == mask ? 0 : row[j] * (1 - DROPPED_IN_TRAINING) / seen;
    }
}

static void embed_with_dropout(struct walk *w, const struct stack *stack, float scale) {
    const int32_t *ids[1] = {w->step->tokens};
    w->device->embed(w->lane, &stack->tokens, ids, 1, scale, w->x, w->rows, w->hidden);
    size_t from, to;
    lane_range(w->lane, w->hidden, 16, &from, &to);
    for (uint32_t i = 0; i < w->pass->n_seqs; i++)
        scale_text(w, &w->step->seqs[i], from, to);
    lane_barrier(w->lane);
    if (!stack->positions && !stack->types[0])
        return;
    embed_rows(w, stack, false, 1, w->t, w->hidden);
    w->device->add(w->lane, w->t, w->x, (size_t)w->rows * w->hidden);
}

/* The tokens' rows are normed before the others are added to them. */
static void embed_normed(struct walk *w, const struct stack *stack, float scale) {
    const int32_t *ids[1] = {w->step->tokens};
    w->device->embed(w->lane, &stack->tokens, ids, 1, scale, w->x, w->rows, w->hidden);
    apply_norm(w, &stack->embed_norm, w->x, w->x);
    embed_rows(w, stack, false, 1, w->t, w->hidden);
    w->device->add(w->lane, w->t, w->x, (size_t)w->rows * w->hidden);
}

static void embed_sides(struct walk *w, const struct stack *stack);

static void embed(struct walk *w, const struct stack *stack) {
    const struct stack_spec *spec = w->spec;
    const float scale = spec->embed_scale != 0 ? spec->embed_scale : 1.0f;
    const bool projects = spec->embed_size > 0;
    if (stack_has(spec, STACK_NORM_TOKENS)) {
        embed_normed(w, stack, scale);
        return;
    }
    if (projects && stack_has(spec, STACK_PROJECT_TOKENS)) {
        embed_projected(w, stack, scale);
        if (stack_has(spec, STACK_EMBED_NORM))
            apply_norm(w, &stack->embed_norm, w->x, w->x);
        return;
    }
    float *y = projects ? w->step->wide : w->x;
    if (stack_has(spec, STACK_TOKEN_DROPOUT))
        embed_with_dropout(w, stack, scale);
    else
        embed_rows(w, stack, true, scale, y, stack_embed_size(spec));
    embed_sides(w, stack);
    if (stack_has(spec, STACK_EMBED_NORM))
        apply_norm(w, &stack->embed_norm, y, y);
    if (projects)
        product(w, &stack->embed_project, y, spec->embed_size, w->x, ACTIVATION_NONE, NULL);
}

/* The angles of all rows, once for all layers. */
static void find_angles(struct walk *w) {
    for (uint32_t i = 0; w->spec->positions == POSITIONS_ROTARY && i < ARCH_ROPES; i++) {
        const struct rope *rope = &w->spec->ropes[i];
        if (rope->size > 0)
            w->device->rope_angles(w->lane, rope, w->step->positions, w->step->lengths,
                                   w->step->angles[i], w->rows);
    }
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
                                    .softcap = spec->attention_softcap,
                                    .causal = causal};
}

/* Of self-attention: what the layer's kind and the stack's positions add. */
static struct attention_shape self_shape(const struct stack *stack, uint32_t layer) {
    const struct stack_spec *spec = stack->spec;
    struct attention_shape shape = shape_of(spec, layer, stack_has(spec, STACK_CAUSAL));
    if (spec->layer_kinds[layer] & LAYER_LOCAL)
        shape.window = spec->window;
    if (!stack->position_bias)
        return shape;
    const size_t own = stack_has(spec, STACK_BIAS_BY_LAYER) ? layer : 0;
    shape.bias_reach = spec->max_positions;
    shape.bias_by_key = stack_has(spec, STACK_ALIBI_BF16);
    shape.bias = stack->position_bias + own * spec->heads * (2 * (size_t)shape.bias_reach - 1);
    return shape;
}

/* Rows that are not wanted go no further: x and attn shrink to those that are. */
static void drop_rows(struct walk *w) {
    const uint32_t n = w->pass->n_wanted, attn_size = stack_attn_out(w->spec);
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
    return !pass->all_wanted && !pass->pools && pass->n_remember == 0;
}

static bool is_parallel(const struct stack_spec *spec) {
    return spec->norm_place == NORM_PARALLEL || spec->norm_place == NORM_PARALLEL_TWO;
}

/* The input of a block: the stream, or its norm (size 0: there is none). */
static const float *block_in(struct walk *w, const struct norm *norm) {
    if (w->spec->norm_place == NORM_POST || w->spec->norm_place == NORM_OUTPUT || norm->size == 0)
        return w->x;
    apply_norm(w, norm, w->x, w->t);
    return w->t;
}

static bool norms_outputs(const struct stack_spec *spec) {
    return spec->norm_place == NORM_OUTPUT || spec->norm_place == NORM_SANDWICH;
}

/* y, which a block gives and which is overwritten, goes into the stream. */
static void block_add(struct walk *w, float *y, const struct norm *norm,
                      const struct norm *out_norm) {
    if (norms_outputs(w->spec))
        apply_norm(w, out_norm, y, y);
    w->device->add(w->lane, y, w->x, (size_t)w->rows * w->hidden);
    if (w->spec->norm_place == NORM_POST)
        apply_norm(w, norm, w->x, w->x);
}

/* What a block gives goes back into the stream. Overwrites t where outputs are normed. */
static void block_out(struct walk *w, const struct linear *linear, const float *x, size_t ldx,
                      const struct norm *norm, const struct norm *out_norm) {
    if (norms_outputs(w->spec)) {
        product(w, linear, x, ldx, w->t, ACTIVATION_NONE, NULL);
        block_add(w, w->t, norm, out_norm);
        return;
    }
    product(w, linear, x, ldx, w->x, ACTIVATION_NONE, w->x);
    if (w->spec->norm_place == NORM_POST)
        apply_norm(w, norm, w->x, w->x);
}

/* Queries and keys are normed, held and turned before anyone looks at them. */
static void prepare_qk(struct walk *w, const struct layer *layer, uint32_t i) {
    const struct stack_spec *spec = w->spec;
    const uint32_t qkv = stack_qkv_size(spec), kinds = spec->layer_kinds[i];
    float *q = w->step->wide, *k = q + stack_attn_size(spec);
    if (spec->qk_norm != QK_NORM_NONE) {
        const bool whole = spec->qk_norm == QK_NORM_WHOLE;
        const size_t stride = spec->qk_norm == QK_NORM_HEADS ? spec->head_size : 0;
        w->device->norm_heads(w->lane, &layer->q_norm, q, qkv, w->rows, whole ? 1 : spec->heads,
                              stride);
        w->device->norm_heads(w->lane, &layer->k_norm, k, qkv, w->rows, whole ? 1 : spec->kv_heads,
                              stride);
    }
    if (spec->qkv_clamp > 0)
        w->device->clamp(w->lane, spec->qkv_clamp, q, qkv, w->rows, qkv);
    if (spec->positions == POSITIONS_ROTARY && !(kinds & LAYER_NO_ROPE)) {
        const uint32_t which = kinds & LAYER_ROPE_1 ? 1 : 0;
        const uint32_t values = stack_has(spec, STACK_TURN_VALUES) ? spec->kv_heads : 0;
        w->device->rotate(w->lane, &spec->ropes[which], w->step->angles[which], q, qkv, w->rows,
                          spec->heads + spec->kv_heads + values, spec->head_size);
    }
}

/* `last`: no attention follows in this pass. */
static void attention_out(struct walk *w, const struct layer *layer, const struct linear *out,
                          const struct norm *norm, bool last) {
    if (last && drops_rows(w->pass))
        drop_rows(w);
    if (is_parallel(w->spec)) { /* of the stream before attention is added to it */
        const bool one = w->spec->norm_place == NORM_PARALLEL;
        apply_norm(w, one ? &layer->attn_norm : &layer->ffn_norm, w->x, w->t);
    }
    block_out(w, out, w->attn, out->in, norm, &layer->attn_out_norm);
}

/* What a hook is given; x is what q, k and v are made of. */
static struct hook_pass hook_pass_of(struct walk *w, const struct stack *stack, uint32_t i,
                                     const float *x) {
    return (struct hook_pass){
        .lane = w->lane,
        .device = w->device,
        .scratch = w->step->scratch,
        .spec = w->spec,
        .layer = i,
        .rows = w->pass->rows,
        .first_side = w->pass->n_tokens,
        .seqs = w->step->seqs,
        .n_seqs = w->pass->n_seqs,
        .n_kept = w->pass->n_kept,
        .kept_offset = i * kv_page_floats(w->spec->kv_heads, w->spec->head_size),
        .sides = w->step->sides,
        .shape = self_shape(stack, i),
        .tokens = w->step->tokens,
        .types = w->step->types[0],
        .positions = w->step->positions,
        .position_table = stack->positions,
        .qkv_linear = &stack->layers[i].qkv,
        .x = x,
        .qkv = w->step->wide,
        .ldqkv = stack_qkv_size(w->spec),
        .y = w->attn,
        .ldy = stack_attn_out(w->spec),
        .own = w->step->hook,
        .first = stack_hook_layer(stack, 0),
    };
}

/* The weights that layer i of the stack runs on. */
static const void *hook_layer_of(const struct stack *stack, uint32_t i) {
    return stack_hook_layer(stack, i / (stack->spec->layers / stack_groups(stack->spec)));
}

/* Pages of side rows' own begin zeroed: their keys do not fill them from the first on. */
static void clear_side_pages(const struct walk *w) {
    const size_t floats = kv_page_floats(w->spec->kv_heads, w->spec->head_size);
    for (uint32_t s = 0; s < w->pass->n_seqs; s++) {
        const struct attention_seq *side = &w->step->sides[s];
        for (uint32_t i = 0; i * KV_PAGE_TOKENS < side->keys; i++)
            if ((s + i) % w->lane->count == w->lane->index)
                memset(side->pages[i], 0, floats * sizeof(float));
    }
}

/* The hook's own rows begin. Its embed ends with a barrier. */
static void embed_sides(struct walk *w, const struct stack *stack) {
    if (w->pass->n_tokens == w->pass->rows)
        return;
    if (w->spec->hook.table->side_pages)
        clear_side_pages(w);
    const struct hook_pass pass = hook_pass_of(w, stack, 0, NULL);
    w->spec->hook.table->embed(&pass, stack_hook_layer(stack, 0), w->x);
}

/* The stack's own attention, in place of the next function's. */
static void hooked_attention(struct walk *w, const struct stack *stack, uint32_t i, bool last) {
    const struct layer *layer = &stack->layers[i];
    const struct hook_table *hook = w->spec->hook.table;
    const float *x = block_in(w, &layer->attn_norm);
    const struct hook_pass pass = hook_pass_of(w, stack, i, x);
    ASSERT(w->pass->n_kept == 0 || hook->keeps);
    if (hook->norm_sides)
        hook->norm_sides(&pass, hook_layer_of(stack, i), w->x, w->t);
    product(w, &layer->qkv, x, w->hidden, w->step->wide, ACTIVATION_NONE, NULL);
    prepare_qk(w, layer, i);
    hook->attention(&pass, hook_layer_of(stack, i));
    if (last && drops_rows(w->pass) && w->pass->n_wanted == 0) {
        w->rows = 0; /* as in the next function */
        return;
    }
    attention_out(w, layer, &layer->attn_out, &layer->attn_norm, last);
}

static void hooked_after(struct walk *w, const struct stack *stack, uint32_t i) {
    const struct hook_table *hook = w->spec->hook.table;
    const struct hook_stream stream = {w->x, w->t, w->rows < w->pass->rows ? w->step->wanted : NULL,
                                       w->rows};
    const struct hook_pass pass = hook_pass_of(w, stack, i, NULL);
    if (hook->after_layer)
        hook->after_layer(&pass, hook_layer_of(stack, i), &stream);
}

/* Texts that are kept write and read layer i of their blocks, the others the scratch's pages. */
static void self_attention(struct walk *w, const struct stack *stack, uint32_t i, bool last) {
    const struct pass *pass = w->pass;
    const struct stack_spec *spec = w->spec;
    const struct layer *layer = &stack->layers[i];
    const struct attention_shape shape = self_shape(stack, i);
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
    prepare_qk(w, layer, i);
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
    attention_out(w, layer, &layer->attn_out, &layer->attn_norm, last);
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
    attention_out(w, layer, &layer->cross_out, &layer->cross_norm, last);
}

static void feed_forward(struct walk *w, const struct layer *layer) {
    const struct stack_spec *spec = w->spec;
    const float *in = is_parallel(spec) ? w->t : block_in(w, &layer->ffn_norm);
    if (layer->experts) {
        experts_run(w, layer, in);
        block_add(w, w->step->routed, &layer->ffn_norm, &layer->ffn_out_norm);
        return;
    }
    gated(w, &layer->ffn_up, in);
    block_out(w, &layer->ffn_down, w->step->wide, layer->ffn_up.out, &layer->ffn_norm,
              &layer->ffn_out_norm);
}

/* All rows stay to the end. */
static void hooked_layer(struct walk *w, const struct stack *stack, uint32_t i) {
    const struct hook_stream stream = {w->x, w->t, NULL, w->rows};
    const struct hook_pass pass = hook_pass_of(w, stack, i, w->x);
    ASSERT(w->pass->n_kept == 0);
    w->spec->hook.table->layer(&pass, hook_layer_of(stack, i), &stream);
}

static void run_layer(struct walk *w, const struct stack *stack, uint32_t i) {
    const bool last = i + 1 == w->spec->layers, cross = stack_has(w->spec, STACK_CROSS);
    if (w->spec->hook.table)
        hooked_attention(w, stack, i, last && !cross);
    else
        self_attention(w, stack, i, last && !cross);
    if (cross)
        cross_attention(w, &stack->layers[i], i, last);
    if (w->rows > 0)
        feed_forward(w, &stack->layers[i]);
    if (w->spec->hook.table && w->rows > 0)
        hooked_after(w, stack, i);
}

static void run_layers(struct walk *w, const struct stack *stack) {
    for (uint32_t i = 0; i < w->spec->layers && w->rows > 0; i++) {
        if (stack_has_own_layers(w->spec))
            hooked_layer(w, stack, i);
        else
            run_layer(w, stack, i);
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

/* x and t change places. */
static void swap_streams(struct walk *w) {
    float *x = w->x;
    w->x = w->t;
    w->t = x;
}

/* What the stack gives is of another size than its stream. */
static void project_out(struct walk *w, const struct stack *stack) {
    w->rows = w->pass->n_wanted;
    product(w, &stack->out_project, w->x, w->hidden, w->t, ACTIVATION_NONE, NULL);
    w->hidden = stack->out_project.out;
    swap_streams(w);
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
    find_angles(&w);
    run_layers(&w, stack);
    if (w.rows == 0)
        return;
    if (stack_has(w.spec, STACK_FINAL_NORM))
        apply_norm(&w, &stack->final_norm, w.x, w.x);
    remember(&w);
    if (pass->pools)
        head_pool(lane, pass, w.x);
    if (w.rows != pass->n_wanted) { /* all were needed until here, or there is no layer */
        model->device->gather(lane, w.x, w.hidden, model->step.wanted, pass->n_wanted, w.hidden,
                              w.t, w.hidden);
        swap_streams(&w);
    }
    if (stack_has(w.spec, STACK_PROJECT_OUT) && pass->n_wanted > 0)
        project_out(&w, stack);
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
