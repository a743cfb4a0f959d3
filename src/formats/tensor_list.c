/* The list of tensors that a weight format fills: names, where the data is, and memory for data
 * that does not stand in the file as it is needed. Which files there are is checkpoint.c's
 * business. */
#include "formats/format.h"

enum status tensor_list_add(struct tensor_list *list, struct tensor **out, const char *name,
                            size_t len, struct error *err) {
    if (memchr(name, 0, len) != NULL)
        return ERR(err, MODEL, "tensor name \"%.100s\" has a zero inside: the file is damaged",
                   name);
    if (list->len >= LIMIT_TENSORS)
        return ERR(err, MODEL, "holds more than %d tensors, the most that are read", LIMIT_TENSORS);
    list->items = mem_grow(list->items, &list->cap, list->len + 1, sizeof *list->items);
    struct listed *item = &list->items[list->len++];
    *item = (struct listed){.file = list->file};
    item->tensor.name = arena_strndup(&list->arena, name, len);
    *out = &item->tensor;
    return STATUS_OK;
}

enum status tensor_list_own(struct tensor_list *list, void **block, size_t bytes,
                            struct error *err) {
    if (bytes > list->may_own - list->owned)
        return ERR(err, MODEL,
                   "its tensors unpack to more than %d times the files' size: damaged or made to "
                   "exhaust memory; save the model again as safetensors",
                   LIMIT_OWNED_RATIO);
    if (mem_try_alloc(block, bytes, err) != STATUS_OK)
        return STATUS_ERROR;
    list->blocks =
        mem_grow(list->blocks, &list->blocks_cap, list->n_blocks + 1, sizeof *list->blocks);
    list->blocks[list->n_blocks++] = (struct block){*block, bytes};
    list->owned += bytes;
    return STATUS_OK;
}

static int compare_listed(const void *a, const void *b) {
    return strcmp(((const struct listed *)a)->tensor.name, ((const struct listed *)b)->tensor.name);
}

enum status tensor_list_finish(struct tensor_list *list, const char *const *files,
                               struct error *err) {
    if (list->len == 0)
        return STATUS_OK;
    qsort(list->items, list->len, sizeof *list->items, compare_listed);
    for (size_t i = 1; i < list->len; i++) {
        const struct listed *a = &list->items[i - 1], *b = &list->items[i];
        if (strcmp(a->tensor.name, b->tensor.name) == 0)
            return ERR(err, MODEL,
                       "tensor \"%.100s\" stands twice, in %.100s and %.100s: the checkpoint is "
                       "damaged; download it again",
                       a->tensor.name, files[a->file], files[b->file]);
    }
    return STATUS_OK;
}

const struct listed *tensor_list_find(const struct tensor_list *list, const char *name) {
    if (list->len == 0)
        return NULL;
    const struct listed key = {.tensor.name = name};
    return bsearch(&key, list->items, list->len, sizeof key, compare_listed);
}

void tensor_list_deinit(struct tensor_list *list) {
    for (size_t i = 0; i < list->n_scalings; i++)
        lock_deinit(&list->scalings[i]->lock);
    mem_free(list->scalings);
    for (size_t i = 0; i < list->n_blocks; i++)
        mem_free_large(list->blocks[i].data, list->blocks[i].bytes);
    mem_free(list->blocks);
    mem_free(list->items);
    arena_deinit(&list->arena);
    *list = (struct tensor_list){0};
}
