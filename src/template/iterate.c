/* Iterating as Python does: over lists, text by characters, dicts by keys, ranges, views and
 * generators, which give each element once. */
#include "template/builtin.h"

#include "base/banned.h"

bool is_iterable(struct value value) {
    return value_length(value) >= 0 || is(value, KIND_GENERATOR) || is(value, KIND_LOOP);
}

bool iter_begin(struct render *r, struct iter *iter, struct value value) {
    *iter = (struct iter){.source = value};
    if (!is_iterable(value) || is(value, KIND_LOOP))
        fail(r, "'%s' object is not iterable", type_name(value));
    return !r->failed;
}

static struct value view_at(struct render *r, const struct view *view, size_t i) {
    const struct entry *entry = &view->dict->entries[i];
    if (view->part == VIEW_ITEMS)
        return value_pair(r, entry->key, entry->value);
    return view->part == VIEW_KEYS ? entry->key : entry->value;
}

/* `at` counts bytes. */
static bool next_char(struct render *r, struct iter *iter, struct value *out) {
    const struct str *str = iter->source.str;
    size_t from = iter->at;
    if (from >= str->len)
        return false;
    size_t to = from + 1;
    while (to < str->len && ((unsigned char)str->data[to] & 0xC0) == 0x80)
        to++;
    iter->at = to;
    *out = value_borrow(r, str->data + from, to - from);
    return true;
}

static bool generator_next(struct render *r, struct generator *generator, struct value *out) {
    if (generator->done)
        return false;
    /* Generators of generators nest as deep as the template made them. */
    if (r->depth >= LIMIT_TEMPLATE_DEPTH) {
        fail(r, "the template nests more than %d levels", LIMIT_TEMPLATE_DEPTH);
        return false;
    }
    r->depth++;
    const bool more = generator->next(r, generator, out);
    r->depth--;
    generator->done = !more || r->failed;
    return !generator->done;
}

bool iter_next(struct render *r, struct iter *iter, struct value *out) {
    const struct value source = iter->source;
    if (!step(r, 1))
        return false;
    if (is(source, KIND_STRING))
        return next_char(r, iter, out) && !r->failed;
    if (is(source, KIND_GENERATOR))
        return generator_next(r, source.generator, out);
    const int64_t length = value_length(source);
    if (length < 0 || iter->at >= (size_t)length)
        return false;
    const size_t at = iter->backwards ? (size_t)length - 1 - iter->at : iter->at;
    iter->at++;
    if (is(source, KIND_DICT))
        *out = source.dict->entries[at].key;
    else if (is(source, KIND_RANGE))
        *out = value_int(source.range->start + (int64_t)at * source.range->step);
    else if (is(source, KIND_VIEW))
        *out = view_at(r, source.view, at);
    else
        *out = source.seq->items[at];
    return !r->failed;
}

struct value to_list(struct render *r, struct value value) {
    struct iter iter;
    struct builder builder = {0};
    struct value item;
    if (!iter_begin(r, &iter, value))
        return value_list(r, 0);
    while (iter_next(r, &iter, &item))
        builder_add(r, &builder, item);
    return builder_list(r, &builder);
}

struct value value_generator(struct render *r, struct value source,
                             bool (*next)(struct render *, struct generator *, struct value *)) {
    struct generator *generator = render_new(r, sizeof(*generator));
    *generator = (struct generator){.next = next, .name = "generator", .source = source};
    return (struct value){.kind = KIND_GENERATOR, .generator = generator};
}

bool generator_source(struct render *r, struct generator *generator, struct value *out) {
    if (!generator->started) {
        generator->started = true;
        if (!iter_begin(r, &generator->iter, generator->source))
            return false;
    }
    return iter_next(r, &generator->iter, out);
}
