/* Text by pattern: "%s and %d" % (…) and "{} and {name:>5}".format(…), as far as templates go: no
 * nested {} inside a format specification. */
#include "template/builtin.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

#define FORMAT_WIDTH_MAX 100000 /* columns; a wider field is a mistake or an attack */
#define FLOAT_TEXT       512

/* What stands between % or : and the letter. */
struct spec {
    char fill[4];
    size_t fill_len;
    char align; /* '<', '>', '^', '=' or 0 */
    char sign;  /* '+', ' ', '-' or 0 */
    bool alternate, grouped, zero;
    int64_t width, precision; /* -1: not given */
    char type;                /* 0: not given */
};

/* ---- numbers as text ---- */

/* Digits with a comma every three of the integer part. */
static void put_grouped(struct buf *buf, const char *digits, size_t len) {
    size_t whole = 0;
    while (whole < len && digits[whole] >= '0' && digits[whole] <= '9')
        whole++;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            buf_putc(buf, ',');
        buf_putc(buf, digits[i]);
    }
}

static void put_int_digits(struct buf *buf, uint64_t value, const struct spec *spec) {
    char digits[72];
    size_t n = sizeof(digits);
    const unsigned base = spec->type == 'x' || spec->type == 'X' ? 16
                          : spec->type == 'o'                    ? 8
                          : spec->type == 'b'                    ? 2
                                                                 : 10;
    const char *letters = spec->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    do {
        digits[--n] = letters[value % base];
        value /= base;
    } while (value > 0);
    if (spec->alternate && base != 10) {
        buf_putc(buf, '0');
        buf_putc(buf, spec->type);
    }
    if (spec->grouped)
        put_grouped(buf, digits + n, sizeof(digits) - n);
    else
        buf_append(buf, digits + n, sizeof(digits) - n);
}

static void put_float_digits(struct buf *buf, double value, const struct spec *spec) {
    char text[FLOAT_TEXT];
    char format[16];
    const char type = spec->type == '%' ? 'f' : spec->type;
    const int precision =
        spec->precision < 0 ? 6 : (int)(spec->precision > 300 ? 300 : spec->precision);
    if (type == 0 && spec->precision < 0) {
        print_float(buf, value);
        return;
    }
    snprintf(format, sizeof(format), "%%%s.*%c", spec->alternate ? "#" : "",
             type == 0 ? 'g' : type);
    if (spec->type == '%')
        value *= 100;
    snprintf(text, sizeof(text), format, precision, value);
    if (spec->grouped)
        put_grouped(buf, text, strlen(text));
    else
        buf_puts(buf, text);
    /* Without a letter, a float looks like one. */
    if (type == 0 && strpbrk(text, ".en") == NULL)
        buf_puts(buf, ".0");
    if (spec->type == '%')
        buf_putc(buf, '%');
}

static const char *sign_of(bool negative, const struct spec *spec) {
    return negative ? "-" : spec->sign == '+' ? "+" : spec->sign == ' ' ? " " : "";
}

/* ---- fields ---- */

static void put_fill(struct buf *buf, const struct spec *spec, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        if (spec->fill_len > 0)
            buf_append(buf, spec->fill, spec->fill_len);
        else
            buf_putc(buf, ' ');
    }
}

/* sign and body in a field of the width; `otherwise` is the side when none is said. */
static void put_field(struct buf *buf, const struct spec *spec, const char *sign, const char *body,
                      size_t len, char otherwise) {
    const char align = spec->align != 0 ? spec->align : otherwise;
    int64_t chars = (int64_t)strlen(sign);
    for (size_t i = 0; i < len; i++)
        chars += ((unsigned char)body[i] & 0xC0) != 0x80;
    const int64_t room = spec->width > chars ? spec->width - chars : 0;
    const int64_t left = align == '>' ? room : align == '^' ? room / 2 : 0;
    put_fill(buf, spec, left);
    buf_puts(buf, sign);
    if (align == '=')
        put_fill(buf, spec, room);
    buf_append(buf, body, len);
    if (align != '=')
        put_fill(buf, spec, room - left);
}

static void put_number(struct buf *buf, const struct spec *spec, struct value value) {
    struct buf digits;
    bool negative = false;
    buf_init(&digits, FLOAT_TEXT * 2);
    if (is(value, KIND_FLOAT)) {
        negative = signbit(value.number) && !isnan(value.number);
        if (isnan(value.number) || isinf(value.number))
            buf_puts(&digits, isnan(value.number) ? "nan" : "inf");
        else
            put_float_digits(&digits, fabs(value.number), spec);
    } else {
        const int64_t integer = as_integer(value);
        negative = integer < 0;
        put_int_digits(&digits, negative ? 0 - (uint64_t)integer : (uint64_t)integer, spec);
    }
    put_field(buf, spec, sign_of(negative, spec), digits.data ? digits.data : "", digits.len, '>');
    buf_deinit(&digits);
}

static void put_text(struct render *r, struct buf *buf, const struct spec *spec, struct str *str,
                     char otherwise) {
    size_t len = str->len;
    if (spec->precision >= 0)
        len = str_offset(str, (size_t)spec->precision);
    step(r, len / 64);
    put_field(buf, spec, "", str->data, len, otherwise);
}

static bool read_number(const char *text, size_t len, size_t *at, int64_t *out) {
    const size_t from = *at;
    int64_t value = 0;
    while (*at < len && text[*at] >= '0' && text[*at] <= '9' && value < FORMAT_WIDTH_MAX)
        value = value * 10 + (text[(*at)++] - '0');
    if (*at > from)
        *out = value;
    return value < FORMAT_WIDTH_MAX;
}

/* ---- percent ---- */

struct percent {
    struct value values;
    size_t used; /* of a tuple */
};

static bool percent_next(struct render *r, struct percent *percent, struct value *out) {
    const struct value values = percent->values;
    if (is(values, KIND_TUPLE) ? percent->used >= values.seq->n : percent->used > 0) {
        fail(r, "not enough arguments for format string");
        return false;
    }
    *out = is(values, KIND_TUPLE) ? values.seq->items[percent->used] : values;
    percent->used++;
    return true;
}

static struct value percent_string(struct render *r, struct value value, char type) {
    struct buf buf;
    if (type == 's')
        return to_str(r, value);
    str_buf(&buf);
    print_repr(r, &buf, value);
    return value_from_buf(r, &buf);
}

static void percent_put(struct render *r, struct buf *buf, struct spec *spec, struct value value) {
    if (spec->type == 's' || spec->type == 'r' || spec->type == 'a') {
        put_text(r, buf, spec, percent_string(r, value, spec->type).str, '>');
        return;
    }
    if (spec->type == 'c' && is(value, KIND_STRING) && str_chars(value.str) == 1) {
        put_text(r, buf, spec, value.str, '>');
        return;
    }
    if (!is_number(value)) {
        const bool real = strchr("diu", spec->type) != NULL;
        if (strchr("eEfFgG", spec->type) != NULL)
            fail(r, "must be real number, not %s", type_name(value));
        else
            fail(r, "%%%c format: %s number is required, not %s", spec->type,
                 real ? "a real" : "an integer", type_name(value));
        return;
    }
    if (strchr("diuxXo", spec->type) != NULL) {
        if (is(value, KIND_FLOAT) && strchr("diu", spec->type) != NULL &&
            fabs(value.number) < 9.2e18)
            value = value_int((int64_t)value.number);
        if (is(value, KIND_FLOAT)) {
            fail(r, "%%%c format: an integer is required, not float", spec->type);
            return;
        }
        spec->type = strchr("diu", spec->type) != NULL ? 'd' : spec->type;
        spec->precision = -1;
    } else if (strchr("eEfFgG", spec->type) != NULL) {
        value = value_float(as_double(value));
    } else {
        fail(r, "unsupported format character '%c'", spec->type);
        return;
    }
    if (spec->zero && spec->align == 0) {
        spec->align = '=';
        spec->fill[0] = '0';
        spec->fill_len = 1;
    }
    put_number(buf, spec, value);
}

static void percent_flags(const struct str *format, size_t *at, struct spec *spec) {
    for (; *at < format->len; (*at)++) {
        const char c = format->data[*at];
        if (c == '-')
            spec->align = '<';
        else if (c == '+' || (c == ' ' && spec->sign != '+'))
            spec->sign = c;
        else if (c == '#')
            spec->alternate = true;
        else if (c == '0')
            spec->zero = true;
        else if (c != ' ')
            break;
    }
}

/* "%(name)s": the mapping's value. */
static bool percent_name(struct render *r, struct percent *percent, const struct str *format,
                         size_t *at, struct value *out) {
    const char *close = memchr(format->data + *at, ')', format->len - *at);
    if (!is(percent->values, KIND_DICT) || close == NULL) {
        fail(r, close == NULL ? "incomplete format key" : "format requires a mapping");
        return false;
    }
    const char *name = format->data + *at;
    const struct entry *entry = dict_find_text(percent->values.dict, name, (size_t)(close - name));
    if (entry == NULL) {
        fail(r, "'%.*s'", (int)(close - name), name);
        return false;
    }
    *at = (size_t)(close - format->data) + 1;
    *out = entry->value;
    percent->used = 1;
    return true;
}

/* One conversion, after its %. */
static void percent_one(struct render *r, struct buf *buf, const struct str *format, size_t *at,
                        struct percent *percent) {
    struct spec spec = {.width = -1, .precision = -1};
    struct value value = value_missing();
    if (*at < format->len && format->data[*at] == '(') {
        (*at)++;
        if (!percent_name(r, percent, format, at, &value))
            return;
    }
    percent_flags(format, at, &spec);
    bool fits = read_number(format->data, format->len, at, &spec.width);
    if (*at < format->len && format->data[*at] == '.') {
        (*at)++;
        spec.precision = 0;
        fits = read_number(format->data, format->len, at, &spec.precision) && fits;
    }
    if (*at >= format->len || !fits) {
        fail(r, "incomplete format");
        return;
    }
    spec.type = format->data[(*at)++];
    if (spec.type == '%')
        buf_putc(buf, '%');
    else if (!is(value, KIND_MISSING) || percent_next(r, percent, &value))
        percent_put(r, buf, &spec, value);
}

struct value format_percent(struct render *r, struct str *format, struct value values) {
    struct percent percent = {.values = values};
    struct buf buf;
    str_buf(&buf);
    for (size_t at = 0; at < format->len && !r->failed && !buf.overflow;) {
        const char *next = memchr(format->data + at, '%', format->len - at);
        const size_t to = next == NULL ? format->len : (size_t)(next - format->data);
        buf_append(&buf, format->data + at, to - at);
        at = to + 1;
        step(r, 1);
        if (next != NULL)
            percent_one(r, &buf, format, &at, &percent);
    }
    /* What has [] may be a mapping, so that unused is no fault. */
    const bool mapping = is(values, KIND_DICT) || is(values, KIND_LIST) || is(values, KIND_RANGE) ||
                         is(values, KIND_UNDEFINED);
    const size_t given = is(values, KIND_TUPLE) ? values.seq->n : 1;
    if (percent.used < given && !mapping)
        fail(r, "not all arguments converted during string formatting");
    return value_from_buf(r, &buf);
}

/* ---- braces ---- */

struct braces {
    const struct args *args;
    size_t next; /* of {} */
};

static bool is_align(char c) {
    return c == '<' || c == '>' || c == '^' || c == '=';
}

static bool braces_spec(struct render *r, const char *text, size_t len, struct spec *spec) {
    size_t at = 0, behind = 0;
    *spec = (struct spec){.width = -1, .precision = -1};
    if (len > 0)
        utf8_next_lossy(text, len, &behind);
    if (behind > 0 && behind < len && is_align(text[behind])) {
        memcpy(spec->fill, text, behind);
        spec->fill_len = behind;
        spec->align = text[behind];
        at = behind + 1;
    } else if (len > 0 && is_align(text[0])) {
        spec->align = text[at++];
    }
    if (at < len && (text[at] == '+' || text[at] == '-' || text[at] == ' '))
        spec->sign = text[at++];
    if (at < len && text[at] == '#')
        spec->alternate = text[at++] == '#';
    if (at < len && text[at] == '0') {
        spec->zero = true;
        at++;
    }
    bool good = read_number(text, len, &at, &spec->width);
    if (at < len && text[at] == ',')
        spec->grouped = text[at++] == ',';
    if (at < len && text[at] == '.') {
        at++;
        good = read_number(text, len, &at, &spec->precision) && good && spec->precision >= 0;
    }
    if (at < len)
        spec->type = text[at++];
    if (at != len || !good)
        fail(r, "Invalid format specifier");
    return !r->failed;
}

static void braces_number(struct render *r, struct buf *buf, struct spec *spec,
                          struct value value) {
    const bool as_float = spec->type != 0 && strchr("eEfFgG%", spec->type) != NULL;
    if ((spec->type != 0 && strchr("eEfFgG%dnxXob", spec->type) == NULL) ||
        (is(value, KIND_FLOAT) && spec->type != 0 && !as_float)) {
        fail(r, "Unknown format code '%c' for object of type '%s'", spec->type, type_name(value));
        return;
    }
    if (as_float)
        value = value_float(as_double(value));
    if (spec->zero && spec->align == 0)
        spec->align = '=';
    if (spec->zero && spec->fill_len == 0) {
        spec->fill[0] = '0';
        spec->fill_len = 1;
    }
    put_number(buf, spec, value);
}

static void braces_put(struct render *r, struct buf *buf, struct value value, const char *text,
                       size_t len) {
    struct spec spec;
    if (len == 0) {
        print_str(r, buf, value);
        return;
    }
    if (!braces_spec(r, text, len, &spec))
        return;
    if (is_number(value) && !(is(value, KIND_BOOL) && spec.type == 0)) {
        braces_number(r, buf, &spec, value);
    } else if (is(value, KIND_STRING) || is(value, KIND_BOOL)) {
        if (spec.type != 0 && spec.type != 's')
            fail(r, "Unknown format code '%c' for object of type '%s'", spec.type,
                 type_name(value));
        else
            put_text(r, buf, &spec, to_str(r, value).str, '<');
    } else {
        fail(r, "unsupported format string passed to %s.__format__", type_name(value));
    }
}

/* The argument that a field's first part names. */
static struct value braces_argument(struct render *r, struct braces *braces, const char *name,
                                    size_t len) {
    int64_t index = (int64_t)braces->next;
    if (len == 0)
        braces->next++;
    if (len == 0 || (name[0] >= '0' && name[0] <= '9' && parse_int(name, len, 10, &index))) {
        if (index < 0 || (size_t)index >= braces->args->n)
            return fail(r, "Replacement index %lld out of range for positional args tuple",
                        (long long)index);
        return braces->args->items[index];
    }
    for (size_t i = 0; i < braces->args->n_named; i++) {
        const struct named *named = &braces->args->named[i];
        if (named->name->len == len && memcmp(named->name->data, name, len) == 0)
            return named->value;
    }
    return fail(r, "'%.*s'", (int)len, name);
}

/* "name.attribute[key]" */
static struct value braces_value(struct render *r, struct braces *braces, const char *field,
                                 size_t len) {
    size_t at = 0;
    while (at < len && field[at] != '.' && field[at] != '[')
        at++;
    struct value value = braces_argument(r, braces, field, at);
    while (at < len && !r->failed) {
        const bool item = field[at++] == '[';
        const size_t from = at;
        while (at < len && (item ? field[at] != ']' : field[at] != '.' && field[at] != '['))
            at++;
        int64_t index = 0;
        const struct value name = value_borrow(r, field + from, at - from);
        if (!item)
            value = get_attribute(r, value, name.str);
        else if (parse_int(field + from, at - from, 10, &index))
            value = get_item(r, value, value_int(index));
        else
            value = get_item(r, value, name);
        at += item;
    }
    return value;
}

/* One field, between its braces. */
static void braces_field(struct render *r, struct buf *buf, struct braces *braces,
                         const char *field, size_t len) {
    const char *colon = memchr(field, ':', len);
    const size_t head = colon == NULL ? len : (size_t)(colon - field);
    const char *bang = memchr(field, '!', head);
    const size_t name = bang == NULL ? head : (size_t)(bang - field);
    struct value value = braces_value(r, braces, field, name);
    if (r->failed)
        return;
    if (bang != NULL && head - name == 2 && (bang[1] == 'r' || bang[1] == 's'))
        value = percent_string(r, value, bang[1]);
    else if (bang != NULL)
        fail(r, "Unknown conversion specifier");
    braces_put(r, buf, value, colon == NULL ? "" : colon + 1, colon == NULL ? 0 : len - head - 1);
}

struct value format_braces(struct render *r, struct str *format, const struct args *args) {
    struct braces braces = {.args = args};
    struct buf buf;
    str_buf(&buf);
    const char *text = format->data;
    for (size_t at = 0; at < format->len && step(r, 1) && !buf.overflow;) {
        const char c = text[at++];
        if (c != '{' && c != '}') {
            buf_putc(&buf, c);
        } else if (at < format->len && text[at] == c) {
            buf_putc(&buf, c);
            at++;
        } else if (c == '}') {
            fail(r, "Single '}' encountered in format string");
        } else {
            const char *close = memchr(text + at, '}', format->len - at);
            if (close == NULL) {
                fail(r, "expected '}' before end of string");
                break;
            }
            braces_field(r, &buf, &braces, text + at, (size_t)(close - text) - at);
            at = (size_t)(close - text) + 1;
        }
    }
    return value_from_buf(r, &buf);
}
