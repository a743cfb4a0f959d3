/* Expressions: a walk over the tree, one function a kind of node. Calls are in call.c, statements
 * in statements.c. */
#include "template/evaluate.h"

#include <assert.h>
#include <string.h>

#include "base/banned.h"

/* ---- names ---- */

struct scope *scope_create(struct render *r, struct scope *outer) {
    struct scope *scope = render_new(r, sizeof(*scope));
    scope->outer = outer;
    return scope;
}

void scope_set(struct render *r, struct scope *scope, const struct str *name, struct value value) {
    for (size_t i = 0; i < scope->n; i++) {
        if (scope->bindings[i].name == name) {
            scope->bindings[i].value = value;
            return;
        }
    }
    if (scope->n == scope->cap) {
        const size_t cap = scope->cap == 0 ? 4 : scope->cap * 2;
        struct binding *bindings = render_alloc(r, cap, sizeof(*bindings));
        if (bindings == NULL)
            return;
        if (scope->n > 0)
            memcpy(bindings, scope->bindings, scope->n * sizeof(*bindings));
        scope->bindings = bindings;
        scope->cap = cap;
    }
    scope->bindings[scope->n++] = (struct binding){.name = name, .value = value};
}

static struct value evaluate_name(struct render *r, const struct node *node) {
    for (const struct scope *scope = r->scope; scope != NULL; scope = scope->outer) {
        for (size_t i = 0; i < scope->n; i++) {
            if (scope->bindings[i].name == node->name)
                return scope->bindings[i].value;
        }
        r->steps++;
    }
    const struct str *name = node->name;
    const struct entry *entry = dict_find_text(r->variables, name->data, name->len);
    if (entry != NULL)
        return entry->value;
    const struct builtin *row = global_find(name->data, name->len);
    if (row == NULL)
        return value_undefined_of(r, value_missing(),
                                  (struct value){.kind = KIND_STRING, .str = node->name});
    struct function *function = render_new(r, sizeof(*function));
    *function = (struct function){.row = row, .self = value_missing()};
    return (struct value){.kind = KIND_FUNCTION, .function = function};
}

/* ---- literals ---- */

static struct value evaluate_const(struct render *r, const struct node *node) {
    return node->constant;
}

static struct value evaluate_items(struct render *r, const struct node *node) {
    const struct value list =
        node->kind == NODE_LIST ? value_list(r, node->n) : value_tuple(r, node->n);
    for (size_t i = 0; i < list.seq->n && !r->failed; i++)
        list.seq->items[i] = evaluate(r, node->items[i]);
    return list;
}

static struct value evaluate_dict(struct render *r, const struct node *node) {
    const struct value dict = value_dict(r, node->n / 2);
    const struct value items = evaluate_items(r, node); /* all, before a key is refused */
    for (size_t i = 0; i + 1 < items.seq->n && !r->failed; i += 2)
        dict_set(r, dict.dict, items.seq->items[i], items.seq->items[i + 1]);
    return dict;
}

/* ---- attributes and items ---- */

static struct value evaluate_attribute(struct render *r, const struct node *node) {
    const struct value object = evaluate(r, node->a);
    return r->failed ? value_undefined() : get_attribute(r, object, node->name);
}

static struct value evaluate_item(struct render *r, const struct node *node) {
    const struct value object = evaluate(r, node->a);
    const struct value key = evaluate(r, node->b);
    return r->failed ? value_undefined() : get_item(r, object, key);
}

static struct value evaluate_slice(struct render *r, const struct node *node) {
    struct slice *slice = render_new(r, sizeof(*slice));
    slice->start = node->a == NULL ? value_none() : evaluate(r, node->a);
    slice->stop = node->b == NULL ? value_none() : evaluate(r, node->b);
    slice->step = node->c == NULL ? value_none() : evaluate(r, node->c);
    return (struct value){.kind = KIND_SLICE, .slice = slice};
}

/* ---- operators ---- */

static struct value evaluate_unary(struct render *r, const struct node *node) {
    const struct value a = evaluate(r, node->a);
    return r->failed ? a : op_unary(r, node->op, a);
}

static struct value evaluate_not(struct render *r, const struct node *node) {
    return value_bool(!truthy(evaluate(r, node->a)));
}

static struct value evaluate_binary(struct render *r, const struct node *node) {
    const struct value a = evaluate(r, node->a);
    const struct value b = evaluate(r, node->b);
    return op_binary(r, node->op, a, b);
}

static struct value evaluate_concat(struct render *r, const struct node *node) {
    struct value text = to_str(r, evaluate(r, node->items[0]));
    for (size_t i = 1; i < node->n && !r->failed; i++) {
        const struct value next = to_str(r, evaluate(r, node->items[i]));
        text = value_concat(r, text.str, next.str->data, next.str->len);
    }
    return text;
}

static struct value evaluate_compare(struct render *r, const struct node *node) {
    struct value left = evaluate(r, node->a);
    for (size_t i = 0; i < node->n && !r->failed; i++) {
        const struct value right = evaluate(r, node->items[i]->a);
        if (r->failed || !op_compare(r, node->items[i]->op, left, right))
            return value_bool(false);
        left = right;
    }
    return value_bool(true);
}

static struct value evaluate_logic(struct render *r, const struct node *node) {
    const struct value a = evaluate(r, node->a);
    if (r->failed || truthy(a) == (node->kind == NODE_OR))
        return a;
    return evaluate(r, node->b);
}

static struct value evaluate_condition(struct render *r, const struct node *node) {
    const bool holds = truthy(evaluate(r, node->a));
    if (r->failed)
        return value_undefined();
    if (holds)
        return evaluate(r, node->b);
    if (node->c != NULL)
        return evaluate(r, node->c);
    return value_undefined_hint(
        r, arena_printf(&r->arena,
                        "the inline if-expression on line %u evaluated to false and no else "
                        "section was defined.",
                        node->line));
}

/* ---- filters, tests, calls ---- */

static const struct args no_args;

struct value apply_filter(struct render *r, const struct node *filter, struct value value) {
    if (filter->row == NULL)
        return fail(r, "No filter named '%s' found.", filter->name->data);
    const struct args *args = filter->args == NULL ? &no_args : evaluate_args(r, filter->args);
    return r->failed ? value_undefined() : builtin_call(r, filter->row, value, args);
}

struct value apply_filter_chain(struct render *r, const struct node *filter, struct value value) {
    if (r->depth >= LIMIT_TEMPLATE_DEPTH)
        return fail(r, "the template nests more than %d levels", LIMIT_TEMPLATE_DEPTH);
    if (filter->a != NULL) {
        r->depth++;
        value = apply_filter_chain(r, filter->a, value);
        r->depth--;
    }
    return r->failed ? value : apply_filter(r, filter, value);
}

static struct value evaluate_filter(struct render *r, const struct node *node) {
    const struct value value = evaluate(r, node->a);
    return r->failed ? value : apply_filter(r, node, value);
}

static struct value evaluate_test(struct render *r, const struct node *node) {
    const struct value value = evaluate(r, node->a);
    if (!r->failed && node->row == NULL)
        return fail(r, "No test named '%s' found.", node->name->data);
    const struct args *args = node->args == NULL ? &no_args : evaluate_args(r, node->args);
    return r->failed ? value_undefined() : builtin_call(r, node->row, value, args);
}

static struct value evaluate_call(struct render *r, const struct node *node) {
    const struct value callee = evaluate(r, node->a);
    const struct args *args = evaluate_args(r, node->args);
    if (r->failed)
        return value_undefined();
    r->line = node->line;
    const struct value value = call_value(r, callee, args);
    r->line = r->failed ? r->line : node->line;
    return value;
}

/* ---- all of them ---- */

static struct value (*const evaluators[])(struct render *r, const struct node *node) = {
    [NODE_CONST] = evaluate_const,         [NODE_NAME] = evaluate_name,
    [NODE_LIST] = evaluate_items,          [NODE_TUPLE] = evaluate_items,
    [NODE_DICT] = evaluate_dict,           [NODE_ATTRIBUTE] = evaluate_attribute,
    [NODE_ITEM] = evaluate_item,           [NODE_SLICE] = evaluate_slice,
    [NODE_UNARY] = evaluate_unary,         [NODE_NOT] = evaluate_not,
    [NODE_BINARY] = evaluate_binary,       [NODE_CONCAT] = evaluate_concat,
    [NODE_COMPARE] = evaluate_compare,     [NODE_OPERAND] = NULL,
    [NODE_AND] = evaluate_logic,           [NODE_OR] = evaluate_logic,
    [NODE_CONDITION] = evaluate_condition, [NODE_CALL] = evaluate_call,
    [NODE_FILTER] = evaluate_filter,       [NODE_TEST] = evaluate_test,
};
static_assert(ARRAY_LEN(evaluators) == NODE_TEST + 1, "every kind of expression has its function");

struct value evaluate(struct render *r, const struct node *node) {
    if (!step(r, 1))
        return value_undefined();
    r->line = node->line;
    if (r->depth >= LIMIT_TEMPLATE_DEPTH)
        return fail(r, "the template nests more than %d levels", LIMIT_TEMPLATE_DEPTH);
    r->depth++;
    const struct value value = evaluators[node->kind](r, node);
    r->depth--;
    return r->failed ? value_undefined() : value;
}
