/* From the checkpoint's mapped tensors to packed weights: the walk over all that a description has.
 *
 * One walk, always in the same order, hands every weight its place in the model's image. It is
 * walked to measure, which checks the checkpoint against the description and tells what the image
 * will be; then to pack, or to take what the packed cache has in those places. Finding tensors is
 * find.c's work, packing them pack.c's. */
#include "engine/loader.h"

#include <stdio.h>
#include <string.h>

#define PIECE_FLOATS (256 * 1024) /* a lane's piece of a linear: 1 MiB */

/* One linear of a layer from up to three slots; `fused` is tried first (SLOT_COUNT: there is none).
 */
struct recipe {
    enum slot fused, slots[3];
    uint32_t n, outputs[3];
    float scale; /* of weights and biases; 0: 1 */
};

static enum status load_linear(struct loader *l, struct linear *linear, uint32_t stack,
                               uint32_t layer, uint32_t in, const struct recipe *recipe,
                               struct error *err) {
    struct source sources[3];
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const enum precision precision = stack_precision(spec, l->model->precision);
    char name[LOADER_NAME_BYTES];
    const bool fused = recipe->fused != SLOT_COUNT;
    if (fused && loader_find_slot(l, stack, recipe->fused, layer, &sources[0])) {
        sources[0].outputs = recipe->outputs[0] + recipe->outputs[1] + recipe->outputs[2];
        if (recipe->fused == SLOT_ATTN_QKV && spec->qkv_layout != QKV_PLAIN)
            sources[0].grouped = spec;
        if (recipe->fused == SLOT_FFN_GATE_UP && stack_has(spec, STACK_UP_FIRST))
            sources[0].turned = recipe->outputs[1];
        return loader_pack(l, linear, precision, in, sources, 1, err);
    }
    if (fused && !loader_first_name(l, stack, recipe->slots[0], layer, name) &&
        loader_first_name(l, stack, recipe->fused, layer, name))
        return loader_absent(l, name, err); /* a family that has only the fused one */
    for (uint32_t i = 0; i < recipe->n; i++) {
        if (loader_need_slot(l, stack, recipe->slots[i], layer, &sources[i], err) != STATUS_OK)
            return STATUS_ERROR;
        sources[i].outputs = recipe->outputs[i];
        sources[i].scale = recipe->scale;
    }
    return loader_pack(l, linear, precision, in, sources, recipe->n, err);
}

static enum status load_one(struct loader *l, struct linear *linear, uint32_t stack, uint32_t layer,
                            enum slot slot, uint32_t in, uint32_t out, struct error *err) {
    const struct recipe recipe = {.fused = SLOT_COUNT, .slots = {slot}, .n = 1, .outputs = {out}};
    return load_linear(l, linear, stack, layer, in, &recipe, err);
}

/* Linears that add to the stream, in the description's scale. */
static enum status load_branch(struct loader *l, struct linear *linear, uint32_t stack,
                               uint32_t layer, enum slot slot, uint32_t in, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const struct recipe recipe = {.fused = SLOT_COUNT,
                                  .slots = {slot},
                                  .n = 1,
                                  .outputs = {spec->hidden_size},
                                  .scale = spec->branch_scale};
    return load_linear(l, linear, stack, layer, in, &recipe, err);
}

/* A family without names for the slot has norms without weights. */
static enum status load_norm(struct loader *l, struct norm *norm, uint32_t stack, enum slot slot,
                             uint32_t layer, uint32_t size, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct source source;
    char name[LOADER_NAME_BYTES];
    if (!loader_first_name(l, stack, slot, layer, name)) {
        *norm = (struct norm){.kind = spec->norm_kind, .size = size, .eps = spec->norm_eps};
        return STATUS_OK;
    }
    if (loader_need_slot(l, stack, slot, layer, &source, err) != STATUS_OK)
        return STATUS_ERROR;
    return loader_pack_norm(l, norm, spec, size, &source, err);
}

/* ---- stacks and head ---- */
static bool has_in_norm(const struct stack_spec *spec) {
    return spec->norm_place != NORM_OUTPUT;
}

static bool has_out_norm(const struct stack_spec *spec) {
    return spec->norm_place == NORM_OUTPUT || spec->norm_place == NORM_SANDWICH;
}

/* The norms of one block: before it (or behind the sum), and of what it gives. */
static enum status load_block_norms(struct loader *l, uint32_t stack, uint32_t layer,
                                    struct norm *norm, enum slot slot, struct norm *out,
                                    enum slot out_slot, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const uint32_t hidden = spec->hidden_size;
    const bool bare = slot == SLOT_ATTN_NORM && spec->layer_kinds[layer] & LAYER_NO_ATTN_NORM;
    if (has_in_norm(spec) && !bare &&
        load_norm(l, norm, stack, slot, layer, hidden, err) != STATUS_OK)
        return STATUS_ERROR;
    return has_out_norm(spec) ? load_norm(l, out, stack, out_slot, layer, hidden, err) : STATUS_OK;
}

static enum status load_cross(struct loader *l, struct layer *to, uint32_t stack, uint32_t layer,
                              struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const uint32_t hidden = spec->hidden_size, attn = stack_attn_size(spec),
                   kv = stack_kv_size(spec);
    const struct recipe both = {
        .fused = SLOT_COUNT, .slots = {SLOT_CROSS_K, SLOT_CROSS_V}, .n = 2, .outputs = {kv, kv}};
    const uint32_t source_hidden = l->model->arch.stacks[spec->cross_from].hidden_size;
    if (load_norm(l, &to->cross_norm, stack, SLOT_CROSS_NORM, layer, hidden, err) != STATUS_OK ||
        load_one(l, &to->cross_q, stack, layer, SLOT_CROSS_Q, hidden, attn, err) != STATUS_OK ||
        load_linear(l, &to->cross_kv, stack, layer, source_hidden, &both, err) != STATUS_OK)
        return STATUS_ERROR;
    return load_branch(l, &to->cross_out, stack, layer, SLOT_CROSS_OUT, attn, err);
}

/* Where the two linears of a feed-forward stand, and the size between them. */
struct inside {
    enum slot gate_up, gate, up, down; /* gate_up SLOT_COUNT: there is none */
    uint32_t size;
};

static enum status load_inside(struct loader *l, struct linear *up, struct linear *down,
                               uint32_t stack, uint32_t layer, const struct inside *inside,
                               struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct recipe recipe = {
        .fused = SLOT_COUNT, .slots = {inside->up}, .n = 1, .outputs = {inside->size}};
    if (stack_has(spec, STACK_GATED))
        recipe = (struct recipe){.fused = inside->gate_up,
                                 .slots = {inside->gate, inside->up},
                                 .n = 2,
                                 .outputs = {inside->size, inside->size}};
    if (load_linear(l, up, stack, layer, spec->hidden_size, &recipe, err) != STATUS_OK)
        return STATUS_ERROR;
    return load_branch(l, down, stack, layer, inside->down, inside->size, err);
}

/* The router and the shared expert's score decide much and cost nothing: they stay exact. */
static enum status load_exact(struct loader *l, struct linear *linear, uint32_t stack,
                              uint32_t layer, enum slot slot, uint32_t out, struct error *err) {
    const uint32_t hidden = l->model->arch.stacks[stack].hidden_size;
    struct source source;
    if (loader_need_slot(l, stack, slot, layer, &source, err) != STATUS_OK)
        return STATUS_ERROR;
    source.outputs = out;
    return loader_pack(l, linear, PRECISION_FP32, hidden, &source, 1, err);
}

static enum status load_shared(struct loader *l, struct layer *to, uint32_t stack, uint32_t layer,
                               struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const struct inside inside = {SLOT_COUNT, SLOT_SHARED_GATE, SLOT_SHARED_UP, SLOT_SHARED_DOWN,
                                  spec->shared_size};
    char name[LOADER_NAME_BYTES];
    if (load_inside(l, &to->shared.up, &to->shared.down, stack, layer, &inside, err) != STATUS_OK)
        return STATUS_ERROR;
    return loader_first_name(l, stack, SLOT_SHARED_SCORE, layer, name)
               ? load_exact(l, &to->shared_score, stack, layer, SLOT_SHARED_SCORE, 1, err)
               : STATUS_OK;
}

static enum status load_experts(struct loader *l, struct layer *to, uint32_t stack, uint32_t layer,
                                struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const struct inside inside = {SLOT_COUNT, SLOT_EXPERT_GATE, SLOT_EXPERT_UP, SLOT_EXPERT_DOWN,
                                  spec->expert_size};
    const uint32_t n = spec->routing.experts;
    to->experts = l->model->stacks[stack].experts + (size_t)layer * n;
    if (load_exact(l, &to->router, stack, layer, SLOT_ROUTER, n, err) != STATUS_OK)
        return STATUS_ERROR;
    for (l->expert = 0; l->expert < n; l->expert++) {
        struct expert *expert = &to->experts[l->expert];
        if (load_inside(l, &expert->up, &expert->down, stack, layer, &inside, err) != STATUS_OK)
            return STATUS_ERROR;
    }
    return spec->shared_size > 0 ? load_shared(l, to, stack, layer, err) : STATUS_OK;
}

static enum status load_ffn(struct loader *l, struct layer *to, uint32_t stack, uint32_t layer,
                            struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const struct inside inside = {SLOT_FFN_GATE_UP, SLOT_FFN_GATE, SLOT_FFN_UP, SLOT_FFN_DOWN,
                                  spec->intermediate_size};
    if (spec->norm_place != NORM_PARALLEL &&
        load_block_norms(l, stack, layer, &to->ffn_norm, SLOT_FFN_NORM, &to->ffn_out_norm,
                         SLOT_FFN_OUT_NORM, err) != STATUS_OK)
        return STATUS_ERROR;
    if (stack_has_experts(spec, layer))
        return load_experts(l, to, stack, layer, err);
    return load_inside(l, &to->ffn_up, &to->ffn_down, stack, layer, &inside, err);
}

/* Weights of each head: all in one tensor, or a tensor each. */
static enum status load_head_norms(struct loader *l, struct norm *norm, uint32_t stack,
                                   enum slot slot, uint32_t layer, uint32_t heads,
                                   struct error *err) {
    const uint32_t size = l->model->arch.stacks[stack].head_size;
    const struct slot_name *name = l->model->arch.stacks[stack].names;
    while (name->name && name->slot != slot)
        name++;
    const char *mark = name->name ? strstr(name->name, "%u") : NULL;
    if (mark && strstr(mark + 1, "%u"))
        return loader_pack_head_norms(l, norm, stack, slot, layer, heads, err);
    if (load_norm(l, norm, stack, slot, layer, heads * size, err) != STATUS_OK)
        return STATUS_ERROR;
    norm->size = size;
    return STATUS_OK;
}

static enum status load_qk_norms(struct loader *l, struct layer *to, uint32_t stack, uint32_t layer,
                                 struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const bool shared = spec->qk_norm == QK_NORM_HEAD;
    const uint32_t q = shared ? spec->head_size : stack_attn_size(spec),
                   k = shared ? spec->head_size : stack_kv_size(spec);
    if (spec->qk_norm == QK_NORM_NONE)
        return STATUS_OK;
    if (spec->qk_norm == QK_NORM_HEADS) {
        if (load_head_norms(l, &to->q_norm, stack, SLOT_ATTN_Q_NORM, layer, spec->heads, err) !=
            STATUS_OK)
            return STATUS_ERROR;
        return load_head_norms(l, &to->k_norm, stack, SLOT_ATTN_K_NORM, layer, spec->kv_heads, err);
    }
    if (load_norm(l, &to->q_norm, stack, SLOT_ATTN_Q_NORM, layer, q, err) != STATUS_OK)
        return STATUS_ERROR;
    return load_norm(l, &to->k_norm, stack, SLOT_ATTN_K_NORM, layer, k, err);
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
    if (load_block_norms(l, stack, layer, &to->attn_norm, SLOT_ATTN_NORM, &to->attn_out_norm,
                         SLOT_ATTN_OUT_NORM, err) != STATUS_OK ||
        load_linear(l, &to->qkv, stack, layer, hidden, &qkv, err) != STATUS_OK ||
        load_qk_norms(l, to, stack, layer, err) != STATUS_OK ||
        load_branch(l, &to->attn_out, stack, layer, SLOT_ATTN_OUT, stack_attn_out(spec), err) !=
            STATUS_OK ||
        (stack_has(spec, STACK_CROSS) && load_cross(l, to, stack, layer, err) != STATUS_OK))
        return STATUS_ERROR;
    return load_ffn(l, to, stack, layer, err);
}

/* The table or bias of the stack's kind of positions. */
static enum status load_positions(struct loader *l, uint32_t stack, uint32_t width,
                                  struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct stack *to = &l->model->stacks[stack];
    struct source saved; /* sines that a checkpoint keeps all the same */
    switch (spec->positions) {
    case POSITIONS_LEARNED:
        if (spec->buckets > 0 && loader_pack_bias(l, &to->position_bias, stack, err) != STATUS_OK)
            return STATUS_ERROR;
        return loader_pack_table(l, &to->positions, stack, SLOT_EMBED_POSITIONS, 0,
                                 stack_position_rows(spec), width, err);
    case POSITIONS_SINUSOIDAL:
    case POSITIONS_FAIRSEQ:
        if (loader_find_slot(l, stack, SLOT_EMBED_POSITIONS, 0, &saved))
            return loader_pack_table(l, &to->positions, stack, SLOT_EMBED_POSITIONS, 0,
                                     spec->max_positions + spec->position_offset, width, err);
        return loader_pack_sines(l, &to->positions, stack, err);
    case POSITIONS_ALIBI:
    case POSITIONS_BUCKETS:
        return loader_pack_bias(l, &to->position_bias, stack, err);
    case POSITIONS_NONE:
    case POSITIONS_ROTARY:
        break;
    }
    return STATUS_OK;
}

/* A family without names for the table has types that only its hook looks at. */
static enum status load_types(struct loader *l, uint32_t stack, uint32_t width, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct stack *to = &l->model->stacks[stack];
    char name[LOADER_NAME_BYTES];
    if (!loader_first_name(l, stack, SLOT_EMBED_TYPES, 0, name))
        return STATUS_OK;
    for (uint32_t i = 0; i < stack_type_tables(spec); i++)
        if (loader_pack_table(l, &to->types[i], stack, SLOT_EMBED_TYPES, i, stack_types(spec, i),
                              width, err) != STATUS_OK)
            return STATUS_ERROR;
    if (!loader_first_name(l, stack, SLOT_EMBED_SHARED, 0, name))
        return STATUS_OK;
    return loader_add_row(l, to->types[0], stack, SLOT_EMBED_SHARED, spec->token_types, width, err);
}

static enum status load_embeddings(struct loader *l, uint32_t stack, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct stack *to = &l->model->stacks[stack];
    const uint32_t hidden = spec->hidden_size, size = stack_embed_size(spec);
    const uint32_t width = stack_has(spec, STACK_PROJECT_TOKENS) ? hidden : size;
    if (loader_pack_table(l, &to->tokens, stack, SLOT_EMBED_TOKENS, 0, spec->vocab_size, size,
                          err) != STATUS_OK ||
        load_positions(l, stack, width, err) != STATUS_OK)
        return STATUS_ERROR;
    if (spec->token_types > 0 && load_types(l, stack, width, err) != STATUS_OK)
        return STATUS_ERROR;
    if (stack_has(spec, STACK_EMBED_NORM) &&
        load_norm(l, &to->embed_norm, stack, SLOT_EMBED_NORM, 0, width, err) != STATUS_OK)
        return STATUS_ERROR;
    if (spec->embed_size > 0 && load_one(l, &to->embed_project, stack, 0, SLOT_EMBED_PROJECT,
                                         stack_project_in(spec), hidden, err) != STATUS_OK)
        return STATUS_ERROR;
    if (stack_has(spec, STACK_PROJECT_OUT) &&
        load_one(l, &to->out_project, stack, 0, SLOT_OUT_PROJECT, hidden, size, err) != STATUS_OK)
        return STATUS_ERROR;
    return stack_has(spec, STACK_FINAL_NORM)
               ? load_norm(l, &to->final_norm, stack, SLOT_FINAL_NORM, 0, hidden, err)
               : STATUS_OK;
}

/* What the stack's own attention keeps of a layer. */
static enum status load_hook(struct loader *l, uint32_t stack, uint32_t layer, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    const struct hook_table *hook = spec->hook.table;
    const struct hook_loader loader = {l, spec, stack, layer};
    return hook ? hook->load(&loader, stack_hook_layer(&l->model->stacks[stack], layer), err)
                : STATUS_OK;
}

/* Layers that share weights are loaded once. */
static enum status load_stack(struct loader *l, uint32_t stack, struct error *err) {
    const struct stack_spec *spec = &l->model->arch.stacks[stack];
    struct layer *layers = l->model->stacks[stack].layers;
    const uint32_t groups = stack_groups(spec);
    if (load_embeddings(l, stack, err) != STATUS_OK)
        return STATUS_ERROR;
    for (uint32_t i = 0; i < groups; i++)
        if ((!stack_has_own_layers(spec) && load_layer(l, stack, i, err) != STATUS_OK) ||
            load_hook(l, stack, i, err) != STATUS_OK)
            return STATUS_ERROR;
    for (uint32_t i = spec->layers; groups < spec->layers && i-- > 0;)
        layers[i] = layers[i / (spec->layers / groups)];
    return STATUS_OK;
}

/* The tensor of the next name of a list, whose place moves on; NULL: no such tensor. */
static const struct tensor *find_listed(const struct loader *l, const char **list) {
    char name[LOADER_NAME_BYTES];
    const size_t len = strcspn(*list, " ");
    snprintf(name, sizeof name, "%.*s", (int)len, *list);
    *list += len + ((*list)[len] == ' ');
    return loader_find(l, name, "");
}

/* A step whose outputs are tensors of their own. */
static enum status load_listed(struct loader *l, const struct head_step *step,
                               struct linear *linear, uint32_t in, struct error *err) {
    struct source sources[2];
    const char *weights = step->linear, *biases = step->bias;
    ASSERT(step->outputs == ARRAY_LEN(sources));
    for (uint32_t i = 0; i < step->outputs; i++) {
        sources[i] = (struct source){.outputs = 1};
        sources[i].weight = find_listed(l, &weights);
        sources[i].bias = find_listed(l, &biases);
        if (!sources[i].weight)
            return loader_absent(l, step->linear, err);
    }
    return loader_pack(l, linear, PRECISION_FP32, in, sources, step->outputs, err);
}

static enum status load_step(struct loader *l, const struct head_spec *head, struct head *to,
                             uint32_t i, uint32_t in, struct error *err) {
    const struct head_step *step = &head->steps[i];
    struct source source = {.outputs = step->outputs, .scale = step->scale};
    if (step->linear && strchr(step->linear, ' '))
        return load_listed(l, step, &to->linear[i], in, err);
    if (step->tied) {
        source.weight = l->embeddings[l->model->arch.decoder_stack];
    } else {
        source.weight = loader_find(l, step->linear, ".weight");
    }
    if (!source.weight)
        return loader_absent(l, step->linear, err);
    if (step->bias)
        source.bias = loader_find(l, step->bias, "");
    if (!source.bias && step->linear)
        source.bias = loader_find(l, step->linear, ".bias");
    if (step->rest) {
        source.rest = loader_find(l, step->rest, ".weight");
        if (!source.rest)
            return loader_absent(l, step->rest, err);
    }
    const enum precision precision =
        head_step_precision(&l->model->arch, head, i, l->model->precision);
    if (loader_pack(l, &to->linear[i], precision, in, &source, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!step->norm)
        return STATUS_OK;
    const struct source norm = {.weight = loader_find_either(l, step->norm, ".weight", ".gamma"),
                                .bias = loader_find_either(l, step->norm, ".bias", ".beta")};
    if (!norm.weight)
        return loader_absent(l, step->norm, err);
    const enum status status = loader_pack_norm(l, &to->norm[i], arch_last(&l->model->arch),
                                                step->outputs, &norm, err);
    if (to->norm[i].kind == NORM_AFFINE)
        to->norm[i].kind = NORM_LAYER; /* a head's is one whatever the layers' are */
    return status;
}

static enum status load_head(struct loader *l, const struct head_spec *head, struct head *to,
                             struct error *err) {
    const uint32_t hidden = stack_out_size(arch_last(&l->model->arch));
    uint32_t in = hidden;
    for (uint32_t i = 0; i < head->n_steps; i++) {
        if (load_step(l, head, to, i, in, err) != STATUS_OK)
            return STATUS_ERROR;
        ASSERT(!head->steps[i].residual ||
               (i > 0 && head->steps[i].outputs == (i > 1 ? head->steps[i - 2].outputs : hidden)));
        in = head->steps[i].outputs;
    }
    return STATUS_OK;
}

/* ---- the loader ---- */
static enum status walk(struct loader *l, struct error *err) {
    for (uint32_t i = 0; i < l->model->arch.n_stacks; i++)
        if (load_stack(l, i, err) != STATUS_OK)
            return STATUS_ERROR;
    if (load_head(l, &l->model->arch.head, &l->model->head, err) != STATUS_OK)
        return STATUS_ERROR;
    return load_head(l, &l->model->arch.second, &l->model->second, err);
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
