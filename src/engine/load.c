/* A model from its description and its checkpoint: creation, destruction, and what callers may ask.
 * Finding and packing single tensors is weights.c's work. */
#include "engine/model.h"

enum status model_own(struct model *model, void **block, size_t bytes, struct error *err) {
    if (mem_try_alloc(block, bytes, err) != STATUS_OK)
        return STATUS_ERROR;
    model->owned =
        mem_grow(model->owned, &model->owned_cap, model->n_owned + 1, sizeof *model->owned);
    model->owned[model->n_owned++] = (struct owned){.data = *block, .bytes = bytes};
    return STATUS_OK;
}

static enum status load_parts(struct loader *loader, const struct arch *arch, struct error *err) {
    for (uint32_t i = 0; i < arch->n_stacks; i++)
        if (load_stack(loader, i, err) != STATUS_OK)
            return STATUS_ERROR;
    return load_head(loader, err);
}

static enum status load(struct model *model, const struct checkpoint *checkpoint,
                        const struct model_options *options, struct error *err) {
    struct loader *loader = NULL;
    enum status status = loader_create(&loader, model, checkpoint, options, err);
    if (status == STATUS_OK)
        status = load_parts(loader, &model->arch, err);
    loader_destroy(loader);
    for (size_t i = 0; i < model->n_owned; i++)
        model->weight_bytes += model->owned[i].bytes;
    model->team = options->team;
    return status == STATUS_OK ? step_create(model, err) : status;
}

enum status model_check(const struct arch *arch, const struct checkpoint *checkpoint,
                        struct error *err) {
    struct model *model = mem_zalloc(1, sizeof *model);
    struct loader *loader = NULL;
    model->arch = *arch;
    for (uint32_t i = 0; i < arch->n_stacks; i++)
        model->stacks[i].layers =
            mem_zalloc(arch->stacks[i].layers, sizeof *model->stacks[i].layers);
    enum status status = loader_create(&loader, model, checkpoint, NULL, err);
    if (status == STATUS_OK)
        status = load_parts(loader, arch, err);
    loader_destroy(loader);
    for (uint32_t i = 0; i < arch->n_stacks; i++)
        mem_free(model->stacks[i].layers);
    mem_free(model);
    return status;
}

enum status model_create(struct model **out, const struct arch *arch,
                         const struct checkpoint *checkpoint, const struct model_options *options,
                         struct error *err) {
    ASSERT(arch->n_stacks > 0 && arch->n_stacks <= ARCH_STACKS &&
           arch->head.n_steps <= ARCH_HEAD_STEPS);
    if (model_check(arch, checkpoint, err) != STATUS_OK) /* before anything large is made */
        return STATUS_ERROR;
    struct model *model = mem_zalloc(1, sizeof *model);
    model->arch = *arch;
    model->precision = options->precision;
    model->team = options->load_team ? options->load_team : options->team;
    model->device = options->device ? options->device : device_cpu();
    for (uint32_t i = 0; i < arch->n_stacks; i++) {
        struct stack *stack = &model->stacks[i];
        stack->spec = &model->arch.stacks[i];
        stack->layers = mem_zalloc(stack->spec->layers, sizeof *stack->layers);
        pool_init(&stack->pool, stack->spec, options->page_limit);
    }
    if (load(model, checkpoint, options, err) != STATUS_OK) {
        model_destroy(model);
        return STATUS_ERROR;
    }
    *out = model;
    return STATUS_OK;
}

/* All linears of a layer, for what is done to each. */
static void layer_linears(struct layer *layer, struct linear *linears[static 7]) {
    struct linear *all[] = {&layer->qkv,       &layer->attn_out, &layer->cross_q, &layer->cross_kv,
                            &layer->cross_out, &layer->ffn_up,   &layer->ffn_down};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        linears[i] = all[i];
}

static void stack_deinit(struct stack *stack) {
    for (uint32_t i = 0; i < stack->spec->layers; i++) {
        struct linear *linears[7];
        layer_linears(&stack->layers[i], linears);
        for (size_t j = 0; j < ARRAY_LEN(linears); j++)
            linear_destroy(linears[j]);
    }
    mem_free(stack->layers);
    pool_deinit(&stack->pool);
}

void model_destroy(struct model *model) {
    if (!model)
        return;
    for (uint32_t i = 0; i < model->arch.n_stacks; i++)
        stack_deinit(&model->stacks[i]);
    for (uint32_t i = 0; i < ARCH_HEAD_STEPS; i++)
        linear_destroy(&model->head.linear[i]);
    scratch_destroy(model->step.scratch);
    for (size_t i = 0; i < model->n_owned; i++)
        mem_free_large(model->owned[i].data, model->owned[i].bytes);
    mem_free(model->owned);
    mem_free(model);
}

const struct arch *model_arch(const struct model *model) {
    return &model->arch;
}

enum precision model_precision(const struct model *model) {
    return model->precision;
}

uint32_t model_max_rows(const struct model *model) {
    return model->step.max_rows;
}

static size_t stack_bytes(const struct stack *stack) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < stack->spec->layers; i++) {
        struct linear *linears[7];
        layer_linears(&stack->layers[i], linears);
        for (size_t j = 0; j < ARRAY_LEN(linears); j++)
            bytes += linears[j]->bytes;
    }
    return bytes;
}

static size_t head_bytes(const struct head *head) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < ARCH_HEAD_STEPS; i++)
        bytes += head->linear[i].bytes;
    return bytes;
}

size_t model_bytes(const struct model *model) {
    size_t bytes = model->weight_bytes + model->step.bytes + scratch_bytes(model->step.scratch) +
                   head_bytes(&model->head);
    for (uint32_t i = 0; i < model->arch.n_stacks; i++)
        bytes += stack_bytes(&model->stacks[i]) + model->stacks[i].pool.bytes;
    return bytes;
}

size_t model_weight_bytes_per_token(const struct model *model, uint32_t stack) {
    const bool has_head = model->arch.head.n_steps > 0 && model->arch.head.stack == stack;
    size_t bytes = stack_bytes(&model->stacks[stack]) + (has_head ? head_bytes(&model->head) : 0);
    for (uint32_t i = 0; i < model->stacks[stack].spec->layers; i++)
        bytes -= model->stacks[stack].layers[i].cross_kv.bytes; /* runs once a text */
    return bytes;
}
