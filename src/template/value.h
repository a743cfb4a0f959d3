/* Private to template: values as Python has them, and the state of one rendering.
 *
 * A value is 16 bytes and copied freely; what it points to lives in the arena of the rendering, or,
 * for constants, in that of the template. Nothing is ever changed once made, but for namespaces,
 * loops, generators, cyclers and joiners.
 *
 * Failing: a function that finds an error calls fail(), which keeps the first one and sets
 * `failed`; it then returns any value (undefined mostly). Whoever loops or writes asks `failed`. */
#ifndef BRISK_TEMPLATE_VALUE_H
#define BRISK_TEMPLATE_VALUE_H

#include "base/base.h"

enum kind {
    KIND_MISSING, /* no value: an argument that was not given */
    KIND_UNDEFINED,
    KIND_NONE,
    KIND_BOOL,
    KIND_INT,
    KIND_BIG, /* an integer of JSON beyond 64 bits: printed, never computed with */
    KIND_FLOAT,
    KIND_STRING,
    KIND_LIST,
    KIND_TUPLE,
    KIND_DICT,
    KIND_RANGE,
    KIND_VIEW, /* keys(), values(), items() of a dict */
    KIND_SLICE,
    KIND_NAMESPACE,
    KIND_LOOP,
    KIND_MACRO,
    KIND_FUNCTION, /* a global function, or a method with its object */
    KIND_GENERATOR,
    KIND_CYCLER,
    KIND_JOINER,
};

#define CHARS_UNKNOWN SIZE_MAX

struct str {
    const char *data; /* valid UTF-8, or what a JSON text held */
    size_t len;
    size_t chars; /* code points; CHARS_UNKNOWN until asked for */
    bool markup;  /* jinja2's Markup: what is added to it is escaped */
    struct grow *grow;
};

struct value {
    enum kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct str *str;             /* STRING, BIG */
        struct seq *seq;             /* LIST, TUPLE */
        struct dict *dict;           /* DICT, NAMESPACE */
        struct undefined *undefined; /* may be NULL: no story */
        struct range *range;
        struct view *view;
        struct slice *slice;
        struct loop *loop;
        struct macro *macro;
        struct function *function;
        struct generator *generator;
        struct cycler *cycler;
        struct joiner *joiner;
    };
};

struct seq {
    struct value *items;
    size_t n;
    bool group; /* a tuple of groupby: .grouper and .list */
};
struct entry {
    struct value key, value;
};
struct dict {
    struct entry *entries; /* in the order of their making */
    size_t n, cap;
    uint32_t *index; /* open addressing, entry + 1, 0 free; NULL while small */
    size_t slots;    /* a power of two */
};
struct undefined {
    const char *hint; /* the message, or NULL: made from object and name */
    struct value object;
    struct value name;
};
struct range {
    int64_t start, stop, step;
    size_t n;
};
enum view_part { VIEW_KEYS, VIEW_VALUES, VIEW_ITEMS };
struct view {
    struct dict *dict;
    enum view_part part;
};
struct slice {
    struct value start, stop, step;
};
struct cycler {
    struct seq items;
    size_t at;
};
struct joiner {
    struct value separator;
    bool used;
};

/* ---- one rendering ---- */
struct scope;
struct template;
struct render {
    const struct template *tmpl;
    struct arena arena;
    struct error *err;
    bool failed;
    uint32_t line;  /* of the template, for errors */
    uint32_t depth; /* evaluations that wait for each other */
    uint64_t steps;
    struct buf *out;     /* where text goes now */
    struct scope *scope; /* innermost */
    struct dict *variables;
    int64_t now_s;
};

/* "line 3: text"; code INPUT. Returns undefined. */
struct value fail(struct render *r, const char *format, ...) PRINTF_LIKE(2, 3);
/* The text alone: what raise_exception says. */
struct value fail_with(struct render *r, const char *text, size_t len);
/* Counts work; false when the rendering has failed or takes too long. */
bool step(struct render *r, size_t work);
void *render_new(struct render *r, size_t size); /* zeroed, small: never NULL, but may fail() */
void *render_alloc(struct render *r, size_t count, size_t size); /* NULL after fail() */

/* ---- making ---- */
static inline struct value value_none(void) {
    return (struct value){.kind = KIND_NONE};
}
static inline struct value value_bool(bool boolean) {
    return (struct value){.kind = KIND_BOOL, .boolean = boolean};
}
static inline struct value value_int(int64_t integer) {
    return (struct value){.kind = KIND_INT, .integer = integer};
}
static inline struct value value_float(double number) {
    return (struct value){.kind = KIND_FLOAT, .number = number};
}
static inline struct value value_undefined(void) {
    return (struct value){.kind = KIND_UNDEFINED};
}
static inline struct value value_missing(void) {
    return (struct value){.kind = KIND_MISSING};
}
struct value value_undefined_hint(struct render *r, const char *hint);
struct value value_undefined_of(struct render *r, struct value object, struct value name);
struct value value_borrow(struct render *r, const char *data, size_t len); /* bytes not copied */
struct value value_string(struct render *r, const char *data, size_t len);
struct value value_text(struct render *r, const char *zero_terminated);
struct value value_from_buf(struct render *r, struct buf *buf); /* copies, frees buf */
struct value value_concat(struct render *r, struct str *left, const char *data, size_t len);
struct value value_list(struct render *r, size_t n); /* items are undefined; seq->n == n */
struct value value_tuple(struct render *r, size_t n);
struct value value_pair(struct render *r, struct value a, struct value b);
struct value value_from_json(struct render *r, const struct json *json);

/* A list that grows while it is made. */
struct builder {
    struct value *items;
    size_t n, cap;
};
void builder_add(struct render *r, struct builder *builder, struct value value);
struct value builder_list(struct render *r, struct builder *builder);

/* ---- dicts ---- */
struct value value_dict(struct render *r, size_t cap);
void dict_set(struct render *r, struct dict *dict, struct value key, struct value value);
/* NULL: absent, or a key that cannot be one (fail() was called). */
struct entry *dict_find(struct render *r, const struct dict *dict, struct value key);
struct entry *dict_find_text(const struct dict *dict, const char *key, size_t len);

/* ---- asking ---- */
static inline bool is(struct value value, enum kind kind) {
    return value.kind == kind;
}
static inline bool is_integer(struct value value) { /* int or bool, as isinstance(x, int) */
    return value.kind == KIND_INT || value.kind == KIND_BOOL;
}
static inline int64_t as_integer(struct value value) {
    return value.kind == KIND_BOOL ? value.boolean : value.integer;
}
static inline bool is_number(struct value value) {
    return is_integer(value) || value.kind == KIND_FLOAT;
}
static inline double as_double(struct value value) {
    return value.kind == KIND_FLOAT ? value.number : (double)as_integer(value);
}
bool str_is(const struct str *str, const char *text);
size_t str_chars(struct str *str);
/* Byte offset of a code point. */
size_t str_offset(struct str *str, size_t chars);
const char *type_name(struct value value); /* "str", "NoneType" */
bool truthy(struct value value);
bool hashable(struct value value);
bool values_equal(struct render *r, struct value a, struct value b);
/* Negative, 0, positive; for sorting and <. fail() where Python has no order, `op` names it. */
int values_compare(struct render *r, struct value a, struct value b, const char *op);
/* -1: no len(). */
int64_t value_length(struct value value);
/* Message of the error that using an undefined value is. */
const char *undefined_message(struct render *r, struct value value);
struct value fail_undefined(struct render *r, struct value value);

/* ---- printing (print.c) ---- */
void print_str(struct render *r, struct buf *buf, struct value value);  /* str() */
void print_repr(struct render *r, struct buf *buf, struct value value); /* repr() */
struct value to_str(struct render *r, struct value value);   /* a string: itself, or its str() */
const char *repr_text(struct render *r, struct value value); /* for messages, cut when long */
struct json_style {
    bool ascii, sort_keys, pretty;
    struct str indent; /* of one level, when pretty */
    struct str item_separator, key_separator;
};
void print_json(struct render *r, struct buf *buf, struct value value,
                const struct json_style *style);

/* ---- iterating (iterate.c) ---- */
struct iter {
    struct value source;
    size_t at;
    bool backwards;
};
bool iter_begin(struct render *r, struct iter *iter, struct value value); /* false after fail() */
bool iter_next(struct render *r, struct iter *iter, struct value *out);   /* false: end or failed */
struct value to_list(struct render *r, struct value value);
bool is_iterable(struct value value);

#define GENERATOR_EXTRAS 4
struct generator {
    bool (*next)(struct render *r, struct generator *generator, struct value *out);
    const char *name; /* what repr() calls it */
    struct value source;
    struct iter iter;
    bool started, done;
    struct args *args;
    const void *row; /* of a filter or test */
    struct value extra[GENERATOR_EXTRAS];
    bool negate;
    size_t at;
};
struct value value_generator(struct render *r, struct value source,
                             bool (*next)(struct render *, struct generator *, struct value *));
/* The next element of the generator's source, which is begun when first asked. */
bool generator_source(struct render *r, struct generator *generator, struct value *out);

#endif
