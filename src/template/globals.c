/* The functions that every template has: jinja2's own, and raise_exception and strftime_now of
 * `transformers`. */
#include "template/evaluate.h"

#include <string.h>
#include <time.h>

#include "base/banned.h"

static struct value global_range(struct render *r, struct call *call) {
    int64_t at[3] = {0, 0, 1};
    const bool one = is(call->arg[1], KIND_MISSING);
    for (size_t i = 0; i < 3; i++) {
        if (!arg_integer(r, call, i, at[i], &at[i]))
            return value_undefined();
    }
    struct range *range = render_new(r, sizeof(*range));
    *range = (struct range){.start = one ? 0 : at[0], .stop = one ? at[0] : at[1], .step = at[2]};
    if (range->step == 0)
        return fail(r, "range() arg 3 must not be zero");
    const double span = (double)range->stop - (double)range->start;
    const double n = span == 0 ? 0 : (span + (double)range->step) / (double)range->step;
    if (n > LIMIT_TEMPLATE_RANGE + 2)
        return fail(r, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).",
                    LIMIT_TEMPLATE_RANGE);
    int64_t value = range->start;
    while (range->step > 0 ? value < range->stop : value > range->stop) {
        range->n++;
        if (__builtin_add_overflow(value, range->step, &value))
            break;
    }
    if (range->n > LIMIT_TEMPLATE_RANGE)
        return fail(r, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).",
                    LIMIT_TEMPLATE_RANGE);
    step(r, range->n / 64);
    return (struct value){.kind = KIND_RANGE, .range = range};
}

/* dict(mapping or pairs, name=value …) */
static struct value global_dict(struct render *r, struct call *call) {
    const struct args *args = call->args;
    const struct value dict = value_dict(r, args->n_named);
    struct iter iter;
    struct value item;
    if (args->n > 1)
        return fail(r, "dict expected at most 1 argument, got %zu", args->n);
    const struct value from = args->n == 1 ? args->items[0] : value_undefined();
    if (is(from, KIND_DICT)) {
        for (size_t i = 0; i < from.dict->n; i++)
            dict_set(r, dict.dict, from.dict->entries[i].key, from.dict->entries[i].value);
    } else if (iter_begin(r, &iter, from)) {
        for (size_t i = 0; iter_next(r, &iter, &item); i++) {
            const struct value pair = to_list(r, item);
            if (!r->failed && pair.seq->n != 2)
                fail(r, "dictionary update sequence element #%zu has length %zu; 2 is required", i,
                     pair.seq->n);
            if (!r->failed)
                dict_set(r, dict.dict, pair.seq->items[0], pair.seq->items[1]);
        }
    }
    for (size_t i = 0; i < args->n_named; i++)
        dict_set(r, dict.dict, (struct value){.kind = KIND_STRING, .str = args->named[i].name},
                 args->named[i].value);
    return dict;
}

static struct value global_namespace(struct render *r, struct call *call) {
    struct value value = global_dict(r, call);
    if (is(value, KIND_DICT))
        value.kind = KIND_NAMESPACE;
    return value;
}

static struct value global_cycler(struct render *r, struct call *call) {
    if (call->args->n == 0)
        return fail(r, "at least one item has to be provided");
    struct cycler *cycler = render_new(r, sizeof(*cycler));
    cycler->items = (struct seq){.items = call->args->items, .n = call->args->n};
    return (struct value){.kind = KIND_CYCLER, .cycler = cycler};
}

static struct value cycler_next(struct render *r, struct call *call) {
    struct cycler *cycler = call->self.cycler;
    const struct value value = cycler->items.items[cycler->at];
    cycler->at = (cycler->at + 1) % cycler->items.n;
    return value;
}

static struct value cycler_reset(struct render *r, struct call *call) {
    call->self.cycler->at = 0;
    return value_none();
}

static const struct builtin cycler_methods[] = {
    {.name = "next", .params = "", .run = cycler_next},
    {.name = "reset", .params = "", .run = cycler_reset},
};

static struct value global_joiner(struct render *r, struct call *call) {
    struct joiner *joiner = render_new(r, sizeof(*joiner));
    joiner->separator = is(call->arg[0], KIND_MISSING) ? value_text(r, ", ") : call->arg[0];
    return (struct value){.kind = KIND_JOINER, .joiner = joiner};
}

struct value joiner_call(struct render *r, struct joiner *joiner) {
    const bool first = !joiner->used;
    joiner->used = true;
    return first ? value_text(r, "") : joiner->separator;
}

struct value helper_attribute(struct render *r, struct value object, const struct str *name) {
    if (is(object, KIND_JOINER))
        return str_is(name, "sep")    ? object.joiner->separator
               : str_is(name, "used") ? value_bool(object.joiner->used)
                                      : value_missing();
    const struct cycler *cycler = object.cycler;
    if (str_is(name, "current"))
        return cycler->items.items[cycler->at];
    if (str_is(name, "pos"))
        return value_int((int64_t)cycler->at);
    const struct builtin *row =
        builtin_find(cycler_methods, ARRAY_LEN(cycler_methods), name->data, name->len);
    if (row == NULL)
        return value_missing();
    struct function *function = render_new(r, sizeof(*function));
    *function = (struct function){.row = row, .self = object};
    return (struct value){.kind = KIND_FUNCTION, .function = function};
}

static struct value global_raise_exception(struct render *r, struct call *call) {
    static const char silent[] = "it raised an exception without a message";
    const struct str *text = to_str(r, call->arg[0]).str;
    if (text->len == 0)
        return fail_with(r, silent, sizeof(silent) - 1);
    return fail_with(r, text->data, text->len);
}

/* Python's own additions to the format: microseconds, and no time zone. */
static const char *python_format(struct render *r, const struct str *format) {
    struct buf buf;
    str_buf(&buf);
    for (size_t i = 0; i < format->len; i++) {
        const char c = format->data[i];
        const char next = i + 1 < format->len ? format->data[i + 1] : 0;
        if (c == '%' && (next == 'f' || next == 'z' || next == 'Z')) {
            buf_puts(&buf, next == 'f' ? "000000" : "");
            i++;
        } else {
            buf_putc(&buf, c);
            if (c == '%' && next == '%')
                buf_putc(&buf, format->data[++i]);
        }
    }
    return value_from_buf(r, &buf).str->data;
}

static struct value global_strftime_now(struct render *r, struct call *call) {
    if (!is(call->arg[0], KIND_STRING))
        return fail(r, "strftime() argument 1 must be str, not %s", type_name(call->arg[0]));
    const time_t now = (time_t)r->now_s;
    struct tm tm;
    if (localtime_r(&now, &tm) == NULL)
        return fail(r, "the time cannot be told");
    const char *format = python_format(r, call->arg[0].str);
    char text[1024];
    const size_t len = *format == 0 ? 0 : strftime(text, sizeof(text), format, &tm);
    return value_string(r, text, len);
}

static const struct builtin rows[] = {
    {.name = "cycler", .run = global_cycler},
    {.name = "dict", .run = global_dict},
    {.name = "joiner", .params = "sep", .run = global_joiner},
    {.name = "lipsum", .run = builtin_unsupported},
    {.name = "namespace", .run = global_namespace},
    {.name = "raise_exception", .params = "message", .required = 1, .run = global_raise_exception},
    {.name = "range", .params = "/start stop step", .required = 1, .run = global_range},
    {.name = "strftime_now", .params = "format", .required = 1, .run = global_strftime_now},
};

const struct builtin *global_find(const char *name, size_t len) {
    return builtin_find(rows, ARRAY_LEN(rows), name, len);
}
