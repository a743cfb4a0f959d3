/* Statements: the tags of a template, and the text between them. What an expression is, parser.c
 * knows. */
#include "template/syntax.h"

#include <string.h>

#include "base/banned.h"

struct tag {
    const char *name;
    struct node *(*parse)(struct parser *parser, uint32_t line);
};

/* "'elif' or 'else' or 'endif'" of "elif else endif". */
static const char *alternatives(struct parser *parser, const char *ends) {
    const char *text = "";
    while (*ends != 0) {
        const size_t len = strcspn(ends, " ");
        text = arena_printf(parser->arena, "%s%s'%.*s'", text, *text != 0 ? " or " : "", (int)len,
                            ends);
        ends += len + (ends[len] == ' ');
    }
    return text;
}

static bool at_one_of(const struct parser *parser, const char *ends) {
    while (*ends != 0) {
        const size_t len = strcspn(ends, " ");
        if (parser->token->type == TOKEN_NAME && parser->token->len == len &&
            memcmp(parser->token->text, ends, len) == 0)
            return true;
        ends += len + (ends[len] == ' ');
    }
    return false;
}

static struct node *parse_statement(struct parser *parser, const char *ends);

/* {{ … }}: what is between. */
static struct node *parse_output(struct parser *parser) {
    struct node *node = node_create(parser, NODE_OUTPUT, parser->token->line);
    struct node_list items = {0};
    parse_next(parser);
    node_list_add(parser, &items, parse_tuple(parser, true, NULL, false));
    node->items = items.items;
    node->n = items.n;
    return !parser->failed && expect_type(parser, TOKEN_VARIABLE_END, "end of print statement")
               ? node
               : NULL;
}

static struct node *parse_data(struct parser *parser) {
    struct node *node = node_create(parser, NODE_DATA, parser->token->line);
    struct str *str = arena_zalloc(parser->arena, 1, sizeof(*str));
    *str = (struct str){.data = parser->token->text, .len = parser->token->len};
    str->chars = CHARS_UNKNOWN; /* printed only */
    node->constant = (struct value){.kind = KIND_STRING, .str = str};
    parse_next(parser);
    return node;
}

/* Up to a tag that is one of `ends` ("" : the end of the template); its name is the current token.
 */
static struct node *parse_block(struct parser *parser, const char *ends) {
    struct node *block = node_create(parser, NODE_BLOCK, parser->token->line);
    struct node_list items = {0};
    while (!parser->failed && parser->token->type != TOKEN_EOF) {
        if (parser->token->type == TOKEN_DATA) {
            node_list_add(parser, &items, parse_data(parser));
        } else if (parser->token->type == TOKEN_VARIABLE_BEGIN) {
            node_list_add(parser, &items, parse_output(parser));
        } else {
            parse_next(parser);
            if (at_one_of(parser, ends))
                break;
            node_list_add(parser, &items, parse_statement(parser, ends));
            if (!parser->failed)
                expect_type(parser, TOKEN_BLOCK_END, "end of statement block");
        }
    }
    block->items = items.items;
    block->n = items.n;
    return parser->failed ? NULL : block;
}

/* The body of the tag that was opened last, behind its own expressions. */
static struct node *parse_body(struct parser *parser, const char *ends) {
    skip_operator(parser, ":");
    if (parser->failed || !expect_type(parser, TOKEN_BLOCK_END, "end of statement block"))
        return NULL;
    struct node *block = parse_block(parser, ends);
    if (!parser->failed && parser->token->type == TOKEN_EOF)
        return parse_fail(parser, parser->token->line,
                          "Unexpected end of template. Jinja was looking for the following tags: "
                          "%s. The innermost block that needs to be closed is '%s'.",
                          alternatives(parser, ends), parser->open[parser->n_open - 1]);
    return block;
}

/* A body that ends with one tag, which is read over; what is set in it stays in it. */
static struct node *parse_scope(struct parser *parser, const char *end) {
    const bool lenient = parser->lenient;
    parser->lenient = false;
    struct node *body = parse_body(parser, end);
    parser->lenient = lenient;
    parse_next(parser);
    return body;
}

/* A body that jinja2 makes a function of: no break out of it. */
static struct node *parse_function(struct parser *parser, const char *end,
                                   struct signature *signature) {
    const bool in_loop = parser->in_loop;
    struct signature *outer = parser->signature;
    parser->in_loop = false;
    parser->signature = signature == NULL ? outer : signature;
    struct node *body = parse_scope(parser, end);
    parser->in_loop = in_loop;
    parser->signature = outer;
    return body;
}

/* ---- the tags ---- */

static struct node *parse_for(struct parser *parser, uint32_t line) {
    struct node *node = node_create(parser, NODE_FOR, line);
    node->a = parse_target(parser, "in", false);
    if (!parser->failed && !skip_name(parser, "in"))
        return parse_fail(parser, parser->token->line, "expected token 'in', got '%s'",
                          token_text(parser, parser->token));
    if (!parser->failed)
        node->b = parse_tuple(parser, false, "recursive", false);
    if (!parser->failed && skip_name(parser, "if"))
        node->c = parse_expression(parser);
    node->recursive = !parser->failed && skip_name(parser, "recursive");
    const bool lenient = parser->lenient, in_loop = parser->in_loop;
    parser->lenient = false;
    parser->in_loop = true;
    node->body = parse_body(parser, "endfor else");
    parser->in_loop = in_loop;
    if (!parser->failed && skip_name(parser, "else"))
        node->other = parse_body(parser, "endfor");
    parser->lenient = lenient;
    parse_next(parser);
    return node;
}

static struct node *parse_if(struct parser *parser, uint32_t line) {
    struct node *first = node_create(parser, NODE_IF, line);
    const bool lenient = parser->lenient;
    parser->lenient = true;
    for (struct node *node = first; !parser->failed;) {
        node->a = parse_tuple(parser, false, NULL, false);
        node->body = parse_body(parser, "elif else endif");
        if (parser->failed)
            break;
        if (skip_name(parser, "elif")) {
            node->other = node_create(parser, NODE_IF, parser->token->line);
            node = node->other;
            continue;
        }
        if (skip_name(parser, "else"))
            node->other = parse_body(parser, "endif");
        parse_next(parser);
        break;
    }
    parser->lenient = lenient;
    return first;
}

static struct node *parse_set(struct parser *parser, uint32_t line) {
    struct node *target = parse_target(parser, NULL, true);
    if (parser->failed)
        return NULL;
    const bool is_block = !skip_operator(parser, "=");
    struct node *node = node_create(parser, is_block ? NODE_SET_BLOCK : NODE_SET, line);
    node->a = target;
    if (is_block) {
        node->b = parse_filters(parser, NULL, false);
        node->body = parse_scope(parser, "endset");
    } else {
        node->b = parse_tuple(parser, true, NULL, false);
    }
    return node;
}

static struct node *parse_with(struct parser *parser, uint32_t line) {
    struct node *node = node_create(parser, NODE_WITH, line);
    struct node_list items = {0};
    while (!parser->failed && parser->token->type != TOKEN_BLOCK_END) {
        if (items.n > 0 && !expect_operator(parser, ","))
            return NULL;
        struct node *target = parse_target(parser, NULL, false);
        if (parser->failed || !expect_operator(parser, "="))
            return NULL;
        node_list_add(parser, &items, target);
        node_list_add(parser, &items, parse_expression(parser));
    }
    node->items = items.items;
    node->n = items.n;
    node->body = parse_scope(parser, "endwith");
    return node;
}

static struct signature *parse_signature(struct parser *parser) {
    struct signature *signature = arena_zalloc(parser->arena, 1, sizeof(*signature));
    size_t cap = 0;
    bool preset = false;
    expect_operator(parser, "(");
    while (!parser->failed && !at_operator(parser, ")")) {
        if (signature->n > 0 && !expect_operator(parser, ","))
            return NULL;
        const struct token *token = parser->token;
        if (!expect_type(parser, TOKEN_NAME, "name"))
            return NULL;
        if (signature->n == cap) {
            cap = cap == 0 ? 4 : cap * 2;
            struct parameter *grown = arena_zalloc(parser->arena, cap, sizeof(*grown));
            if (signature->n > 0)
                memcpy(grown, signature->parameters, signature->n * sizeof(*grown));
            signature->parameters = grown;
        }
        struct parameter *parameter = &signature->parameters[signature->n++];
        parameter->name = parser_name(parser, token->text, token->len);
        if (skip_operator(parser, "=")) {
            parameter->preset = parse_expression(parser);
            preset = true;
        } else if (preset) {
            return parse_fail(parser, token->line, "non-default argument follows default argument");
        }
    }
    return expect_operator(parser, ")") ? signature : NULL;
}

static struct node *parse_macro(struct parser *parser, uint32_t line) {
    struct node *node = node_create(parser, NODE_MACRO, line);
    const struct token *token = parser->token;
    if (!expect_type(parser, TOKEN_NAME, "name"))
        return NULL;
    node->name = parser_name(parser, token->text, token->len);
    node->signature = parse_signature(parser);
    if (!parser->failed)
        node->body = parse_function(parser, "endmacro", node->signature);
    return node;
}

static struct node *parse_call_block(struct parser *parser, uint32_t line) {
    struct node *node = node_create(parser, NODE_CALL_BLOCK, line);
    node->signature = at_operator(parser, "(")
                          ? parse_signature(parser)
                          : arena_zalloc(parser->arena, 1, sizeof(*node->signature));
    if (!parser->failed)
        node->a = parse_expression(parser);
    if (!parser->failed && node->a->kind != NODE_CALL)
        return parse_fail(parser, line, "expected call");
    if (!parser->failed)
        node->body = parse_function(parser, "endcall", node->signature);
    return node;
}

static struct node *parse_filter_block(struct parser *parser, uint32_t line) {
    struct node *node = node_create(parser, NODE_FILTER_BLOCK, line);
    node->b = parse_filters(parser, NULL, true);
    if (!parser->failed)
        node->body = parse_scope(parser, "endfilter");
    return node;
}

static struct node *parse_generation(struct parser *parser, uint32_t line) {
    struct node *node = node_create(parser, NODE_GENERATION, line);
    node->body = parse_function(parser, "endgeneration", NULL);
    return node;
}

static struct node *parse_print(struct parser *parser, uint32_t line) {
    struct node *node = node_create(parser, NODE_OUTPUT, line);
    struct node_list items = {0};
    while (!parser->failed && parser->token->type != TOKEN_BLOCK_END) {
        if (items.n > 0 && !expect_operator(parser, ","))
            return NULL;
        node_list_add(parser, &items, parse_expression(parser));
    }
    node->items = items.items;
    node->n = items.n;
    return node;
}

static struct node *parse_leave(struct parser *parser, uint32_t line, enum node_kind kind,
                                const char *name) {
    if (!parser->in_loop)
        return parse_fail(parser, line, "'%s' outside loop", name);
    return node_create(parser, kind, line);
}

static struct node *parse_break(struct parser *parser, uint32_t line) {
    return parse_leave(parser, line, NODE_BREAK, "break");
}

static struct node *parse_continue(struct parser *parser, uint32_t line) {
    return parse_leave(parser, line, NODE_CONTINUE, "continue");
}

static struct node *parse_unsupported(struct parser *parser, uint32_t line) {
    return parse_fail(parser, line, "the tag '%s' is not supported: a chat template stands alone",
                      parser->open[parser->n_open - 1]);
}

static const struct tag tags[] = {
    {"autoescape", parse_unsupported},
    {"block", parse_unsupported},
    {"break", parse_break},
    {"call", parse_call_block},
    {"continue", parse_continue},
    {"extends", parse_unsupported},
    {"filter", parse_filter_block},
    {"for", parse_for},
    {"from", parse_unsupported},
    {"generation", parse_generation},
    {"if", parse_if},
    {"import", parse_unsupported},
    {"include", parse_unsupported},
    {"macro", parse_macro},
    {"print", parse_print},
    {"set", parse_set},
    {"with", parse_with},
};

static struct node *unknown_tag(struct parser *parser, const struct token *token,
                                const char *ends) {
    const char *name = token_text(parser, token);
    if (*ends == 0)
        return parse_fail(parser, token->line, "Encountered unknown tag '%s'.", name);
    return parse_fail(parser, token->line,
                      "Encountered unknown tag '%s'. Jinja was looking for the following tags: %s. "
                      "The innermost block that needs to be closed is '%s'.",
                      name, alternatives(parser, ends), parser->open[parser->n_open - 1]);
}

static struct node *parse_statement(struct parser *parser, const char *ends) {
    const struct token *token = parser->token;
    if (token->type != TOKEN_NAME)
        return parse_fail(parser, token->line, "tag name expected");
    const struct tag *tag = NULL;
    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        if (at_name(parser, tags[i].name))
            tag = &tags[i];
    }
    if (tag == NULL)
        return unknown_tag(parser, token, ends);
    if (!parse_enter(parser))
        return NULL;
    parser->open[parser->n_open++] = tag->name;
    parse_next(parser);
    struct node *node = tag->parse(parser, token->line);
    parser->n_open--;
    parser->nest--;
    return parser->failed ? NULL : node;
}

struct node *parse_template(struct parser *parser) {
    return parse_block(parser, "");
}
