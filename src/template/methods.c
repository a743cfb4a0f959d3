/* Methods of dict, list and tuple. Those that would change their object are named, so that asking
 * for them is refused as the sandbox refuses it. */
#include "template/builtin.h"

#include "base/banned.h"

/* ---- dict ---- */

static struct value view_of(struct render *r, struct dict *dict, enum view_part part) {
    struct view *view = render_new(r, sizeof(*view));
    *view = (struct view){.dict = dict, .part = part};
    return (struct value){.kind = KIND_VIEW, .view = view};
}

static struct value dict_keys(struct render *r, struct call *call) {
    return view_of(r, call->self.dict, VIEW_KEYS);
}

static struct value dict_values(struct render *r, struct call *call) {
    return view_of(r, call->self.dict, VIEW_VALUES);
}

static struct value dict_items(struct render *r, struct call *call) {
    return view_of(r, call->self.dict, VIEW_ITEMS);
}

static struct value dict_get(struct render *r, struct call *call) {
    const struct entry *entry = dict_find(r, call->self.dict, call->arg[0]);
    if (entry != NULL)
        return entry->value;
    return is(call->arg[1], KIND_MISSING) ? value_none() : call->arg[1];
}

static struct value dict_copy(struct render *r, struct call *call) {
    const struct dict *from = call->self.dict;
    const struct value copy = value_dict(r, from->n);
    for (size_t i = 0; i < from->n; i++)
        dict_set(r, copy.dict, from->entries[i].key, from->entries[i].value);
    return copy;
}

static const struct builtin dict_rows[] = {
    {.name = "clear", .blocked = true},
    {.name = "copy", .params = "/", .run = dict_copy},
    {.name = "fromkeys", .run = builtin_unsupported},
    {.name = "get", .params = "/key default", .required = 1, .run = dict_get},
    {.name = "items", .params = "/", .run = dict_items},
    {.name = "keys", .params = "/", .run = dict_keys},
    {.name = "pop", .blocked = true},
    {.name = "popitem", .blocked = true},
    {.name = "setdefault", .blocked = true},
    {.name = "update", .blocked = true},
    {.name = "values", .params = "/", .run = dict_values},
};

const struct builtin *dict_method_find(const char *name, size_t len) {
    return builtin_find(dict_rows, ARRAY_LEN(dict_rows), name, len);
}

/* ---- list and tuple ---- */

static struct value list_copy(struct render *r, struct call *call) {
    return to_list(r, call->self);
}

static struct value list_count(struct render *r, struct call *call) {
    struct iter iter;
    struct value item;
    int64_t n = 0;
    if (!iter_begin(r, &iter, call->self))
        return value_undefined();
    while (iter_next(r, &iter, &item))
        n += values_equal(r, item, call->arg[0]);
    return value_int(n);
}

static struct value list_index(struct render *r, struct call *call) {
    const int64_t length = value_length(call->self);
    struct iter iter;
    struct value item;
    int64_t start = 0, stop = length;
    if (!arg_integer(r, call, 1, 0, &start) || !arg_integer(r, call, 2, length, &stop) ||
        !iter_begin(r, &iter, call->self))
        return value_undefined();
    start += start < 0 ? length : 0;
    stop += stop < 0 ? length : 0;
    for (int64_t i = 0; i < stop && iter_next(r, &iter, &item); i++) {
        if (i >= start && values_equal(r, item, call->arg[0]))
            return value_int(i);
    }
    return is(call->self, KIND_TUPLE)
               ? fail(r, "tuple.index(x): x not in tuple")
               : fail(r, "%s is not in %s", repr_text(r, call->arg[0]), type_name(call->self));
}

static const struct builtin list_rows[] = {
    {.name = "append", .blocked = true},
    {.name = "clear", .blocked = true},
    {.name = "copy", .params = "/", .run = list_copy},
    {.name = "count", .params = "/value", .required = 1, .run = list_count},
    {.name = "extend", .blocked = true},
    {.name = "index", .params = "/value start stop", .required = 1, .run = list_index},
    {.name = "insert", .blocked = true},
    {.name = "pop", .blocked = true},
    {.name = "remove", .blocked = true},
    {.name = "reverse", .blocked = true},
    {.name = "sort", .blocked = true},
};

const struct builtin *list_method_find(const char *name, size_t len) {
    return builtin_find(list_rows, ARRAY_LEN(list_rows), name, len);
}

static const struct builtin tuple_rows[] = {
    {.name = "count", .params = "/value", .required = 1, .run = list_count},
    {.name = "index", .params = "/value start stop", .required = 1, .run = list_index},
};

const struct builtin *tuple_method_find(const char *name, size_t len) {
    return builtin_find(tuple_rows, ARRAY_LEN(tuple_rows), name, len);
}
