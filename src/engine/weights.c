/* From the checkpoint's mapped tensors to packed weights: the walk over all that a description has.
 *
 * One walk, always in the same order, hands every weight its place in the model's image. It is
 * walked to measure, which checks the checkpoint against the description and tells what the image
 * will be; then to pack, or to take what the packed cache has in those places. Finding tensors is
 * find.c's work, packing them pack.c's. */
#include "engine/loader.h"

#define PIECE_FLOATS (256 * 1024) /* a lane's piece of a linear: 1 MiB */

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
    char name[LOADER_NAME_BYTES];
    const bool fused = recipe->fused != SLOT_COUNT;
    if (fused && loader_find_slot(l, stack, recipe->fused, layer, &sources[0])) {
        sources[0].outputs = recipe->outputs[0] + recipe->outputs[1] + recipe->outputs[2];
        return loader_pack(l, linear, l->model->precision, in, sources, 1, err);
    }
    if (fused && !loader_first_name(l, stack, recipe->slots[0], layer, name) &&
        loader_first_name(l, stack, recipe->fused, layer, name))
        return loader_absent(l, name, err); /* a family that has only the fused one */
    for (uint32_t i = 0; i < recipe->n; i++) {
        if (loader_need_slot(l, stack, recipe->slots[i], layer, &sources[i], err) != STATUS_OK)
            return STATUS_ERROR;
        sources[i].outputs = recipe->outputs[i];
    }
    return loader_pack(l, linear, l->model->precision, in, sources, recipe->n, err);
}

static enum status load_one(struct loader *l, struct linear *linear, uint32_t stack, uint32_t layer,
                            enum slot slot, uint32_t in, uint32_t out, struct error *err) {
    const struct recipe recipe = {.fused = SLOT_COUNT, .slots = {slot}, .n = 1, .outputs = {out}};
    return load_linear(l, linear, stack, layer, in, &recipe, err);
}

static enum status load_norm(struct loader *l, struct norm *norm, uint32_t stack, enum slot slot,
                             uint32_t layer, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct source source;
    if (loader_need_slot(l, stack, slot, layer, &source, err) != STATUS_OK)
        return STATUS_ERROR;
    return loader_pack_norm(l, norm, spec, spec->hidden_size, &source, err);
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
    if (loader_pack_table(l, &to->tokens, stack, SLOT_EMBED_TOKENS, spec->vocab_size, err) !=
        STATUS_OK)
        return STATUS_ERROR;
    if (spec->positions == POSITIONS_LEARNED &&
        loader_pack_table(l, &to->positions, stack, SLOT_EMBED_POSITIONS,
                          spec->max_positions + spec->position_offset, err) != STATUS_OK)
        return STATUS_ERROR;
    if (spec->token_types > 0 && loader_pack_table(l, &to->types, stack, SLOT_EMBED_TYPES,
                                                   spec->token_types, err) != STATUS_OK)
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
        source.weight = loader_find(l, step->linear, ".weight");
    }
    if (!source.weight)
        return loader_absent(l, step->linear, err);
    if (step->bias)
        source.bias = loader_find(l, step->bias, "");
    if (!source.bias && step->linear)
        source.bias = loader_find(l, step->linear, ".bias");
    const enum precision precision =
        head_step_is_fp32(head, i) ? PRECISION_FP32 : l->model->precision;
    if (loader_pack(l, &l->model->head.linear[i], precision, in, &source, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!step->norm)
        return STATUS_OK;
    const struct source norm = {.weight = loader_find_either(l, step->norm, ".weight", ".gamma"),
                                .bias = loader_find_either(l, step->norm, ".bias", ".beta")};
    if (!norm.weight)
        return loader_absent(l, step->norm, err);
    return loader_pack_norm(l, &l->model->head.norm[i], &l->model->arch.stacks[head->stack],
                            step->outputs, &norm, err);
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
