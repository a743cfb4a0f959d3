/* A model from its description and its checkpoint: creation, destruction, and what callers may ask.
 * Its weights are one image, packed here or found in the packed cache; what stands where in it is
 * weights.c's work. */
#include "engine/model.h"

static struct model *model_make(const struct arch *arch, size_t page_limit) {
    ASSERT(arch->n_stacks > 0 && arch->n_stacks <= ARCH_STACKS &&
           arch->head.n_steps <= ARCH_HEAD_STEPS && arch->second.n_steps <= ARCH_HEAD_STEPS);
    struct model *model = mem_zalloc(1, sizeof *model);
    model->arch = *arch;
    for (uint32_t i = 0; i < arch->n_stacks; i++) {
        struct stack *stack = &model->stacks[i];
        stack->spec = &model->arch.stacks[i];
        stack->layers = mem_zalloc(stack->spec->layers, sizeof *stack->layers);
        if (stack->spec->routing.experts > 0)
            stack->experts = mem_zalloc((size_t)stack->spec->layers * stack->spec->routing.experts,
                                        sizeof *stack->experts);
        if (stack->spec->hook.table)
            stack->hook_layers =
                mem_zalloc(stack->spec->layers, stack->spec->hook.table->layer_bytes);
        pool_init(&stack->pool, stack->spec, page_limit);
    }
    return model;
}

enum status model_check(const struct arch *arch, const struct checkpoint *checkpoint,
                        struct error *err) {
    struct model *model = model_make(arch, 0);
    const enum status status = weights_measure(model, checkpoint, NULL, err);
    model_destroy(model);
    return status;
}

/* What the image is made of: the plan, and the contents of the files. */
static void make_key(struct model *model, const struct checkpoint *checkpoint,
                     const struct buf *plan) {
    struct packed_digest parts[2];
    packed_digest(&parts[0], plan->data, plan->len);
    checkpoint_content(checkpoint, model->cache, model->team, &parts[1]);
    packed_digest(&model->key, parts, sizeof parts);
}

static enum status pack_image(struct model *model, const struct checkpoint *checkpoint,
                              const struct model_options *options, struct error *err) {
    const struct packed_sizes *sizes = &model->sizes;
    const size_t bytes = packed_region_bytes(sizes);
    if (bytes == 0)
        return ERR(err, MEMORY, "the weights are larger than the address space");
    if (region_reserve(&model->image, bytes, err) != STATUS_OK ||
        region_memory(&model->image, 0, sizes->streamed, err) != STATUS_OK ||
        region_memory(&model->image, packed_tables_at(sizes), sizes->looked_up, err) != STATUS_OK)
        return STATUS_ERROR;
    return weights_pack(model, checkpoint, options, err);
}

static enum status load(struct model *model, const struct checkpoint *checkpoint,
                        const struct model_options *options, struct error *err) {
    struct buf plan;
    buf_init(&plan, LIMIT_JSON_FILE);
    model->cache = options->cache;
    if (model->cache)
        buf_puts(&plan, model->device->name);
    enum status status = weights_measure(model, checkpoint, model->cache ? &plan : NULL, err);
    if (plan.overflow)
        model->cache = NULL;
    if (status == STATUS_OK && model->cache) {
        make_key(model, checkpoint, &plan);
        model->mapped = packed_open(model->cache, &model->key, &model->sizes, model->team,
                                    &model->image) == STATUS_OK;
    }
    buf_deinit(&plan);
    if (status == STATUS_OK && model->mapped)
        weights_take(model, checkpoint);
    else if (status == STATUS_OK)
        status = pack_image(model, checkpoint, options, err);
    model->team = options->team;
    return status == STATUS_OK ? step_create(model, err) : status;
}

enum status model_create(struct model **out, const struct arch *arch,
                         const struct checkpoint *checkpoint, const struct model_options *options,
                         struct error *err) {
    struct model *model = model_make(arch, options->page_limit);
    model->precision = options->precision;
    model->team = options->load_team ? options->load_team : options->team;
    model->device = options->device ? options->device : device_cpu();
    if (load(model, checkpoint, options, err) != STATUS_OK) {
        model_destroy(model);
        return STATUS_ERROR;
    }
    *out = model;
    return STATUS_OK;
}

bool model_is_from_cache(const struct model *model) {
    return model->mapped;
}

void model_settle(struct model *model, const atomic_bool *stop) {
    if (model->mapped)
        region_collapse(&model->image, 0, model->sizes.streamed, stop);
    else if (model->cache)
        packed_store(model->cache, &model->key, &model->sizes, &model->image, stop);
}

void model_destroy(struct model *model) {
    if (!model)
        return;
    for (uint32_t i = 0; i < model->arch.n_stacks; i++) {
        mem_free(model->stacks[i].layers);
        mem_free(model->stacks[i].hook_layers);
        mem_free(model->stacks[i].experts);
        pool_deinit(&model->stacks[i].pool);
    }
    step_destroy(&model->step);
    region_release(&model->image);
    mem_free(model);
}

const struct arch *model_arch(const struct model *model) {
    return &model->arch;
}

enum precision model_precision(const struct model *model) {
    return model->precision;
}

uint32_t model_max_rows(const struct model *model) {
    return model->step.max_tokens;
}

static size_t expert_bytes(const struct expert *expert) {
    return expert->up.bytes + expert->down.bytes;
}

/* What one token reads; experts are of one size. */
static size_t ffn_bytes(const struct stack_spec *spec, const struct layer *layer) {
    if (!layer->experts)
        return layer->ffn_up.bytes + layer->ffn_down.bytes;
    return layer->router.bytes + spec->routing.per_token * expert_bytes(&layer->experts[0]) +
           expert_bytes(&layer->shared) + layer->shared_score.bytes;
}

static size_t layer_bytes(const struct layer *layer) {
    return layer->qkv.bytes + layer->attn_out.bytes + layer->cross_q.bytes + layer->cross_kv.bytes +
           layer->cross_out.bytes;
}

static size_t stack_bytes(const struct stack *stack) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < stack->spec->layers; i++)
        bytes += layer_bytes(&stack->layers[i]) + ffn_bytes(stack->spec, &stack->layers[i]);
    return bytes;
}

static size_t head_bytes(const struct head *head) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < ARCH_HEAD_STEPS; i++)
        bytes += head->linear[i].bytes;
    return bytes;
}

size_t model_bytes(const struct model *model) {
    size_t bytes = model->sizes.streamed + model->sizes.looked_up + model->step.bytes;
    if (model->step.scratch)
        bytes += scratch_bytes(model->step.scratch);
    for (uint32_t i = 0; i < model->arch.n_stacks; i++)
        bytes += model->stacks[i].pool.bytes;
    return bytes;
}

size_t model_page_bytes(const struct model *model, uint32_t stack) {
    return model->stacks[stack].pool.bytes;
}

size_t model_page_limit(const struct model *model, uint32_t stack) {
    return model->stacks[stack].pool.limit;
}

size_t model_weight_bytes_per_token(const struct model *model, uint32_t stack) {
    const bool has_head = model->arch.head.n_steps > 0 && model->arch.decoder_stack == stack;
    size_t bytes = stack_bytes(&model->stacks[stack]);
    if (has_head)
        bytes += head_bytes(&model->head) + head_bytes(&model->second);
    for (uint32_t i = 0; i < model->stacks[stack].spec->layers; i++)
        bytes -= model->stacks[stack].layers[i].cross_kv.bytes; /* runs once a text */
    return bytes;
}
