/* Operators with Python's rules: which types go together, what the others are told, floor division,
 * and integers of 64 bits that fail instead of wrapping. */
#include "template/builtin.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

static const char *const op_names[] = {
    [OP_ADD] = "+",         [OP_SUB] = "-", [OP_MUL] = "*",           [OP_DIV] = "/",
    [OP_FLOORDIV] = "//",   [OP_MOD] = "%", [OP_POW] = "** or pow()", [OP_NEG] = "-",
    [OP_POS] = "+",         [OP_EQ] = "==", [OP_NE] = "!=",           [OP_LT] = "<",
    [OP_LE] = "<=",         [OP_GT] = ">",  [OP_GE] = ">=",           [OP_IN] = "in",
    [OP_NOT_IN] = "not in",
};

static struct value overflow(struct render *r) {
    return fail(r, "integer beyond 64 bits");
}

static struct value mismatch(struct render *r, enum op op, struct value a, struct value b) {
    if (is(a, KIND_UNDEFINED) || is(b, KIND_UNDEFINED))
        return fail_undefined(r, is(a, KIND_UNDEFINED) ? a : b);
    if (is(a, KIND_BIG) || is(b, KIND_BIG))
        return overflow(r);
    return fail(r, "unsupported operand type(s) for %s: '%s' and '%s'", op_names[op], type_name(a),
                type_name(b));
}

/* ---- integers ---- */

static struct value int_divide(struct render *r, enum op op, int64_t a, int64_t b) {
    if (b == 0)
        return fail(r,
                    op == OP_MOD ? "integer modulo by zero" : "integer division or modulo by zero");
    if (a == INT64_MIN && b == -1)
        return op == OP_MOD ? value_int(0) : overflow(r);
    int64_t quotient = a / b, rest = a % b;
    if (rest != 0 && (rest < 0) != (b < 0)) {
        quotient--;
        rest += b;
    }
    return value_int(op == OP_MOD ? rest : quotient);
}

static struct value float_pow(struct render *r, double a, double b) {
    if (a == 0 && b < 0)
        return fail(r, "0.0 cannot be raised to a negative power");
    if (a < 0 && b != floor(b) && !isinf(a) && !isinf(b))
        return fail(r, "complex numbers are not supported");
    const double power = pow(a, b);
    if (isinf(power) && !isinf(a) && !isinf(b))
        return fail(r, "(34, 'Numerical result out of range')");
    return value_float(power);
}

static struct value int_pow(struct render *r, int64_t base, int64_t exponent) {
    if (exponent < 0)
        return float_pow(r, (double)base, (double)exponent);
    int64_t result = 1;
    for (bool more = exponent > 0; more; more = exponent > 0) {
        if ((exponent & 1) && __builtin_mul_overflow(result, base, &result))
            return overflow(r);
        exponent >>= 1;
        if (exponent > 0 && __builtin_mul_overflow(base, base, &base))
            return overflow(r);
    }
    return value_int(result);
}

static struct value int_binary(struct render *r, enum op op, int64_t a, int64_t b) {
    int64_t result = 0;
    bool wraps = false;
    switch (op) {
    case OP_ADD:
        wraps = __builtin_add_overflow(a, b, &result);
        break;
    case OP_SUB:
        wraps = __builtin_sub_overflow(a, b, &result);
        break;
    case OP_MUL:
        wraps = __builtin_mul_overflow(a, b, &result);
        break;
    case OP_DIV:
        return b == 0 ? fail(r, "division by zero") : value_float((double)a / (double)b);
    case OP_POW:
        return int_pow(r, a, b);
    default:
        return int_divide(r, op, a, b);
    }
    return wraps ? overflow(r) : value_int(result);
}

/* ---- floats ---- */

static struct value float_modulo(double a, double b) {
    double rest = fmod(a, b);
    if (rest != 0 && (rest < 0) != (b < 0))
        rest += b;
    else if (rest == 0)
        rest = copysign(0.0, b);
    return value_float(rest);
}

static struct value float_floor_divide(double a, double b) {
    const double rest = fmod(a, b);
    double quotient = (a - rest) / b;
    if (rest != 0 && (rest < 0) != (b < 0))
        quotient -= 1.0;
    if (quotient == 0)
        return value_float(copysign(0.0, a / b));
    double whole = floor(quotient);
    if (quotient - whole > 0.5)
        whole += 1.0;
    return value_float(whole);
}

static struct value float_binary(struct render *r, enum op op, double a, double b) {
    switch (op) {
    case OP_ADD:
        return value_float(a + b);
    case OP_SUB:
        return value_float(a - b);
    case OP_MUL:
        return value_float(a * b);
    case OP_DIV:
        return b == 0 ? fail(r, "float division by zero") : value_float(a / b);
    case OP_POW:
        return float_pow(r, a, b);
    case OP_MOD:
        return b == 0 ? fail(r, "float modulo") : float_modulo(a, b);
    default:
        return b == 0 ? fail(r, "float floor division by zero") : float_floor_divide(a, b);
    }
}

/* ---- text and lists ---- */

static struct str *escaped(struct render *r, struct str *str) {
    struct buf buf;
    if (str->markup)
        return str;
    str_buf(&buf);
    put_escaped(&buf, str->data, str->len);
    return value_from_buf(r, &buf).str;
}

static struct value add_strings(struct render *r, struct str *a, struct str *b) {
    const bool markup = a->markup || b->markup;
    if (markup) {
        a = escaped(r, a);
        b = escaped(r, b);
    }
    struct value both = value_concat(r, a, b->data, b->len);
    both.str->markup = markup;
    return both;
}

static struct value add_sequences(struct render *r, struct value a, struct value b) {
    struct value both =
        is(a, KIND_LIST) ? value_list(r, a.seq->n + b.seq->n) : value_tuple(r, a.seq->n + b.seq->n);
    if (both.seq->n > 0 && a.seq->n > 0)
        memcpy(both.seq->items, a.seq->items, a.seq->n * sizeof(struct value));
    if (both.seq->n > 0 && b.seq->n > 0)
        memcpy(both.seq->items + a.seq->n, b.seq->items, b.seq->n * sizeof(struct value));
    return both;
}

static struct value add_others(struct render *r, struct value a, struct value b) {
    if (is(b, KIND_UNDEFINED))
        return fail_undefined(r, b);
    if (is(a, KIND_STRING) && is(b, KIND_STRING))
        return add_strings(r, a.str, b.str);
    if (a.kind == b.kind && (is(a, KIND_LIST) || is(a, KIND_TUPLE)))
        return add_sequences(r, a, b);
    if (is(a, KIND_STRING) || is(a, KIND_LIST) || is(a, KIND_TUPLE))
        return fail(r, "can only concatenate %s (not \"%s\") to %s", type_name(a), type_name(b),
                    type_name(a));
    return mismatch(r, OP_ADD, a, b);
}

static struct value repeat(struct render *r, struct value what, int64_t times) {
    const size_t n = times < 0 ? 0 : (size_t)times;
    const size_t len = is(what, KIND_STRING) ? what.str->len : what.seq->n;
    size_t total = 0;
    if (!size_mul(len, n, &total) || total > LIMIT_TEMPLATE_MEMORY)
        return fail(r, "the template needs more than %llu MB", LIMIT_TEMPLATE_MEMORY / MiB);
    if (!is(what, KIND_STRING)) {
        const struct value list =
            is(what, KIND_LIST) ? value_list(r, total) : value_tuple(r, total);
        for (size_t i = 0; i < list.seq->n; i++)
            list.seq->items[i] = what.seq->items[i % len];
        return list;
    }
    char *text = render_alloc(r, total + 1, 1);
    if (text == NULL)
        return value_undefined();
    for (size_t i = 0; i < n && len > 0; i++)
        memcpy(text + i * len, what.str->data, len);
    struct value value = value_borrow(r, text, total);
    value.str->markup = what.str->markup;
    return value;
}

static bool is_sequence(struct value value) {
    return is(value, KIND_STRING) || is(value, KIND_LIST) || is(value, KIND_TUPLE);
}

static struct value multiply_others(struct render *r, struct value a, struct value b) {
    if (is_sequence(a) && is_integer(b))
        return repeat(r, a, as_integer(b));
    if (is_integer(a) && is_sequence(b))
        return repeat(r, b, as_integer(a));
    if (is(a, KIND_UNDEFINED) || is(b, KIND_UNDEFINED))
        return mismatch(r, OP_MUL, a, b);
    if (is_sequence(a) || is_sequence(b))
        return fail(r, "can't multiply sequence by non-int of type '%s'",
                    type_name(is_sequence(a) ? b : a));
    return mismatch(r, OP_MUL, a, b);
}

struct value op_binary(struct render *r, enum op op, struct value a, struct value b) {
    if (r->failed)
        return value_undefined();
    if (is_integer(a) && is_integer(b))
        return int_binary(r, op, as_integer(a), as_integer(b));
    if (is_number(a) && is_number(b))
        return float_binary(r, op, as_double(a), as_double(b));
    if (op == OP_MOD && is(a, KIND_STRING))
        return format_percent(r, a.str, b);
    if (op == OP_ADD && !is(a, KIND_UNDEFINED))
        return add_others(r, a, b);
    if (op == OP_MUL)
        return multiply_others(r, a, b);
    return mismatch(r, op, a, b);
}

struct value op_unary(struct render *r, enum op op, struct value a) {
    if (is(a, KIND_FLOAT))
        return value_float(op == OP_NEG ? -a.number : a.number);
    if (is_integer(a)) {
        const int64_t integer = as_integer(a);
        if (op == OP_NEG && integer == INT64_MIN)
            return overflow(r);
        return value_int(op == OP_NEG ? -integer : integer);
    }
    if (is(a, KIND_UNDEFINED))
        return fail_undefined(r, a);
    return fail(r, "bad operand type for unary %s: '%s'", op_names[op], type_name(a));
}

/* ---- comparing ---- */

bool op_contains(struct render *r, struct value container, struct value value) {
    struct iter iter;
    struct value item;
    if (is(container, KIND_STRING)) {
        if (!is(value, KIND_STRING)) {
            fail(r, "'in <string>' requires string as left operand, not %s", type_name(value));
            return false;
        }
        step(r, container.str->len / 64);
        return find_bytes(container.str->data, container.str->len, value.str->data,
                          value.str->len) != NULL;
    }
    if (is(container, KIND_DICT))
        return dict_find(r, container.dict, value) != NULL;
    if (!is_iterable(container)) {
        fail(r, "argument of type '%s' is not iterable", type_name(container));
        return false;
    }
    if (!iter_begin(r, &iter, container))
        return false;
    while (iter_next(r, &iter, &item)) {
        if (values_equal(r, item, value))
            return true;
    }
    return false;
}

static bool ordered(struct render *r, enum op op, struct value a, struct value b) {
    const int order = values_compare(r, a, b, op_names[op]);
    if (r->failed || order == 2)
        return false;
    switch (op) {
    case OP_LT:
        return order < 0;
    case OP_LE:
        return order <= 0;
    case OP_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

bool op_compare(struct render *r, enum op op, struct value a, struct value b) {
    switch (op) {
    case OP_EQ:
        return values_equal(r, a, b);
    case OP_NE:
        return !values_equal(r, a, b);
    case OP_IN:
        return op_contains(r, b, a);
    case OP_NOT_IN:
        return !op_contains(r, b, a);
    default:
        return ordered(r, op, a, b);
    }
}
