/* Sizes that follow from the description alone: widths of fused products, elements to load, rows of
 * the largest pass, and the memory a model will need before any of its weights is read. */
#include "engine/model.h"

uint32_t stack_kv_size(const struct stack_spec *spec) {
    return spec->kv_heads * spec->head_size;
}

uint32_t stack_attn_size(const struct stack_spec *spec) {
    return spec->heads * spec->head_size;
}

uint32_t stack_attn_out(const struct stack_spec *spec) {
    return stack_attn_size(spec) + spec->hook.more_out;
}

uint32_t stack_qkv_size(const struct stack_spec *spec) {
    return stack_attn_size(spec) + 2 * stack_kv_size(spec);
}

static uint32_t larger(uint32_t a, uint32_t b) {
    return a > b ? a : b;
}

static uint32_t inner_size(const struct stack_spec *spec) {
    return larger(spec->intermediate_size, larger(spec->expert_size, spec->shared_size));
}

uint32_t stack_ffn_size(const struct stack_spec *spec) {
    return stack_has(spec, STACK_GATED) ? 2 * inner_size(spec) : inner_size(spec);
}

bool stack_has_experts(const struct stack_spec *spec, uint32_t layer) {
    return spec->routing.experts > 0 && !(spec->layer_kinds[layer] & LAYER_DENSE);
}

uint32_t stack_embed_size(const struct stack_spec *spec) {
    return spec->embed_size > 0 ? spec->embed_size : spec->hidden_size;
}

uint32_t stack_groups(const struct stack_spec *spec) {
    return spec->groups > 0 ? spec->groups : spec->layers;
}

uint32_t stack_project_in(const struct stack_spec *spec) {
    return stack_has(spec, STACK_TRIGRAMS) ? 3 * spec->embed_size : spec->embed_size;
}

bool stack_has_own_layers(const struct stack_spec *spec) {
    return spec->hook.table && spec->hook.table->layer;
}

/* Elements of all feed-forwards of a stack. */
static size_t ffn_elements(const struct stack_spec *spec) {
    const size_t experts = spec->routing.experts;
    size_t columns = 0;
    for (uint32_t i = 0; i < stack_groups(spec); i++) {
        const bool routed = stack_has_experts(spec, i);
        const size_t inside =
            routed ? experts * spec->expert_size + spec->shared_size : spec->intermediate_size;
        columns += inside * (stack_has(spec, STACK_GATED) ? 3 : 2) + (routed ? experts : 0);
    }
    return columns * spec->hidden_size;
}

/* Elements of all linears of a stack; *tables: floats of its embedding tables. */
size_t stack_elements(const struct arch *arch, uint32_t stack, size_t *tables) {
    const struct stack_spec *spec = &arch->stacks[stack];
    const size_t hidden = spec->hidden_size;
    size_t layer = hidden * (stack_qkv_size(spec) + stack_attn_out(spec));
    if (stack_has(spec, STACK_CROSS))
        layer += hidden * 2 * stack_attn_size(spec) +
                 (size_t)arch->stacks[spec->cross_from].hidden_size * 2 * stack_kv_size(spec);
    size_t rows = spec->vocab_size;
    for (uint32_t i = 0; i < stack_type_tables(spec); i++)
        rows += stack_types(spec, i);
    if (spec->positions == POSITIONS_LEARNED)
        rows += stack_position_rows(spec);
    *tables = rows * stack_embed_size(spec);
    const size_t layers =
        stack_has_own_layers(spec) ? 0 : layer * stack_groups(spec) + ffn_elements(spec);
    const size_t out = stack_has(spec, STACK_PROJECT_OUT) ? spec->embed_size : 0;
    return layers + hidden * (stack_project_in(spec) + out);
}

static size_t one_head_elements(const struct arch *arch, const struct head_spec *head) {
    size_t elements = 0, in = stack_out_size(arch_last(arch));
    for (uint32_t i = 0; i < head->n_steps; i++) {
        elements += in * head->steps[i].outputs;
        in = head->steps[i].outputs;
    }
    return elements;
}

size_t head_elements(const struct arch *arch) {
    return one_head_elements(arch, &arch->head) + one_head_elements(arch, &arch->second);
}

/* Decoding reads all weights for each token, so it gains by 4 bits. Texts that are seen whole are bound
 * by arithmetic, where 4 bits gain nothing and cost the most accuracy: such stacks keep 8. */
enum precision stack_precision(const struct stack_spec *spec, enum precision precision) {
    const bool decodes = stack_has(spec, STACK_CAUSAL);
    return precision == PRECISION_INT4 && !decodes ? PRECISION_INT8 : precision;
}

/* The last step of a classifier costs nothing and decides the answer: it stays exact. */
enum precision head_step_precision(const struct arch *arch, const struct head_spec *head,
                                   uint32_t step, enum precision precision) {
    const bool decides = head->kind != HEAD_LM && step + 1 == head->n_steps;
    return decides ? PRECISION_FP32 : stack_precision(arch_last(arch), precision);
}

uint32_t stack_position_rows(const struct stack_spec *spec) {
    return stack_has(spec, STACK_SHARED_POSITION) ? spec->max_positions
                                                  : spec->max_positions + spec->position_offset;
}

uint32_t stack_side_rows(const struct stack_spec *spec, uint32_t tokens) {
    const struct hook_table *hook = spec->hook.table;
    return hook && hook->side_rows ? hook->side_rows(spec, tokens) : 0;
}

uint32_t stack_extra_keys(const struct stack_spec *spec, uint32_t tokens) {
    const struct hook_table *hook = spec->hook.table;
    return hook && hook->extra_keys ? hook->extra_keys(spec, tokens) : 0;
}

/* A text that attention must see whole fits in one pass; causal ones come in chunks. */
uint32_t arch_max_tokens(const struct arch *arch) {
    uint32_t rows = LIMIT_BATCH_TOKENS;
    for (uint32_t i = 0; i < arch->n_stacks; i++) {
        const struct stack_spec *spec = &arch->stacks[i];
        const bool whole = !stack_has(spec, STACK_CAUSAL) || stack_has(spec, STACK_TWO_SIDED);
        if (whole && spec->max_positions > rows)
            rows = spec->max_positions;
    }
    return rows;
}

uint32_t arch_max_in(const struct arch *arch) {
    uint32_t in = 0;
    for (uint32_t i = 0; i < arch->n_stacks; i++) {
        const struct stack_spec *spec = &arch->stacks[i];
        in = larger(in, larger(spec->hidden_size, larger(stack_attn_out(spec), inner_size(spec))));
        in = larger(in, larger(stack_project_in(spec), spec->hook.max_in));
    }
    for (uint32_t i = 0; i + 1 < arch->head.n_steps; i++)
        in = larger(in, arch->head.steps[i].outputs);
    for (uint32_t i = 0; i + 1 < arch->second.n_steps; i++)
        in = larger(in, arch->second.steps[i].outputs);
    return in;
}

/* Of the weights; what scales take is less than padding does. */
static size_t packed_bytes(enum precision precision, size_t elements) {
    static const uint8_t halves[] = {[PRECISION_FP32] = 8,
                                     [PRECISION_BF16] = 4,
                                     [PRECISION_INT8] = 2,
                                     [PRECISION_INT4] = 1};
    return elements / 2 * halves[precision];
}

size_t model_estimate_bytes(const struct arch *arch, enum precision precision) {
    size_t linears = packed_bytes(stack_precision(arch_last(arch), precision), head_elements(arch)),
           floats = 0;
    for (uint32_t i = 0; i < arch->n_stacks; i++) {
        const enum precision own = stack_precision(&arch->stacks[i], precision);
        size_t tables;
        linears += packed_bytes(own, stack_elements(arch, i, &tables));
        floats += tables;
    }
    for (uint32_t i = 0; i < arch->n_stacks; i++)
        if (arch->stacks[i].hook.table)
            floats += arch->stacks[i].hook.table->floats(&arch->stacks[i]);
    return linears + floats * sizeof(float) + step_estimate_bytes(arch);
}
