/* Finds tensors of the checkpoint by the names that a description gives its slots, and holds their
 * shapes to the description's sizes, before anything of that size is allocated. */
#include "engine/loader.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES LOADER_NAME_BYTES

/* ---- names ---- */

/* The pattern with the layer's number in place of its first "%u", the expert's of its second. */
void loader_expand(const struct loader *l, char name[static NAME_BYTES], const char *pattern,
                   uint32_t layer) {
    const uint32_t numbers[] = {layer, l->expert};
    size_t used = 0;
    name[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(numbers) && used < NAME_BYTES; i++) {
        const char *mark = strstr(pattern, "%u");
        if (!mark)
            break;
        used += (size_t)snprintf(name + used, NAME_BYTES - used, "%.*s%u", (int)(mark - pattern),
                                 pattern, numbers[i]);
        pattern = mark + 2;
    }
    if (used < NAME_BYTES)
        snprintf(name + used, NAME_BYTES - used, "%s", pattern);
}

/* With the arch's prefix, then without. */
const struct tensor *loader_find(const struct loader *l, const char *name, const char *suffix) {
    char full[2 * NAME_BYTES];
    const char *prefix = l->model->arch.prefix ? l->model->arch.prefix : "";
    snprintf(full, sizeof full, "%s%s%s", prefix, name, suffix);
    const struct tensor *tensor = checkpoint_find(l->checkpoint, full);
    return tensor ? tensor : checkpoint_find(l->checkpoint, full + strlen(prefix));
}

const struct tensor *loader_find_either(const struct loader *l, const char *name,
                                        const char *suffix, const char *old_suffix) {
    const struct tensor *tensor = loader_find(l, name, suffix);
    return tensor ? tensor : loader_find(l, name, old_suffix);
}

/* As torch.nn.DataParallel names them all. */
static bool are_wrapped(const struct checkpoint *checkpoint) {
    const size_t n = checkpoint_count(checkpoint);
    size_t i = 0;
    while (i < n && strncmp(checkpoint_at(checkpoint, i)->name, "module.", 7) == 0)
        i++;
    return n > 0 && i == n;
}

enum status loader_absent(const struct loader *l, const char *name, struct error *err) {
    if (are_wrapped(l->checkpoint))
        return ERR(err, MODEL,
                   "the weights' names all begin with \"module.\", as DataParallel saves them: "
                   "save model.module's state_dict()");
    return ERR(
        err, MODEL,
        "the weights lack the tensor \"%s%s.weight\" (also without \"%s\"), which config.json asks "
        "for: they belong to another model, or architectures names a class they were not saved "
        "from",
        l->model->arch.prefix ? l->model->arch.prefix : "", name,
        l->model->arch.prefix ? l->model->arch.prefix : "");
}

/* The first of the slot's names that the checkpoint has; a parameter of a module of its own may
 * have the bare name. */
bool loader_find_slot(const struct loader *l, uint32_t stack, enum slot slot, uint32_t layer,
                      struct source *out) {
    char name[NAME_BYTES];
    for (const struct slot_name *n = l->model->arch.stacks[stack].names; n->name; n++) {
        if (n->slot != slot)
            continue;
        loader_expand(l, name, n->name, layer);
        const struct tensor *weight = loader_find_either(l, name, ".weight", ".gamma");
        if (!weight)
            weight = loader_find(l, name, "");
        if (weight) {
            *out = (struct source){.weight = weight, .transposed = n->transposed != weight->turned};
            out->bias = loader_find_either(l, name, ".bias", ".beta");
            return true;
        }
    }
    return false;
}

/* The slot's first name, for messages; false: the family has no such slot. */
bool loader_first_name(const struct loader *l, uint32_t stack, enum slot slot, uint32_t layer,
                       char name[static NAME_BYTES]) {
    for (const struct slot_name *n = l->model->arch.stacks[stack].names; n->name; n++)
        if (n->slot == slot) {
            loader_expand(l, name, n->name, layer);
            return true;
        }
    return false;
}

enum status loader_need_slot(const struct loader *l, uint32_t stack, enum slot slot, uint32_t layer,
                             struct source *out, struct error *err) {
    if (loader_find_slot(l, stack, slot, layer, out))
        return STATUS_OK;
    char name[NAME_BYTES] = "?";
    const bool named = loader_first_name(l, stack, slot, layer, name);
    ASSERT(named);
    (void)named;
    return loader_absent(l, name, err);
}

/* ---- shapes ---- */
static void print_shape(char *out, size_t size, const struct tensor *tensor) {
    size_t used = 0;
    for (uint32_t i = 0; i < tensor->n_dims && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%lld", i ? ", " : "",
                                 (long long)tensor->dims[i]);
}

enum status loader_check_matrix(const struct tensor *tensor, uint32_t rows, uint32_t cols,
                                struct error *err) {
    if (tensor->n_dims >= 2 && tensor->dims[0] == rows && tensor->elements == (size_t)rows * cols)
        return STATUS_OK; /* columns may stand as [heads, head_size] */
    char shape[LIMIT_TENSOR_DIMS * 24] = "";
    print_shape(shape, sizeof shape, tensor);
    return ERR(err, MODEL, "the tensor \"%s\" has the shape [%s], config.json asks for [%u, %u]",
               tensor->name, shape, rows, cols);
}

/* One row; leading dimensions of 1 are fine, and one number may have none at all. */
enum status loader_check_vector(const struct tensor *tensor, uint32_t size, struct error *err) {
    const bool fits = tensor->n_dims > 0 ? tensor->dims[tensor->n_dims - 1] == size : size == 1;
    if (fits && tensor->elements == size)
        return STATUS_OK;
    char shape[LIMIT_TENSOR_DIMS * 24] = "";
    print_shape(shape, sizeof shape, tensor);
    return ERR(err, MODEL, "the tensor \"%s\" has the shape [%s], config.json asks for [%u]",
               tensor->name, shape, size);
}

bool loader_is_blocks(const struct source *source, uint32_t in) {
    const struct tensor *w = source->weight;
    if (source->transposed || w->n_dims != 3 || w->dims[2] != 1 || w->dims[0] != source->outputs ||
        w->dims[1] < 1)
        return false;
    return in % w->dims[1] == 0 && source->outputs % (in / w->dims[1]) == 0;
}

bool loader_is_groups(const struct source *source, uint32_t in) {
    const struct tensor *w = source->weight;
    if (source->transposed || w->n_dims != 3 || w->dims[0] > in || w->dims[1] > in ||
        w->dims[2] > source->outputs)
        return false;
    return w->dims[0] * w->dims[1] == in && w->dims[0] * w->dims[2] == source->outputs;
}

enum status loader_check_source(const struct source *source, uint32_t in, struct error *err) {
    if (source->rest) {
        const int64_t width = source->weight->n_dims == 2 ? source->weight->dims[1] : 0;
        const uint32_t own = width > 0 && width < in ? (uint32_t)width : in;
        if (loader_check_matrix(source->rest, in - own, source->outputs, err) != STATUS_OK)
            return STATUS_ERROR;
        in = own;
    }
    const uint32_t rows = source->transposed ? in : source->outputs;
    const uint32_t cols = source->transposed ? source->outputs : in;
    const bool is_row = source->outputs == 1 && source->weight->n_dims == 1;
    if (is_row && loader_check_vector(source->weight, in, err) != STATUS_OK)
        return STATUS_ERROR;
    if (!is_row && !loader_is_blocks(source, in) && !loader_is_groups(source, in) &&
        loader_check_matrix(source->weight, rows, cols, err) != STATUS_OK)
        return STATUS_ERROR;
    return source->bias ? loader_check_vector(source->bias, source->outputs, err) : STATUS_OK;
}
