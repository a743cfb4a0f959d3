/* Expressions, by recursive descent, with the precedence and the quirks of jinja2's parser: unary
 * minus binds tighter than **, ~ tighter than +, a test takes one argument without parentheses.
 * Statements are in parser_statements.c. */
#include "template/syntax.h"

#include <stdarg.h>
#include <string.h>

#include "base/banned.h"

/* ---- what both files share ---- */

void *parse_fail(struct parser *parser, uint32_t line, const char *format, ...) {
    if (!parser->failed) {
        char text[LIMIT_ERROR_TEXT];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        (void)ERR(parser->err, MODEL, "line %u: %s", line, text);
        parser->failed = true;
    }
    return NULL;
}

struct node *node_create(struct parser *parser, enum node_kind kind, uint32_t line) {
    struct node *node = arena_zalloc(parser->arena, 1, sizeof(*node));
    node->kind = kind;
    node->line = line;
    return node;
}

struct str *parser_name(struct parser *parser, const char *text, size_t len) {
    for (size_t i = 0; i < parser->n_names; i++) {
        struct str *name = parser->names[i];
        if (name->len == len && memcmp(name->data, text, len) == 0)
            return name;
    }
    struct str *name = arena_zalloc(parser->arena, 1, sizeof(*name));
    *name = (struct str){.data = arena_strndup(parser->arena, text, len), .len = len};
    name->chars = utf8_count(text, len);
    parser->names =
        mem_grow(parser->names, &parser->cap_names, parser->n_names + 1, sizeof(*parser->names));
    parser->names[parser->n_names++] = name;
    return name;
}

bool parse_enter(struct parser *parser) {
    if (++parser->nest > LIMIT_TEMPLATE_NEST)
        parse_fail(parser, parser->token->line, "nests more than %d levels", LIMIT_TEMPLATE_NEST);
    return !parser->failed;
}

void parse_next(struct parser *parser) {
    if (parser->token->type != TOKEN_EOF)
        parser->token++;
}

static bool token_is(const struct token *token, enum token_type type, const char *text) {
    return token->type == type && strlen(text) == token->len &&
           memcmp(token->text, text, token->len) == 0;
}

bool at_operator(const struct parser *parser, const char *op) {
    return token_is(parser->token, TOKEN_OPERATOR, op);
}

bool at_name(const struct parser *parser, const char *name) {
    return token_is(parser->token, TOKEN_NAME, name);
}

bool skip_operator(struct parser *parser, const char *op) {
    const bool there = at_operator(parser, op);
    if (there)
        parse_next(parser);
    return there;
}

bool skip_name(struct parser *parser, const char *name) {
    const bool there = at_name(parser, name);
    if (there)
        parse_next(parser);
    return there;
}

const char *token_text(struct parser *parser, const struct token *token) {
    switch (token->type) {
    case TOKEN_EOF:
        return "end of template";
    case TOKEN_DATA:
        return "template data / text";
    case TOKEN_VARIABLE_BEGIN:
        return "begin of print statement";
    case TOKEN_VARIABLE_END:
        return "end of print statement";
    case TOKEN_BLOCK_BEGIN:
        return "begin of statement block";
    case TOKEN_BLOCK_END:
        return "end of statement block";
    case TOKEN_STRING:
        return "string";
    case TOKEN_INTEGER:
        return "integer";
    case TOKEN_FLOAT:
        return "float";
    default:
        return arena_printf(parser->arena, "%.*s", (int)(token->len < 64 ? token->len : 64),
                            token->text);
    }
}

static bool expected(struct parser *parser, const char *what) {
    const struct token *token = parser->token;
    if (token->type == TOKEN_EOF)
        parse_fail(parser, token->line, "unexpected end of template, expected '%s'.", what);
    else
        parse_fail(parser, token->line, "expected token '%s', got '%s'", what,
                   token_text(parser, token));
    return false;
}

bool expect_operator(struct parser *parser, const char *op) {
    return skip_operator(parser, op) || expected(parser, op);
}

bool expect_type(struct parser *parser, enum token_type type, const char *what) {
    if (parser->token->type != type)
        return expected(parser, what);
    parse_next(parser);
    return true;
}

void node_list_add(struct parser *parser, struct node_list *list, struct node *node) {
    if (node == NULL)
        return;
    if (list->n == list->cap) {
        const size_t cap = list->cap == 0 ? 4 : list->cap * 2;
        struct node **items = arena_zalloc(parser->arena, cap, sizeof(struct node *));
        if (list->n > 0)
            memcpy(items, list->items, list->n * sizeof(struct node *));
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = node;
}

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

static struct node *parse_primary(struct parser *parser) {
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

static struct node *parse_postfix(struct parser *parser, struct node *node) {
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
    while (skip_operator(parser, ".")) {
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

static struct node *parse_filters_and_tests(struct parser *parser, struct node *node) {
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

/* ---- operators ---- */

static struct node *parse_unary(struct parser *parser, bool with_filters) {
    struct node *node = NULL;
    if (!parse_enter(parser))
        return NULL;
    if (at_operator(parser, "-") || at_operator(parser, "+")) {
        node = node_create(parser, NODE_UNARY, parser->token->line);
        node->op = at_operator(parser, "-") ? OP_NEG : OP_POS;
        parse_next(parser);
        node->a = parse_unary(parser, false);
    } else {
        node = parse_primary(parser);
    }
    node = parse_postfix(parser, parser->failed ? NULL : node);
    if (with_filters)
        node = parse_filters_and_tests(parser, node);
    parser->nest--;
    return parser->failed ? NULL : node;
}

struct operator_row {
    const char *text;
    enum op op;
};

static const struct operator_row *find_operator(const struct parser *parser,
                                                const struct operator_row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (at_operator(parser, rows[i].text))
            return &rows[i];
    }
    return NULL;
}

/* left op right op right …, from the left. */
static struct node *parse_binary(struct parser *parser, const struct operator_row *rows, size_t n,
                                 struct node *(*next)(struct parser *)) {
    struct node *left = next(parser);
    const struct operator_row *row = NULL;
    while (!parser->failed && (row = find_operator(parser, rows, n)) != NULL) {
        struct node *node = node_create(parser, NODE_BINARY, parser->token->line);
        parse_next(parser);
        node->op = row->op;
        node->a = left;
        node->b = next(parser);
        left = node;
    }
    return parser->failed ? NULL : left;
}

static struct node *parse_operand(struct parser *parser) {
    return parse_unary(parser, true);
}

static struct node *parse_power(struct parser *parser) {
    static const struct operator_row rows[] = {{"**", OP_POW}};
    return parse_binary(parser, rows, ARRAY_LEN(rows), parse_operand);
}

static struct node *parse_product(struct parser *parser) {
    static const struct operator_row rows[] = {
        {"*", OP_MUL}, {"/", OP_DIV}, {"//", OP_FLOORDIV}, {"%", OP_MOD}};
    return parse_binary(parser, rows, ARRAY_LEN(rows), parse_power);
}

static struct node *parse_concat(struct parser *parser) {
    const uint32_t line = parser->token->line;
    struct node_list items = {0};
    do {
        node_list_add(parser, &items, parse_product(parser));
    } while (!parser->failed && skip_operator(parser, "~"));
    if (parser->failed || items.n == 1)
        return parser->failed ? NULL : items.items[0];
    struct node *node = node_create(parser, NODE_CONCAT, line);
    node->items = items.items;
    node->n = items.n;
    return node;
}

static struct node *parse_sum(struct parser *parser) {
    static const struct operator_row rows[] = {{"+", OP_ADD}, {"-", OP_SUB}};
    return parse_binary(parser, rows, ARRAY_LEN(rows), parse_concat);
}

/* The comparison at the current token, which is read over. */
static bool comparison(struct parser *parser, enum op *op) {
    static const struct operator_row rows[] = {{"==", OP_EQ}, {"!=", OP_NE}, {"<", OP_LT},
                                               {"<=", OP_LE}, {">", OP_GT},  {">=", OP_GE}};
    const struct operator_row *row = find_operator(parser, rows, ARRAY_LEN(rows));
    if (row != NULL) {
        *op = row->op;
        parse_next(parser);
        return true;
    }
    *op = OP_IN;
    if (skip_name(parser, "in"))
        return true;
    if (!at_name(parser, "not") || !token_is(parser->token + 1, TOKEN_NAME, "in"))
        return false;
    *op = OP_NOT_IN;
    parser->token += 2;
    return true;
}

static struct node *parse_compare(struct parser *parser) {
    const uint32_t line = parser->token->line;
    struct node *first = parse_sum(parser);
    struct node_list operands = {0};
    enum op op = OP_EQ;
    while (!parser->failed && comparison(parser, &op)) {
        struct node *operand = node_create(parser, NODE_OPERAND, parser->token->line);
        operand->op = op;
        operand->a = parse_sum(parser);
        node_list_add(parser, &operands, operand);
    }
    if (parser->failed || operands.n == 0)
        return parser->failed ? NULL : first;
    struct node *node = node_create(parser, NODE_COMPARE, line);
    node->a = first;
    node->items = operands.items;
    node->n = operands.n;
    return node;
}

static struct node *parse_not(struct parser *parser) {
    if (!at_name(parser, "not"))
        return parse_compare(parser);
    struct node *node = node_create(parser, NODE_NOT, parser->token->line);
    parse_next(parser);
    if (!parse_enter(parser))
        return NULL;
    node->a = parse_not(parser);
    parser->nest--;
    return parser->failed ? NULL : node;
}

static struct node *parse_logic(struct parser *parser, const char *word, enum node_kind kind,
                                struct node *(*next)(struct parser *)) {
    struct node *left = next(parser);
    while (!parser->failed && at_name(parser, word)) {
        struct node *node = node_create(parser, kind, parser->token->line);
        parse_next(parser);
        node->a = left;
        node->b = next(parser);
        left = node;
    }
    return parser->failed ? NULL : left;
}

static struct node *parse_and(struct parser *parser) {
    return parse_logic(parser, "and", NODE_AND, parse_not);
}

static struct node *parse_or(struct parser *parser) {
    return parse_logic(parser, "or", NODE_OR, parse_and);
}

struct node *parse_expression(struct parser *parser) {
    if (!parse_enter(parser))
        return NULL;
    const bool lenient = parser->lenient;
    const struct token *start = parser->token;
    struct node *node = parse_or(parser);
    while (!parser->failed && at_name(parser, "if")) {
        struct node *condition = node_create(parser, NODE_CONDITION, start->line);
        parse_next(parser);
        parser->lenient = true;
        condition->b = node;
        condition->a = parse_or(parser);
        if (skip_name(parser, "else"))
            condition->c = parse_expression(parser);
        node = condition;
    }
    parser->lenient = lenient;
    parser->nest--;
    return parser->failed ? NULL : node;
}

static bool tuple_ends(const struct parser *parser, const char *end) {
    return parser->token->type == TOKEN_VARIABLE_END || parser->token->type == TOKEN_BLOCK_END ||
           at_operator(parser, ")") || (end != NULL && at_name(parser, end));
}

/* An element of a target: a primary, or name.attribute. */
static struct node *parse_target_part(struct parser *parser, bool attributes) {
    const struct token *token = parser->token;
    if (!attributes || token->type != TOKEN_NAME || !token_is(token + 1, TOKEN_OPERATOR, "."))
        return parse_primary(parser);
    struct node *node = node_create(parser, NODE_TARGET, token->line);
    node->name = parser_name(parser, token->text, token->len);
    parser->token += 2;
    token = parser->token;
    if (!expect_type(parser, TOKEN_NAME, "name"))
        return NULL;
    node->attribute = parser_name(parser, token->text, token->len);
    return node;
}

enum tuple_of { TUPLE_OF_EXPRESSIONS, TUPLE_UNCONDITIONAL, TUPLE_TARGETS, TUPLE_ATTRIBUTES };

static struct node *tuple_part(struct parser *parser, enum tuple_of of) {
    if (of == TUPLE_TARGETS || of == TUPLE_ATTRIBUTES)
        return parse_target_part(parser, of == TUPLE_ATTRIBUTES);
    return of == TUPLE_UNCONDITIONAL ? parse_or(parser) : parse_expression(parser);
}

static struct node *parse_tuple_of(struct parser *parser, enum tuple_of of, const char *end,
                                   bool parentheses) {
    const uint32_t line = parser->token->line;
    struct node_list items = {0};
    bool is_tuple = false;
    while (!parser->failed) {
        if (items.n > 0 && !expect_operator(parser, ","))
            return NULL;
        if (tuple_ends(parser, end))
            break;
        node_list_add(parser, &items, tuple_part(parser, of));
        if (!at_operator(parser, ","))
            break;
        is_tuple = true;
    }
    if (parser->failed)
        return NULL;
    if (!is_tuple && items.n > 0)
        return items.items[0];
    if (!is_tuple && !parentheses)
        return parse_fail(parser, line, "Expected an expression, got '%s'",
                          token_text(parser, parser->token));
    struct node *node = node_create(parser, NODE_TUPLE, line);
    node->items = items.items;
    node->n = items.n;
    return node;
}

struct node *parse_tuple(struct parser *parser, bool conditional, const char *end,
                         bool parentheses) {
    return parse_tuple_of(parser, conditional ? TUPLE_OF_EXPRESSIONS : TUPLE_UNCONDITIONAL, end,
                          parentheses);
}

/* What may be assigned to: a name, an attribute, a tuple or list of them. */
static bool assignable(struct parser *parser, const struct node *node) {
    const char *kind = NULL;
    switch (node->kind) {
    case NODE_NAME:
    case NODE_TARGET:
        return true;
    case NODE_TUPLE:
    case NODE_LIST:
        for (size_t i = 0; i < node->n; i++) {
            if (!assignable(parser, node->items[i]))
                return false;
        }
        return true;
    case NODE_CONST:
        kind = "const";
        break;
    case NODE_DICT:
        kind = "dict";
        break;
    default:
        kind = "expression";
        break;
    }
    parse_fail(parser, node->line, "can't assign to '%s'", kind);
    return false;
}

struct node *parse_target(struct parser *parser, const char *end, bool attributes) {
    struct node *node =
        parse_tuple_of(parser, attributes ? TUPLE_ATTRIBUTES : TUPLE_TARGETS, end, false);
    return node != NULL && assignable(parser, node) ? node : NULL;
}
