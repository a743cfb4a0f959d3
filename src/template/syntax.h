/* Private to template: the syntax tree, its tokens and the parser. The tree is immutable once made;
 * everything of it lies in the template's arena. */
#ifndef BRISK_TEMPLATE_SYNTAX_H
#define BRISK_TEMPLATE_SYNTAX_H

#include "template/builtin.h"

/* ---- tokens (lexer.c) ---- */
enum token_type {
    TOKEN_EOF,
    TOKEN_DATA,
    TOKEN_VARIABLE_BEGIN,
    TOKEN_VARIABLE_END,
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_NAME,
    TOKEN_STRING,
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_OPERATOR,
};

struct token {
    enum token_type type;
    uint32_t line;
    const char *text; /* DATA, STRING: decoded; NAME, OPERATOR: as written */
    size_t len;
    int64_t integer;
    double number;
};
/* All tokens of source[len], EOF last, in the arena. MODEL: "line 3: unexpected char '?'". */
enum status lex(struct token **out, struct arena *arena, const char *source, size_t len,
                struct error *err) MUST_CHECK;
/* "\n", "\x41", "\u00e9" … of a string literal, in the arena. */
enum status unescape(struct arena *arena, struct token *token, struct error *err) MUST_CHECK;

/* ---- the tree ---- */
enum node_kind {
    /* expressions */
    NODE_CONST,     /* constant */
    NODE_NAME,      /* name */
    NODE_LIST,      /* items */
    NODE_TUPLE,     /* items */
    NODE_DICT,      /* items: key, value, key, value … */
    NODE_ATTRIBUTE, /* a.name */
    NODE_ITEM,      /* a[b] */
    NODE_SLICE,     /* a:b:c, each may be NULL */
    NODE_UNARY,     /* op a */
    NODE_NOT,       /* a */
    NODE_BINARY,    /* a op b */
    NODE_CONCAT,    /* items joined by ~ */
    NODE_COMPARE,   /* a, then items: OPERAND */
    NODE_OPERAND,   /* op a */
    NODE_AND,
    NODE_OR,
    NODE_CONDITION, /* b if a else c; c may be NULL */
    NODE_CALL,      /* a(args) */
    NODE_FILTER,    /* a | row(args); a NULL in blocks */
    NODE_TEST,      /* a is row(args) */
    NODE_TARGET,    /* name.attribute, assigned to */
    /* statements */
    NODE_BLOCK,        /* items */
    NODE_DATA,         /* constant */
    NODE_OUTPUT,       /* items */
    NODE_FOR,          /* for a in b if c: body, else other */
    NODE_IF,           /* if a: body, else other (a block, or an IF for elif) */
    NODE_SET,          /* a = b */
    NODE_SET_BLOCK,    /* a = body, through filter b or NULL */
    NODE_WITH,         /* items: target, value, target, value …; body */
    NODE_MACRO,        /* name, signature, body */
    NODE_CALL_BLOCK,   /* a: CALL; signature, body */
    NODE_FILTER_BLOCK, /* b: FILTER; body */
    NODE_GENERATION,   /* body */
    NODE_BREAK,
    NODE_CONTINUE,
};

struct call_args {
    struct node **items;
    size_t n;
    struct named_node {
        struct str *name;
        struct node *value;
    } * named;
    size_t n_named;
    struct node *rest, *named_rest; /* *args, **kwargs, or NULL */
};

struct signature {
    struct parameter {
        struct str *name;
        struct node *preset; /* or NULL */
    } * parameters;
    size_t n;
    bool takes_rest, takes_named, takes_caller; /* the body names varargs, kwargs, caller */
};

struct node {
    enum node_kind kind;
    uint32_t line;
    enum op op;
    bool recursive; /* FOR */
    struct str *name, *attribute;
    struct value constant;
    struct node *a, *b, *c, *body, *other;
    struct node **items;
    size_t n;
    const struct call_args *args;
    const struct builtin *row; /* FILTER, TEST; NULL: unknown, an error only when it runs */
    struct signature *signature;
};

/* ---- the parser (parser.c, parser_values.c: expressions, parser_statements.c: the rest) ---- */
struct parser {
    struct arena *arena;
    const struct token *token; /* the current one */
    struct error *err;
    bool failed;
    uint32_t nest;
    bool lenient;                /* inside an if: unknown filters fail only when they run */
    bool in_loop;                /* break and continue are allowed */
    struct signature *signature; /* of the macro around, or NULL */
    struct str **names;          /* interned: open addressing, a power of two */
    size_t n_names, cap_names;
    const char *open[LIMIT_TEMPLATE_NEST + 1]; /* tags that wait for their end */
    size_t n_open;
};
/* The whole template as a NODE_BLOCK. */
struct node *parse_template(struct parser *parser);

/* Expressions. All return NULL after parse_fail. */
struct node *parse_expression(struct parser *parser);
/* What may be a tuple without parentheses. `conditional`: x if y is allowed. `end`: a name that
 * ends it, or NULL. `parentheses`: it may be empty. */
struct node *parse_tuple(struct parser *parser, bool conditional, const char *end,
                         bool parentheses);
struct node *parse_target(struct parser *parser, const char *end, bool attributes);
struct node *parse_filters(struct parser *parser, struct node *value, bool inline_first);

/* Values (parser_values.c). */
struct node *parse_primary(struct parser *parser);
struct node *parse_postfix(struct parser *parser, struct node *node);
struct node *parse_filters_and_tests(struct parser *parser, struct node *node);

/* Shared by these files. */
bool token_is(const struct token *token, enum token_type type, const char *text);
void *parse_fail(struct parser *parser, uint32_t line, const char *format, ...) PRINTF_LIKE(3, 4);
struct node *node_create(struct parser *parser, enum node_kind kind, uint32_t line);
struct str *parser_name(struct parser *parser, const char *text, size_t len);
bool parse_enter(struct parser *parser); /* one level deeper; false: too deep */
void parse_next(struct parser *parser);
bool at_operator(const struct parser *parser, const char *op);
bool at_name(const struct parser *parser, const char *name);
bool skip_operator(struct parser *parser, const char *op);
bool skip_name(struct parser *parser, const char *name);
bool expect_operator(struct parser *parser, const char *op);
bool expect_type(struct parser *parser, enum token_type type, const char *what);
const char *token_text(struct parser *parser, const struct token *token); /* for messages */

/* Nodes that are gathered. */
struct node_list {
    struct node **items;
    size_t n, cap;
};
void node_list_add(struct parser *parser, struct node_list *list, struct node *node);

#endif
