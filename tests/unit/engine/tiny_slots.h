/* The shape of the tensors of each slot, for tiny.h, which includes it behind its writers of
 * tensors: a row a slot. */
#ifndef BRISK_TESTS_TINY_SLOTS_H
#define BRISK_TESTS_TINY_SLOTS_H

/* What a slot's tensors are like: sizes are indices into tiny_sizes(). */
enum tiny_size {
    TINY_HIDDEN,
    TINY_ATTN,
    TINY_KV,
    TINY_QKV,
    TINY_INSIDE,
    TINY_TWICE_INSIDE,
    TINY_SOURCE,
    TINY_EMBED,
    TINY_VOCAB,
    TINY_POSITIONS,
    TINY_TYPES,
    TINY_BUCKETS,
    TINY_HEADS,
    TINY_Q_NORM,
    TINY_K_NORM,
    TINY_EXPERTS,
    TINY_EXPERT,
    TINY_SHARED,
    TINY_ONE,
    TINY_SIZES
};
enum tiny_kind { TINY_LINEAR = 1, TINY_TABLE, TINY_NORM };

static const struct tiny_shape {
    enum tiny_kind kind;
    enum tiny_size rows, cols;
} tiny_shapes[SLOT_COUNT] = {
    [SLOT_EMBED_TOKENS] = {TINY_TABLE, TINY_VOCAB, TINY_EMBED},
    [SLOT_EMBED_POSITIONS] = {TINY_TABLE, TINY_POSITIONS, TINY_HIDDEN},
    [SLOT_EMBED_TYPES] = {TINY_TABLE, TINY_TYPES, TINY_HIDDEN},
    [SLOT_EMBED_PROJECT] = {TINY_LINEAR, TINY_HIDDEN, TINY_EMBED},
    [SLOT_EMBED_NORM] = {TINY_NORM, TINY_HIDDEN, 0},
    [SLOT_POSITION_BIAS] = {TINY_TABLE, TINY_BUCKETS, TINY_HEADS},
    [SLOT_FINAL_NORM] = {TINY_NORM, TINY_HIDDEN, 0},
    [SLOT_ATTN_NORM] = {TINY_NORM, TINY_HIDDEN, 0},
    [SLOT_ATTN_QKV] = {TINY_LINEAR, TINY_QKV, TINY_HIDDEN},
    [SLOT_ATTN_Q] = {TINY_LINEAR, TINY_ATTN, TINY_HIDDEN},
    [SLOT_ATTN_K] = {TINY_LINEAR, TINY_KV, TINY_HIDDEN},
    [SLOT_ATTN_V] = {TINY_LINEAR, TINY_KV, TINY_HIDDEN},
    [SLOT_ATTN_Q_NORM] = {TINY_NORM, TINY_Q_NORM, 0},
    [SLOT_ATTN_K_NORM] = {TINY_NORM, TINY_K_NORM, 0},
    [SLOT_ATTN_OUT] = {TINY_LINEAR, TINY_HIDDEN, TINY_ATTN},
    [SLOT_ATTN_OUT_NORM] = {TINY_NORM, TINY_HIDDEN, 0},
    [SLOT_CROSS_NORM] = {TINY_NORM, TINY_HIDDEN, 0},
    [SLOT_CROSS_Q] = {TINY_LINEAR, TINY_ATTN, TINY_HIDDEN},
    [SLOT_CROSS_K] = {TINY_LINEAR, TINY_KV, TINY_SOURCE},
    [SLOT_CROSS_V] = {TINY_LINEAR, TINY_KV, TINY_SOURCE},
    [SLOT_CROSS_OUT] = {TINY_LINEAR, TINY_HIDDEN, TINY_ATTN},
    [SLOT_FFN_NORM] = {TINY_NORM, TINY_HIDDEN, 0},
    [SLOT_FFN_GATE_UP] = {TINY_LINEAR, TINY_TWICE_INSIDE, TINY_HIDDEN},
    [SLOT_FFN_GATE] = {TINY_LINEAR, TINY_INSIDE, TINY_HIDDEN},
    [SLOT_FFN_UP] = {TINY_LINEAR, TINY_INSIDE, TINY_HIDDEN},
    [SLOT_FFN_DOWN] = {TINY_LINEAR, TINY_HIDDEN, TINY_INSIDE},
    [SLOT_FFN_OUT_NORM] = {TINY_NORM, TINY_HIDDEN, 0},
    [SLOT_ROUTER] = {TINY_LINEAR, TINY_EXPERTS, TINY_HIDDEN},
    [SLOT_EXPERT_GATE] = {TINY_LINEAR, TINY_EXPERT, TINY_HIDDEN},
    [SLOT_EXPERT_UP] = {TINY_LINEAR, TINY_EXPERT, TINY_HIDDEN},
    [SLOT_EXPERT_DOWN] = {TINY_LINEAR, TINY_HIDDEN, TINY_EXPERT},
    [SLOT_SHARED_GATE] = {TINY_LINEAR, TINY_SHARED, TINY_HIDDEN},
    [SLOT_SHARED_UP] = {TINY_LINEAR, TINY_SHARED, TINY_HIDDEN},
    [SLOT_SHARED_DOWN] = {TINY_LINEAR, TINY_HIDDEN, TINY_SHARED},
    [SLOT_SHARED_SCORE] = {TINY_LINEAR, TINY_ONE, TINY_HIDDEN},
};

static inline void tiny_sizes(const struct arch *arch, const struct stack_spec *s,
                              size_t sizes[static TINY_SIZES]) {
    const size_t attn = s->heads * s->head_size, kv = s->kv_heads * s->head_size;
    const bool one = s->qk_norm == QK_NORM_HEAD;
    const size_t all[TINY_SIZES] = {
        [TINY_HIDDEN] = s->hidden_size,
        [TINY_ATTN] = attn,
        [TINY_KV] = kv,
        [TINY_QKV] = attn + 2 * kv,
        [TINY_INSIDE] = s->intermediate_size,
        [TINY_TWICE_INSIDE] = 2 * (size_t)s->intermediate_size,
        [TINY_SOURCE] = arch->stacks[s->cross_from].hidden_size,
        [TINY_EMBED] = s->embed_size > 0 ? s->embed_size : s->hidden_size,
        [TINY_VOCAB] = s->vocab_size,
        [TINY_POSITIONS] = s->max_positions + s->position_offset,
        [TINY_TYPES] = s->token_types,
        [TINY_BUCKETS] = s->buckets,
        [TINY_HEADS] = s->heads,
        [TINY_Q_NORM] = one ? s->head_size : attn,
        [TINY_K_NORM] = one ? s->head_size : kv,
        [TINY_EXPERTS] = s->routing.experts,
        [TINY_EXPERT] = s->expert_size,
        [TINY_SHARED] = s->shared_size,
        [TINY_ONE] = 1,
    };
    memcpy(sizes, all, sizeof all);
}

static inline void tiny_slot(struct tiny_file *f, const struct stack_spec *s,
                             const struct slot_name *slot, const char *name) {
    const struct tiny_shape *shape = &tiny_shapes[slot->slot];
    size_t sizes[TINY_SIZES];
    tiny_sizes(f->arch, s, sizes);
    if (shape->kind == TINY_NORM)
        tiny_norm(f, name, sizes[shape->rows]);
    else if (shape->kind == TINY_LINEAR)
        tiny_linear(f, name, sizes[shape->rows], sizes[shape->cols], slot->transposed);
    else if (shape->kind == TINY_TABLE)
        tiny_tensor(f, name, ".weight", sizes[shape->rows], sizes[shape->cols], 0.0f,
                    slot->slot == SLOT_EMBED_TOKENS ? 1.0f : 0.5f);
    else
        fail_msg("slot %d has no shape", (int)slot->slot);
}

#endif
