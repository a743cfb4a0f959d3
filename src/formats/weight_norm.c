/* Weight norm (Salimans and Kingma 2016): w = g * v / |v|, a length and a direction. torch saves it
 * as weight_g and weight_v (torch.nn.utils.weight_norm) or as parametrizations.weight.original0 and
 * original1 (torch.nn.utils.parametrizations); here both become the tensor "weight". The dimension
 * that keeps its lengths apart is the one that g has. */
#include "formats/format.h"

static const struct {
    const char *direction, *length, *whole; /* ends of the three names */
} spellings[] = {
    {"weight_v", "weight_g", "weight"},
    {"parametrizations.weight.original1", "parametrizations.weight.original0", "weight"},
};

/* name with `other` in place of its end, or NULL when it does not end so, at a dot. */
static char *with_end(struct arena *arena, const char *name, const char *end, const char *other) {
    const size_t len = strlen(name), end_len = strlen(end);
    if (len < end_len || strcmp(name + len - end_len, end) != 0)
        return NULL;
    if (len > end_len && name[len - end_len - 1] != '.')
        return NULL;
    return arena_printf(arena, "%.*s%s", (int)(len - end_len), name, other);
}

/* The dimension of v whose lengths g holds: the one where g is not 1. n_dims: one length for all.
 */
static enum status find_dim(uint32_t *dim, const struct tensor *v, const struct tensor *g,
                            struct error *err) {
    bool fits = g->n_dims == v->n_dims || (g->n_dims == 0 && v->n_dims > 0);
    *dim = v->n_dims;
    for (uint32_t i = 0; fits && i < g->n_dims; i++) {
        if (g->dims[i] == 1)
            continue;
        fits = *dim == v->n_dims && g->dims[i] == v->dims[i];
        *dim = i;
    }
    if (!fits || g->elements == 0)
        return ERR(err, MODEL,
                   "tensors \"%.100s\" and \"%.100s\" are no weight norm: the first must have the "
                   "second's size in one dimension and 1 in the others",
                   g->name, v->name);
    return STATUS_OK;
}

/* Makes v the whole weight if the item is one and its lengths are there; *dropped: g's item. */
static enum status join(struct tensor_list *list, struct listed *item,
                        const struct listed **dropped, struct error *err) {
    for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
        const char *v = item->tensor.name, *end = spellings[i].direction;
        const char *g = with_end(&list->arena, v, end, spellings[i].length);
        const char *whole = with_end(&list->arena, v, end, spellings[i].whole);
        const struct listed *length = g == NULL ? NULL : tensor_list_find(list, g);
        if (length == NULL || tensor_list_find(list, whole) != NULL)
            continue;
        uint32_t dim = 0;
        if (find_dim(&dim, &item->tensor, &length->tensor, err) != STATUS_OK)
            return STATUS_ERROR;
        change_scale(list, change_add(list, &item->tensor), &item->tensor, dim, &length->tensor);
        item->tensor.name = whole; /* the list is sorted anew before anything is found again */
        *dropped = length;
        return STATUS_OK;
    }
    return STATUS_OK;
}

static bool has_weight_norm(const struct tensor_list *list) {
    for (size_t i = 0; i < list->len; i++) {
        for (size_t j = 0; j < ARRAY_LEN(spellings); j++) {
            if (strstr(list->items[i].tensor.name, spellings[j].direction) != NULL)
                return true;
        }
    }
    return false;
}

enum status weight_norm_apply(struct tensor_list *list, const char *const *files,
                              struct error *err) {
    if (!has_weight_norm(list))
        return STATUS_OK;
    /* The list stays as it is while it is searched: names are exchanged in a copy. */
    struct listed *after = mem_zalloc(list->len, sizeof *after);
    bool *dropped = mem_zalloc(list->len, sizeof *dropped);
    enum status status = STATUS_OK;
    size_t n = 0;
    for (size_t i = 0; i < list->len && status == STATUS_OK; i++) {
        const struct listed *length = NULL;
        after[i] = list->items[i];
        status = join(list, &after[i], &length, err);
        if (length != NULL)
            dropped[length - list->items] = true;
    }
    for (size_t i = 0; i < list->len && status == STATUS_OK; i++) {
        if (!dropped[i])
            list->items[n++] = after[i];
    }
    if (status == STATUS_OK)
        list->len = n;
    mem_free(dropped);
    mem_free(after);
    return status == STATUS_OK ? tensor_list_finish(list, files, err) : status;
}
