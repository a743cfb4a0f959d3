/* Methods of str. Positions count code points, as Python's do; pieces are borrowed from the text.
 */
#include "template/builtin.h"

#include <string.h>

#include "base/banned.h"

/* ---- parts of a text ---- */

/* text[start:end] of a call's arguments i and i + 1; *from is its place in code points. */
static bool window(struct render *r, const struct call *call, size_t i, struct str *out,
                   int64_t *from) {
    struct str *str = call->self.str;
    const int64_t length = (int64_t)str_chars(str);
    int64_t start = 0, end = length;
    if (!is(call->arg[i], KIND_NONE) && !arg_integer(r, call, i, 0, &start))
        return false;
    if (!is(call->arg[i + 1], KIND_NONE) && !arg_integer(r, call, i + 1, length, &end))
        return false;
    start = start < 0 ? (start + length < 0 ? 0 : start + length) : start;
    end = end < 0 ? (end + length < 0 ? 0 : end + length) : (end > length ? length : end);
    *from = start;
    if (start > end) {
        *out = (struct str){.data = NULL};
        return true;
    }
    const size_t begin = str_offset(str, (size_t)start), stop = str_offset(str, (size_t)end);
    *out = (struct str){.data = str->data + begin, .len = stop - begin, .chars = CHARS_UNKNOWN};
    return true;
}

static bool needs_text(struct render *r, const struct call *call, size_t i) {
    if (is(call->arg[i], KIND_STRING))
        return true;
    fail(r, "must be str, not %s", type_name(call->arg[i]));
    return false;
}

/* ---- starts and ends ---- */

static bool edge_matches(const struct str *text, const struct str *edge, bool at_end) {
    if (text->data == NULL || edge->len > text->len)
        return false;
    const char *at = at_end ? text->data + text->len - edge->len : text->data;
    return memcmp(at, edge->data, edge->len) == 0;
}

static struct value has_edge(struct render *r, struct call *call, bool at_end) {
    struct str part;
    int64_t from = 0;
    struct value edges = call->arg[0];
    if (!window(r, call, 1, &part, &from))
        return value_undefined();
    if (is(edges, KIND_STRING))
        return value_bool(edge_matches(&part, edges.str, at_end));
    if (!is(edges, KIND_TUPLE))
        return fail(r, "%s first arg must be str or a tuple of str, not %s", call->name,
                    type_name(edges));
    for (size_t i = 0; i < edges.seq->n; i++) {
        const struct value edge = edges.seq->items[i];
        if (!is(edge, KIND_STRING))
            return fail(r, "tuple for %s must only contain str, not %s", call->name,
                        type_name(edge));
        if (edge_matches(&part, edge.str, at_end))
            return value_bool(true);
    }
    return value_bool(false);
}

static struct value str_startswith(struct render *r, struct call *call) {
    return has_edge(r, call, false);
}

static struct value str_endswith(struct render *r, struct call *call) {
    return has_edge(r, call, true);
}

static struct value without_edge(struct render *r, struct call *call, bool at_end) {
    const struct str *str = call->self.str;
    if (!needs_text(r, call, 0))
        return value_undefined();
    const size_t len = call->arg[0].str->len;
    if (len == 0 || !edge_matches(str, call->arg[0].str, at_end))
        return value_borrow(r, str->data, str->len);
    return value_borrow(r, str->data + (at_end ? 0 : len), str->len - len);
}

static struct value str_removeprefix(struct render *r, struct call *call) {
    return without_edge(r, call, false);
}

static struct value str_removesuffix(struct render *r, struct call *call) {
    return without_edge(r, call, true);
}

static struct value strip(struct render *r, struct call *call, bool left, bool right) {
    const struct value chars = call->arg[0];
    const bool given = is(chars, KIND_STRING);
    if (!given && !is(chars, KIND_MISSING) && !is(chars, KIND_NONE))
        return fail(r, "%s arg must be None or str", call->name);
    return text_trim(r, call->self.str, given ? chars.str : NULL, left, right);
}

static struct value str_strip(struct render *r, struct call *call) {
    return strip(r, call, true, true);
}

static struct value str_lstrip(struct render *r, struct call *call) {
    return strip(r, call, true, false);
}

static struct value str_rstrip(struct render *r, struct call *call) {
    return strip(r, call, false, true);
}

/* ---- finding ---- */

/* From the right each place is compared in full at worst, which is counted. */
static const char *find_from(struct render *r, const char *text, size_t len, const struct str *what,
                             bool from_right) {
    if (!from_right)
        return find_bytes(text, len, what->data, what->len);
    return step(r, len / 16 + len / 64 * (what->len / 64))
               ? rfind_bytes(text, len, what->data, what->len)
               : NULL;
}

/* In code points from the start of the text, or -1. */
static int64_t position(struct render *r, struct call *call, bool from_right) {
    struct str part;
    int64_t from = 0;
    if (!needs_text(r, call, 0) || !window(r, call, 1, &part, &from) || part.data == NULL)
        return -1;
    const struct str *what = call->arg[0].str;
    step(r, part.len / 16 + (from_right ? part.len : 0));
    const char *found = find_from(r, part.data, part.len, what, from_right);
    if (found != NULL && from_right && what->len == 0)
        found = part.data + part.len;
    if (found == NULL)
        return -1;
    struct str before = {.data = part.data, .len = (size_t)(found - part.data)};
    before.chars = CHARS_UNKNOWN;
    return from + (int64_t)str_chars(&before);
}

static struct value found_or_fail(struct render *r, int64_t at) {
    return at < 0 ? fail(r, "substring not found") : value_int(at);
}

static struct value str_find(struct render *r, struct call *call) {
    return value_int(position(r, call, false));
}

static struct value str_rfind(struct render *r, struct call *call) {
    return value_int(position(r, call, true));
}

static struct value str_index(struct render *r, struct call *call) {
    return found_or_fail(r, position(r, call, false));
}

static struct value str_rindex(struct render *r, struct call *call) {
    return found_or_fail(r, position(r, call, true));
}

static struct value str_count(struct render *r, struct call *call) {
    struct str part;
    int64_t from = 0, n = 0;
    if (!needs_text(r, call, 0) || !window(r, call, 1, &part, &from) || part.data == NULL)
        return value_int(0);
    const struct str *what = call->arg[0].str;
    if (what->len == 0)
        return value_int((int64_t)str_chars(&part) + 1);
    step(r, part.len / 16);
    const char *at = part.data, *end = part.data + part.len;
    while ((at = find_bytes(at, (size_t)(end - at), what->data, what->len)) != NULL) {
        at += what->len;
        n++;
    }
    return value_int(n);
}

/* ---- splitting ---- */

/* The words between blank space; the rest, from its first word on, when there were enough. */
static struct value split_space(struct render *r, const struct str *str, int64_t most) {
    struct builder parts = {0};
    size_t at = 0;
    while (at < str->len && step(r, 1)) {
        size_t next = at;
        if (char_is_space(utf8_next_lossy(str->data, str->len, &next))) {
            at = next;
            continue;
        }
        size_t end = str->len;
        if (most-- != 0) {
            end = at;
            while (end < str->len) {
                next = end;
                if (char_is_space(utf8_next_lossy(str->data, str->len, &next)))
                    break;
                end = next;
            }
        } else {
            builder_add(r, &parts, value_borrow(r, str->data + at, end - at));
            break;
        }
        builder_add(r, &parts, value_borrow(r, str->data + at, end - at));
        at = end;
    }
    return builder_list(r, &parts);
}

static struct value reversed(struct render *r, struct value list) {
    const struct value turned = value_list(r, list.seq->n);
    for (size_t i = 0; i < turned.seq->n; i++)
        turned.seq->items[i] = list.seq->items[list.seq->n - 1 - i];
    return turned;
}

static struct value rsplit_space(struct render *r, struct str *str, int64_t most) {
    struct builder parts = {0};
    struct str *rest = text_trim(r, str, NULL, false, true).str;
    for (; rest->len > 0 && most-- != 0 && step(r, 1);) {
        size_t from = rest->len;
        while (from > 0) {
            size_t last = from - 1;
            while (last > 0 && ((unsigned char)rest->data[last] & 0xC0) == 0x80)
                last--;
            size_t at = last;
            if (char_is_space(utf8_next_lossy(rest->data, rest->len, &at)))
                break;
            from = last;
        }
        builder_add(r, &parts, value_borrow(r, rest->data + from, rest->len - from));
        rest = text_trim(r, value_borrow(r, rest->data, from).str, NULL, false, true).str;
    }
    rest = rest->len > 0 ? text_trim(r, rest, NULL, true, true).str : rest;
    if (rest->len > 0)
        builder_add(r, &parts,
                    value_borrow(r, str->data, (size_t)(rest->data - str->data) + rest->len));
    return reversed(r, builder_list(r, &parts));
}

static struct value split_by(struct render *r, const struct str *str, const struct str *by,
                             int64_t most, bool from_right) {
    struct builder parts = {0};
    const char *from = str->data, *end = str->data + str->len;
    step(r, str->len / 16);
    while (most-- != 0 && step(r, 1 + (from_right ? (size_t)(end - from) / 16 : 0))) {
        const size_t len = (size_t)(end - from);
        const char *found = find_from(r, from, len, by, from_right);
        if (found == NULL)
            break;
        const char *behind = found + by->len;
        builder_add(r, &parts,
                    from_right ? value_borrow(r, behind, (size_t)(end - behind))
                               : value_borrow(r, from, (size_t)(found - from)));
        from = from_right ? from : behind;
        end = from_right ? found : end;
    }
    builder_add(r, &parts, value_borrow(r, from, (size_t)(end - from)));
    const struct value list = builder_list(r, &parts);
    return from_right ? reversed(r, list) : list;
}

static struct value split(struct render *r, struct call *call, bool from_right) {
    int64_t most = -1;
    const struct value by = call->arg[0];
    if (!arg_integer(r, call, 1, -1, &most))
        return value_undefined();
    if (is(by, KIND_MISSING) || is(by, KIND_NONE))
        return from_right ? rsplit_space(r, call->self.str, most)
                          : split_space(r, call->self.str, most);
    if (!needs_text(r, call, 0))
        return value_undefined();
    if (by.str->len == 0)
        return fail(r, "empty separator");
    return split_by(r, call->self.str, by.str, most, from_right);
}

static struct value str_split(struct render *r, struct call *call) {
    return split(r, call, false);
}

static struct value str_rsplit(struct render *r, struct call *call) {
    return split(r, call, true);
}

static struct value str_splitlines(struct render *r, struct call *call) {
    return text_split_lines(r, call->self.str, arg_truth(call, 0, false));
}

static struct value partition(struct render *r, struct call *call, bool from_right) {
    const struct str *str = call->self.str;
    if (!needs_text(r, call, 0))
        return value_undefined();
    const struct str *by = call->arg[0].str;
    if (by->len == 0)
        return fail(r, "empty separator");
    step(r, str->len / 4);
    const char *found = find_from(r, str->data, str->len, by, from_right);
    const struct value parts = value_tuple(r, 3);
    if (parts.seq->n < 3)
        return parts;
    const size_t at = found == NULL ? str->len : (size_t)(found - str->data);
    const size_t behind = found == NULL ? str->len : at + by->len;
    parts.seq->items[0] = value_borrow(r, str->data, at);
    parts.seq->items[1] = value_borrow(r, str->data + at, behind - at);
    parts.seq->items[2] = value_borrow(r, str->data + behind, str->len - behind);
    if (found == NULL && from_right) {
        const struct value all = parts.seq->items[0];
        parts.seq->items[0] = parts.seq->items[2];
        parts.seq->items[2] = all;
    }
    return parts;
}

static struct value str_partition(struct render *r, struct call *call) {
    return partition(r, call, false);
}

static struct value str_rpartition(struct render *r, struct call *call) {
    return partition(r, call, true);
}

/* ---- other texts of a text ---- */

static struct value str_upper(struct render *r, struct call *call) {
    return text_case(r, call->self.str, CASE_UPPER);
}

static struct value str_lower(struct render *r, struct call *call) {
    return text_case(r, call->self.str, CASE_LOWER);
}

static struct value str_capitalize(struct render *r, struct call *call) {
    const struct args none = {0};
    return builtin_call(r, filter_find("capitalize", 10), call->self, &none);
}

static bool is_cased(uint32_t c) {
    return char_is_upper(c) || char_is_lower(c) || char_is_title(c);
}

static struct value str_title(struct render *r, struct call *call) {
    const struct str *str = call->self.str;
    struct buf buf;
    bool inside = false;
    str_buf(&buf);
    step(r, str->len / 16);
    for (size_t at = 0; at < str->len;) {
        const size_t from = at;
        const uint32_t c = utf8_next_lossy(str->data, str->len, &at);
        put_case(&buf, str->data + from, at - from, inside ? CASE_LOWER : CASE_TITLE);
        inside = is_cased(c);
    }
    return value_from_buf(r, &buf);
}

static struct value str_swapcase(struct render *r, struct call *call) {
    const struct str *str = call->self.str;
    struct buf buf;
    str_buf(&buf);
    step(r, str->len / 16);
    for (size_t at = 0; at < str->len;) {
        const size_t from = at;
        const uint32_t c = utf8_next_lossy(str->data, str->len, &at);
        const enum letter_case to = char_is_upper(c) ? CASE_LOWER : CASE_UPPER;
        if (char_is_upper(c) || char_is_lower(c))
            put_case(&buf, str->data + from, at - from, to);
        else
            buf_append(&buf, str->data + from, at - from);
    }
    return value_from_buf(r, &buf);
}

static struct value str_replace(struct render *r, struct call *call) {
    int64_t count = -1;
    if (!needs_text(r, call, 0) || !needs_text(r, call, 1) || !arg_integer(r, call, 2, -1, &count))
        return value_undefined();
    return text_replace(r, call->self.str, call->arg[0].str, call->arg[1].str, count);
}

static struct value str_join(struct render *r, struct call *call) {
    if (!is_iterable(call->arg[0]))
        return fail(r, "can only join an iterable");
    return text_join(r, call->self.str, call->arg[0], true);
}

static struct value str_format(struct render *r, struct call *call) {
    return format_braces(r, call->self.str, call->args);
}

/* `left` and `right` fill characters around the text. */
static struct value padded(struct render *r, const struct call *call, int64_t left, int64_t right) {
    const struct value fill = call->arg[1];
    const struct str *str = call->self.str;
    const bool given = is(fill, KIND_STRING);
    if ((given && str_chars(fill.str) != 1) || (!given && !is(fill, KIND_MISSING)))
        return fail(r, "The fill character must be exactly one character long");
    const struct str *c = given ? fill.str : value_text(r, " ").str;
    struct buf buf;
    str_buf(&buf);
    step(r, (size_t)((left > 0 ? left : 0) + (right > 0 ? right : 0)));
    for (int64_t i = 0; i < left && !buf.overflow && !r->failed; i++)
        buf_append(&buf, c->data, c->len);
    buf_append(&buf, str->data, str->len);
    for (int64_t i = 0; i < right && !buf.overflow && !r->failed; i++)
        buf_append(&buf, c->data, c->len);
    return value_from_buf(r, &buf);
}

/* Columns that are free in a field of the call's width. */
static bool room(struct render *r, const struct call *call, int64_t *width, int64_t *free) {
    if (!arg_integer(r, call, 0, 0, width))
        return false;
    if (*width > (int64_t)LIMIT_TEMPLATE_OUTPUT)
        fail(r, "the text would be too wide");
    *free = *width - (int64_t)str_chars(call->self.str);
    *free = *free < 0 ? 0 : *free;
    return !r->failed;
}

static struct value str_center(struct render *r, struct call *call) {
    int64_t width = 0, free = 0;
    if (!room(r, call, &width, &free))
        return value_undefined();
    const int64_t left = free / 2 + (free & width & 1);
    return padded(r, call, left, free - left);
}

static struct value str_ljust(struct render *r, struct call *call) {
    int64_t width = 0, free = 0;
    return room(r, call, &width, &free) ? padded(r, call, 0, free) : value_undefined();
}

static struct value str_rjust(struct render *r, struct call *call) {
    int64_t width = 0, free = 0;
    return room(r, call, &width, &free) ? padded(r, call, free, 0) : value_undefined();
}

static struct value str_zfill(struct render *r, struct call *call) {
    int64_t width = 0, free = 0;
    if (!room(r, call, &width, &free))
        return value_undefined();
    const struct str *str = call->self.str;
    const bool sign = str->len > 0 && (str->data[0] == '-' || str->data[0] == '+');
    struct buf buf;
    str_buf(&buf);
    step(r, (size_t)free);
    buf_append(&buf, str->data, sign);
    for (int64_t i = 0; i < free && !r->failed; i++)
        buf_putc(&buf, '0');
    buf_append(&buf, str->data + sign, str->len - sign);
    return value_from_buf(r, &buf);
}

/* ---- what the characters are ---- */

static struct value all_chars(struct render *r, struct call *call, bool (*has)(uint32_t),
                              bool when_empty) {
    const struct str *str = call->self.str;
    step(r, str->len / 16);
    for (size_t at = 0; at < str->len;) {
        if (!has(utf8_next_lossy(str->data, str->len, &at)))
            return value_bool(false);
    }
    return value_bool(str->len > 0 || when_empty);
}

static bool is_alnum(uint32_t c) {
    return char_is_alpha(c) || char_is_numeric(c);
}

static bool is_ascii(uint32_t c) {
    return c < 0x80;
}

static struct value str_isalnum(struct render *r, struct call *call) {
    return all_chars(r, call, is_alnum, false);
}

static struct value str_isalpha(struct render *r, struct call *call) {
    return all_chars(r, call, char_is_alpha, false);
}

static struct value str_isascii(struct render *r, struct call *call) {
    return all_chars(r, call, is_ascii, true);
}

static struct value str_isdecimal(struct render *r, struct call *call) {
    return all_chars(r, call, char_is_decimal, false);
}

static struct value str_isdigit(struct render *r, struct call *call) {
    return all_chars(r, call, char_is_digit, false);
}

static struct value str_isnumeric(struct render *r, struct call *call) {
    return all_chars(r, call, char_is_numeric, false);
}

static struct value str_isprintable(struct render *r, struct call *call) {
    return all_chars(r, call, char_is_printable, true);
}

static struct value str_isspace(struct render *r, struct call *call) {
    return all_chars(r, call, char_is_space, false);
}

static struct value by_test(struct render *r, struct call *call, const char *test) {
    const struct args none = {0};
    return builtin_call(r, test_find(test, 5), call->self, &none);
}

static struct value str_islower(struct render *r, struct call *call) {
    return by_test(r, call, "lower");
}

static struct value str_isupper(struct render *r, struct call *call) {
    return by_test(r, call, "upper");
}

static struct value str_istitle(struct render *r, struct call *call) {
    const struct str *str = call->self.str;
    bool inside = false, some = false;
    step(r, str->len / 16);
    for (size_t at = 0; at < str->len;) {
        const uint32_t c = utf8_next_lossy(str->data, str->len, &at);
        const bool capital = char_is_upper(c) || char_is_title(c);
        if ((capital && inside) || (char_is_lower(c) && !inside))
            return value_bool(false);
        inside = is_cased(c);
        some |= inside;
    }
    return value_bool(some);
}

static const struct builtin rows[] = {
    {.name = "capitalize", .params = "/", .run = str_capitalize, .keeps_markup = true},
    {.name = "casefold", .run = builtin_unsupported},
    {.name = "center",
     .params = "/width fillchar",
     .required = 1,
     .run = str_center,
     .keeps_markup = true},
    {.name = "count", .params = "/sub start end", .required = 1, .run = str_count},
    {.name = "encode", .run = builtin_unsupported},
    {.name = "endswith", .params = "/suffix start end", .required = 1, .run = str_endswith},
    {.name = "expandtabs", .run = builtin_unsupported},
    {.name = "find", .params = "/sub start end", .required = 1, .run = str_find},
    {.name = "format", .run = str_format},
    {.name = "format_map", .run = builtin_unsupported},
    {.name = "index", .params = "/sub start end", .required = 1, .run = str_index},
    {.name = "isalnum", .params = "/", .run = str_isalnum},
    {.name = "isalpha", .params = "/", .run = str_isalpha},
    {.name = "isascii", .params = "/", .run = str_isascii},
    {.name = "isdecimal", .params = "/", .run = str_isdecimal},
    {.name = "isdigit", .params = "/", .run = str_isdigit},
    {.name = "isidentifier", .run = builtin_unsupported},
    {.name = "islower", .params = "/", .run = str_islower},
    {.name = "isnumeric", .params = "/", .run = str_isnumeric},
    {.name = "isprintable", .params = "/", .run = str_isprintable},
    {.name = "isspace", .params = "/", .run = str_isspace},
    {.name = "istitle", .params = "/", .run = str_istitle},
    {.name = "isupper", .params = "/", .run = str_isupper},
    {.name = "join", .params = "/iterable", .required = 1, .run = str_join},
    {.name = "ljust",
     .params = "/width fillchar",
     .required = 1,
     .run = str_ljust,
     .keeps_markup = true},
    {.name = "lower", .params = "/", .run = str_lower, .keeps_markup = true},
    {.name = "lstrip", .params = "/chars", .run = str_lstrip, .keeps_markup = true},
    {.name = "maketrans", .run = builtin_unsupported},
    {.name = "partition", .params = "/sep", .required = 1, .run = str_partition},
    {.name = "removeprefix", .params = "/prefix", .required = 1, .run = str_removeprefix},
    {.name = "removesuffix", .params = "/suffix", .required = 1, .run = str_removesuffix},
    {.name = "replace", .params = "/old new count", .required = 2, .run = str_replace},
    {.name = "rfind", .params = "/sub start end", .required = 1, .run = str_rfind},
    {.name = "rindex", .params = "/sub start end", .required = 1, .run = str_rindex},
    {.name = "rjust",
     .params = "/width fillchar",
     .required = 1,
     .run = str_rjust,
     .keeps_markup = true},
    {.name = "rpartition", .params = "/sep", .required = 1, .run = str_rpartition},
    {.name = "rsplit", .params = "sep maxsplit", .run = str_rsplit},
    {.name = "rstrip", .params = "/chars", .run = str_rstrip, .keeps_markup = true},
    {.name = "split", .params = "sep maxsplit", .run = str_split},
    {.name = "splitlines", .params = "keepends", .run = str_splitlines},
    {.name = "startswith", .params = "/prefix start end", .required = 1, .run = str_startswith},
    {.name = "strip", .params = "/chars", .run = str_strip, .keeps_markup = true},
    {.name = "swapcase", .params = "/", .run = str_swapcase, .keeps_markup = true},
    {.name = "title", .params = "/", .run = str_title, .keeps_markup = true},
    {.name = "translate", .run = builtin_unsupported},
    {.name = "upper", .params = "/", .run = str_upper, .keeps_markup = true},
    {.name = "zfill", .params = "/width", .required = 1, .run = str_zfill, .keeps_markup = true},
};

const struct builtin *string_method_find(const char *name, size_t len) {
    return builtin_find(rows, ARRAY_LEN(rows), name, len);
}
