/* BigBird's attention to long texts (transformers' BigBirdBlockSparseAttention): the tokens of the
 * first and the last block see all and are seen by all; the others see three blocks around them,
 * and some more by chance. Chance is for training alone: where nothing is trained, transformers
 * takes the first block for each of them, which so weighs one more than num_random_blocks times. */
#include "models/big_bird.h"

#include <math.h>

static enum status load(const struct hook_loader *l, void *layer, struct error *err) {
    (void)l, (void)layer, (void)err;
    return STATUS_OK;
}

static size_t no_floats(const struct stack_spec *spec) {
    (void)spec;
    return 0;
}

static size_t no_scratch(const struct stack_spec *spec, uint32_t max_rows) {
    (void)spec, (void)max_rows;
    return 0;
}

static bool is_long(const struct hook_pass *p, uint32_t seq) {
    return p->seqs[seq].rows > big_bird_full_tokens(p->spec->hook.options);
}

static void choose_blocks(const void *user, uint32_t seq, uint32_t row, uint32_t h, uint32_t from,
                          uint32_t to, float *out) {
    const struct hook_pass *p = user;
    const uint32_t block = p->spec->hook.options[BIG_BIRD_BLOCK];
    const uint32_t last = (p->seqs[seq].rows - 1) / block, at = row / block;
    const float first = logf(1 + (float)p->spec->hook.options[BIG_BIRD_RANDOM]);
    const bool sees_all = !is_long(p, seq) || at == 0 || at == last;
    (void)h;
    for (uint32_t k = from; k < to; k++) {
        const uint32_t of = k / block;
        if (sees_all)
            out[k] = 0;
        else if (of == 0)
            out[k] = first;
        else
            out[k] = of == last || (of + 1 >= at && of <= at + 1) ? 0 : ATTENTION_HIDDEN;
    }
}

static void attention(const struct hook_pass *p, const void *layer) {
    const size_t width = (size_t)p->spec->heads * p->spec->head_size;
    struct attention_shape shape = p->shape;
    (void)layer;
    for (uint32_t s = 0; s < p->n_seqs; s++)
        if (is_long(p, s))
            shape.row_bias = choose_blocks;
    shape.row_bias_user = p;
    p->device->kv_write(p->lane, &p->shape, p->seqs, p->n_seqs, 0, p->qkv + width, p->ldqkv,
                        p->qkv + 2 * width, p->ldqkv);
    p->device->attention(p->lane, p->scratch, &shape, p->seqs, p->n_seqs, 0, p->qkv, p->ldqkv, p->y,
                         p->ldy);
}

const struct hook_table big_bird_attention = {
    .layer_bytes = 1,
    .floats = no_floats,
    .scratch_floats = no_scratch,
    .load = load,
    .attention = attention,
};
