/* Values: making them, asking them, equality and order as Python has them; and the bookkeeping of a
 * rendering (steps, memory, the first error). Dicts are in dict.c, text of values in print.c. */
#include "template/builtin.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/banned.h"

/* ---- failing and counting ---- */

struct value fail(struct render *r, const char *format, ...) {
    if (!r->failed) {
        char text[LIMIT_ERROR_TEXT];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        (void)ERR(r->err, INPUT, "line %u: %s", r->line, text);
        r->failed = true;
    }
    return value_undefined();
}

struct value fail_with(struct render *r, const char *text, size_t len) {
    if (!r->failed) {
        char line[LIMIT_ERROR_TEXT];
        const size_t n = len < sizeof(line) ? len : sizeof(line);
        for (size_t i = 0; i < n; i++) /* an error's text would end at a zero */
            line[i] = text[i] != '\0' ? text[i] : ' ';
        (void)ERR(r->err, INPUT, "%.*s", (int)n, line);
        r->failed = true;
    }
    return value_undefined();
}

bool step(struct render *r, size_t work) {
    r->steps += work;
    if (r->steps > LIMIT_TEMPLATE_STEPS)
        fail(r, "the template takes more than %d steps", LIMIT_TEMPLATE_STEPS);
    return !r->failed;
}

static void check_memory(struct render *r) {
    if (r->arena.total > LIMIT_TEMPLATE_MEMORY)
        fail(r, "the template needs more than %llu MB", LIMIT_TEMPLATE_MEMORY / MiB);
}

void *render_new(struct render *r, size_t size) {
    check_memory(r);
    return arena_zalloc(&r->arena, 1, size);
}

void *render_alloc(struct render *r, size_t count, size_t size) {
    size_t bytes = 0;
    if (!size_mul(count, size, &bytes) || bytes > LIMIT_TEMPLATE_MEMORY ||
        r->arena.total > LIMIT_TEMPLATE_MEMORY - bytes) {
        fail(r, "the template needs more than %llu MB", LIMIT_TEMPLATE_MEMORY / MiB);
        return NULL;
    }
    step(r, bytes / 64);
    return arena_alloc(&r->arena, bytes);
}

/* ---- making ---- */

struct value value_undefined_hint(struct render *r, const char *hint) {
    struct undefined *undefined = render_new(r, sizeof(*undefined));
    undefined->hint = hint;
    return (struct value){.kind = KIND_UNDEFINED, .undefined = undefined};
}

struct value value_undefined_of(struct render *r, struct value object, struct value name) {
    struct undefined *undefined = render_new(r, sizeof(*undefined));
    undefined->object = object;
    undefined->name = name;
    return (struct value){.kind = KIND_UNDEFINED, .undefined = undefined};
}

struct value value_borrow(struct render *r, const char *data, size_t len) {
    struct str *str = render_new(r, sizeof(*str));
    *str = (struct str){.data = data, .len = len, .chars = CHARS_UNKNOWN};
    return (struct value){.kind = KIND_STRING, .str = str};
}

struct value value_string(struct render *r, const char *data, size_t len) {
    char *copy = render_alloc(r, len + 1, 1);
    if (copy == NULL)
        return value_borrow(r, "", 0);
    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = 0;
    return value_borrow(r, copy, len);
}

struct value value_text(struct render *r, const char *zero_terminated) {
    return value_borrow(r, zero_terminated, strlen(zero_terminated));
}

void str_buf(struct buf *buf) {
    buf_init(buf, LIMIT_TEMPLATE_OUTPUT);
}

struct value value_from_buf(struct render *r, struct buf *buf) {
    if (buf->overflow)
        fail(r, "the template makes a text of more than %llu MB", LIMIT_TEMPLATE_OUTPUT / MiB);
    const struct value value = value_string(r, buf->data, buf->len);
    buf_deinit(buf);
    return value;
}

/* Room behind a string that was made by +, so that text gathered in a loop is not copied each time:
 * who adds to the string that ends where the room begins takes of it. */
struct grow {
    char *data;
    size_t used, cap;
};
#define GROW_FROM 256

struct value value_concat(struct render *r, struct str *left, const char *data, size_t len) {
    struct grow *grow = left->grow;
    if (grow == NULL || left->data != grow->data || left->len != grow->used ||
        grow->cap - grow->used < len) {
        const size_t need = left->len + len;
        const size_t cap = need < GROW_FROM ? need : need * 2;
        char *room = render_alloc(r, cap + 1, 1);
        if (room == NULL)
            return value_borrow(r, "", 0);
        grow = render_new(r, sizeof(*grow));
        *grow = (struct grow){.data = room, .used = left->len, .cap = cap};
        if (left->len > 0)
            memcpy(room, left->data, left->len);
    }
    if (len > 0)
        memcpy(grow->data + grow->used, data, len);
    step(r, len / 64);
    grow->used += len;
    struct value value = value_borrow(r, grow->data, grow->used);
    value.str->grow = grow;
    return value;
}

static struct value sequence(struct render *r, enum kind kind, size_t n) {
    struct seq *seq = render_new(r, sizeof(*seq));
    seq->items = render_alloc(r, n, sizeof(*seq->items));
    seq->n = seq->items == NULL ? 0 : n;
    for (size_t i = 0; i < seq->n; i++)
        seq->items[i] = value_undefined();
    return (struct value){.kind = kind, .seq = seq};
}

struct value value_list(struct render *r, size_t n) {
    return sequence(r, KIND_LIST, n);
}

struct value value_tuple(struct render *r, size_t n) {
    return sequence(r, KIND_TUPLE, n);
}

struct value value_pair(struct render *r, struct value a, struct value b) {
    const struct value pair = value_tuple(r, 2);
    if (pair.seq->n == 2) {
        pair.seq->items[0] = a;
        pair.seq->items[1] = b;
    }
    return pair;
}

void builder_add(struct render *r, struct builder *builder, struct value value) {
    if (builder->n == builder->cap) {
        const size_t cap = builder->cap == 0 ? 8 : builder->cap * 2;
        struct value *items = render_alloc(r, cap, sizeof(*items));
        if (items == NULL)
            return;
        if (builder->n > 0)
            memcpy(items, builder->items, builder->n * sizeof(*items));
        builder->items = items;
        builder->cap = cap;
    }
    builder->items[builder->n++] = value;
}

struct value builder_list(struct render *r, struct builder *builder) {
    struct seq *seq = render_new(r, sizeof(*seq));
    *seq = (struct seq){.items = builder->items, .n = builder->n};
    return (struct value){.kind = KIND_LIST, .seq = seq};
}

static struct value number_from_json(struct render *r, const struct json *json) {
    int64_t integer = 0;
    if (!json->boolean)
        return value_float(json->number);
    if (json_to_int(json, &integer))
        return value_int(integer);
    struct value big = value_borrow(r, json->text, json->len);
    big.kind = KIND_BIG;
    return big;
}

struct value value_from_json(struct render *r, const struct json *json) {
    if (json == NULL || r->failed)
        return value_none();
    switch (json->type) {
    case JSON_NULL:
        return value_none();
    case JSON_BOOL:
        return value_bool(json->boolean);
    case JSON_NUMBER:
        return number_from_json(r, json);
    case JSON_STRING:
        return value_borrow(r, json->text, json->len);
    case JSON_ARRAY: {
        const struct value list = value_list(r, json->len);
        for (size_t i = 0; i < list.seq->n; i++)
            list.seq->items[i] = value_from_json(r, &json->items[i]);
        return list;
    }
    case JSON_OBJECT:
        break;
    }
    const struct value object = value_dict(r, json->len);
    for (size_t i = 0; i < json->len && !r->failed; i++) {
        const struct json_member *member = &json->members[i];
        dict_set(r, object.dict, value_borrow(r, member->key, member->key_len),
                 value_from_json(r, &member->value));
    }
    return object;
}

/* ---- asking ---- */

bool str_is(const struct str *str, const char *text) {
    return strlen(text) == str->len && memcmp(str->data, text, str->len) == 0;
}

/* Bytes that begin a character; any bytes will do. */
static size_t count_chars(const char *text, size_t len) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

size_t str_chars(struct str *str) {
    if (str->chars == CHARS_UNKNOWN)
        str->chars = count_chars(str->data, str->len);
    return str->chars;
}

size_t str_offset(struct str *str, size_t chars) {
    if (str_chars(str) == str->len)
        return chars < str->len ? chars : str->len;
    size_t at = 0;
    for (size_t n = 0; at < str->len; at++) {
        const bool begins = ((unsigned char)str->data[at] & 0xC0) != 0x80;
        if (begins && n++ == chars)
            break;
    }
    return at;
}

static const char *view_name(enum view_part part) {
    return part == VIEW_KEYS ? "dict_keys" : part == VIEW_VALUES ? "dict_values" : "dict_items";
}

const char *type_name(struct value value) {
    static const char *const names[] = {
        [KIND_MISSING] = "missing",
        [KIND_UNDEFINED] = "Undefined",
        [KIND_NONE] = "NoneType",
        [KIND_BOOL] = "bool",
        [KIND_INT] = "int",
        [KIND_BIG] = "int",
        [KIND_FLOAT] = "float",
        [KIND_STRING] = "str",
        [KIND_LIST] = "list",
        [KIND_TUPLE] = "tuple",
        [KIND_DICT] = "dict",
        [KIND_RANGE] = "range",
        [KIND_VIEW] = "dict_keys",
        [KIND_SLICE] = "slice",
        [KIND_NAMESPACE] = "Namespace",
        [KIND_LOOP] = "LoopContext",
        [KIND_MACRO] = "Macro",
        [KIND_FUNCTION] = "function",
        [KIND_GENERATOR] = "generator",
        [KIND_CYCLER] = "Cycler",
        [KIND_JOINER] = "Joiner",
    };
    if (is(value, KIND_STRING) && value.str->markup)
        return "Markup";
    if (is(value, KIND_VIEW))
        return view_name(value.view->part);
    if (is(value, KIND_GENERATOR))
        return value.generator->name;
    if (is(value, KIND_FUNCTION) && !is(value.function->self, KIND_MISSING))
        return "builtin_function_or_method";
    return names[value.kind];
}

bool truthy(struct value value) {
    switch (value.kind) {
    case KIND_MISSING:
    case KIND_UNDEFINED:
    case KIND_NONE:
        return false;
    case KIND_BOOL:
        return value.boolean;
    case KIND_INT:
        return value.integer != 0;
    case KIND_FLOAT:
        return value.number != 0;
    default:
        return value_length(value) != 0;
    }
}

int64_t value_length(struct value value) {
    switch (value.kind) {
    case KIND_UNDEFINED:
        return 0;
    case KIND_STRING:
        return (int64_t)str_chars(value.str);
    case KIND_LIST:
    case KIND_TUPLE:
        return (int64_t)value.seq->n;
    case KIND_DICT:
        return (int64_t)value.dict->n;
    case KIND_RANGE:
        return (int64_t)value.range->n;
    case KIND_VIEW:
        return (int64_t)value.view->dict->n;
    default:
        return -1;
    }
}

bool hashable(struct value value) {
    if (is(value, KIND_LIST) || is(value, KIND_DICT) || is(value, KIND_SLICE))
        return false;
    if (is(value, KIND_TUPLE)) {
        for (size_t i = 0; i < value.seq->n; i++) {
            if (!hashable(value.seq->items[i]))
                return false;
        }
    }
    return true;
}

/* ---- equality and order ---- */

static bool numbers_equal(struct value a, struct value b) {
    if (is_integer(a) && is_integer(b))
        return as_integer(a) == as_integer(b);
    if (is(a, KIND_FLOAT) && is(b, KIND_FLOAT))
        return a.number == b.number;
    const double number = is(a, KIND_FLOAT) ? a.number : b.number;
    const int64_t integer = is(a, KIND_FLOAT) ? as_integer(b) : as_integer(a);
    return (double)integer == number && number < 9.3e18 && (int64_t)number == integer;
}

static bool sequences_equal(struct render *r, const struct seq *a, const struct seq *b) {
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (!values_equal(r, a->items[i], b->items[i]))
            return false;
    }
    return true;
}

static bool dicts_equal(struct render *r, const struct dict *a, const struct dict *b) {
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct entry *entry = dict_find(r, b, a->entries[i].key);
        if (entry == NULL || !values_equal(r, a->entries[i].value, entry->value))
            return false;
    }
    return true;
}

static bool ranges_equal(const struct range *a, const struct range *b) {
    return a->n == b->n && (a->n == 0 || a->start == b->start) && (a->n < 2 || a->step == b->step);
}

bool values_equal(struct render *r, struct value a, struct value b) {
    if (r->depth > LIMIT_TEMPLATE_DEPTH || !step(r, 1))
        return false;
    if (is_number(a) && is_number(b))
        return numbers_equal(a, b);
    if (a.kind != b.kind)
        return false;
    bool equal = false;
    r->depth++;
    switch (a.kind) {
    case KIND_UNDEFINED:
    case KIND_NONE:
        equal = true;
        break;
    case KIND_STRING:
    case KIND_BIG:
        step(r, a.str->len / 64);
        equal = a.str->len == b.str->len && memcmp(a.str->data, b.str->data, a.str->len) == 0;
        break;
    case KIND_LIST:
    case KIND_TUPLE:
        equal = sequences_equal(r, a.seq, b.seq);
        break;
    case KIND_DICT:
        equal = dicts_equal(r, a.dict, b.dict);
        break;
    case KIND_RANGE:
        equal = ranges_equal(a.range, b.range);
        break;
    default:
        equal = a.dict == b.dict; /* the same object */
        break;
    }
    r->depth--;
    return equal;
}

static int compare_text(const struct str *a, const struct str *b) {
    const size_t common = a->len < b->len ? a->len : b->len;
    const int order = memcmp(a->data, b->data, common);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_sequences(struct render *r, const struct seq *a, const struct seq *b,
                             const char *op) {
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        if (!values_equal(r, a->items[i], b->items[i]))
            return r->failed ? 0 : values_compare(r, a->items[i], b->items[i], op);
    }
    return (a->n > b->n) - (a->n < b->n);
}

int values_compare(struct render *r, struct value a, struct value b, const char *op) {
    if (!step(r, 1))
        return 0;
    if (is(a, KIND_UNDEFINED) || is(b, KIND_UNDEFINED)) {
        fail_undefined(r, is(a, KIND_UNDEFINED) ? a : b);
        return 0;
    }
    if (is_integer(a) && is_integer(b))
        return (as_integer(a) > as_integer(b)) - (as_integer(a) < as_integer(b));
    if (is_number(a) && is_number(b)) {
        const double x = as_double(a), y = as_double(b);
        return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y); /* 2: neither */
    }
    if (is(a, KIND_STRING) && is(b, KIND_STRING)) {
        step(r, (a.str->len < b.str->len ? a.str->len : b.str->len) / 64);
        return compare_text(a.str, b.str);
    }
    if (a.kind == b.kind && (is(a, KIND_LIST) || is(a, KIND_TUPLE)) &&
        r->depth < LIMIT_TEMPLATE_DEPTH) {
        r->depth++;
        const int order = compare_sequences(r, a.seq, b.seq, op);
        r->depth--;
        return order;
    }
    fail(r, "'%s' not supported between instances of '%s' and '%s'", op, type_name(a),
         type_name(b));
    return 0;
}

/* ---- undefined ---- */

/* As jinja2's object_type_repr. */
static const char *object_text(struct render *r, struct value object) {
    if (is(object, KIND_NONE))
        return "None";
    const char *module = "";
    if (is(object, KIND_NAMESPACE) || is(object, KIND_CYCLER) || is(object, KIND_JOINER))
        module = "jinja2.utils.";
    else if (is(object, KIND_LOOP) || is(object, KIND_MACRO))
        module = "jinja2.runtime.";
    else if (is(object, KIND_STRING) && object.str->markup)
        module = "markupsafe.";
    return arena_printf(&r->arena, "%s%s object", module, type_name(object));
}

const char *undefined_message(struct render *r, struct value value) {
    const struct undefined *undefined = value.undefined;
    if (undefined == NULL)
        return "value is undefined";
    if (undefined->hint != NULL)
        return undefined->hint;
    const char *name = repr_text(r, undefined->name);
    if (is(undefined->object, KIND_MISSING))
        return arena_printf(&r->arena, "%s is undefined", name);
    const char *object = object_text(r, undefined->object);
    if (!is(undefined->name, KIND_STRING))
        return arena_printf(&r->arena, "%s has no element %s", object, name);
    return arena_printf(&r->arena, "'%s' has no attribute %s", object, name);
}

struct value fail_undefined(struct render *r, struct value value) {
    return r->failed ? value_undefined() : fail(r, "%s", undefined_message(r, value));
}
