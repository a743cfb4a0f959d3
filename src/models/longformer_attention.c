/* Longformer's self-attention: a window around each token, and global tokens at the beginning of a
 * text, which see all and are seen by all, through projections of their own. */
#include "models/longformer.h"

#define SELF "encoder.layer.%u.attention.self."

struct layer {
    struct linear q, kv; /* of the global tokens, [hidden, hidden] and [2 * hidden, hidden] */
};

static enum globals globals_of(const struct stack_spec *spec) {
    return (enum globals)spec->hook.options[LONGFORMER_GLOBALS];
}

static enum status load(const struct hook_loader *l, void *own, struct error *err) {
    static const char *const names[] = {SELF "query_global", SELF "key_global",
                                        SELF "value_global"};
    struct layer *layer = own;
    const uint32_t hidden = l->spec->hidden_size, outputs[] = {hidden, hidden};
    if (globals_of(l->spec) == NO_GLOBALS)
        return STATUS_OK;
    if (hook_linear(l, &layer->q, hidden, names, outputs, 1, err) != STATUS_OK)
        return STATUS_ERROR;
    return hook_linear(l, &layer->kv, hidden, names + 1, outputs, 2, err);
}

static size_t packed_floats(const struct stack_spec *spec) {
    return globals_of(spec) == NO_GLOBALS
               ? 0
               : (size_t)3 * spec->layers * spec->hidden_size * spec->hidden_size;
}

/* Global queries [rows, hidden], keys and values [rows, 2 * hidden]. */
static size_t scratch_floats(const struct stack_spec *spec, uint32_t max_rows) {
    return globals_of(spec) == NO_GLOBALS ? 0 : (size_t)3 * max_rows * spec->hidden_size;
}

/* How many tokens at the beginning of a text are global. */
static uint32_t count_globals(const struct hook_pass *p, uint32_t seq) {
    const struct attention_seq *s = &p->seqs[seq];
    const int32_t separator = (int32_t)p->spec->hook.options[LONGFORMER_SEPARATOR];
    if (globals_of(p->spec) != QUESTION_GLOBAL)
        return globals_of(p->spec) == FIRST_GLOBAL ? 1 : 0;
    uint32_t n = 0;
    while (n < s->rows && p->tokens[s->row + n] != separator)
        n++;
    return n < s->rows ? n : 0;
}

/* Keys beyond the window are hidden, but for the global ones. */
static void hide_far(const void *user, uint32_t seq, uint32_t row, uint32_t h, uint32_t from,
                     uint32_t to, float *out) {
    const struct hook_pass *p = user;
    const uint32_t around = p->shape.window / 2, n = count_globals(p, seq);
    (void)h;
    for (uint32_t k = from; k < to; k++) {
        const uint32_t distance = k > row ? k - row : row - k;
        out[k] = k < n || distance <= around ? 0 : ATTENTION_HIDDEN;
    }
}

/* Each row over its window and the global keys. Texts within half a window hide nothing. */
static void attend_locally(const struct hook_pass *p) {
    struct attention_shape shape = p->shape;
    bool far = false;
    for (uint32_t s = 0; s < p->n_seqs; s++)
        far |= p->seqs[s].rows > shape.window / 2;
    if (globals_of(p->spec) != NO_GLOBALS) {
        shape.window = 0;
        shape.row_bias = far ? hide_far : NULL;
        shape.row_bias_user = p;
    }
    p->device->attention(p->lane, p->scratch, &shape, p->seqs, p->n_seqs, 0, p->qkv, p->ldqkv, p->y,
                         p->ldy);
}

/* The first n rows of a text once more, over all of it. */
static void attend_globally(const struct hook_pass *p, const struct layer *layer, uint32_t seq,
                            uint32_t n) {
    const size_t hidden = p->spec->hidden_size;
    struct attention_shape shape = p->shape;
    struct attention_seq some = p->seqs[seq];
    float *q = p->own + some.row * hidden;
    shape.window = 0;
    some.rows = n;
    p->device->linear(p->lane, p->scratch, &layer->q, p->x + some.row * hidden, hidden, q, hidden,
                      n, NULL);
    p->device->attention(p->lane, p->scratch, &shape, &some, 1, 0, p->own, hidden, p->y, p->ldy);
}

static void attention(const struct hook_pass *p, const void *own) {
    const struct layer *layer = own;
    const size_t hidden = p->spec->hidden_size;
    float *kv = p->own + p->rows * hidden;
    p->device->kv_write(p->lane, &p->shape, p->seqs, p->n_seqs, 0, p->qkv + hidden, p->ldqkv,
                        p->qkv + 2 * hidden, p->ldqkv);
    attend_locally(p);
    if (globals_of(p->spec) == NO_GLOBALS)
        return;
    p->device->linear(p->lane, p->scratch, &layer->kv, p->x, hidden, kv, 2 * hidden, p->rows, NULL);
    p->device->kv_write(p->lane, &p->shape, p->seqs, p->n_seqs, 0, kv, 2 * hidden, kv + hidden,
                        2 * hidden);
    for (uint32_t s = 0; s < p->n_seqs; s++) {
        const uint32_t n = count_globals(p, s);
        if (n > 0)
            attend_globally(p, layer, s, n);
    }
}

const struct hook_table longformer_attention = {
    .layer_bytes = sizeof(struct layer),
    .floats = packed_floats,
    .scratch_floats = scratch_floats,
    .load = load,
    .attention = attention,
};
