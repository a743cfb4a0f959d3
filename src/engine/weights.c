/* From the checkpoint's mapped tensors to packed weights: names of slots, shapes, fusing, packing.
 *
 * One walk, always in the same order, hands every weight its place in the model's image. It is
 * walked to measure, which checks the checkpoint against the description and tells what the image
 * will be; then to pack, or to take what the packed cache has in those places.
 *
 * Every shape is checked before anything of that size is allocated. Lanes divide a linear's outputs
 * and pack them in pieces that fit their cache; tensors stored [in, out] are turned tile by tile.
 */
#include "engine/model.h"

#include <stdio.h>
#include <string.h>

#define PIECE_FLOATS  (256 * 1024) /* a lane's piece of a linear: 1 MiB */
#define PIECE_OUTPUTS 256          /* most outputs of a piece */
#define TILE          16           /* rows of a transposed tensor turned at once */
#define NAME_BYTES    256

enum loading { LOADING_MEASURE, LOADING_PACK, LOADING_TAKE };

struct table {
    const struct tensor *tensor;
    const float *data;
};

struct loader {
    struct model *model;
    const struct checkpoint *checkpoint;
    enum loading loading;
    void (*progress)(void *user, double share);
    void *user;
    struct buf *plan; /* what is packed from what, in words, for the cache's key; or NULL */
    float *buffer;    /* [lanes, buffer_floats], when packing */
    size_t buffer_floats;
    size_t done, total;                   /* elements */
    struct packed_sizes used;             /* of the image, so far */
    struct table tables[3 * ARCH_STACKS]; /* so far: stacks may share one */
    uint32_t n_tables;
    const struct tensor *embeddings[ARCH_STACKS]; /* EMBED_TOKENS of each stack, for tied heads */
};

/* A linear or a norm as the checkpoint holds it. */
struct source {
    const struct tensor *weight, *bias; /* bias may be NULL */
    uint32_t outputs;
    bool transposed; /* weight is [in, outputs] */
};

/* ---- names ---- */

/* The pattern with the layer's number in place of "%u". */
static void expand(char name[static NAME_BYTES], const char *pattern, uint32_t layer) {
    const char *mark = strstr(pattern, "%u");
    if (mark)
        snprintf(name, NAME_BYTES, "%.*s%u%s", (int)(mark - pattern), pattern, layer, mark + 2);
    else
        snprintf(name, NAME_BYTES, "%s", pattern);
}

/* With the arch's prefix, then without. */
static const struct tensor *find(const struct loader *l, const char *name, const char *suffix) {
    char full[2 * NAME_BYTES];
    const char *prefix = l->model->arch.prefix ? l->model->arch.prefix : "";
    snprintf(full, sizeof full, "%s%s%s", prefix, name, suffix);
    const struct tensor *tensor = checkpoint_find(l->checkpoint, full);
    return tensor ? tensor : checkpoint_find(l->checkpoint, full + strlen(prefix));
}

static const struct tensor *find_either(const struct loader *l, const char *name,
                                        const char *suffix, const char *old_suffix) {
    const struct tensor *tensor = find(l, name, suffix);
    return tensor ? tensor : find(l, name, old_suffix);
}

/* As torch.nn.DataParallel names them all. */
static bool are_wrapped(const struct checkpoint *checkpoint) {
    const size_t n = checkpoint_count(checkpoint);
    size_t i = 0;
    while (i < n && strncmp(checkpoint_at(checkpoint, i)->name, "module.", 7) == 0)
        i++;
    return n > 0 && i == n;
}

static enum status absent(const struct loader *l, const char *name, struct error *err) {
    if (are_wrapped(l->checkpoint))
        return ERR(err, MODEL,
                   "the weights' names all begin with \"module.\", as DataParallel saves them: "
                   "save model.module's state_dict()");
    return ERR(
        err, MODEL,
        "the weights lack the tensor \"%s%s.weight\" (also without \"%s\"), which config.json asks "
        "for: they belong to another model, or architectures names a class they were not saved "
        "from",
        l->model->arch.prefix ? l->model->arch.prefix : "", name,
        l->model->arch.prefix ? l->model->arch.prefix : "");
}

/* The first of the slot's names that the checkpoint has. */
static bool find_slot(const struct loader *l, uint32_t stack, enum slot slot, uint32_t layer,
                      struct source *out) {
    char name[NAME_BYTES];
    for (const struct slot_name *n = l->model->arch.stacks[stack].names; n->name; n++) {
        if (n->slot != slot)
            continue;
        expand(name, n->name, layer);
        const struct tensor *weight = find_either(l, name, ".weight", ".gamma");
        if (weight) {
            *out = (struct source){.weight = weight, .transposed = n->transposed != weight->turned};
            out->bias = find_either(l, name, ".bias", ".beta");
            return true;
        }
    }
    return false;
}

/* The slot's first name, for messages; false: the family has no such slot. */
static bool first_name(const struct loader *l, uint32_t stack, enum slot slot, uint32_t layer,
                       char name[static NAME_BYTES]) {
    for (const struct slot_name *n = l->model->arch.stacks[stack].names; n->name; n++)
        if (n->slot == slot) {
            expand(name, n->name, layer);
            return true;
        }
    return false;
}

static enum status need_slot(const struct loader *l, uint32_t stack, enum slot slot, uint32_t layer,
                             struct source *out, struct error *err) {
    if (find_slot(l, stack, slot, layer, out))
        return STATUS_OK;
    char name[NAME_BYTES] = "?";
    const bool named = first_name(l, stack, slot, layer, name);
    ASSERT(named);
    (void)named;
    return absent(l, name, err);
}

/* ---- shapes ---- */
static void print_shape(char *out, size_t size, const struct tensor *tensor) {
    size_t used = 0;
    for (uint32_t i = 0; i < tensor->n_dims && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%lld", i ? ", " : "",
                                 (long long)tensor->dims[i]);
}

static enum status check_matrix(const struct tensor *tensor, uint32_t rows, uint32_t cols,
                                struct error *err) {
    if (tensor->n_dims == 2 && tensor->dims[0] == rows && tensor->dims[1] == cols)
        return STATUS_OK;
    char shape[LIMIT_TENSOR_DIMS * 24] = "";
    print_shape(shape, sizeof shape, tensor);
    return ERR(err, MODEL, "the tensor \"%s\" has the shape [%s], config.json asks for [%u, %u]",
               tensor->name, shape, rows, cols);
}

/* One row; leading dimensions of 1 are fine. */
static enum status check_vector(const struct tensor *tensor, uint32_t size, struct error *err) {
    if (tensor->n_dims > 0 && tensor->elements == size && tensor->dims[tensor->n_dims - 1] == size)
        return STATUS_OK;
    char shape[LIMIT_TENSOR_DIMS * 24] = "";
    print_shape(shape, sizeof shape, tensor);
    return ERR(err, MODEL, "the tensor \"%s\" has the shape [%s], config.json asks for [%u]",
               tensor->name, shape, size);
}

static enum status check_source(const struct source *source, uint32_t in, struct error *err) {
    const uint32_t rows = source->transposed ? in : source->outputs;
    const uint32_t cols = source->transposed ? source->outputs : in;
    if (check_matrix(source->weight, rows, cols, err) != STATUS_OK)
        return STATUS_ERROR;
    return source->bias ? check_vector(source->bias, source->outputs, err) : STATUS_OK;
}

static void advance(struct loader *l, size_t elements) {
    l->done += elements;
    if (l->progress)
        l->progress(l->user, l->done < l->total ? (double)l->done / (double)l->total : 1.0);
}

/* ---- places in the image ---- */

/* The next `bytes` of one part of the image; NULL while measuring. */
static enum status place(struct loader *l, size_t bytes, bool looked_up, void **out,
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
static void plan_tensor(struct loader *l, const struct tensor *tensor) {
    if (!l->plan)
        return;
    buf_printf(l->plan, " %s %s %d %d %u", tensor->name, dtype_name(tensor->dtype),
               tensor->change != NULL, tensor->turned, tensor->paired_rows);
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        buf_printf(l->plan, " %lld", (long long)tensor->dims[i]);
}

static void plan_source(struct loader *l, const struct source *source) {
    plan_tensor(l, source->weight);
    if (l->plan)
        buf_printf(l->plan, " %u %d;", source->outputs, source->transposed);
    if (source->bias)
        plan_tensor(l, source->bias);
}

#define PLAN(l, ...) ((l)->plan ? (void)buf_printf((l)->plan, "\n" __VA_ARGS__) : (void)0)

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

/* Outputs [from, from + n) of all sources taken as one, as rows of `in` floats. */
static void read_outputs(const struct packing *p, uint32_t from, uint32_t n, float *rows) {
    const uint32_t in = p->linear->in;
    uint32_t start = 0;
    for (uint32_t i = 0; i < p->n_sources; i++) {
        const struct source *s = &p->sources[i];
        const uint32_t end = start + s->outputs;
        const uint32_t first = from > start ? from : start, stop = from + n < end ? from + n : end;
        if (first < stop) {
            float *to = rows + (size_t)(first - from) * in;
            if (s->transposed)
                read_transposed(s, in, first - start, stop - first, to);
            else
                tensor_to_floats(s->weight, (size_t)(first - start) * in,
                                 (size_t)(stop - first) * in, to);
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

/* An absent bias among present ones is zero. */
static void set_bias(struct linear *linear, const struct source *sources, uint32_t n_sources) {
    float *bias = mem_zalloc(linear->out, sizeof *bias);
    size_t at = 0;
    for (uint32_t i = 0; i < n_sources; i++) {
        if (sources[i].bias)
            tensor_to_floats(sources[i].bias, 0, sources[i].outputs, bias + at);
        at += sources[i].outputs;
    }
    linear_set_bias(linear, 0, linear->out, bias);
    mem_free(bias);
}

/* Sources fused along their outputs into one packed linear. */
static enum status pack(struct loader *l, struct linear *linear, enum precision precision,
                        uint32_t in, const struct source *sources, uint32_t n_sources,
                        struct error *err) {
    uint32_t out = 0;
    bool has_bias = false;
    for (uint32_t i = 0; i < n_sources; i++) {
        if (check_source(&sources[i], in, err) != STATUS_OK)
            return STATUS_ERROR;
        out += sources[i].outputs;
        has_bias |= sources[i].bias != NULL;
    }
    void *memory = NULL;
    if (linear_init(linear, precision, in, out, has_bias, err) != STATUS_OK ||
        place(l, linear->bytes, false, &memory, err) != STATUS_OK)
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

/* One linear of a layer from up to three slots; `fused` is tried first (SLOT_COUNT: there is none).
 */
struct recipe {
    enum slot fused, slots[3];
    uint32_t n, outputs[3];
};

static enum status load_linear(struct loader *l, struct linear *linear, uint32_t stack,
                               uint32_t layer, uint32_t in, const struct recipe *recipe,
                               struct error *err) {
    struct source sources[3];
    char name[NAME_BYTES];
    const bool fused = recipe->fused != SLOT_COUNT;
    if (fused && find_slot(l, stack, recipe->fused, layer, &sources[0])) {
        sources[0].outputs = recipe->outputs[0] + recipe->outputs[1] + recipe->outputs[2];
        return pack(l, linear, l->model->precision, in, sources, 1, err);
    }
    if (fused && !first_name(l, stack, recipe->slots[0], layer, name) &&
        first_name(l, stack, recipe->fused, layer, name))
        return absent(l, name, err); /* a family that has only the fused one */
    for (uint32_t i = 0; i < recipe->n; i++) {
        if (need_slot(l, stack, recipe->slots[i], layer, &sources[i], err) != STATUS_OK)
            return STATUS_ERROR;
        sources[i].outputs = recipe->outputs[i];
    }
    return pack(l, linear, l->model->precision, in, sources, recipe->n, err);
}

static enum status load_one(struct loader *l, struct linear *linear, uint32_t stack, uint32_t layer,
                            enum slot slot, uint32_t in, uint32_t out, struct error *err) {
    const struct recipe recipe = {.fused = SLOT_COUNT, .slots = {slot}, .n = 1, .outputs = {out}};
    return load_linear(l, linear, stack, layer, in, &recipe, err);
}

/* ---- norms and tables ---- */
static enum status read_norm(struct loader *l, struct norm *norm, const struct stack_spec *spec,
                             uint32_t size, const struct source *source, struct error *err) {
    if (check_vector(source->weight, size, err) != STATUS_OK ||
        (source->bias && check_vector(source->bias, size, err) != STATUS_OK))
        return STATUS_ERROR;
    void *memory = NULL;
    if (place(l, 2 * size * sizeof(float), false, &memory, err) != STATUS_OK)
        return STATUS_ERROR;
    PLAN(l, "norm %u %d:", size, source->bias != NULL);
    plan_source(l, source);
    if (l->loading == LOADING_MEASURE)
        return STATUS_OK;
    float *weight = memory, *bias = source->bias ? weight + size : NULL;
    if (l->loading == LOADING_PACK) {
        tensor_to_floats(source->weight, 0, size, weight);
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

static enum status load_norm(struct loader *l, struct norm *norm, uint32_t stack, enum slot slot,
                             uint32_t layer, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct source source;
    if (need_slot(l, stack, slot, layer, &source, err) != STATUS_OK)
        return STATUS_ERROR;
    return read_norm(l, norm, spec, spec->hidden_size, &source, err);
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
static enum status load_table(struct loader *l, const float **table, uint32_t stack, enum slot slot,
                              uint32_t rows, struct error *err) {
    struct source source;
    if (need_slot(l, stack, slot, 0, &source, err) != STATUS_OK ||
        check_matrix(source.weight, rows, l->model->arch.stacks[stack].hidden_size, err) !=
            STATUS_OK)
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
    if (place(l, bytes, true, &memory, err) != STATUS_OK)
        return STATUS_ERROR;
    PLAN(l, "table:");
    plan_tensor(l, source.weight);
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

/* ---- stacks and head ---- */
static enum status load_cross(struct loader *l, struct layer *to, uint32_t stack, uint32_t layer,
                              struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const uint32_t hidden = spec->hidden_size, attn = stack_attn_size(spec),
                   kv = stack_kv_size(spec);
    const struct recipe both = {
        .fused = SLOT_COUNT, .slots = {SLOT_CROSS_K, SLOT_CROSS_V}, .n = 2, .outputs = {kv, kv}};
    const uint32_t source_hidden = l->model->arch.stacks[spec->cross_from].hidden_size;
    if (load_norm(l, &to->cross_norm, stack, SLOT_CROSS_NORM, layer, err) != STATUS_OK ||
        load_one(l, &to->cross_q, stack, layer, SLOT_CROSS_Q, hidden, attn, err) != STATUS_OK ||
        load_linear(l, &to->cross_kv, stack, layer, source_hidden, &both, err) != STATUS_OK)
        return STATUS_ERROR;
    return load_one(l, &to->cross_out, stack, layer, SLOT_CROSS_OUT, attn, hidden, err);
}

static enum status load_ffn(struct loader *l, struct layer *to, uint32_t stack, uint32_t layer,
                            struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const uint32_t hidden = spec->hidden_size, inside = spec->intermediate_size;
    struct recipe up = {.fused = SLOT_COUNT, .slots = {SLOT_FFN_UP}, .n = 1, .outputs = {inside}};
    if (stack_has(spec, STACK_GATED))
        up = (struct recipe){.fused = SLOT_COUNT,
                             .slots = {SLOT_FFN_GATE, SLOT_FFN_UP},
                             .n = 2,
                             .outputs = {inside, inside}};
    if (load_norm(l, &to->ffn_norm, stack, SLOT_FFN_NORM, layer, err) != STATUS_OK ||
        load_linear(l, &to->ffn_up, stack, layer, hidden, &up, err) != STATUS_OK)
        return STATUS_ERROR;
    return load_one(l, &to->ffn_down, stack, layer, SLOT_FFN_DOWN, inside, hidden, err);
}

static enum status load_layer(struct loader *l, uint32_t stack, uint32_t layer, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct layer *to = &l->model->stacks[stack].layers[layer];
    const uint32_t hidden = spec->hidden_size, attn = stack_attn_size(spec),
                   kv = stack_kv_size(spec);
    const struct recipe qkv = {.fused = SLOT_ATTN_QKV,
                               .slots = {SLOT_ATTN_Q, SLOT_ATTN_K, SLOT_ATTN_V},
                               .n = 3,
                               .outputs = {attn, kv, kv}};
    if (load_norm(l, &to->attn_norm, stack, SLOT_ATTN_NORM, layer, err) != STATUS_OK ||
        load_linear(l, &to->qkv, stack, layer, hidden, &qkv, err) != STATUS_OK ||
        load_one(l, &to->attn_out, stack, layer, SLOT_ATTN_OUT, attn, hidden, err) != STATUS_OK ||
        (stack_has(spec, STACK_CROSS) && load_cross(l, to, stack, layer, err) != STATUS_OK))
        return STATUS_ERROR;
    return load_ffn(l, to, stack, layer, err);
}

static enum status load_embeddings(struct loader *l, uint32_t stack, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct stack *to = &l->model->stacks[stack];
    if (load_table(l, &to->tokens, stack, SLOT_EMBED_TOKENS, spec->vocab_size, err) != STATUS_OK)
        return STATUS_ERROR;
    if (spec->positions == POSITIONS_LEARNED &&
        load_table(l, &to->positions, stack, SLOT_EMBED_POSITIONS,
                   spec->max_positions + spec->position_offset, err) != STATUS_OK)
        return STATUS_ERROR;
    if (spec->token_types > 0 &&
        load_table(l, &to->types, stack, SLOT_EMBED_TYPES, spec->token_types, err) != STATUS_OK)
        return STATUS_ERROR;
    if (stack_has(spec, STACK_EMBED_NORM) &&
        load_norm(l, &to->embed_norm, stack, SLOT_EMBED_NORM, 0, err) != STATUS_OK)
        return STATUS_ERROR;
    return stack_has(spec, STACK_FINAL_NORM)
               ? load_norm(l, &to->final_norm, stack, SLOT_FINAL_NORM, 0, err)
               : STATUS_OK;
}

static enum status load_stack(struct loader *l, uint32_t stack, struct error *err) {
    enum status status = load_embeddings(l, stack, err);
    for (uint32_t i = 0; status == STATUS_OK && i < l->model->arch.stacks[stack].layers; i++)
        status = load_layer(l, stack, i, err);
    return status;
}

static enum status load_step(struct loader *l, uint32_t i, uint32_t in, struct error *err) {
    const struct head_spec *head = &l->model->arch.head;
    const struct head_step *step = &head->steps[i];
    struct source source = {.outputs = step->outputs, .transposed = step->transposed};
    if (step->tied) {
        source.weight = l->embeddings[head->stack];
        source.transposed = false;
    } else {
        source.weight = find(l, step->linear, ".weight");
    }
    if (!source.weight)
        return absent(l, step->linear, err);
    if (step->bias)
        source.bias = find(l, step->bias, "");
    if (!source.bias && step->linear)
        source.bias = find(l, step->linear, ".bias");
    const enum precision precision =
        head_step_is_fp32(head, i) ? PRECISION_FP32 : l->model->precision;
    if (pack(l, &l->model->head.linear[i], precision, in, &source, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!step->norm)
        return STATUS_OK;
    const struct source norm = {.weight = find_either(l, step->norm, ".weight", ".gamma"),
                                .bias = find_either(l, step->norm, ".bias", ".beta")};
    if (!norm.weight)
        return absent(l, step->norm, err);
    return read_norm(l, &l->model->head.norm[i], &l->model->arch.stacks[head->stack], step->outputs,
                     &norm, err);
}

static enum status load_head(struct loader *l, struct error *err) {
    const struct head_spec *head = &l->model->arch.head;
    uint32_t in = l->model->arch.stacks[head->stack].hidden_size;
    for (uint32_t i = 0; i < head->n_steps; i++) {
        if (load_step(l, i, in, err) != STATUS_OK)
            return STATUS_ERROR;
        in = head->steps[i].outputs;
    }
    return STATUS_OK;
}

/* ---- the loader ---- */
static enum status walk(struct loader *l, struct error *err) {
    for (uint32_t i = 0; i < l->model->arch.n_stacks; i++)
        if (load_stack(l, i, err) != STATUS_OK)
            return STATUS_ERROR;
    return load_head(l, err);
}

enum status weights_measure(struct model *model, const struct checkpoint *checkpoint,
                            struct buf *plan, struct error *err) {
    struct loader l = {
        .model = model, .checkpoint = checkpoint, .loading = LOADING_MEASURE, .plan = plan};
    if (walk(&l, err) != STATUS_OK)
        return STATUS_ERROR;
    model->sizes = l.used;
    return STATUS_OK;
}

void weights_take(struct model *model, const struct checkpoint *checkpoint) {
    struct loader l = {.model = model, .checkpoint = checkpoint, .loading = LOADING_TAKE};
    struct error err;
    const enum status status = walk(&l, &err);
    ASSERT(status == STATUS_OK && l.used.streamed == model->sizes.streamed &&
           l.used.looked_up == model->sizes.looked_up); /* measured */
    (void)status;
}

enum status weights_pack(struct model *model, const struct checkpoint *checkpoint,
                         const struct model_options *options, struct error *err) {
    const size_t smallest = (size_t)16 * arch_max_in(&model->arch);
    struct loader l = {.model = model,
                       .checkpoint = checkpoint,
                       .loading = LOADING_PACK,
                       .progress = options->progress,
                       .user = options->user,
                       .buffer_floats = smallest > PIECE_FLOATS ? smallest : PIECE_FLOATS,
                       .total = head_elements(&model->arch)};
    for (uint32_t i = 0; i < model->arch.n_stacks; i++) {
        size_t tables;
        l.total += stack_elements(&model->arch, i, &tables);
        l.total += tables;
    }
    const size_t bytes = team_threads(model->team) * l.buffer_floats * sizeof(float);
    void *buffer = NULL;
    if (mem_try_alloc(&buffer, bytes, err) != STATUS_OK)
        return STATUS_ERROR;
    l.buffer = buffer;
    checkpoint_prepare(checkpoint, model->team);
    const enum status status = walk(&l, err);
    mem_free_large(buffer, bytes);
    return status;
}
