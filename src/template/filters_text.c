/* Filters of text: case, trimming, replacing, indenting, escaping. What is no text is made one by
 * str() first, as jinja2's soft_str does. */
#include "template/builtin.h"

#include <string.h>

#include "base/banned.h"

static struct value filter_upper(struct render *r, struct call *call) {
    return text_case(r, to_str(r, call->self).str, CASE_UPPER);
}

static struct value filter_lower(struct render *r, struct call *call) {
    return text_case(r, to_str(r, call->self).str, CASE_LOWER);
}

/* The first character of text[len] in one case, the others in lower case. */
static void put_capital(struct buf *buf, const char *text, size_t len, enum letter_case first) {
    size_t at = 0;
    if (len == 0)
        return;
    utf8_next_lossy(text, len, &at);
    put_case(buf, text, at, first);
    put_case(buf, text + at, len - at, CASE_LOWER);
}

static struct value filter_capitalize(struct render *r, struct call *call) {
    const struct str *str = to_str(r, call->self).str;
    struct buf buf;
    str_buf(&buf);
    step(r, str->len / 16);
    put_capital(&buf, str->data, str->len, CASE_TITLE);
    return value_from_buf(r, &buf);
}

static bool breaks_word(uint32_t c) {
    return char_is_space(c) || c == '-' || c == '(' || c == '{' || c == '[' || c == '<';
}

static struct value filter_title(struct render *r, struct call *call) {
    const struct str *str = to_str(r, call->self).str;
    struct buf buf;
    str_buf(&buf);
    step(r, str->len / 16);
    for (size_t at = 0; at < str->len;) {
        const size_t from = at;
        size_t next = at;
        const bool is_break = breaks_word(utf8_next_lossy(str->data, str->len, &next));
        while (at < str->len) {
            next = at;
            if (breaks_word(utf8_next_lossy(str->data, str->len, &next)) != is_break)
                break;
            at = next;
        }
        put_capital(&buf, str->data + from, at - from, CASE_UPPER);
    }
    return value_from_buf(r, &buf);
}

static struct value filter_trim(struct render *r, struct call *call) {
    const struct value chars = call->arg[0];
    const bool given = is(chars, KIND_STRING);
    if (!given && !is(chars, KIND_MISSING) && !is(chars, KIND_NONE))
        return fail(r, "strip arg must be None or str");
    return text_trim(r, to_str(r, call->self).str, given ? chars.str : NULL, true, true);
}

static struct value filter_replace(struct render *r, struct call *call) {
    int64_t count = -1;
    if (!is(call->arg[2], KIND_NONE) && !arg_integer(r, call, 2, -1, &count))
        return value_undefined();
    return text_replace(r, to_str(r, call->self).str, to_str(r, call->arg[0]).str,
                        to_str(r, call->arg[1]).str, count);
}

static struct value filter_string(struct render *r, struct call *call) {
    return to_str(r, call->self);
}

static struct value filter_escape(struct render *r, struct call *call) {
    const struct str *str = to_str(r, call->self).str;
    struct buf buf;
    if (str->markup)
        return call->self;
    str_buf(&buf);
    step(r, str->len / 16);
    put_escaped(&buf, str->data, str->len);
    struct value value = value_from_buf(r, &buf);
    value.str->markup = true;
    return value;
}

static struct value filter_forceescape(struct render *r, struct call *call) {
    const struct str *str = to_str(r, call->self).str;
    call->self = value_borrow(r, str->data, str->len);
    return filter_escape(r, call);
}

static struct value filter_safe(struct render *r, struct call *call) {
    const struct str *str = to_str(r, call->self).str;
    struct value value = value_borrow(r, str->data, str->len);
    value.str->markup = true;
    return value;
}

/* The text in front of each line: a string, or so many spaces. */
static struct str *indention(struct render *r, struct value width) {
    if (is(width, KIND_STRING))
        return width.str;
    const int64_t n = is(width, KIND_MISSING) ? 4 : is_integer(width) ? as_integer(width) : -1;
    if (!is(width, KIND_MISSING) && !is_integer(width))
        fail(r, "can't multiply sequence by non-int of type '%s'", type_name(width));
    const struct value spaces = op_binary(r, OP_MUL, value_text(r, " "), value_int(n));
    return is(spaces, KIND_STRING) ? spaces.str : value_text(r, "").str;
}

static struct value filter_indent(struct render *r, struct call *call) {
    const struct str *indent = indention(r, call->arg[0]);
    const bool first = arg_truth(call, 1, false), blank = arg_truth(call, 2, false);
    const struct value text = op_binary(r, OP_ADD, call->self, value_text(r, "\n"));
    struct buf buf;
    if (r->failed || !is(text, KIND_STRING))
        return fail(r, "indent needs a string, not %s", type_name(call->self));
    const struct value lines = text_split_lines(r, text.str, false);
    str_buf(&buf);
    for (size_t i = 0; i < lines.seq->n && step(r, 1 + indent->len / 16); i++) {
        const struct str *line = lines.seq->items[i].str;
        if (i > 0)
            buf_putc(&buf, '\n');
        if (i > 0 ? blank || line->len > 0 : first)
            buf_append(&buf, indent->data, indent->len);
        buf_append(&buf, line->data, line->len);
    }
    return value_from_buf(r, &buf);
}

static struct value filter_center(struct render *r, struct call *call) {
    struct str *str = to_str(r, call->self).str;
    int64_t width = 0;
    if (!arg_integer(r, call, 0, 80, &width))
        return value_undefined();
    const struct builtin *row = string_method_find("center", 6);
    struct value size = value_int(width);
    const struct args args = {.items = &size, .n = 1};
    return builtin_call(r, row, (struct value){.kind = KIND_STRING, .str = str}, &args);
}

static struct value filter_truncate(struct render *r, struct call *call) {
    struct str *end = is(call->arg[2], KIND_STRING) ? call->arg[2].str : value_text(r, "...").str;
    int64_t length = 0, leeway = 5;
    if (!arg_integer(r, call, 0, 255, &length) ||
        (!is(call->arg[3], KIND_NONE) && !arg_integer(r, call, 3, 5, &leeway)))
        return value_undefined();
    const int64_t keep = length - (int64_t)str_chars(end);
    if (keep < 0)
        return fail(r, "expected length >= %zu, got %lld", str_chars(end), (long long)length);
    if (leeway < 0)
        return fail(r, "expected leeway >= 0, got %lld", (long long)leeway);
    const int64_t has = value_length(call->self);
    if (has < 0)
        return fail(r, "object of type '%s' has no len()", type_name(call->self));
    if (has <= length + leeway)
        return call->self;
    if (!is(call->self, KIND_STRING))
        return fail(r, "'%s' object has no attribute 'rsplit'", type_name(call->self));
    struct str *str = call->self.str;
    size_t cut = str_offset(str, (size_t)keep);
    const char *space = rfind_bytes(str->data, cut, " ", 1);
    if (!arg_truth(call, 1, false) && space != NULL)
        cut = (size_t)(space - str->data);
    return value_concat(r, value_borrow(r, str->data, cut).str, end->data, end->len);
}

static struct value filter_wordcount(struct render *r, struct call *call) {
    const struct str *str = to_str(r, call->self).str;
    int64_t words = 0;
    bool inside = false;
    step(r, str->len / 16);
    for (size_t at = 0; at < str->len;) {
        const bool word = char_is_word(utf8_next_lossy(str->data, str->len, &at));
        words += word && !inside;
        inside = word;
    }
    return value_int(words);
}

static void put_quoted(struct render *r, struct buf *buf, struct value value, bool query) {
    const struct str *str = to_str(r, value).str;
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~";
    step(r, str->len / 16);
    for (size_t i = 0; i < str->len; i++) {
        const char c = str->data[i];
        if (c != 0 && (strchr(safe, c) != NULL || (c == '/' && !query)))
            buf_putc(buf, c);
        else if (c == ' ' && query)
            buf_putc(buf, '+');
        else
            buf_printf(buf, "%%%02X", (unsigned char)c);
    }
}

static struct value filter_urlencode(struct render *r, struct call *call) {
    struct buf buf;
    struct iter iter;
    struct value pair;
    struct value items = call->self;
    str_buf(&buf);
    if (is(items, KIND_STRING) || !is_iterable(items)) {
        put_quoted(r, &buf, items, false);
        return value_from_buf(r, &buf);
    }
    if (is(items, KIND_DICT)) {
        struct view *view = render_new(r, sizeof(*view));
        *view = (struct view){.dict = items.dict, .part = VIEW_ITEMS};
        items = (struct value){.kind = KIND_VIEW, .view = view};
    }
    if (iter_begin(r, &iter, items)) {
        for (bool more = false; iter_next(r, &iter, &pair); more = true) {
            const struct value parts = to_list(r, pair);
            if (!r->failed && parts.seq->n != 2)
                fail(r, "not enough values to unpack (expected 2, got %zu)", parts.seq->n);
            if (r->failed)
                break;
            buf_puts(&buf, more ? "&" : "");
            put_quoted(r, &buf, parts.seq->items[0], true);
            buf_putc(&buf, '=');
            put_quoted(r, &buf, parts.seq->items[1], true);
        }
    }
    return value_from_buf(r, &buf);
}

static struct value filter_format(struct render *r, struct call *call) {
    const struct args *args = call->args;
    if (args->n > 0 && args->n_named > 0)
        return fail(r, "can't handle positional and keyword arguments at the same time");
    struct value values = value_tuple(r, args->n);
    for (size_t i = 0; i < values.seq->n; i++)
        values.seq->items[i] = args->items[i];
    if (args->n_named > 0)
        values = value_dict(r, args->n_named);
    for (size_t i = 0; i < args->n_named; i++)
        dict_set(r, values.dict, (struct value){.kind = KIND_STRING, .str = args->named[i].name},
                 args->named[i].value);
    return format_percent(r, to_str(r, call->self).str, values);
}

static const struct builtin rows[] = {
    {.name = "capitalize", .params = "", .run = filter_capitalize, .keeps_markup = true},
    {.name = "center", .params = "width", .run = filter_center, .keeps_markup = true},
    {.name = "e", .params = "", .run = filter_escape},
    {.name = "escape", .params = "", .run = filter_escape},
    {.name = "forceescape", .params = "", .run = filter_forceescape},
    {.name = "format", .run = filter_format},
    {.name = "indent", .params = "width first blank", .run = filter_indent},
    {.name = "lower", .params = "", .run = filter_lower, .keeps_markup = true},
    {.name = "pprint", .run = builtin_unsupported},
    {.name = "replace", .params = "old new count", .required = 2, .run = filter_replace},
    {.name = "safe", .params = "", .run = filter_safe},
    {.name = "string", .params = "", .run = filter_string},
    {.name = "striptags", .run = builtin_unsupported},
    {.name = "title", .params = "", .run = filter_title},
    {.name = "trim", .params = "chars", .run = filter_trim, .keeps_markup = true},
    {.name = "truncate", .params = "length killwords end leeway", .run = filter_truncate},
    {.name = "upper", .params = "", .run = filter_upper, .keeps_markup = true},
    {.name = "urlencode", .params = "", .run = filter_urlencode},
    {.name = "urlize", .run = builtin_unsupported},
    {.name = "wordcount", .params = "", .run = filter_wordcount},
    {.name = "wordwrap", .run = builtin_unsupported},
    {.name = "xmlattr", .run = builtin_unsupported},
};

struct builtin_table filters_text(void) {
    return (struct builtin_table){rows, ARRAY_LEN(rows)};
}
