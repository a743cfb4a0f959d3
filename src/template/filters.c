/* Filters of single values: numbers, JSON, defaults; and the table of all filters. Those of text
 * and of lists have files of their own. */
#include "template/builtin.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

struct value builtin_unsupported(struct render *r, struct call *call) {
    return fail(r, "'%s' is not supported in chat templates here", call->name);
}

static struct value filter_default(struct render *r, struct call *call) {
    const bool replace =
        is(call->self, KIND_UNDEFINED) || (arg_truth(call, 1, false) && !truthy(call->self));
    if (!replace)
        return call->self;
    return is(call->arg[0], KIND_MISSING) ? value_text(r, "") : call->arg[0];
}

static struct value filter_attr(struct render *r, struct call *call) {
    if (!is(call->arg[0], KIND_STRING))
        return fail(r, "attribute name must be string, not '%s'", type_name(call->arg[0]));
    if (is(call->self, KIND_UNDEFINED))
        return fail_undefined(r, call->self);
    const struct value own = get_own_attribute(r, call->self, call->arg[0].str);
    return is(own, KIND_MISSING) ? value_undefined_of(r, call->self, call->arg[0])
                                 : get_attribute(r, call->self, call->arg[0].str);
}

/* ---- numbers ---- */

static struct value filter_abs(struct render *r, struct call *call) {
    const struct value value = call->self;
    if (is(value, KIND_FLOAT))
        return value_float(fabs(value.number));
    if (is_integer(value))
        return as_integer(value) < 0 ? op_unary(r, OP_NEG, value) : value_int(as_integer(value));
    if (is(value, KIND_UNDEFINED))
        return fail_undefined(r, value);
    return fail(r, "bad operand type for abs(): '%s'", type_name(value));
}

static struct value float_to_int(struct render *r, double number, struct value otherwise) {
    if (isnan(number) || isinf(number))
        return otherwise;
    return fabs(number) < 9223372036854775807.0 ? value_int((int64_t)number)
                                                : fail(r, "integer beyond 64 bits");
}

static struct value filter_int(struct render *r, struct call *call) {
    const struct value otherwise = is(call->arg[0], KIND_MISSING) ? value_int(0) : call->arg[0];
    const struct value value = call->self;
    int64_t base = 10, integer = 0;
    double number = 0;
    if (!arg_integer(r, call, 1, 10, &base))
        return value_undefined();
    if (is(value, KIND_UNDEFINED))
        return fail_undefined(r, value);
    if (is_integer(value))
        return value_int(as_integer(value));
    if (is(value, KIND_BIG))
        return value;
    if (is(value, KIND_FLOAT) && isinf(value.number))
        return fail(r, "cannot convert float infinity to integer");
    if (is(value, KIND_FLOAT))
        return float_to_int(r, value.number, otherwise);
    if (!is(value, KIND_STRING))
        return otherwise;
    const bool base_good = base == 0 || (base >= 2 && base <= 36);
    if (base_good && parse_int(value.str->data, value.str->len, (int)base, &integer))
        return value_int(integer);
    if (parse_float(value.str->data, value.str->len, &number))
        return float_to_int(r, number, otherwise);
    return otherwise;
}

static struct value filter_float(struct render *r, struct call *call) {
    const struct value value = call->self;
    double number = 0;
    if (is(value, KIND_UNDEFINED))
        return fail_undefined(r, value);
    if (is_number(value))
        return value_float(as_double(value));
    if ((is(value, KIND_STRING) || is(value, KIND_BIG)) &&
        parse_float(value.str->data, value.str->len, &number))
        return value_float(number);
    return is(call->arg[0], KIND_MISSING) ? value_float(0) : call->arg[0];
}

static double power_of_ten(int64_t n) {
    return pow(10.0, (double)n);
}

/* round(): half to even on the decimal digits of the float. */
static double round_digits(double number, int64_t digits) {
    char text[512];
    if (isnan(number) || isinf(number) || digits > 300)
        return number;
    if (digits < 0)
        return digits < -308 ? 0.0
                             : nearbyint(number / power_of_ten(-digits)) * power_of_ten(-digits);
    snprintf(text, sizeof(text), "%.*f", (int)(digits > 100 ? 100 : digits), number);
    return strtod(text, NULL);
}

static struct value filter_round(struct render *r, struct call *call) {
    const struct value value = call->self, method = call->arg[1];
    int64_t digits = 0;
    const bool common =
        is(method, KIND_MISSING) || (is(method, KIND_STRING) && str_is(method.str, "common"));
    const bool ceils = is(method, KIND_STRING) && str_is(method.str, "ceil");
    if (!common && !ceils && !(is(method, KIND_STRING) && str_is(method.str, "floor")))
        return fail(r, "method must be common, ceil or floor");
    if (!arg_integer(r, call, 0, 0, &digits))
        return value_undefined();
    if (is(value, KIND_UNDEFINED))
        return common ? fail(r, "type Undefined doesn't define __round__ method")
                      : fail_undefined(r, value);
    if (!is_number(value))
        return fail(r, "type %s doesn't define __round__ method", type_name(value));
    if (common && is_integer(value) && digits >= 0)
        return value_int(as_integer(value));
    if (common && is_integer(value))
        return float_to_int(r, round_digits((double)as_integer(value), digits), value_int(0));
    if (common)
        return value_float(round_digits(value.number, digits));
    const double scaled = as_double(value) * power_of_ten(digits);
    if (isnan(scaled) || isinf(scaled))
        return fail(r, "cannot convert float %s to integer", isnan(scaled) ? "NaN" : "infinity");
    return value_float((ceils ? ceil(scaled) : floor(scaled)) / power_of_ten(digits) + 0.0);
}

static struct value filter_filesizeformat(struct render *r, struct call *call) {
    static const char *const decimal[] = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
    static const char *const binary[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
    const bool is_binary = arg_truth(call, 0, false);
    const double base = is_binary ? 1024 : 1000;
    const struct value value = call->self;
    struct value number = filter_float(r, &(struct call){.self = value, .arg = {value_none()}});
    if (r->failed)
        return number;
    if (is(number, KIND_NONE))
        return is(value, KIND_STRING)
                   ? fail(r, "could not convert string to float: %s", repr_text(r, value))
                   : fail(r, "float() argument must be a string or a real number, not '%s'",
                          type_name(value));
    if (isnan(number.number) || isinf(number.number))
        return fail(r, "a size must be finite");
    if (number.number == 1)
        return value_text(r, "1 Byte");
    if (number.number < base)
        return value_text(r, arena_printf(&r->arena, "%.0f Bytes", trunc(number.number)));
    double unit = base * base;
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(decimal) && number.number >= unit) {
        unit *= base;
        i++;
    }
    return value_text(r, arena_printf(&r->arena, "%.1f %s", base * number.number / unit,
                                      is_binary ? binary[i] : decimal[i]));
}

/* ---- JSON ---- */

static bool json_indent(struct render *r, struct value indent, struct json_style *style) {
    if (is(indent, KIND_MISSING) || is(indent, KIND_NONE))
        return true;
    style->pretty = true;
    style->item_separator = (struct str){.data = ",", .len = 1};
    if (is(indent, KIND_STRING)) {
        style->indent = *indent.str;
        return true;
    }
    if (!is_integer(indent)) {
        fail(r, "can't multiply sequence by non-int of type '%s'", type_name(indent));
        return false;
    }
    const struct value spaces = op_binary(r, OP_MUL, value_text(r, " "), indent);
    if (is(spaces, KIND_STRING))
        style->indent = *spaces.str;
    return !r->failed;
}

static bool json_separators(struct render *r, struct value separators, struct json_style *style) {
    if (is(separators, KIND_MISSING) || is(separators, KIND_NONE))
        return true;
    const bool is_pair = (is(separators, KIND_TUPLE) || is(separators, KIND_LIST)) &&
                         separators.seq->n == 2 && is(separators.seq->items[0], KIND_STRING) &&
                         is(separators.seq->items[1], KIND_STRING);
    if (!is_pair) {
        fail(r, "separators must be two strings");
        return false;
    }
    style->item_separator = *separators.seq->items[0].str;
    style->key_separator = *separators.seq->items[1].str;
    return true;
}

static struct value filter_tojson(struct render *r, struct call *call) {
    struct json_style style = {
        .ascii = arg_truth(call, 0, false),
        .sort_keys = arg_truth(call, 3, false),
        .item_separator = {.data = ", ", .len = 2},
        .key_separator = {.data = ": ", .len = 2},
    };
    struct buf buf;
    if (!json_indent(r, call->arg[1], &style) || !json_separators(r, call->arg[2], &style))
        return value_undefined();
    str_buf(&buf);
    print_json(r, &buf, call->self, &style);
    return value_from_buf(r, &buf);
}

static const struct builtin rows[] = {
    {.name = "abs", .params = "/", .run = filter_abs},
    {.name = "attr", .params = "name", .required = 1, .run = filter_attr},
    {.name = "d", .params = "default_value boolean", .run = filter_default},
    {.name = "default", .params = "default_value boolean", .run = filter_default},
    {.name = "filesizeformat", .params = "binary", .run = filter_filesizeformat},
    {.name = "float", .params = "default", .run = filter_float},
    {.name = "int", .params = "default base", .run = filter_int},
    {.name = "round", .params = "precision method", .run = filter_round},
    {.name = "tojson", .params = "ensure_ascii indent separators sort_keys", .run = filter_tojson},
};

struct builtin_table filters_values(void) {
    return (struct builtin_table){rows, ARRAY_LEN(rows)};
}

const struct builtin *filter_find(const char *name, size_t len) {
    const struct builtin_table tables[] = {filters_text(), filters_lists(), filters_values()};
    const struct builtin *row = NULL;
    for (size_t i = 0; i < ARRAY_LEN(tables) && row == NULL; i++)
        row = builtin_find(tables[i].rows, tables[i].n, name, len);
    return row;
}
