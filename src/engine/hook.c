/* What a family's own attention loads (hook.h): its tensors found by their names, its weights
 * packed into the model's image beside the engine's. */
#include "engine/loader.h"

#include <string.h>

#define PIECE_OUTPUTS 256 /* most outputs of a piece */

static void full_name(const struct hook_loader *l, const char *name,
                      char out[static LOADER_NAME_BYTES]) {
    loader_expand(l->loader, out, name, l->layer);
}

bool hook_packs(const struct hook_loader *l) {
    return l->loader->loading == LOADING_PACK;
}

enum precision hook_precision(const struct hook_loader *l) {
    return stack_precision(l->spec, l->loader->model->precision);
}

const struct tensor *hook_find(const struct hook_loader *l, const char *name) {
    char full[LOADER_NAME_BYTES];
    full_name(l, name, full);
    return loader_find(l->loader, full, "");
}

enum status hook_tensor(const struct hook_loader *l, const char *name, uint32_t rows, uint32_t cols,
                        const struct tensor **out, struct error *err) {
    const struct tensor *tensor = hook_find(l, name);
    char full[LOADER_NAME_BYTES];
    full_name(l, name, full);
    if (!tensor)
        return ERR(err, MODEL, "the weights lack the tensor \"%s\", which config.json asks for",
                   full);
    *out = tensor;
    return cols > 0 ? loader_check_matrix(tensor, rows, cols, err)
                    : loader_check_vector(tensor, rows, err);
}

enum status hook_convolution(const struct hook_loader *l, const char *name, uint32_t outputs,
                             uint32_t inputs, uint32_t taps, const struct tensor **out,
                             struct error *err) {
    const struct tensor *tensor = hook_find(l, name);
    char full[LOADER_NAME_BYTES];
    full_name(l, name, full);
    if (!tensor || tensor->n_dims != 3 || tensor->dims[0] != outputs || tensor->dims[1] != inputs ||
        tensor->dims[2] != taps)
        return ERR(err, MODEL,
                   "the weights have no tensor \"%s\" of [%u, %u, %u], which config.json asks for",
                   full, outputs, inputs, taps);
    *out = tensor;
    return STATUS_OK;
}

enum status hook_linear(const struct hook_loader *l, struct linear *linear, uint32_t in,
                        const char *const *names, const uint32_t *outputs, uint32_t n,
                        struct error *err) {
    struct source sources[HOOK_SOURCES] = {0};
    char full[LOADER_NAME_BYTES];
    ASSERT(n <= HOOK_SOURCES);
    for (uint32_t i = 0; i < n; i++) {
        full_name(l, names[i], full);
        sources[i].weight = loader_find(l->loader, full, ".weight");
        sources[i].bias = loader_find(l->loader, full, ".bias");
        sources[i].outputs = outputs[i];
        if (!sources[i].weight)
            return loader_absent(l->loader, full, err);
        sources[i].transposed = sources[i].weight->turned;
    }
    return loader_pack(l->loader, linear, hook_precision(l), in, sources, n, err);
}

enum status hook_norm(const struct hook_loader *l, struct norm *norm, uint32_t size,
                      const char *name, struct error *err) {
    char full[LOADER_NAME_BYTES];
    full_name(l, name, full);
    const struct source source = {.weight =
                                      loader_find_either(l->loader, full, ".weight", ".gamma"),
                                  .bias = loader_find_either(l->loader, full, ".bias", ".beta")};
    if (!source.weight)
        return loader_absent(l->loader, full, err);
    return loader_pack_norm(l->loader, norm, l->spec, size, &source, err);
}

/* ---- weights that a function makes ---- */
struct making {
    struct loader *loader;
    struct linear *linear;
    const struct hook_made *made;
};

static void make_lane(struct lane *lane, void *arg) {
    const struct making *m = arg;
    float *buffer = m->loader->buffer + lane->index * m->loader->buffer_floats;
    size_t from, to, piece = m->loader->buffer_floats / m->linear->in / 16 * 16;
    ASSERT(piece > 0); /* a hook's max_in covers its linears */
    if (piece > PIECE_OUTPUTS)
        piece = PIECE_OUTPUTS;
    lane_range(lane, m->linear->out, 16, &from, &to);
    for (; from < to; from += piece) {
        const uint32_t n = (uint32_t)(to - from < piece ? to - from : piece);
        m->made->fill(m->made->user, (uint32_t)from, n, buffer);
        linear_set_weights(m->linear, (uint32_t)from, n, buffer);
    }
}

static void plan_made(struct loader *l, const struct hook_made *made) {
    if (l->plan)
        buf_printf(l->plan, " %s", made->words);
    for (uint32_t i = 0; i < made->n_from; i++)
        loader_plan_tensor(l, made->from[i]);
}

enum status hook_made_linear(const struct hook_loader *l, struct linear *linear,
                             enum precision precision, uint32_t in, uint32_t out,
                             const struct hook_made *made, struct error *err) {
    struct loader *loader = l->loader;
    void *memory = NULL;
    if (linear_init(linear, precision, in, out, made->fill_bias != NULL, err) != STATUS_OK ||
        loader_place(loader, linear->bytes, false, &memory, err) != STATUS_OK)
        return STATUS_ERROR;
    PLAN(loader, "made %s %u %u:", precision_name(precision), in, out);
    plan_made(loader, made);
    if (loader->loading == LOADING_MEASURE)
        return STATUS_OK;
    linear_place(linear, memory);
    if (loader->loading == LOADING_TAKE)
        return STATUS_OK;
    struct making making = {loader, linear, made};
    team_run(loader->model->team, make_lane, &making);
    if (made->fill_bias) {
        float *bias = mem_zalloc(out, sizeof *bias);
        made->fill_bias(made->user, bias);
        linear_set_bias(linear, 0, out, bias);
        mem_free(bias);
    }
    return STATUS_OK;
}

enum status hook_made_floats(const struct hook_loader *l, const float **floats, uint32_t n,
                             const struct hook_made *made, struct error *err) {
    void *memory = NULL;
    if (loader_place(l->loader, (size_t)n * sizeof(float), true, &memory, err) != STATUS_OK)
        return STATUS_ERROR;
    PLAN(l->loader, "made %u:", n);
    plan_made(l->loader, made);
    if (hook_packs(l))
        made->fill(made->user, 0, 1, memory);
    *floats = memory;
    return STATUS_OK;
}
