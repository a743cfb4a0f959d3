/* Expressions, by recursive descent, with the precedence and the quirks of jinja2's parser: unary
 * minus binds tighter than **, ~ tighter than +. Values and what follows them are in
 * parser_values.c, statements in parser_statements.c. */
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

static size_t name_slot(const struct parser *parser, const char *text, size_t len) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    size_t slot = hash & (parser->cap_names - 1);
    while (parser->names[slot] != NULL &&
           (parser->names[slot]->len != len || memcmp(parser->names[slot]->data, text, len) != 0))
        slot = (slot + 1) & (parser->cap_names - 1);
    return slot;
}

/* Doubles the table; it is never more than half full. */
static void grow_names(struct parser *parser) {
    struct str **old = parser->names;
    const size_t cap = parser->cap_names;
    parser->cap_names = cap == 0 ? 64 : cap * 2;
    parser->names = mem_zalloc(parser->cap_names, sizeof(struct str *));
    for (size_t i = 0; i < cap; i++) {
        if (old[i] != NULL)
            parser->names[name_slot(parser, old[i]->data, old[i]->len)] = old[i];
    }
    mem_free(old);
}

struct str *parser_name(struct parser *parser, const char *text, size_t len) {
    if (len > LIMIT_TEMPLATE_NAME) {
        parse_fail(parser, parser->token->line, "a name has %zu bytes, at most %d are read", len,
                   LIMIT_TEMPLATE_NAME);
        len = 0;
    }
    if (parser->n_names * 2 >= parser->cap_names)
        grow_names(parser);
    const size_t slot = name_slot(parser, text, len);
    if (parser->names[slot] == NULL) {
        struct str *name = arena_zalloc(parser->arena, 1, sizeof(*name));
        *name = (struct str){.data = arena_strndup(parser->arena, text, len), .len = len};
        name->chars = utf8_count(text, len);
        parser->names[slot] = name;
        parser->n_names++;
    }
    return parser->names[slot];
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

bool token_is(const struct token *token, enum token_type type, const char *text) {
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
