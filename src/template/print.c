/* Values as text: str(), repr() and json.dumps() of Python. Depth is bounded by
 * LIMIT_TEMPLATE_DEPTH: a namespace may hold itself. */
#include "template/evaluate.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

void print_float(struct buf *buf, double number) {
    if (isnan(number)) {
        buf_puts(buf, "nan");
    } else if (isinf(number)) {
        buf_puts(buf, number > 0 ? "inf" : "-inf");
    } else {
        struct json_out out = json_out_begin(buf);
        json_double(&out, number);
    }
}

static void print_int(struct buf *buf, int64_t integer) {
    buf_printf(buf, "%lld", (long long)integer);
}

/* ---- repr ---- */

static void put_code(struct buf *buf, uint32_t c) {
    if (c < 0x100)
        buf_printf(buf, "\\x%02x", c);
    else if (c < 0x10000)
        buf_printf(buf, "\\u%04x", c);
    else
        buf_printf(buf, "\\U%08x", c);
}

static void repr_str(struct render *r, struct buf *buf, const struct str *str) {
    const bool has_single = memchr(str->data, '\'', str->len) != NULL;
    const char quote = has_single && memchr(str->data, '"', str->len) == NULL ? '"' : '\'';
    step(r, str->len / 16);
    if (str->markup)
        buf_puts(buf, "Markup(");
    buf_putc(buf, quote);
    for (size_t at = 0; at < str->len;) {
        const size_t from = at;
        const uint32_t c = utf8_next_lossy(str->data, str->len, &at);
        if (c == (unsigned char)quote || c == '\\')
            buf_printf(buf, "\\%c", (char)c);
        else if (c == '\n' || c == '\r' || c == '\t')
            buf_puts(buf, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
        else if (!char_is_printable(c))
            put_code(buf, c);
        else
            buf_append(buf, str->data + from, at - from);
    }
    buf_putc(buf, quote);
    if (str->markup)
        buf_putc(buf, ')');
}

static void repr_items(struct render *r, struct buf *buf, struct value values) {
    struct iter iter;
    struct value item;
    bool first = true;
    if (!iter_begin(r, &iter, values))
        return;
    while (iter_next(r, &iter, &item)) {
        buf_puts(buf, first ? "" : ", ");
        print_repr(r, buf, item);
        first = false;
    }
}

static void repr_dict(struct render *r, struct buf *buf, const struct dict *dict) {
    buf_putc(buf, '{');
    for (size_t i = 0; i < dict->n && !r->failed; i++) {
        buf_puts(buf, i == 0 ? "" : ", ");
        print_repr(r, buf, dict->entries[i].key);
        buf_puts(buf, ": ");
        print_repr(r, buf, dict->entries[i].value);
    }
    buf_putc(buf, '}');
}

static void repr_range(struct buf *buf, const struct range *range) {
    buf_printf(buf, "range(%lld, %lld", (long long)range->start, (long long)range->stop);
    if (range->step != 1)
        buf_printf(buf, ", %lld", (long long)range->step);
    buf_putc(buf, ')');
}

static void repr_container(struct render *r, struct buf *buf, struct value value) {
    switch (value.kind) {
    case KIND_LIST:
        buf_putc(buf, '[');
        repr_items(r, buf, value);
        buf_putc(buf, ']');
        break;
    case KIND_TUPLE:
        buf_putc(buf, '(');
        repr_items(r, buf, value);
        buf_puts(buf, value.seq->n == 1 ? ",)" : ")");
        break;
    case KIND_VIEW:
        buf_printf(buf, "%s([", type_name(value));
        repr_items(r, buf, value);
        buf_puts(buf, "])");
        break;
    case KIND_NAMESPACE:
        buf_puts(buf, "<Namespace ");
        repr_dict(r, buf, value.dict);
        buf_putc(buf, '>');
        break;
    default:
        repr_dict(r, buf, value.dict);
        break;
    }
}

/* Python writes an address; there is none to write here. */
static void repr_object(struct render *r, struct buf *buf, struct value value) {
    if (is(value, KIND_MACRO))
        macro_print(buf, value.macro);
    else if (is(value, KIND_LOOP))
        loop_print(r, buf, value.loop);
    else if (is(value, KIND_FUNCTION))
        buf_printf(buf, "<%s %s>", type_name(value), value.function->row->name);
    else
        buf_printf(buf, "<%s object>", type_name(value));
}

void print_repr(struct render *r, struct buf *buf, struct value value) {
    if (r->depth >= LIMIT_TEMPLATE_DEPTH) {
        fail(r, "the value nests more than %d levels", LIMIT_TEMPLATE_DEPTH);
        return;
    }
    if (!step(r, 1) || buf->overflow)
        return;
    r->depth++;
    switch (value.kind) {
    case KIND_UNDEFINED:
    case KIND_MISSING:
        buf_puts(buf, "Undefined");
        break;
    case KIND_NONE:
        buf_puts(buf, "None");
        break;
    case KIND_BOOL:
        buf_puts(buf, value.boolean ? "True" : "False");
        break;
    case KIND_INT:
        print_int(buf, value.integer);
        break;
    case KIND_BIG:
        buf_append(buf, value.str->data, value.str->len);
        break;
    case KIND_FLOAT:
        print_float(buf, value.number);
        break;
    case KIND_STRING:
        repr_str(r, buf, value.str);
        break;
    case KIND_RANGE:
        repr_range(buf, value.range);
        break;
    case KIND_LIST:
    case KIND_TUPLE:
    case KIND_DICT:
    case KIND_VIEW:
    case KIND_NAMESPACE:
        repr_container(r, buf, value);
        break;
    default:
        repr_object(r, buf, value);
        break;
    }
    r->depth--;
}

void print_str(struct render *r, struct buf *buf, struct value value) {
    if (is(value, KIND_STRING)) {
        step(r, value.str->len / 16);
        buf_append(buf, value.str->data, value.str->len);
    } else if (!is(value, KIND_UNDEFINED)) {
        print_repr(r, buf, value);
    }
    if (buf->overflow)
        fail(r, "the template writes more than %llu MB", LIMIT_TEMPLATE_OUTPUT / MiB);
}

struct value to_str(struct render *r, struct value value) {
    if (is(value, KIND_STRING))
        return value;
    struct buf buf;
    str_buf(&buf);
    print_str(r, &buf, value);
    return value_from_buf(r, &buf);
}

const char *repr_text(struct render *r, struct value value) {
    struct buf buf;
    buf_init(&buf, LIMIT_ERROR_TEXT);
    print_repr(r, &buf, value);
    const char *text = arena_strndup(&r->arena, buf.data ? buf.data : "", buf.len);
    buf_deinit(&buf);
    return text;
}

/* ---- JSON ---- */

static void json_char(struct buf *buf, const struct json_style *style, uint32_t c) {
    if (c >= 0x10000) {
        c -= 0x10000;
        buf_printf(buf, "\\u%04x\\u%04x", 0xD800 + (c >> 10), 0xDC00 + (c & 0x3FF));
    } else {
        buf_printf(buf, "\\u%04x", c);
    }
}

static void json_text(struct render *r, struct buf *buf, const struct str *str,
                      const struct json_style *style) {
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: character, letter */
    step(r, str->len / 16);
    buf_putc(buf, '"');
    for (size_t at = 0; at < str->len;) {
        const size_t from = at;
        const uint32_t c = utf8_next_lossy(str->data, str->len, &at);
        size_t i = 0;
        while (c < 0x80 && c != 0 && shorts[i] != 0 && (unsigned char)shorts[i] != c)
            i += 2;
        if (c < 0x80 && c != 0 && shorts[i] != 0)
            buf_printf(buf, "\\%c", shorts[i + 1]);
        else if (c < 0x20 || (style->ascii && c > 0x7E && c != 0x7F))
            json_char(buf, style, c);
        else
            buf_append(buf, str->data + from, at - from);
    }
    buf_putc(buf, '"');
}

static void json_line(struct buf *buf, const struct json_style *style, uint32_t level) {
    if (!style->pretty)
        return;
    buf_putc(buf, '\n');
    for (uint32_t i = 0; i < level; i++)
        buf_append(buf, style->indent.data, style->indent.len);
}

static void json_print(struct render *r, struct buf *buf, struct value value,
                       const struct json_style *style, uint32_t level);

static void json_list(struct render *r, struct buf *buf, const struct seq *seq,
                      const struct json_style *style, uint32_t level) {
    buf_putc(buf, '[');
    for (size_t i = 0; i < seq->n && !r->failed; i++) {
        if (i > 0)
            buf_append(buf, style->item_separator.data, style->item_separator.len);
        json_line(buf, style, level + 1);
        json_print(r, buf, seq->items[i], style, level + 1);
    }
    if (seq->n > 0)
        json_line(buf, style, level);
    buf_putc(buf, ']');
}

static void print_number(struct buf *buf, double number) {
    if (isnan(number) || isinf(number))
        buf_puts(buf, isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
    else
        print_float(buf, number);
}

static void json_atom(struct render *r, struct buf *buf, struct value value) {
    switch (value.kind) {
    case KIND_NONE:
        buf_puts(buf, "null");
        break;
    case KIND_BOOL:
        buf_puts(buf, value.boolean ? "true" : "false");
        break;
    case KIND_INT:
        print_int(buf, value.integer);
        break;
    case KIND_BIG:
        buf_append(buf, value.str->data, value.str->len);
        break;
    case KIND_FLOAT:
        print_number(buf, value.number);
        break;
    default:
        fail(r, "Object of type %s is not JSON serializable", type_name(value));
        break;
    }
}

static void json_dict_key(struct render *r, struct buf *buf, struct value key,
                          const struct json_style *style) {
    if (is(key, KIND_STRING)) {
        json_text(r, buf, key.str, style);
    } else if (is_number(key) || is(key, KIND_NONE) || is(key, KIND_BIG)) {
        buf_putc(buf, '"');
        json_atom(r, buf, key);
        buf_putc(buf, '"');
    } else {
        fail(r, "keys must be str, int, float, bool or None, not %s", type_name(key));
    }
}

static const struct dict *sorted(struct render *r, const struct dict *dict) {
    struct dict *copy = value_dict(r, dict->n).dict;
    for (size_t i = 0; i < dict->n && copy->cap >= dict->n && !r->failed; i++) {
        size_t at = copy->n++; /* by insertion: objects with sorted keys are small */
        while (at > 0 && step(r, 1) &&
               values_compare(r, dict->entries[i].key, copy->entries[at - 1].key, "<") < 0) {
            copy->entries[at] = copy->entries[at - 1];
            at--;
        }
        copy->entries[at] = dict->entries[i];
    }
    return copy;
}

static void json_dict(struct render *r, struct buf *buf, const struct dict *dict,
                      const struct json_style *style, uint32_t level) {
    buf_putc(buf, '{');
    if (style->sort_keys)
        dict = sorted(r, dict);
    for (size_t i = 0; i < dict->n && !r->failed; i++) {
        if (i > 0)
            buf_append(buf, style->item_separator.data, style->item_separator.len);
        json_line(buf, style, level + 1);
        json_dict_key(r, buf, dict->entries[i].key, style);
        buf_append(buf, style->key_separator.data, style->key_separator.len);
        json_print(r, buf, dict->entries[i].value, style, level + 1);
    }
    if (dict->n > 0)
        json_line(buf, style, level);
    buf_putc(buf, '}');
}

static void json_print(struct render *r, struct buf *buf, struct value value,
                       const struct json_style *style, uint32_t level) {
    if (r->depth + level >= LIMIT_TEMPLATE_DEPTH) {
        fail(r, "the value nests more than %d levels", LIMIT_TEMPLATE_DEPTH);
        return;
    }
    if (!step(r, 1) || buf->overflow)
        return;
    if (is(value, KIND_STRING))
        json_text(r, buf, value.str, style);
    else if (is(value, KIND_LIST) || is(value, KIND_TUPLE))
        json_list(r, buf, value.seq, style, level);
    else if (is(value, KIND_DICT))
        json_dict(r, buf, value.dict, style, level);
    else
        json_atom(r, buf, value);
}

void print_json(struct render *r, struct buf *buf, struct value value,
                const struct json_style *style) {
    json_print(r, buf, value, style, 0);
}
