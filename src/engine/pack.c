/* Tensors become parts of the model's image: linears fused and packed, norms, tables.
 *
 * Lanes divide a linear's outputs and pack them in pieces that fit their cache; tensors stored
 * [in, out] are turned tile by tile. */
#include "engine/loader.h"

#include <string.h>

#define PIECE_OUTPUTS 256 /* most outputs of a piece */
#define TILE          16  /* rows of a transposed tensor turned at once */
#define CODEGEN_PARTS 4   /* of QKV_CODEGEN */

static void advance(struct loader *l, size_t elements) {
    l->done += elements;
    if (l->progress)
        l->progress(l->user, l->done < l->total ? (double)l->done / (double)l->total : 1.0);
}

/* ---- places in the image ---- */

enum status loader_place(struct loader *l, size_t bytes, bool looked_up, void **out,
                         struct error *err) {
    const struct model *model = l->model;
    size_t *used = looked_up ? &l->used.looked_up : &l->used.streamed;
    const size_t at = *used + (looked_up ? packed_tables_at(&model->sizes) : 0);
    size_t rounded;
    if (!size_add(bytes, LINEAR_ALIGN - 1, &rounded) ||
        !size_add(*used, rounded / LINEAR_ALIGN * LINEAR_ALIGN, used))
        return ERR(err, MEMORY, "the weights are larger than the address space");
    *out = l->loading == LOADING_MEASURE ? NULL : model->image.base + at;
    return STATUS_OK;
}

/* All that decides, with the tensor's own values, what is made of it. */
void loader_plan_tensor(struct loader *l, const struct tensor *tensor) {
    if (!l->plan)
        return;
    buf_printf(l->plan, " %s %s %d %d %u", tensor->name, dtype_name(tensor->dtype),
               tensor->change != NULL, tensor->turned, tensor->paired_rows);
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        buf_printf(l->plan, " %lld", (long long)tensor->dims[i]);
}

static void plan_source(struct loader *l, const struct source *source) {
    loader_plan_tensor(l, source->weight);
    if (l->plan)
        buf_printf(l->plan, " %u %d %a %d %u;", source->outputs, source->transposed,
                   (double)source->scale, source->grouped ? (int)source->grouped->qkv_layout : -1,
                   source->turned);
    if (source->rest)
        loader_plan_tensor(l, source->rest);
    if (source->bias)
        loader_plan_tensor(l, source->bias);
}

/* The mapped pages of what was read count as the process's: they can go. */
static void forget(const struct loader *l, const struct source *sources, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        checkpoint_forget(l->checkpoint, sources[i].weight);
}

/* ---- packing ---- */
struct packing {
    struct loader *loader;
    struct linear *linear;
    const struct source *sources; /* one after the other along the outputs */
    uint32_t n_sources;
};

/* Outputs [from, from + n) of a tensor stored [in, outputs], as rows of `in` floats. */
static void read_transposed(const struct source *s, uint32_t in, uint32_t from, uint32_t n,
                            float *rows) {
    float tile[TILE][PIECE_OUTPUTS];
    for (uint32_t k = 0; k < in; k += TILE) {
        const uint32_t depth = in - k < TILE ? in - k : TILE;
        for (uint32_t i = 0; i < depth; i++)
            tensor_to_floats(s->weight, (size_t)(k + i) * s->outputs + from, n, tile[i]);
        for (uint32_t j = 0; j < n; j++)
            for (uint32_t i = 0; i < depth; i++)
                rows[(size_t)j * in + k + i] = tile[i][j];
    }
}

/* Where head `head` of q, k and v in a row stands in a fused tensor of another layout. */
static uint32_t fused_head(const struct stack_spec *spec, uint32_t head) {
    const uint32_t heads = spec->heads, kv = spec->kv_heads, group = heads / kv;
    const uint32_t part = head < heads ? 0 : head < heads + kv ? 1 : 2; /* q, k, v */
    const uint32_t at = part == 0 ? head : (head - heads) % kv;
    if (spec->qkv_layout == QKV_CODEGEN) {
        static const uint32_t order[] = {0, 2, 1};
        const uint32_t local = heads / CODEGEN_PARTS;
        return (at / local * 3 + order[part]) * local + at % local;
    }
    if (part == 0)
        return at / group * (group + 2) + at % group;
    return at * (group + 2) + group + part - 1;
}

/* The same of a 1x1 convolution: zeros beside the blocks. */
static void read_blocks(const struct source *s, uint32_t in, uint32_t from, uint32_t n,
                        float *rows) {
    const uint32_t width = (uint32_t)s->weight->dims[1], each = s->outputs / (in / width);
    memset(rows, 0, (size_t)n * in * sizeof *rows);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t row = from + i;
        tensor_to_floats(s->weight, (size_t)row * width, width,
                         rows + (size_t)i * in + (size_t)(row / each) * width);
    }
}

/* The same of [groups, width, each]. */
static void read_groups(const struct source *s, uint32_t in, uint32_t from, uint32_t n,
                        float *rows) {
    const uint32_t width = (uint32_t)s->weight->dims[1], each = (uint32_t)s->weight->dims[2];
    float column[PIECE_OUTPUTS];
    memset(rows, 0, (size_t)n * in * sizeof *rows);
    for (uint32_t done = 0, run; done < n; done += run) {
        const uint32_t group = (from + done) / each, first = (from + done) % each;
        run = n - done < each - first ? n - done : each - first;
        for (uint32_t k = group * width; k < (group + 1) * width; k++) {
            tensor_to_floats(s->weight, (size_t)k * each + first, run, column);
            for (uint32_t i = 0; i < run; i++)
                rows[(size_t)(done + i) * in + k] = column[i];
        }
    }
}

/* The same of weights in two tensors, the second turned: a row of the first, a column of it. */
static void read_parts(const struct source *s, uint32_t in, uint32_t from, uint32_t n,
                       float *rows) {
    const uint32_t own = (uint32_t)s->weight->dims[1];
    float column[PIECE_OUTPUTS];
    for (uint32_t i = 0; i < n; i++)
        tensor_to_floats(s->weight, (size_t)(from + i) * own, own, rows + (size_t)i * in);
    for (uint32_t k = own; k < in; k++) {
        tensor_to_floats(s->rest, (size_t)(k - own) * s->outputs + from, n, column);
        for (uint32_t i = 0; i < n; i++)
            rows[(size_t)i * in + k] = column[i];
    }
}

/* Outputs [from, from + n) of one source, n <= PIECE_OUTPUTS, as rows of `in` floats. */
static void read_run(const struct source *s, uint32_t in, uint32_t from, uint32_t n, float *rows) {
    if (loader_is_blocks(s, in))
        read_blocks(s, in, from, n, rows);
    else if (loader_is_groups(s, in))
        read_groups(s, in, from, n, rows);
    else if (s->rest)
        read_parts(s, in, from, n, rows);
    else if (s->transposed)
        read_transposed(s, in, from, n, rows);
    else
        tensor_to_floats(s->weight, (size_t)from * in, (size_t)n * in, rows);
}

/* The stored output that output `row` is, and how many follow it in both orders. */
static uint32_t stored_run(const struct source *s, uint32_t row, uint32_t *n) {
    const uint32_t unbroken = s->outputs - s->turned; /* outputs before the stored end */
    if (!s->grouped && row < unbroken) {
        *n = *n < unbroken - row ? *n : unbroken - row;
        return row + s->turned;
    }
    if (!s->grouped)
        return row - unbroken;
    const uint32_t size = s->grouped->head_size, left = size - row % size;
    *n = *n < left ? *n : left;
    return fused_head(s->grouped, row / size) * size + row % size;
}

static void read_source(const struct source *s, uint32_t in, uint32_t from, uint32_t n,
                        float *rows) {
    for (uint32_t done = 0, run; done < n; done += run) {
        run = n - done;
        const uint32_t stored = stored_run(s, from + done, &run);
        read_run(s, in, stored, run, rows + (size_t)done * in);
    }
    for (size_t i = 0; s->scale != 0 && i < (size_t)n * in; i++)
        rows[i] *= s->scale;
}

/* Outputs [from, from + n) of all sources taken as one, as rows of `in` floats. */
static void read_outputs(const struct packing *p, uint32_t from, uint32_t n, float *rows) {
    const uint32_t in = p->linear->in;
    uint32_t start = 0;
    for (uint32_t i = 0; i < p->n_sources; i++) {
        const struct source *s = &p->sources[i];
        const uint32_t end = start + s->outputs;
        const uint32_t first = from > start ? from : start, stop = from + n < end ? from + n : end;
        if (first < stop) {
            read_source(s, in, first - start, stop - first, rows + (size_t)(first - from) * in);
        }
        start = end;
    }
}

static void pack_lane(struct lane *lane, void *arg) {
    const struct packing *p = arg;
    float *buffer = p->loader->buffer + lane->index * p->loader->buffer_floats;
    uint32_t piece = (uint32_t)(p->loader->buffer_floats / p->linear->in / 16 * 16);
    if (piece > PIECE_OUTPUTS)
        piece = PIECE_OUTPUTS;
    size_t from, to;
    lane_range(lane, p->linear->out, 16, &from, &to);
    for (; from < to; from += piece) {
        const uint32_t n = (uint32_t)(to - from < piece ? to - from : piece);
        read_outputs(p, (uint32_t)from, n, buffer);
        linear_set_weights(p->linear, (uint32_t)from, n, buffer);
    }
}

static void read_bias(const struct source *s, float *bias) {
    for (uint32_t done = 0, run; done < s->outputs; done += run) {
        run = s->outputs - done;
        const uint32_t stored = stored_run(s, done, &run);
        tensor_to_floats(s->bias, stored, run, bias + done);
    }
    for (uint32_t i = 0; s->scale != 0 && i < s->outputs; i++)
        bias[i] *= s->scale;
}

/* An absent bias among present ones is zero. */
static void set_bias(struct linear *linear, const struct source *sources, uint32_t n_sources) {
    float *bias = mem_zalloc(linear->out, sizeof *bias);
    size_t at = 0;
    for (uint32_t i = 0; i < n_sources; i++) {
        if (sources[i].bias)
            read_bias(&sources[i], bias + at);
        at += sources[i].outputs;
    }
    linear_set_bias(linear, 0, linear->out, bias);
    mem_free(bias);
}

/* Sources fused along their outputs into one packed linear. */
enum status loader_pack(struct loader *l, struct linear *linear, enum precision precision,
                        uint32_t in, const struct source *sources, uint32_t n_sources,
                        struct error *err) {
    uint32_t out = 0;
    bool has_bias = false;
    for (uint32_t i = 0; i < n_sources; i++) {
        if (loader_check_source(&sources[i], in, err) != STATUS_OK)
            return STATUS_ERROR;
        out += sources[i].outputs;
        has_bias |= sources[i].bias != NULL;
    }
    void *memory = NULL;
    if (linear_init(linear, precision, in, out, has_bias, err) != STATUS_OK ||
        loader_place(l, linear->bytes, false, &memory, err) != STATUS_OK)
        return STATUS_ERROR;
    PLAN(l, "linear %s %u %u %d:", precision_name(precision), in, out, has_bias);
    for (uint32_t i = 0; i < n_sources; i++)
        plan_source(l, &sources[i]);
    if (l->loading == LOADING_MEASURE)
        return STATUS_OK;
    linear_place(linear, memory);
    if (l->loading == LOADING_TAKE)
        return STATUS_OK;
    struct packing packing = {l, linear, sources, n_sources};
    team_run(l->model->team, pack_lane, &packing);
    if (has_bias)
        set_bias(linear, sources, n_sources);
    forget(l, sources, n_sources);
    advance(l, (size_t)in * out);
    return STATUS_OK;
}

/* ---- norms and tables ---- */
/* One row; that of several heads may stand as [heads, head_size]. */
static enum status check_norm(const struct stack_spec *spec, const struct tensor *tensor,
                              uint32_t size, struct error *err) {
    if (tensor->n_dims == 2 && tensor->elements == size && tensor->dims[1] == spec->head_size)
        return STATUS_OK;
    return loader_check_vector(tensor, size, err);
}

enum status loader_pack_norm(struct loader *l, struct norm *norm, const struct stack_spec *spec,
                             uint32_t size, const struct source *source, struct error *err) {
    if (check_norm(spec, source->weight, size, err) != STATUS_OK ||
        (source->bias && loader_check_vector(source->bias, size, err) != STATUS_OK))
        return STATUS_ERROR;
    void *memory = NULL;
    if (loader_place(l, 2 * size * sizeof(float), false, &memory, err) != STATUS_OK)
        return STATUS_ERROR;
    const bool plus_one = stack_has(spec, STACK_NORM_PLUS_ONE);
    PLAN(l, "norm %u %d %d:", size, source->bias != NULL, plus_one);
    plan_source(l, source);
    if (l->loading == LOADING_MEASURE)
        return STATUS_OK;
    float *weight = memory, *bias = source->bias ? weight + size : NULL;
    if (l->loading == LOADING_PACK) {
        tensor_to_floats(source->weight, 0, size, weight);
        for (uint32_t i = 0; plus_one && i < size; i++)
            weight[i] += 1;
        if (bias)
            tensor_to_floats(source->bias, 0, size, bias);
    }
    *norm = (struct norm){.kind = spec->norm_kind,
                          .size = size,
                          .eps = spec->norm_eps,
                          .weight = weight,
                          .bias = bias};
    return STATUS_OK;
}

/* Weights of `heads` norms of head_size, a tensor each, stand as one row. */
enum status loader_pack_head_norms(struct loader *l, struct norm *norm, uint32_t stack,
                                   enum slot slot, uint32_t layer, uint32_t heads,
                                   struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const uint32_t size = spec->head_size;
    void *memory = NULL;
    if (loader_place(l, (size_t)heads * size * sizeof(float), false, &memory, err) != STATUS_OK)
        return STATUS_ERROR;
    PLAN(l, "norms %u %u:", heads, size);
    enum status status = STATUS_OK;
    for (l->expert = 0; status == STATUS_OK && l->expert < heads; l->expert++) {
        struct source source;
        status = loader_need_slot(l, stack, slot, layer, &source, err);
        if (status == STATUS_OK)
            status = loader_check_vector(source.weight, size, err);
        if (status != STATUS_OK)
            break;
        plan_source(l, &source);
        if (l->loading == LOADING_PACK)
            tensor_to_floats(source.weight, 0, size, (float *)memory + (size_t)l->expert * size);
    }
    l->expert = 0;
    *norm = (struct norm){
        .kind = spec->norm_kind, .size = size, .eps = spec->norm_eps, .weight = memory};
    return status;
}

struct converting {
    const struct tensor *tensor;
    float *to;
};

static void convert_lane(struct lane *lane, void *arg) {
    const struct converting *c = arg;
    size_t from, to;
    lane_range(lane, c->tensor->elements, 16, &from, &to);
    tensor_to_floats(c->tensor, from, to - from, c->to + from);
}

/* A table of floats [rows, hidden]; one that another stack has loaded already is shared. */
enum status loader_pack_table(struct loader *l, const float **table, uint32_t stack, enum slot slot,
                              uint32_t number, uint32_t rows, uint32_t cols, struct error *err) {
    struct source source;
    if (loader_need_slot(l, stack, slot, number, &source, err) != STATUS_OK ||
        loader_check_matrix(source.weight, rows, cols, err) != STATUS_OK)
        return STATUS_ERROR;
    if (slot == SLOT_EMBED_TOKENS)
        l->embeddings[stack] = source.weight;
    for (uint32_t i = 0; i < l->n_tables; i++)
        if (l->tables[i].tensor == source.weight) {
            *table = l->tables[i].data;
            return STATUS_OK;
        }
    void *memory = NULL;
    size_t bytes = 0;
    if (!size_mul(source.weight->elements, sizeof(float), &bytes))
        return ERR(err, MEMORY, "the weights are larger than the address space");
    if (loader_place(l, bytes, true, &memory, err) != STATUS_OK)
        return STATUS_ERROR;
    PLAN(l, "table:");
    loader_plan_tensor(l, source.weight);
    if (l->loading == LOADING_PACK) {
        struct converting converting = {source.weight, memory};
        team_run(l->model->team, convert_lane, &converting);
        forget(l, &source, 1);
        advance(l, source.weight->elements);
    }
    l->tables[l->n_tables++] = (struct table){source.weight, memory};
    *table = memory;
    return STATUS_OK;
}

enum status loader_add_row(struct loader *l, const float *table, uint32_t stack, enum slot slot,
                           uint32_t rows, uint32_t cols, struct error *err) {
    struct source source;
    if (loader_need_slot(l, stack, slot, 0, &source, err) != STATUS_OK)
        return STATUS_ERROR;
    const struct tensor *tensor = source.weight;
    const uint32_t stored = tensor->elements / cols < LIMIT_VOCAB_SIZE
                                ? (uint32_t)(tensor->elements / cols)
                                : LIMIT_VOCAB_SIZE;
    if (loader_check_matrix(tensor, stored > 0 ? stored : 1, cols, err) != STATUS_OK)
        return STATUS_ERROR;
    PLAN(l, "added:");
    loader_plan_tensor(l, tensor);
    if (l->loading != LOADING_PACK)
        return STATUS_OK;
    char *base = l->model->image.base;
    float *floats = (void *)(base + ((const char *)table - base));
    float *row = mem_alloc(cols * sizeof *row);
    tensor_to_floats(tensor, 0, cols, row);
    for (size_t i = 0; i < (size_t)rows * cols; i++)
        floats[i] += row[i % cols];
    mem_free(row);
    return STATUS_OK;
}
