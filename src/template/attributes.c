/* object.name and object[key] as jinja2's sandbox has them: a name is looked for among the object's
 * methods first and its items then, a key the other way round; what starts with an underscore or
 * changes its object is undefined, with an error that says so when it is used. */
#include "template/evaluate.h"

#include <string.h>

#include "base/banned.h"

static struct value unsafe(struct render *r, struct value object, const struct str *name) {
    return value_undefined_hint(
        r, arena_printf(&r->arena, "access to attribute '%.*s' of '%s' object is unsafe.",
                        (int)(name->len < 128 ? name->len : 128), name->data, type_name(object)));
}

static struct value method(struct render *r, struct value object, const struct str *name,
                           const struct builtin *row) {
    if (row->blocked)
        return unsafe(r, object, name);
    struct function *function = render_new(r, sizeof(*function));
    *function = (struct function){.row = row, .self = object};
    return (struct value){.kind = KIND_FUNCTION, .function = function};
}

static const struct builtin *method_find(struct value object, const struct str *name) {
    switch (object.kind) {
    case KIND_STRING:
        return string_method_find(name->data, name->len);
    case KIND_DICT:
        return dict_method_find(name->data, name->len);
    case KIND_LIST:
        return list_method_find(name->data, name->len);
    case KIND_TUPLE:
    case KIND_RANGE:
        return tuple_method_find(name->data, name->len);
    default:
        return NULL;
    }
}

static struct value number_attribute(struct value object, const struct str *name) {
    if (str_is(name, "real") || (str_is(name, "numerator") && is_integer(object)))
        return is(object, KIND_BOOL) ? value_int(object.boolean) : object;
    if (str_is(name, "imag"))
        return is_integer(object) ? value_int(0) : value_float(0);
    if (str_is(name, "denominator") && is_integer(object))
        return value_int(1);
    return value_missing();
}

struct value get_own_attribute(struct render *r, struct value object, const struct str *name) {
    const struct builtin *row = method_find(object, name);
    if (row != NULL)
        return method(r, object, name, row);
    switch (object.kind) {
    case KIND_NAMESPACE: {
        const struct entry *entry = dict_find_text(object.dict, name->data, name->len);
        return entry == NULL ? value_missing() : entry->value;
    }
    case KIND_LOOP:
        return loop_attribute(r, object.loop, name);
    case KIND_MACRO:
        return macro_attribute(r, object.macro, name);
    case KIND_CYCLER:
    case KIND_JOINER:
        return helper_attribute(r, object, name);
    case KIND_BOOL:
    case KIND_INT:
    case KIND_FLOAT:
        return number_attribute(object, name);
    case KIND_TUPLE:
        if (object.seq->group && (str_is(name, "grouper") || str_is(name, "list")))
            return object.seq->items[str_is(name, "list")];
        return value_missing();
    default:
        return value_missing();
    }
}

static bool is_private(const struct str *name) {
    return name->len > 0 && name->data[0] == '_';
}

static struct value name_value(struct str *name) {
    return (struct value){.kind = KIND_STRING, .str = name};
}

struct value get_attribute(struct render *r, struct value object, struct str *name) {
    if (is(object, KIND_UNDEFINED))
        return fail_undefined(r, object);
    const struct value own = get_own_attribute(r, object, name);
    if (!is(own, KIND_MISSING))
        return is_private(name) ? unsafe(r, object, name) : own;
    if (name->len > 4 && memcmp(name->data, "__", 2) == 0 &&
        memcmp(name->data + name->len - 2, "__", 2) == 0)
        return unsafe(r, object, name);
    if (is(object, KIND_DICT)) {
        const struct entry *entry = dict_find_text(object.dict, name->data, name->len);
        if (entry != NULL)
            return entry->value;
    }
    return value_undefined_of(r, object, name_value(name));
}

/* object[index] of what is counted; MISSING: out of range. */
static struct value element(struct render *r, struct value object, int64_t index) {
    const int64_t length = value_length(object);
    index += index < 0 ? length : 0;
    if (index < 0 || index >= length)
        return value_missing();
    if (is(object, KIND_RANGE))
        return value_int(object.range->start + index * object.range->step);
    if (!is(object, KIND_STRING))
        return object.seq->items[index];
    const size_t from = str_offset(object.str, (size_t)index);
    size_t to = from;
    utf8_next_lossy(object.str->data, object.str->len, &to);
    step(r, from / 64);
    return value_borrow(r, object.str->data + from, to - from);
}

static struct value own_item(struct render *r, struct value object, struct value key) {
    switch (object.kind) {
    case KIND_DICT: {
        const struct entry *entry = hashable(key) ? dict_find(r, object.dict, key) : NULL;
        return entry == NULL ? value_missing() : entry->value;
    }
    case KIND_STRING:
    case KIND_LIST:
    case KIND_TUPLE:
    case KIND_RANGE:
        return is_integer(key) ? element(r, object, as_integer(key)) : value_missing();
    default:
        return value_missing();
    }
}

struct value get_item(struct render *r, struct value object, struct value key) {
    if (is(object, KIND_UNDEFINED))
        return fail_undefined(r, object);
    if (is(key, KIND_SLICE))
        return get_slice(r, object, key.slice);
    struct value found = own_item(r, object, key);
    if (!is(found, KIND_MISSING))
        return found;
    if (is(key, KIND_STRING)) {
        found = get_own_attribute(r, object, key.str);
        if (!is(found, KIND_MISSING))
            return is_private(key.str) ? unsafe(r, object, key.str) : found;
    }
    return value_undefined_of(r, object, key);
}

/* ---- slices ---- */

static bool slice_index(struct render *r, struct value value, int64_t otherwise, int64_t *out) {
    *out = otherwise;
    if (is_integer(value))
        *out = as_integer(value);
    else if (!is(value, KIND_NONE))
        fail(r, "slice indices must be integers or None or have an __index__ method");
    return !r->failed;
}

/* Into [low, high], counted from the end when negative. */
static int64_t clip(int64_t index, int64_t length, int64_t low, int64_t high) {
    if (index < 0)
        index = index < -length ? -1 : index + length;
    return index < low ? low : index > high ? high : index;
}

struct cut {
    int64_t start, step, n;
};

/* As PySlice_AdjustIndices. */
static bool cut_of(struct render *r, const struct slice *slice, int64_t length, struct cut *cut) {
    int64_t step_by = 1, start = 0, stop = 0;
    if (!slice_index(r, slice->step, 1, &step_by))
        return false;
    if (step_by == 0) {
        fail(r, "slice step cannot be zero");
        return false;
    }
    const bool back = step_by < 0;
    const int64_t low = back ? -1 : 0, high = back ? length - 1 : length;
    if (!slice_index(r, slice->start, 0, &start) || !slice_index(r, slice->stop, 0, &stop))
        return false;
    start = is(slice->start, KIND_NONE) ? (back ? high : low) : clip(start, length, low, high);
    stop = is(slice->stop, KIND_NONE) ? (back ? low : high) : clip(stop, length, low, high);
    const int64_t span = back ? start - stop : stop - start;
    const int64_t stride = back ? (step_by == INT64_MIN ? INT64_MAX : -step_by) : step_by;
    *cut = (struct cut){.start = start, .step = step_by};
    cut->n = span <= 0 ? 0 : (span - 1) / stride + 1;
    return true;
}

static struct value slice_text(struct render *r, struct str *str, struct cut cut) {
    if (cut.step == 1 || cut.n <= 1) {
        const size_t from = str_offset(str, (size_t)(cut.n > 0 ? cut.start : 0));
        const size_t to = cut.n > 0 ? str_offset(str, (size_t)(cut.start + cut.n)) : from;
        step(r, to / 64);
        return value_borrow(r, str->data + from, to - from);
    }
    const struct value chars = to_list(r, (struct value){.kind = KIND_STRING, .str = str});
    struct buf buf;
    str_buf(&buf);
    for (int64_t i = 0; i < cut.n && !r->failed; i++) {
        const struct str *c = chars.seq->items[cut.start + i * cut.step].str;
        buf_append(&buf, c->data, c->len);
    }
    return value_from_buf(r, &buf);
}

struct value get_slice(struct render *r, struct value object, const struct slice *slice) {
    struct cut cut = {0};
    switch (object.kind) {
    case KIND_UNDEFINED:
        return fail_undefined(r, object);
    case KIND_DICT:
        return fail(r, "unhashable type: 'slice'");
    case KIND_STRING:
    case KIND_LIST:
    case KIND_TUPLE:
    case KIND_RANGE:
        break;
    default:
        return fail(r, "'%s' object is not subscriptable", type_name(object));
    }
    if (!cut_of(r, slice, value_length(object), &cut))
        return value_undefined();
    if (is(object, KIND_STRING))
        return slice_text(r, object.str, cut);
    if (is(object, KIND_RANGE)) {
        struct range *range = render_new(r, sizeof(*range));
        range->step = object.range->step * cut.step;
        range->start = object.range->start + cut.start * object.range->step;
        range->stop = range->start + cut.n * range->step;
        range->n = (size_t)cut.n;
        return (struct value){.kind = KIND_RANGE, .range = range};
    }
    const struct value part =
        is(object, KIND_LIST) ? value_list(r, (size_t)cut.n) : value_tuple(r, (size_t)cut.n);
    for (size_t i = 0; i < part.seq->n; i++)
        part.seq->items[i] = object.seq->items[cut.start + (int64_t)i * cut.step];
    return part;
}

/* ---- paths ---- */

static struct value part_key(struct render *r, const char *part, size_t len) {
    int64_t index = 0;
    bool digits = len > 0;
    for (size_t i = 0; i < len; i++)
        digits = digits && part[i] >= '0' && part[i] <= '9';
    return digits && parse_int(part, len, 10, &index) ? value_int(index)
                                                      : value_borrow(r, part, len);
}

static struct value get_part(struct render *r, struct value object, struct value key,
                             struct value otherwise) {
    const struct value item = get_item(r, object, key);
    const bool replace =
        is(item, KIND_UNDEFINED) && !is(otherwise, KIND_MISSING) && !is(otherwise, KIND_NONE);
    return replace ? otherwise : item;
}

struct value get_path(struct render *r, struct value object, struct value path,
                      struct value otherwise) {
    if (is(path, KIND_MISSING) || is(path, KIND_NONE))
        return object;
    if (!is(path, KIND_STRING))
        return get_part(r, object, path, otherwise);
    const struct str *text = path.str;
    for (size_t from = 0; from <= text->len && !r->failed;) {
        const char *dot = memchr(text->data + from, '.', text->len - from);
        const size_t to = dot == NULL ? text->len : (size_t)(dot - text->data);
        object = get_part(r, object, part_key(r, text->data + from, to - from), otherwise);
        from = to + 1;
    }
    return object;
}
