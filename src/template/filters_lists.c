/* Filters of lists: choosing, mapping, sorting, grouping. Those that are generators in jinja2 are
 * here, too: they give each element once, and run when somebody asks. */
#include "template/builtin.h"

#include <string.h>

#include "base/banned.h"

/* ---- keys ---- */

static struct value ignore_case(struct render *r, struct value value) {
    return is(value, KIND_STRING) ? text_case(r, value.str, CASE_LOWER) : value;
}

static struct value key_of(struct render *r, struct value item, struct value path,
                           bool case_sensitive) {
    const struct value key = get_path(r, item, path, value_missing());
    return case_sensitive ? key : ignore_case(r, key);
}

/* A list of keys: the path may name several, "a,b". */
static struct value keys_of(struct render *r, struct value item, struct value path,
                            bool case_sensitive) {
    struct builder keys = {0};
    if (!is(path, KIND_STRING)) {
        builder_add(r, &keys, key_of(r, item, path, case_sensitive));
        return builder_list(r, &keys);
    }
    const struct str *text = path.str;
    for (size_t from = 0; from <= text->len && !r->failed;) {
        const char *comma = memchr(text->data + from, ',', text->len - from);
        const size_t to = comma == NULL ? text->len : (size_t)(comma - text->data);
        const struct value part = value_borrow(r, text->data + from, to - from);
        builder_add(r, &keys, key_of(r, item, part, case_sensitive));
        from = to + 1;
    }
    return builder_list(r, &keys);
}

/* ---- sorting ---- */

struct sortable {
    struct value key, item;
};

static bool before(struct render *r, const struct sortable *a, const struct sortable *b,
                   bool reverse) {
    const int order =
        reverse ? values_compare(r, b->key, a->key, "<") : values_compare(r, a->key, b->key, "<");
    return order < 0 && !r->failed;
}

/* Merges from bottom up; equal ones keep their order, reversed or not. */
static void sort(struct render *r, struct sortable *items, size_t n, bool reverse) {
    struct sortable *spare = render_alloc(r, n, sizeof(*spare));
    for (size_t width = 1; spare != NULL && width < n && !r->failed; width *= 2) {
        for (size_t from = 0; from < n && !r->failed; from += 2 * width) {
            const size_t middle = from + width < n ? from + width : n;
            const size_t end = middle + width < n ? middle + width : n;
            size_t a = from, b = middle;
            for (size_t i = from; i < end; i++) {
                const bool second =
                    b < end && (a >= middle || before(r, &items[b], &items[a], reverse));
                spare[i] = second ? items[b++] : items[a++];
            }
        }
        memcpy(items, spare, n * sizeof(*items));
    }
}

static struct value sorted_items(struct render *r, struct sortable *items, size_t n, bool reverse) {
    sort(r, items, n, reverse);
    const struct value list = value_list(r, n);
    for (size_t i = 0; i < list.seq->n; i++)
        list.seq->items[i] = items[i].item;
    return list;
}

static struct value filter_sort(struct render *r, struct call *call) {
    const struct value list = to_list(r, call->self);
    const size_t n = r->failed ? 0 : list.seq->n;
    struct sortable *items = render_alloc(r, n, sizeof(*items));
    for (size_t i = 0; items != NULL && i < n; i++) {
        items[i].item = list.seq->items[i];
        items[i].key = keys_of(r, items[i].item, call->arg[2], arg_truth(call, 1, false));
    }
    return r->failed ? list : sorted_items(r, items, n, arg_truth(call, 0, false));
}

static struct value filter_dictsort(struct render *r, struct call *call) {
    const struct value by = call->arg[1];
    const bool by_value = is(by, KIND_STRING) && str_is(by.str, "value");
    if (!by_value && !is(by, KIND_MISSING) && !(is(by, KIND_STRING) && str_is(by.str, "key")))
        return fail(r, "You can only sort by either \"key\" or \"value\"");
    if (is(call->self, KIND_UNDEFINED))
        return fail_undefined(r, call->self);
    if (!is(call->self, KIND_DICT))
        return fail(r, "'%s' object has no attribute 'items'", type_name(call->self));
    const struct dict *dict = call->self.dict;
    struct sortable *items = render_alloc(r, dict->n, sizeof(*items));
    for (size_t i = 0; items != NULL && i < dict->n; i++) {
        const struct entry *entry = &dict->entries[i];
        items[i].item = value_pair(r, entry->key, entry->value);
        items[i].key = by_value ? entry->value : entry->key;
        if (!arg_truth(call, 0, false))
            items[i].key = ignore_case(r, items[i].key);
    }
    return r->failed ? value_undefined()
                     : sorted_items(r, items, dict->n, arg_truth(call, 2, false));
}

static struct value group(struct render *r, struct value key, struct sortable *items, size_t n) {
    const struct value list = value_list(r, n);
    for (size_t i = 0; i < list.seq->n; i++)
        list.seq->items[i] = items[i].item;
    const struct value pair = value_pair(r, key, list);
    pair.seq->group = true;
    return pair;
}

static struct value filter_groupby(struct render *r, struct call *call) {
    const struct value path = call->arg[0], otherwise = call->arg[1];
    const bool case_sensitive = arg_truth(call, 2, false);
    const struct value list = to_list(r, call->self);
    const size_t n = r->failed ? 0 : list.seq->n;
    struct sortable *items = render_alloc(r, n, sizeof(*items));
    struct builder groups = {0};
    for (size_t i = 0; items != NULL && i < n; i++) {
        items[i].item = list.seq->items[i];
        items[i].key = get_path(r, items[i].item, path, otherwise);
        if (!case_sensitive)
            items[i].key = ignore_case(r, items[i].key);
    }
    if (items != NULL)
        sort(r, items, n, false);
    for (size_t from = 0, to = 0; from < n && !r->failed; from = to) {
        while (to < n && values_equal(r, items[from].key, items[to].key))
            to++;
        to = to == from ? from + 1 : to; /* nan is not equal to itself */
        builder_add(
            r, &groups,
            group(r, get_path(r, items[from].item, path, otherwise), items + from, to - from));
    }
    return builder_list(r, &groups);
}

/* ---- picking ---- */

static struct value extreme(struct render *r, struct call *call, const char *op) {
    struct iter iter;
    struct value item, best = value_missing(), best_key = value_missing();
    if (!iter_begin(r, &iter, call->self))
        return value_undefined();
    while (iter_next(r, &iter, &item)) {
        const struct value key = key_of(r, item, call->arg[1], arg_truth(call, 0, false));
        if (is(best, KIND_MISSING) || op_compare(r, *op == '<' ? OP_LT : OP_GT, key, best_key)) {
            best = item;
            best_key = key;
        }
    }
    return is(best, KIND_MISSING)
               ? value_undefined_hint(r, "No aggregated item, sequence was empty.")
               : best;
}

static struct value filter_min(struct render *r, struct call *call) {
    return extreme(r, call, "<");
}

static struct value filter_max(struct render *r, struct call *call) {
    return extreme(r, call, ">");
}

static struct value filter_sum(struct render *r, struct call *call) {
    struct iter iter;
    struct value item;
    struct value sum = is(call->arg[1], KIND_MISSING) ? value_int(0) : call->arg[1];
    if (is(sum, KIND_STRING))
        return fail(r, "sum() can't sum strings [use ''.join(seq) instead]");
    if (!iter_begin(r, &iter, call->self))
        return value_undefined();
    while (iter_next(r, &iter, &item))
        sum = op_binary(r, OP_ADD, sum, get_path(r, item, call->arg[0], value_missing()));
    return sum;
}

static struct value filter_first(struct render *r, struct call *call) {
    struct iter iter;
    struct value item;
    if (!iter_begin(r, &iter, call->self))
        return value_undefined();
    if (iter_next(r, &iter, &item))
        return item;
    return value_undefined_hint(r, "No first item, sequence was empty.");
}

static struct value filter_last(struct render *r, struct call *call) {
    if (value_length(call->self) < 0)
        return fail(r, "'%s' object is not reversible", type_name(call->self));
    const struct value list = to_list(r, call->self);
    if (r->failed || list.seq->n > 0)
        return r->failed ? list : list.seq->items[list.seq->n - 1];
    return value_undefined_hint(r, "No last item, sequence was empty.");
}

static struct value filter_list(struct render *r, struct call *call) {
    return to_list(r, call->self);
}

static struct value filter_length(struct render *r, struct call *call) {
    struct str length = {.data = "length", .len = 6};
    if (is(call->self, KIND_LOOP))
        return get_own_attribute(r, call->self, &length);
    const int64_t n = value_length(call->self);
    return n < 0 ? fail(r, "object of type '%s' has no len()", type_name(call->self))
                 : value_int(n);
}

static struct value filter_join(struct render *r, struct call *call) {
    const struct value separator =
        is(call->arg[0], KIND_MISSING) ? value_text(r, "") : to_str(r, call->arg[0]);
    struct value values = call->self;
    if (!is(call->arg[1], KIND_MISSING) && !is(call->arg[1], KIND_NONE)) {
        values = to_list(r, values);
        for (size_t i = 0; i < values.seq->n && !r->failed; i++)
            values.seq->items[i] = get_path(r, values.seq->items[i], call->arg[1], value_missing());
    }
    return r->failed ? values : text_join(r, separator.str, values, false);
}

/* ---- generators ---- */

static bool reverse_next(struct render *r, struct generator *generator, struct value *out) {
    if (!generator->started) {
        generator->started = true;
        if (!iter_begin(r, &generator->iter, generator->source))
            return false;
        generator->iter.backwards = true;
    }
    return iter_next(r, &generator->iter, out);
}

static struct value filter_reverse(struct render *r, struct call *call) {
    static const char *const names[] = {
        [KIND_LIST] = "list_reverseiterator",     [KIND_TUPLE] = "reversed",
        [KIND_DICT] = "dict_reversekeyiterator",  [KIND_RANGE] = "range_iterator",
        [KIND_VIEW] = "dict_reverseitemiterator", [KIND_UNDEFINED] = "reversed"};
    if (!is_iterable(call->self))
        return fail(r, "argument must be iterable");
    const struct value list = to_list(r, call->self);
    if (r->failed)
        return list;
    if (is(call->self, KIND_STRING) || is(call->self, KIND_GENERATOR)) {
        const struct value turned = value_list(r, list.seq->n);
        for (size_t i = 0; i < turned.seq->n; i++)
            turned.seq->items[i] = list.seq->items[list.seq->n - 1 - i];
        return is(call->self, KIND_GENERATOR) ? turned
                                              : text_join(r, value_text(r, "").str, turned, true);
    }
    const struct value value = value_generator(r, list, reverse_next);
    if (call->self.kind < ARRAY_LEN(names) && names[call->self.kind] != NULL)
        value.generator->name = names[call->self.kind];
    return value;
}

static bool batch_next(struct render *r, struct generator *generator, struct value *out) {
    struct builder batch = {0};
    const int64_t count = generator->extra[0].integer;
    struct value item = generator->extra[2]; /* taken too early */
    generator->extra[2] = value_missing();
    if (!is(item, KIND_MISSING))
        builder_add(r, &batch, item);
    while (generator_source(r, generator, &item)) {
        if ((int64_t)batch.n == count) {
            generator->extra[2] = item;
            *out = builder_list(r, &batch);
            return true;
        }
        builder_add(r, &batch, item);
    }
    const struct value fill = generator->extra[1];
    const bool fills = !is(fill, KIND_MISSING) && !is(fill, KIND_NONE);
    for (bool some = batch.n > 0; some && fills && (int64_t)batch.n < count && step(r, 1);)
        builder_add(r, &batch, fill);
    *out = builder_list(r, &batch);
    return batch.n > 0;
}

static struct value filter_batch(struct render *r, struct call *call) {
    int64_t count = 0;
    if (!arg_integer(r, call, 0, 0, &count))
        return value_undefined();
    const struct value value = value_generator(r, call->self, batch_next);
    value.generator->extra[0] = value_int(count);
    value.generator->extra[1] = call->arg[1];
    value.generator->extra[2] = value_missing();
    return value;
}

static bool slice_next(struct render *r, struct generator *generator, struct value *out) {
    const int64_t slices = generator->extra[0].integer;
    const struct value fill = generator->extra[1];
    if (!generator->started) {
        generator->started = true;
        generator->extra[2] = to_list(r, generator->source);
        if (slices == 0)
            fail(r, "integer division or modulo by zero");
    }
    const int64_t at = (int64_t)generator->at++;
    if (r->failed || at >= slices)
        return false;
    const struct seq *all = generator->extra[2].seq;
    const int64_t each = (int64_t)all->n / slices, more = (int64_t)all->n % slices;
    const int64_t from = at * each + (at < more ? at : more);
    const int64_t n = each + (at < more);
    const bool fills = at >= more && !is(fill, KIND_MISSING) && !is(fill, KIND_NONE);
    struct builder part = {0};
    for (int64_t i = 0; i < n; i++)
        builder_add(r, &part, all->items[from + i]);
    if (fills)
        builder_add(r, &part, fill);
    *out = builder_list(r, &part);
    return true;
}

static struct value filter_slice(struct render *r, struct call *call) {
    int64_t slices = 0;
    if (!arg_integer(r, call, 0, 0, &slices))
        return value_undefined();
    const struct value value = value_generator(r, call->self, slice_next);
    value.generator->extra[0] = value_int(slices);
    value.generator->extra[1] = call->arg[1];
    return value;
}

static bool unique_next(struct render *r, struct generator *generator, struct value *out) {
    while (generator_source(r, generator, out)) {
        const struct value key = key_of(r, *out, generator->extra[1], truthy(generator->extra[0]));
        struct dict *seen = generator->extra[2].dict;
        const size_t n = seen->n;
        dict_set(r, seen, key, value_none());
        if (seen->n > n)
            return true;
    }
    return false;
}

static struct value filter_unique(struct render *r, struct call *call) {
    const struct value value = value_generator(r, call->self, unique_next);
    value.generator->extra[0] = value_bool(arg_truth(call, 0, false));
    value.generator->extra[1] = call->arg[1];
    value.generator->extra[2] = value_dict(r, 0);
    return value;
}

static bool items_next(struct render *r, struct generator *generator, struct value *out) {
    const struct value source = generator->source;
    if (is(source, KIND_UNDEFINED))
        return false;
    if (!is(source, KIND_DICT)) {
        fail(r, "Can only get item pairs from a mapping.");
        return false;
    }
    if (generator->at >= source.dict->n)
        return false;
    const struct entry *entry = &source.dict->entries[generator->at++];
    *out = value_pair(r, entry->key, entry->value);
    return true;
}

static struct value filter_items(struct render *r, struct call *call) {
    return value_generator(r, call->self, items_next);
}

/* ---- map and select ---- */

static const struct value *named(const struct args *args, const char *name) {
    for (size_t i = 0; i < args->n_named; i++) {
        if (str_is(args->named[i].name, name))
            return &args->named[i].value;
    }
    return NULL;
}

/* The arguments behind the first n. */
static struct args *rest_of(struct render *r, const struct args *args, size_t n) {
    struct args *rest = render_new(r, sizeof(*rest));
    *rest = *args;
    rest->items += n < args->n ? n : args->n;
    rest->n -= n < args->n ? n : args->n;
    return rest;
}

/* What the generator does to each element; done when the first is asked for, as in jinja2. */
static bool map_prepare(struct render *r, struct generator *generator) {
    const struct args *args = generator->args;
    const struct value *attribute = named(args, "attribute"), *otherwise = named(args, "default");
    generator->extra[0] = attribute == NULL ? value_missing() : *attribute;
    generator->extra[1] = otherwise == NULL ? value_missing() : *otherwise;
    if (args->n == 0 && attribute != NULL) {
        if (args->n_named > 1u + (otherwise != NULL))
            fail(r, "Unexpected keyword argument");
        return !r->failed;
    }
    if (args->n == 0) {
        fail(r, "map requires a filter argument");
        return false;
    }
    const struct value name = args->items[0];
    generator->row = is(name, KIND_STRING) ? filter_find(name.str->data, name.str->len) : NULL;
    if (generator->row == NULL)
        fail(r, "No filter named %s.", repr_text(r, name));
    generator->args = rest_of(r, args, 1);
    return !r->failed;
}

static bool map_next(struct render *r, struct generator *generator, struct value *out) {
    struct value item;
    if (!generator_source(r, generator, &item))
        return false;
    if (generator->at++ == 0 && !map_prepare(r, generator))
        return false;
    *out = generator->row != NULL ? builtin_call(r, generator->row, item, generator->args)
                                  : get_path(r, item, generator->extra[0], generator->extra[1]);
    return !r->failed;
}

static struct args *keep_args(struct render *r, const struct args *args) {
    struct args *kept = render_new(r, sizeof(*kept));
    *kept = *args;
    return kept;
}

static struct value filter_map(struct render *r, struct call *call) {
    /* Nothing is done, not even asked, where there is nothing. */
    const struct value source = truthy(call->self) ? call->self : value_undefined();
    const struct value value = value_generator(r, source, map_next);
    value.generator->args = keep_args(r, call->args);
    return value;
}

/* extra[0]: the path of selectattr, or missing. */
static bool select_prepare(struct render *r, struct generator *generator) {
    const struct args *args = generator->args;
    const bool by_attribute = is(generator->extra[1], KIND_BOOL);
    generator->extra[0] = value_missing();
    if (by_attribute && args->n == 0) {
        fail(r, "Missing parameter for attribute name");
        return false;
    }
    if (by_attribute)
        generator->extra[0] = args->items[0];
    if (args->n <= (size_t)by_attribute)
        return true;
    const struct value name = args->items[by_attribute];
    generator->row = is(name, KIND_STRING) ? test_find(name.str->data, name.str->len) : NULL;
    if (generator->row == NULL)
        fail(r, "No test named %s.", repr_text(r, name));
    generator->args = rest_of(r, args, 1u + by_attribute);
    return !r->failed;
}

static bool select_next(struct render *r, struct generator *generator, struct value *out) {
    while (generator_source(r, generator, out)) {
        if (generator->at++ == 0 && !select_prepare(r, generator))
            return false;
        struct value item = get_path(r, *out, generator->extra[0], value_missing());
        if (generator->row != NULL && !r->failed)
            item = builtin_call(r, generator->row, item, generator->args);
        if (r->failed)
            return false;
        if (truthy(item) != generator->negate)
            return true;
    }
    return false;
}

static struct value select_like(struct render *r, struct call *call, bool negate,
                                bool by_attribute) {
    const struct value source = truthy(call->self) ? call->self : value_undefined();
    const struct value value = value_generator(r, source, select_next);
    value.generator->args = keep_args(r, call->args);
    value.generator->negate = negate;
    value.generator->extra[1] = by_attribute ? value_bool(true) : value_none();
    return value;
}

static struct value filter_select(struct render *r, struct call *call) {
    return select_like(r, call, false, false);
}

static struct value filter_reject(struct render *r, struct call *call) {
    return select_like(r, call, true, false);
}

static struct value filter_selectattr(struct render *r, struct call *call) {
    return select_like(r, call, false, true);
}

static struct value filter_rejectattr(struct render *r, struct call *call) {
    return select_like(r, call, true, true);
}

static const struct builtin rows[] = {
    {.name = "batch", .params = "linecount fill_with", .required = 1, .run = filter_batch},
    {.name = "count", .params = "/", .run = filter_length},
    {.name = "dictsort", .params = "case_sensitive by reverse", .run = filter_dictsort},
    {.name = "first", .params = "", .run = filter_first},
    {.name = "groupby",
     .params = "attribute default case_sensitive",
     .required = 1,
     .run = filter_groupby},
    {.name = "items", .params = "", .run = filter_items},
    {.name = "join", .params = "d attribute", .run = filter_join},
    {.name = "last", .params = "", .run = filter_last},
    {.name = "length", .params = "/", .run = filter_length},
    {.name = "list", .params = "", .run = filter_list},
    {.name = "map", .run = filter_map},
    {.name = "max", .params = "case_sensitive attribute", .run = filter_max},
    {.name = "min", .params = "case_sensitive attribute", .run = filter_min},
    {.name = "random", .run = builtin_unsupported},
    {.name = "reject", .run = filter_reject},
    {.name = "rejectattr", .run = filter_rejectattr},
    {.name = "reverse", .params = "", .run = filter_reverse},
    {.name = "select", .run = filter_select},
    {.name = "selectattr", .run = filter_selectattr},
    {.name = "slice", .params = "slices fill_with", .required = 1, .run = filter_slice},
    {.name = "sort", .params = "reverse case_sensitive attribute", .run = filter_sort},
    {.name = "sum", .params = "attribute start", .run = filter_sum},
    {.name = "unique", .params = "case_sensitive attribute", .run = filter_unique},
};

struct builtin_table filters_lists(void) {
    return (struct builtin_table){rows, ARRAY_LEN(rows)};
}
