/* Values of expressions: literals, names, and what may follow them: .name, [key], (arguments),
 * | filter, is test. A test takes one argument without parentheses. Operators are in parser.c. */
#include "template/syntax.h"

#include <string.h>

#include "base/banned.h"

/* ---- literals ---- */

static struct node *constant(struct parser *parser, struct value value) {
    struct node *node = node_create(parser, NODE_CONST, parser->token->line);
    node->constant = value;
    return node;
}

static struct node *string_constant(struct parser *parser, const char *text, size_t len) {
    struct str *str = arena_zalloc(parser->arena, 1, sizeof(*str));
    *str = (struct str){.data = text, .len = len, .chars = 0};
    for (size_t i = 0; i < len; i++)
        str->chars += ((unsigned char)text[i] & 0xC0) != 0x80;
    return constant(parser, (struct value){.kind = KIND_STRING, .str = str});
}

/* Strings that stand side by side are one. */
static struct node *parse_strings(struct parser *parser) {
    const struct token *first = parser->token;
    size_t len = 0, at = 0;
    for (const struct token *token = first; token->type == TOKEN_STRING; token++)
        len += token->len;
    char *text = arena_alloc(parser->arena, len + 1);
    struct node *node = NULL;
    while (parser->token->type == TOKEN_STRING) {
        memcpy(text + at, parser->token->text, parser->token->len);
        at += parser->token->len;
        parse_next(parser);
    }
    text[len] = 0;
    node = string_constant(parser, text, len);
    node->line = first->line;
    return node;
}

static struct node *parse_name(struct parser *parser) {
    const struct token *token = parser->token;
    struct node *node = NULL;
    if (at_name(parser, "true") || at_name(parser, "True")) {
        node = constant(parser, value_bool(true));
    } else if (at_name(parser, "false") || at_name(parser, "False")) {
        node = constant(parser, value_bool(false));
    } else if (at_name(parser, "none") || at_name(parser, "None")) {
        node = constant(parser, value_none());
    } else {
        node = node_create(parser, NODE_NAME, token->line);
        node->name = parser_name(parser, token->text, token->len);
        struct signature *signature = parser->signature;
        if (signature != NULL) {
            signature->takes_rest |= str_is(node->name, "varargs");
            signature->takes_named |= str_is(node->name, "kwargs");
            signature->takes_caller |= str_is(node->name, "caller");
        }
    }
    parse_next(parser);
    return node;
}

static struct node *parse_list(struct parser *parser) {
    struct node *node = node_create(parser, NODE_LIST, parser->token->line);
    struct node_list items = {0};
    parse_next(parser);
    while (!parser->failed && !at_operator(parser, "]")) {
        if (items.n > 0 && !expect_operator(parser, ","))
            return NULL;
        if (at_operator(parser, "]"))
            break;
        node_list_add(parser, &items, parse_expression(parser));
    }
    node->items = items.items;
    node->n = items.n;
    return expect_operator(parser, "]") ? node : NULL;
}

static struct node *parse_dict(struct parser *parser) {
    struct node *node = node_create(parser, NODE_DICT, parser->token->line);
    struct node_list items = {0};
    parse_next(parser);
    while (!parser->failed && !at_operator(parser, "}")) {
        if (items.n > 0 && !expect_operator(parser, ","))
            return NULL;
        if (at_operator(parser, "}"))
            break;
        node_list_add(parser, &items, parse_expression(parser));
        if (!expect_operator(parser, ":"))
            return NULL;
        node_list_add(parser, &items, parse_expression(parser));
    }
    node->items = items.items;
    node->n = items.n;
    return expect_operator(parser, "}") ? node : NULL;
}

static struct node *parse_number(struct parser *parser) {
    const struct token *token = parser->token;
    struct node *node = constant(parser, token->type == TOKEN_INTEGER ? value_int(token->integer)
                                                                      : value_float(token->number));
    parse_next(parser);
    return node;
}

struct node *parse_primary(struct parser *parser) {
    const struct token *token = parser->token;
    if (token->type == TOKEN_NAME)
        return parse_name(parser);
    if (token->type == TOKEN_STRING)
        return parse_strings(parser);
    if (token->type == TOKEN_INTEGER || token->type == TOKEN_FLOAT)
        return parse_number(parser);
    if (at_operator(parser, "["))
        return parse_list(parser);
    if (at_operator(parser, "{"))
        return parse_dict(parser);
    if (!skip_operator(parser, "("))
        return parse_fail(parser, token->line, "unexpected '%s'", token_text(parser, token));
    struct node *node = parse_tuple(parser, true, NULL, true);
    return expect_operator(parser, ")") ? node : NULL;
}

/* ---- what follows a value ---- */

/* A part of [a:b:c] that may be left out. */
static struct node *slice_part(struct parser *parser) {
    if (at_operator(parser, ":") || at_operator(parser, "]") || at_operator(parser, ","))
        return NULL;
    return parse_expression(parser);
}

static struct node *parse_subscribed(struct parser *parser) {
    const uint32_t line = parser->token->line;
    struct node *first = NULL;
    if (!at_operator(parser, ":")) {
        first = parse_expression(parser);
        if (first == NULL || !at_operator(parser, ":"))
            return first;
    }
    struct node *node = node_create(parser, NODE_SLICE, line);
    parse_next(parser);
    node->a = first;
    node->b = slice_part(parser);
    if (skip_operator(parser, ":"))
        node->c = slice_part(parser);
    return parser->failed ? NULL : node;
}

static struct node *parse_item(struct parser *parser, struct node *value) {
    struct node *node = node_create(parser, NODE_ITEM, parser->token->line);
    struct node_list keys = {0};
    parse_next(parser);
    while (!parser->failed && !at_operator(parser, "]")) {
        if (keys.n > 0 && !expect_operator(parser, ","))
            return NULL;
        node_list_add(parser, &keys, parse_subscribed(parser));
    }
    if (!expect_operator(parser, "]"))
        return NULL;
    node->a = value;
    node->b = keys.n == 1 ? keys.items[0] : NULL;
    if (node->b == NULL) {
        node->b = node_create(parser, NODE_TUPLE, node->line);
        node->b->items = keys.items;
        node->b->n = keys.n;
    }
    return node;
}

static struct node *parse_attribute(struct parser *parser, struct node *value) {
    parse_next(parser);
    const struct token *token = parser->token;
    struct node *node = NULL;
    if (token->type == TOKEN_NAME) {
        node = node_create(parser, NODE_ATTRIBUTE, token->line);
        node->name = parser_name(parser, token->text, token->len);
        parse_next(parser);
    } else if (token->type == TOKEN_INTEGER) {
        node = node_create(parser, NODE_ITEM, token->line);
        node->b = parse_number(parser);
    } else {
        return parse_fail(parser, token->line, "expected name or number");
    }
    node->a = value;
    return node;
}

static void add_named(struct parser *parser, struct call_args *args, size_t *cap) {
    if (args->n_named == *cap) {
        *cap = *cap == 0 ? 4 : *cap * 2;
        struct named_node *named = arena_zalloc(parser->arena, *cap, sizeof(*named));
        if (args->n_named > 0)
            memcpy(named, args->named, args->n_named * sizeof(*named));
        args->named = named;
    }
    struct named_node *named = &args->named[args->n_named++];
    named->name = parser_name(parser, parser->token->text, parser->token->len);
    parser->token += 2;
    named->value = parse_expression(parser);
}

static void bad_argument(struct parser *parser) {
    parse_fail(parser, parser->token->line, "invalid syntax for function call expression");
}

static void parse_argument(struct parser *parser, struct call_args *args, struct node_list *items,
                           size_t *cap_named) {
    if (skip_operator(parser, "*")) {
        if (args->rest != NULL || args->named_rest != NULL)
            bad_argument(parser);
        args->rest = parse_expression(parser);
    } else if (skip_operator(parser, "**")) {
        if (args->named_rest != NULL)
            bad_argument(parser);
        args->named_rest = parse_expression(parser);
    } else if (parser->token->type == TOKEN_NAME &&
               token_is(parser->token + 1, TOKEN_OPERATOR, "=")) {
        if (args->named_rest != NULL)
            bad_argument(parser);
        add_named(parser, args, cap_named);
    } else {
        if (args->rest != NULL || args->named_rest != NULL || args->n_named > 0)
            bad_argument(parser);
        node_list_add(parser, items, parse_expression(parser));
    }
}

static struct call_args *parse_args(struct parser *parser) {
    struct call_args *args = arena_zalloc(parser->arena, 1, sizeof(*args));
    struct node_list items = {0};
    size_t cap_named = 0;
    bool comma = false;
    expect_operator(parser, "(");
    while (!parser->failed && !at_operator(parser, ")")) {
        if (comma && !expect_operator(parser, ","))
            return NULL;
        if (comma && at_operator(parser, ")"))
            break;
        parse_argument(parser, args, &items, &cap_named);
        comma = true;
    }
    args->items = items.items;
    args->n = items.n;
    return expect_operator(parser, ")") ? args : NULL;
}

static struct node *parse_call(struct parser *parser, struct node *callee) {
    struct node *node = node_create(parser, NODE_CALL, parser->token->line);
    node->a = callee;
    node->args = parse_args(parser);
    return parser->failed ? NULL : node;
}

struct node *parse_postfix(struct parser *parser, struct node *node) {
    while (node != NULL && !parser->failed) {
        if (at_operator(parser, "."))
            node = parse_attribute(parser, node);
        else if (at_operator(parser, "["))
            node = parse_item(parser, node);
        else if (at_operator(parser, "("))
            node = parse_call(parser, node);
        else
            break;
    }
    return node;
}

/* The name of a filter or test, "a.b" included. */
static const char *dotted_name(struct parser *parser) {
    const struct token *token = parser->token;
    if (!expect_type(parser, TOKEN_NAME, "name"))
        return "";
    const char *name = arena_strndup(parser->arena, token->text, token->len);
    while (skip_operator(parser, ".") && strlen(name) <= LIMIT_TEMPLATE_NAME) {
        token = parser->token;
        if (!expect_type(parser, TOKEN_NAME, "name"))
            return "";
        name = arena_printf(parser->arena, "%s.%.*s", name, (int)token->len, token->text);
    }
    return name;
}

/* Unknown names are refused here, but in an `if`, which may ask before it uses them. */
static void find_row(struct parser *parser, struct node *node, const char *name, bool is_filter) {
    node->name = parser_name(parser, name, strlen(name));
    node->row = is_filter ? filter_find(name, strlen(name)) : test_find(name, strlen(name));
    if (node->row == NULL && !parser->lenient)
        parse_fail(parser, node->line, "No %s named '%s'.", is_filter ? "filter" : "test", name);
}

struct node *parse_filters(struct parser *parser, struct node *value, bool inline_first) {
    struct node *node = value;
    while (!parser->failed && (inline_first || at_operator(parser, "|"))) {
        if (!inline_first)
            parse_next(parser);
        inline_first = false;
        struct node *filter = node_create(parser, NODE_FILTER, parser->token->line);
        find_row(parser, filter, dotted_name(parser), true);
        filter->a = node;
        if (at_operator(parser, "("))
            filter->args = parse_args(parser);
        node = filter;
    }
    return parser->failed ? NULL : node;
}

static bool begins_argument(const struct parser *parser) {
    const struct token *token = parser->token;
    if (token->type == TOKEN_NAME)
        return !at_name(parser, "else") && !at_name(parser, "or") && !at_name(parser, "and");
    return token->type == TOKEN_STRING || token->type == TOKEN_INTEGER ||
           token->type == TOKEN_FLOAT || at_operator(parser, "[") || at_operator(parser, "{");
}

static struct node *parse_test(struct parser *parser, struct node *value) {
    parse_next(parser);
    const bool negated = skip_name(parser, "not");
    struct node *test = node_create(parser, NODE_TEST, parser->token->line);
    find_row(parser, test, dotted_name(parser), false);
    test->a = value;
    if (at_operator(parser, "(")) {
        test->args = parse_args(parser);
    } else if (begins_argument(parser)) {
        if (at_name(parser, "is"))
            return parse_fail(parser, test->line, "You cannot chain multiple tests with is");
        struct call_args *args = arena_zalloc(parser->arena, 1, sizeof(*args));
        struct node_list items = {0};
        node_list_add(parser, &items, parse_postfix(parser, parse_primary(parser)));
        args->items = items.items;
        args->n = items.n;
        test->args = args;
    }
    if (parser->failed || !negated)
        return parser->failed ? NULL : test;
    struct node *node = node_create(parser, NODE_NOT, test->line);
    node->a = test;
    return node;
}

struct node *parse_filters_and_tests(struct parser *parser, struct node *node) {
    while (node != NULL && !parser->failed) {
        if (at_operator(parser, "|"))
            node = parse_filters(parser, node, false);
        else if (at_name(parser, "is"))
            node = parse_test(parser, node);
        else if (at_operator(parser, "("))
            node = parse_call(parser, node);
        else
            break;
    }
    return node;
}
