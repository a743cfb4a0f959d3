/* Running tiny models in the ways that must not differ: the promise of the engine in one function
 * each. Texts are tiny_token(t, i); outputs are hidden states and logits of all rows. */
#ifndef BRISK_TESTS_RUNS_H
#define BRISK_TESTS_RUNS_H

#include "unit/engine/tiny.h"

#define RUN_TEXTS 8
#define RUN_MOST  64

static const uint32_t run_lengths[RUN_TEXTS] = {17, 1, 33, 5, 64, 15, 16, 48};

struct outputs {
    float *hidden[RUN_TEXTS]; /* [length, hidden_size] of the last stack */
    float *logits[RUN_TEXTS]; /* [length, head outputs] */
};

static inline uint32_t last_stack(const struct model *model) {
    const struct arch *arch = model_arch(model);
    return arch->decoder_stack;
}

static inline size_t hidden_size(const struct model *model) {
    return model_arch(model)->stacks[last_stack(model)].hidden_size;
}

static inline uint32_t run_length(const struct model *model, uint32_t t) {
    const uint32_t most = model_arch(model)->stacks[last_stack(model)].max_positions;
    return run_lengths[t] < most ? run_lengths[t] : most;
}

static inline void outputs_init(struct outputs *o, const struct model *model) {
    for (uint32_t t = 0; t < RUN_TEXTS; t++) {
        o->hidden[t] = mem_zalloc(RUN_MOST * hidden_size(model), sizeof(float));
        o->logits[t] =
            mem_zalloc(RUN_MOST * (size_t)(model_arch(model)->head.outputs + 1), sizeof(float));
    }
}

static inline void outputs_deinit(struct outputs *o) {
    for (uint32_t t = 0; t < RUN_TEXTS; t++) {
        mem_free(o->hidden[t]);
        mem_free(o->logits[t]);
    }
}

static inline void assert_outputs_equal(const struct outputs *a, const struct outputs *b,
                                        const struct model *model) {
    for (uint32_t t = 0; t < RUN_TEXTS; t++) {
        const uint32_t n = run_length(model, t);
        assert_floats_equal(a->hidden[t], b->hidden[t], n * hidden_size(model));
        assert_floats_equal(a->logits[t], b->logits[t],
                            (size_t)n * model_arch(model)->head.outputs);
    }
}

/* The state of RUN_TEXTS texts: what a scheduler would hold. */
struct texts {
    struct model *model;
    int32_t ids[RUN_TEXTS][RUN_MOST], types[RUN_TEXTS][RUN_MOST];
    struct memory *memory[RUN_TEXTS];
    struct sequence *sequence[RUN_TEXTS];
};

static inline void texts_init(struct texts *x, struct model *model, bool kept) {
    *x = (struct texts){.model = model};
    const struct arch *arch = model_arch(model);
    struct error err;
    for (uint32_t t = 0; t < RUN_TEXTS; t++) {
        for (uint32_t i = 0; i < RUN_MOST; i++) {
            x->ids[t][i] = tiny_token(t, i, arch->stacks[last_stack(model)].vocab_size);
            x->types[t][i] = i > 6 && arch->stacks[ARCH_TEXT_STACK].token_types > 1;
        }
        if (arch_has_decoder(arch))
            assert_int_equal(memory_create(&x->memory[t], model, arch->decoder_stack,
                                           run_length(model, t), &err),
                             STATUS_OK);
        if (kept)
            assert_int_equal(
                sequence_create(&x->sequence[t], model, last_stack(model), RUN_MOST, &err),
                STATUS_OK);
    }
}

static inline void texts_deinit(struct texts *x) {
    for (uint32_t t = 0; t < RUN_TEXTS; t++) {
        memory_unref(x->memory[t]);
        sequence_destroy(x->sequence[t]);
    }
}

/* Text t as one segment of the last stack: tokens [from, from + n), all rows wanted. */
static inline struct segment text_segment(struct texts *x, uint32_t t, uint32_t from, uint32_t n,
                                          struct outputs *o) {
    const bool has_head = model_arch(x->model)->head.n_steps > 0;
    return (struct segment){
        .tokens = x->ids[t] + from,
        .types = x->types[t] + from,
        .n = n,
        .sequence = x->sequence[t],
        .memory = x->memory[t],
        .n_rows = n,
        .hidden = o->hidden[t] + from * hidden_size(x->model),
        .logits =
            has_head ? o->logits[t] + (size_t)from * model_arch(x->model)->head.outputs : NULL,
    };
}

static inline struct segment encode_segment(struct texts *x, uint32_t t) {
    return (struct segment){.tokens = x->ids[t],
                            .types = x->types[t],
                            .n = run_length(x->model, t),
                            .remember = x->memory[t]};
}

/* Each text in a pass of its own. */
static inline void run_alone(struct model *model, struct outputs *o) {
    struct texts x;
    texts_init(&x, model, false);
    for (uint32_t t = 0; t < RUN_TEXTS; t++) {
        const struct segment encode = encode_segment(&x, t);
        if (arch_has_decoder(model_arch(model)))
            model_forward(model, ARCH_TEXT_STACK, &encode, 1);
        const struct segment segment = text_segment(&x, t, 0, run_length(model, t), o);
        model_forward(model, last_stack(model), &segment, 1);
    }
    texts_deinit(&x);
}

static inline void encode_all(struct texts *x) {
    struct segment segments[RUN_TEXTS];
    for (uint32_t t = 0; t < RUN_TEXTS; t++)
        segments[t] = encode_segment(x, t);
    if (arch_has_decoder(model_arch(x->model)))
        model_forward(x->model, ARCH_TEXT_STACK, segments, RUN_TEXTS);
}

/* All texts in one ragged pass. */
static inline void run_batch(struct model *model, struct outputs *o) {
    struct texts x;
    texts_init(&x, model, false);
    encode_all(&x);
    struct segment segments[RUN_TEXTS];
    for (uint32_t t = 0; t < RUN_TEXTS; t++)
        segments[t] = text_segment(&x, t, 0, run_length(model, t), o);
    model_forward(model, last_stack(model), segments, RUN_TEXTS);
    texts_deinit(&x);
}

/* All texts side by side with their keys kept, in pieces of `piece` tokens; text t joins at step t.
 */
static inline void run_kept(struct model *model, uint32_t piece, struct outputs *o) {
    struct texts x;
    texts_init(&x, model, true);
    encode_all(&x);
    bool more = true;
    for (uint32_t step = 0; more; step++) {
        struct segment segments[RUN_TEXTS];
        uint32_t n = 0;
        more = false;
        for (uint32_t t = 0; t < RUN_TEXTS; t++) {
            const uint32_t length = run_length(model, t), from = sequence_length(x.sequence[t]);
            more |= from < length;
            if (step >= t && from < length)
                segments[n++] =
                    text_segment(&x, t, from, length - from < piece ? length - from : piece, o);
        }
        model_forward(model, last_stack(model), segments, n);
    }
    texts_deinit(&x);
}

#endif
