/* Private to template: what is done with values: calling, asking for attributes, operators, the
 * tables of filters, tests, functions and methods, and text as Python treats it. What a value is,
 * value.h says. */
#ifndef BRISK_TEMPLATE_BUILTIN_H
#define BRISK_TEMPLATE_BUILTIN_H

#include "template/value.h"

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
    bool blocked;      /* changes its object: the sandbox does not hand it out */
    bool keeps_markup; /* of Markup it makes Markup */
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
