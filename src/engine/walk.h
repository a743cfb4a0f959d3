/* A lane's walk through a pass, and the steps that forward.c and experts.c both take: products,
 * norms, the inside of a feed-forward. Private to the engine. */
#ifndef BRISK_ENGINE_WALK_H
#define BRISK_ENGINE_WALK_H

#include "engine/model.h"

/* A lane's view of the pass. x and t change places when rows are dropped. */
struct walk {
    struct lane *lane;
    const struct pass *pass;
    const struct device *device;
    struct step *step;
    const struct stack_spec *spec;
    uint32_t hidden, rows;
    float *x, *t, *attn;
};

static inline void product(struct walk *w, const struct linear *linear, const float *x, size_t ldx,
                           float *y, enum activation activation, const float *residual) {
    const struct epilogue epilogue = {.activation = activation, .residual = residual};
    w->device->linear(w->lane, w->step->scratch, linear, x, ldx, y, linear->out, w->rows,
                      &epilogue);
}

static inline void apply_norm(struct walk *w, const struct norm *norm, const float *x, float *y) {
    w->device->norm(w->lane, norm, x, y, w->rows);
}

/* The inside of a feed-forward, in wide (stride up->out): act(gate) * up, or act(up). */
static inline void gated(struct walk *w, const struct linear *up, const float *in) {
    const enum activation activation = w->spec->activation;
    float *inside = w->step->wide;
    if (!stack_has(w->spec, STACK_GATED)) {
        product(w, up, in, w->hidden, inside, activation, NULL);
        return;
    }
    const uint32_t size = up->out / 2;
    product(w, up, in, w->hidden, inside, ACTIVATION_NONE, NULL);
    w->device->activate(w->lane, activation, inside, up->out, inside + size, up->out, w->rows,
                        size);
}

/* ---- experts.c ----
 * The feed-forward of a layer with experts on the rows of `in`; what it gives is in step->routed.
 */
void experts_run(struct walk *w, const struct layer *layer, const float *in);

#endif
