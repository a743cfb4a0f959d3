/* Changes of tensors: what is computed from several tensors of a checkpoint when floats are read,
 * piece by piece, so that a merged model needs no memory but its parts. */
#include <math.h>
#include <stdatomic.h>

#include "formats/format.h"

#define PIECE 1024 /* floats at once, where norms are computed */

struct change *change_add(struct tensor_list *list, struct tensor *tensor) {
    struct change *change = arena_zalloc(&list->arena, 1, sizeof *change);
    struct change *last = (struct change *)(uintptr_t)tensor->change; /* made here, not const */
    while (last != NULL && last->next != NULL)
        last = last->next;
    if (last != NULL)
        last->next = change;
    else
        tensor->change = change;
    return change;
}

void change_scale(struct tensor_list *list, struct change *change, const struct tensor *tensor,
                  uint32_t dim, const struct tensor *magnitude) {
    struct scaling *scaling = arena_zalloc(&list->arena, 1, sizeof *scaling);
    float *floats = arena_zalloc(&list->arena, magnitude->elements, sizeof *floats);
    tensor_to_floats(magnitude, 0, magnitude->elements, floats);
    scaling->inner = 1;
    for (uint32_t i = dim + 1; i < tensor->n_dims; i++)
        scaling->inner *= (size_t)tensor->dims[i];
    if (dim >= tensor->n_dims)
        scaling->inner = tensor->elements > 0 ? tensor->elements : 1;
    scaling->count = magnitude->elements;
    scaling->magnitude = floats;
    scaling->factors = arena_zalloc(&list->arena, magnitude->elements, sizeof *floats);
    lock_init(&scaling->lock);
    list->scalings =
        mem_grow(list->scalings, &list->scalings_cap, list->n_scalings + 1, sizeof scaling);
    list->scalings[list->n_scalings++] = scaling;
    change->scaling = scaling;
}

/* ---- products ---- */

/* A piece may begin and end inside a row. */
static void add_product(const struct change *change, size_t from, size_t n, float *out) {
    size_t row = from / change->cols, col = from % change->cols;
    while (n > 0) {
        const size_t part = n < change->cols - col ? n : change->cols - col;
        const float *left = change->left + row * change->rank;
        for (size_t k = 0; k < change->rank; k++) {
            const float *right = change->right + k * change->cols + col;
            for (size_t j = 0; j < part; j++)
                out[j] += left[k] * right[j];
        }
        out += part;
        n -= part;
        row++;
        col = 0;
    }
}

/* ---- factors ---- */

/* The tensor's elements before the change's own factor. */
static void before_factor(const struct tensor *tensor, const struct change *change, size_t from,
                          size_t n, float *out) {
    struct tensor plain = *tensor;
    plain.change = NULL;
    tensor_to_floats(&plain, from, n, out);
    change_apply(tensor, change, from, n, out);
    if (change->left != NULL)
        add_product(change, from, n, out);
}

static void compute_factors(const struct tensor *tensor, const struct change *change) {
    struct scaling *scaling = change->scaling;
    double *sums = mem_zalloc(scaling->count, sizeof *sums);
    float piece[PIECE];
    for (size_t from = 0; from < tensor->elements; from += PIECE) {
        const size_t n = tensor->elements - from < PIECE ? tensor->elements - from : PIECE;
        before_factor(tensor, change, from, n, piece);
        for (size_t i = 0; i < n; i++)
            sums[(from + i) / scaling->inner % scaling->count] += (double)piece[i] * piece[i];
    }
    for (size_t j = 0; j < scaling->count; j++)
        scaling->factors[j] = scaling->magnitude[j] / (float)sqrt(sums[j]);
    mem_free(sums);
}

static void need_factors(const struct tensor *tensor, const struct change *change) {
    struct scaling *scaling = change->scaling;
    if (atomic_load_explicit(&scaling->ready, memory_order_acquire))
        return;
    lock_take(&scaling->lock);
    if (!atomic_load_explicit(&scaling->ready, memory_order_relaxed)) {
        compute_factors(tensor, change);
        atomic_store_explicit(&scaling->ready, true, memory_order_release);
    }
    lock_drop(&scaling->lock);
}

static void multiply(const struct tensor *tensor, const struct change *change, size_t from,
                     size_t n, float *out) {
    const struct scaling *scaling = change->scaling;
    need_factors(tensor, change);
    for (size_t i = 0; i < n; i++)
        out[i] *= scaling->factors[(from + i) / scaling->inner % scaling->count];
}

void change_apply(const struct tensor *tensor, const struct change *stop, size_t from, size_t n,
                  float *out) {
    if (n == 0) /* perhaps a row has no columns */
        return;
    for (const struct change *change = tensor->change; change != stop; change = change->next) {
        if (change->left != NULL)
            add_product(change, from, n, out);
        if (change->scaling != NULL)
            multiply(tensor, change, from, n, out);
    }
}

bool change_prepare(const struct tensor *tensor) {
    bool prepared = false;
    for (const struct change *change = tensor->change; change != NULL; change = change->next) {
        if (change->scaling != NULL) {
            need_factors(tensor, change);
            prepared = true;
        }
    }
    return prepared;
}
