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

/* ---- calls ---- */
struct named {
    struct str *name;
    struct value value;
};
struct args {
    struct value *items;
    size_t n;
    struct named *named;
    size_t n_named;
};
#define CALL_ARGS 7
struct call {
    const char *name;
    struct value self;           /* the object of a method, the value of a filter or test */
    struct value arg[CALL_ARGS]; /* by the parameters' names; KIND_MISSING: not given */
    const struct args *args;     /* as given */
};
/* A function, method, filter or test. */
struct builtin {
    const char *name;
    const char
        *params; /* "width first blank"; '/' first: no keywords; NULL: takes args as they are */
    unsigned required; /* how many of them must be given */
    struct value (*run)(struct render *r, struct call *call);
    bool blocked; /* changes its object: the sandbox does not hand it out */
};
struct function {
    const struct builtin *row;
    struct value self;
};
struct value builtin_call(struct render *r, const struct builtin *row, struct value self,
                          const struct args *args);
struct value call_value(struct render *r, struct value callee, const struct args *args);
const struct builtin *builtin_find(const struct builtin *rows, size_t n, const char *name,
                                   size_t len);
/* Arguments of filters and methods, with what Python says when they are of another type. */
bool arg_integer(struct render *r, const struct call *call, size_t i, int64_t otherwise,
                 int64_t *out);
bool arg_truth(const struct call *call, size_t i, bool otherwise);

/* ---- attributes (attributes.c) ---- */
struct value get_attribute(struct render *r, struct value object, struct str *name);
/* getattr() alone, no items; MISSING: there is none. */
struct value get_own_attribute(struct render *r, struct value object, const struct str *name);
struct value get_item(struct render *r, struct value object, struct value key);
struct value get_slice(struct render *r, struct value object, const struct slice *slice);
/* A path as filters have it: "a.b.0", an integer, or none. */
struct value get_path(struct render *r, struct value object, struct value path,
                      struct value otherwise);

/* ---- operators (operators.c) ---- */
enum op {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_FLOORDIV,
    OP_MOD,
    OP_POW,
    OP_NEG,
    OP_POS,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_IN,
    OP_NOT_IN,
};
struct value op_binary(struct render *r, enum op op, struct value a, struct value b);
struct value op_unary(struct render *r, enum op op, struct value a);
bool op_compare(struct render *r, enum op op, struct value a, struct value b);
bool op_contains(struct render *r, struct value container, struct value value);

/* ---- the tables ---- */
const struct builtin *filter_find(const char *name, size_t len); /* NULL: unknown */
const struct builtin *test_find(const char *name, size_t len);
const struct builtin *global_find(const char *name, size_t len);
const struct builtin *string_method_find(const char *name, size_t len);
const struct builtin *dict_method_find(const char *name, size_t len);
const struct builtin *list_method_find(const char *name, size_t len);
const struct builtin *tuple_method_find(const char *name, size_t len);

/* The tables behind filter_find(), one a file. */
struct builtin_table {
    const struct builtin *rows;
    size_t n;
};
struct builtin_table filters_text(void);
struct builtin_table filters_lists(void);
struct builtin_table filters_values(void);
/* For rows that exist in Python and not here. */
struct value builtin_unsupported(struct render *r, struct call *call);

/* ---- text (text.c, format.c, number.c) ---- */
bool char_is_space(uint32_t c);
bool char_is_alpha(uint32_t c);
bool char_is_digit(uint32_t c);   /* str.isdigit */
bool char_is_decimal(uint32_t c); /* str.isdecimal */
bool char_is_numeric(uint32_t c);
bool char_is_word(uint32_t c); /* \w of a regular expression */
bool char_is_printable(uint32_t c);
bool char_is_upper(uint32_t c);
bool char_is_lower(uint32_t c);
bool char_is_title(uint32_t c);
enum letter_case { CASE_UPPER, CASE_LOWER, CASE_TITLE };
/* Appends text[len] in that case; final sigma is lowered as Python does. */
void put_case(struct buf *buf, const char *text, size_t len, enum letter_case to);
struct value text_case(struct render *r, struct str *str, enum letter_case to);
struct value text_trim(struct render *r, struct str *str, const struct str *chars, bool left,
                        bool right);
void put_escaped(struct buf *buf, const char *text, size_t len); /* HTML */
const char *find_bytes(const char *text, size_t len, const char *what, size_t what_len);
const char *rfind_bytes(const char *text, size_t len, const char *what, size_t what_len);
struct value text_replace(struct render *r, struct str *str, const struct str *from,
                          const struct str *to, int64_t count);
struct value text_split_lines(struct render *r, struct str *str, bool keep_ends);
struct value text_join(struct render *r, struct str *separator, struct value values, bool strict);

struct value format_percent(struct render *r, struct str *format, struct value values);
struct value format_braces(struct render *r, struct str *format, const struct args *args);
void print_float(struct buf *buf, double number); /* repr() */
/* As int(text, base) and float(text); false: ValueError. */
bool parse_int(const char *text, size_t len, int base, int64_t *out);
bool parse_float(const char *text, size_t len, double *out);

void str_buf(struct buf *buf); /* ready for a value's text */

#endif
