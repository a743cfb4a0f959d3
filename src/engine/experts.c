/* The feed-forward of layers with experts (Shazeer et al. 2017): each row goes through the few that
 * its router chooses, and through a shared one where there is one.
 *
 * Rows are sorted by expert; an expert's are gathered, multiplied together and added to what the
 * others gave. A row's sum is in the order of the experts, whatever other rows there are. Finding
 * the experts' weights is weights.c's work. */
#include "engine/walk.h"

#include <string.h>

/* Entries (row, weight) by expert: those of expert e are [starts[e], starts[e + 1]), rows in order.
 * One lane counts them. */
static void sort_rows(struct walk *w, const struct routing *routing) {
    struct step *step = w->step;
    uint32_t *starts = step->expert_starts; /* [experts + 2], one place further on while counting */
    const uint32_t *chosen = step->chosen;
    const uint32_t k = routing->per_token, n = w->rows * k;
    if (w->lane->index == 0) {
        memset(starts, 0, (routing->experts + 2) * sizeof *starts);
        for (uint32_t i = 0; i < n; i++)
            starts[chosen[i] + 2]++;
        for (uint32_t e = 2; e < routing->experts + 2; e++)
            starts[e] += starts[e - 1];
        for (uint32_t i = 0; i < n; i++) {
            const uint32_t at = starts[chosen[i] + 1]++;
            step->expert_rows[at] = i / k;
            step->expert_weights[at] = step->chosen_weights[i];
        }
    }
    lane_barrier(w->lane);
}

static void route(struct walk *w, const struct layer *layer, const float *in) {
    const struct routing *routing = &w->spec->routing;
    struct step *step = w->step;
    product(w, &layer->router, in, w->hidden, step->wide, ACTIVATION_NONE, NULL);
    w->device->route(w->lane, routing, step->wide, step->chosen, step->chosen_weights, w->rows);
    sort_rows(w, routing);
}

static void clear_routed(struct walk *w) {
    size_t from, to;
    lane_range(w->lane, (size_t)w->rows * w->hidden, 16, &from, &to);
    memset(w->step->routed + from, 0, (to - from) * sizeof *w->step->routed);
    lane_barrier(w->lane);
}

/* Rows of the batch [n] times weights [n] through one expert, added to their sums. */
static void run_expert(struct walk *w, const struct expert *expert, const float *in,
                       const uint32_t *rows, const float *weights, uint32_t n) {
    struct walk part = *w;
    float *gathered = w->step->gathered;
    part.rows = n;
    w->device->gather(w->lane, in, w->hidden, rows, n, w->hidden, gathered, w->hidden);
    gated(&part, &expert->up, gathered);
    product(&part, &expert->down, w->step->wide, expert->up.out, gathered, ACTIVATION_NONE, NULL);
    w->device->scatter_add(w->lane, gathered, w->hidden, rows, weights, n, w->hidden,
                           w->step->routed, w->hidden);
}

/* All rows, with a weight of 1 or the sigmoid of their score. */
static void run_shared(struct walk *w, const struct layer *layer, const float *in) {
    struct step *step = w->step;
    const struct expert *shared = &layer->shared;
    gated(w, &shared->up, in);
    if (layer->shared_score.out == 0) {
        product(w, &shared->down, step->wide, shared->up.out, step->routed, ACTIVATION_NONE,
                step->routed);
        return;
    }
    size_t from, to;
    lane_range(w->lane, w->rows, 1, &from, &to);
    for (size_t r = from; r < to; r++)
        step->expert_rows[r] = (uint32_t)r;
    product(w, &shared->down, step->wide, shared->up.out, step->gathered, ACTIVATION_NONE, NULL);
    product(w, &layer->shared_score, in, w->hidden, step->expert_weights, ACTIVATION_SIGMOID, NULL);
    w->device->scatter_add(w->lane, step->gathered, w->hidden, step->expert_rows,
                           step->expert_weights, w->rows, w->hidden, step->routed, w->hidden);
}

void experts_run(struct walk *w, const struct layer *layer, const float *in) {
    const struct step *step = w->step;
    route(w, layer, in);
    clear_routed(w);
    for (uint32_t e = 0; e < w->spec->routing.experts; e++) {
        const uint32_t from = step->expert_starts[e], n = step->expert_starts[e + 1] - from;
        if (n > 0)
            run_expert(w, &layer->experts[e], in, step->expert_rows + from,
                       step->expert_weights + from, n);
    }
    if (w->spec->shared_size > 0)
        run_shared(w, layer, in);
}
