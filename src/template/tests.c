/* Tests: what stands behind `is`, and what select and reject ask. None of them changes or makes
 * anything. */
#include "template/builtin.h"

#include "base/banned.h"

static struct value test_defined(struct render *r, struct call *call) {
    return value_bool(!is(call->self, KIND_UNDEFINED));
}

static struct value test_undefined(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_UNDEFINED));
}

static struct value test_none(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_NONE));
}

static struct value test_boolean(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_BOOL));
}

static struct value test_true(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_BOOL) && call->self.boolean);
}

static struct value test_false(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_BOOL) && !call->self.boolean);
}

static struct value test_integer(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_INT) || is(call->self, KIND_BIG));
}

static struct value test_float(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_FLOAT));
}

static struct value test_number(struct render *r, struct call *call) {
    return value_bool(is_number(call->self) || is(call->self, KIND_BIG));
}

static struct value test_string(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_STRING));
}

static struct value test_mapping(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_DICT));
}

/* What has a length and can be asked by [], which undefined values have as well. */
static struct value test_sequence(struct render *r, struct call *call) {
    return value_bool(value_length(call->self) >= 0 && !is(call->self, KIND_VIEW));
}

static struct value test_iterable(struct render *r, struct call *call) {
    return value_bool(is_iterable(call->self));
}

static struct value test_callable(struct render *r, struct call *call) {
    switch (call->self.kind) {
    case KIND_FUNCTION:
    case KIND_MACRO:
    case KIND_LOOP:
    case KIND_JOINER:
    case KIND_UNDEFINED:
        return value_bool(true);
    default:
        return value_bool(false);
    }
}

static struct value test_escaped(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_STRING) && call->self.str->markup);
}

/* Cased characters are there, and none of the other case. */
static struct value test_case(struct render *r, struct value value, bool upper) {
    const struct str *str = to_str(r, value).str;
    bool some = false;
    step(r, str->len / 16);
    for (size_t at = 0; at < str->len;) {
        const uint32_t c = utf8_next_lossy(str->data, str->len, &at);
        if (char_is_title(c) || (upper ? char_is_lower(c) : char_is_upper(c)))
            return value_bool(false);
        some |= upper ? char_is_upper(c) : char_is_lower(c);
    }
    return value_bool(some);
}

static struct value test_upper(struct render *r, struct call *call) {
    return test_case(r, call->self, true);
}

static struct value test_lower(struct render *r, struct call *call) {
    return test_case(r, call->self, false);
}

static struct value rest_is(struct render *r, struct value value, struct value by, int64_t rest) {
    const struct value modulo = op_binary(r, OP_MOD, value, by);
    return value_bool(values_equal(r, modulo, value_int(rest)));
}

static struct value test_odd(struct render *r, struct call *call) {
    return rest_is(r, call->self, value_int(2), 1);
}

static struct value test_even(struct render *r, struct call *call) {
    return rest_is(r, call->self, value_int(2), 0);
}

static struct value test_divisibleby(struct render *r, struct call *call) {
    return rest_is(r, call->self, call->arg[0], 0);
}

static struct value test_sameas(struct render *r, struct call *call) {
    const struct value a = call->self, b = call->arg[0];
    if (a.kind != b.kind)
        return value_bool(false);
    if (value_length(a) >= 0 && !is(a, KIND_STRING))
        return value_bool(a.seq == b.seq);
    return value_bool(values_equal(r, a, b));
}

static struct value test_in(struct render *r, struct call *call) {
    return value_bool(op_contains(r, call->arg[0], call->self));
}

static struct value test_eq(struct render *r, struct call *call) {
    return value_bool(op_compare(r, OP_EQ, call->self, call->arg[0]));
}

static struct value test_ne(struct render *r, struct call *call) {
    return value_bool(op_compare(r, OP_NE, call->self, call->arg[0]));
}

static struct value test_lt(struct render *r, struct call *call) {
    return value_bool(op_compare(r, OP_LT, call->self, call->arg[0]));
}

static struct value test_le(struct render *r, struct call *call) {
    return value_bool(op_compare(r, OP_LE, call->self, call->arg[0]));
}

static struct value test_gt(struct render *r, struct call *call) {
    return value_bool(op_compare(r, OP_GT, call->self, call->arg[0]));
}

static struct value test_ge(struct render *r, struct call *call) {
    return value_bool(op_compare(r, OP_GE, call->self, call->arg[0]));
}

static struct value test_filter(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_STRING) &&
                      filter_find(call->self.str->data, call->self.str->len) != NULL);
}

static struct value test_test(struct render *r, struct call *call) {
    return value_bool(is(call->self, KIND_STRING) &&
                      test_find(call->self.str->data, call->self.str->len) != NULL);
}

#define COMPARES(name_, run_)                                                                      \
    { .name = name_, .params = "/other", .required = 1, .run = run_ }
static const struct builtin rows[] = {
    {.name = "boolean", .params = "", .run = test_boolean},
    {.name = "callable", .params = "", .run = test_callable},
    {.name = "defined", .params = "", .run = test_defined},
    {.name = "divisibleby", .params = "num", .required = 1, .run = test_divisibleby},
    {.name = "escaped", .params = "", .run = test_escaped},
    {.name = "even", .params = "", .run = test_even},
    {.name = "false", .params = "", .run = test_false},
    {.name = "filter", .params = "", .run = test_filter},
    {.name = "float", .params = "", .run = test_float},
    {.name = "in", .params = "seq", .required = 1, .run = test_in},
    {.name = "integer", .params = "", .run = test_integer},
    {.name = "iterable", .params = "", .run = test_iterable},
    {.name = "lower", .params = "", .run = test_lower},
    {.name = "mapping", .params = "", .run = test_mapping},
    {.name = "none", .params = "", .run = test_none},
    {.name = "number", .params = "", .run = test_number},
    {.name = "odd", .params = "", .run = test_odd},
    {.name = "sameas", .params = "other", .required = 1, .run = test_sameas},
    {.name = "sequence", .params = "", .run = test_sequence},
    {.name = "string", .params = "", .run = test_string},
    {.name = "test", .params = "", .run = test_test},
    {.name = "true", .params = "", .run = test_true},
    {.name = "undefined", .params = "", .run = test_undefined},
    {.name = "upper", .params = "", .run = test_upper},
    COMPARES("==", test_eq),
    COMPARES("eq", test_eq),
    COMPARES("equalto", test_eq),
    COMPARES("!=", test_ne),
    COMPARES("ne", test_ne),
    COMPARES("<", test_lt),
    COMPARES("lt", test_lt),
    COMPARES("lessthan", test_lt),
    COMPARES("<=", test_le),
    COMPARES("le", test_le),
    COMPARES(">", test_gt),
    COMPARES("gt", test_gt),
    COMPARES("greaterthan", test_gt),
    COMPARES(">=", test_ge),
    COMPARES("ge", test_ge),
};

const struct builtin *test_find(const char *name, size_t len) {
    return builtin_find(rows, ARRAY_LEN(rows), name, len);
}
