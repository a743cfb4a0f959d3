/* Statements: text, output, branches, loops, assignments. What is set in a loop, a with or a block
 * of a filter stays in it; `if` has no scope of its own. */
#include "template/evaluate.h"

#include "base/banned.h"

/* ---- captured text ---- */

void capture_begin(struct render *r, struct capture *capture, struct scope *scope) {
    str_buf(&capture->buf);
    capture->outer = r->out;
    capture->scope = r->scope;
    r->out = &capture->buf;
    r->scope = scope;
}

struct value capture_end(struct render *r, struct capture *capture) {
    r->out = capture->outer;
    r->scope = capture->scope;
    return value_from_buf(r, &capture->buf);
}

static struct value capture_block(struct render *r, const struct node *body, enum flow *flow) {
    struct capture capture;
    capture_begin(r, &capture, scope_create(r, r->scope));
    *flow = run_block(r, body);
    return capture_end(r, &capture);
}

/* ---- assigning ---- */

static void assign_attribute(struct render *r, const struct node *target, struct value value) {
    struct node name = {.kind = NODE_NAME, .line = target->line, .name = target->name};
    const struct value object = evaluate(r, &name);
    if (r->failed)
        return;
    if (!is(object, KIND_NAMESPACE)) {
        fail(r, "cannot assign attribute on non-namespace object");
        return;
    }
    dict_set(r, object.dict, (struct value){.kind = KIND_STRING, .str = target->attribute}, value);
}

static void assign_items(struct render *r, const struct node *target, struct value value) {
    struct iter iter;
    struct value item;
    if (!is_iterable(value)) {
        fail(r, "cannot unpack non-iterable %s object", type_name(value));
        return;
    }
    if (!iter_begin(r, &iter, value))
        return;
    for (size_t i = 0; i < target->n; i++) {
        if (!iter_next(r, &iter, &item)) {
            fail(r, "not enough values to unpack (expected %zu, got %zu)", target->n, i);
            return;
        }
        assign(r, target->items[i], item);
    }
    if (iter_next(r, &iter, &item))
        fail(r, "too many values to unpack (expected %zu)", target->n);
}

void assign(struct render *r, const struct node *target, struct value value) {
    if (r->failed)
        return;
    if (target->kind == NODE_NAME)
        scope_set(r, r->scope, target->name, value);
    else if (target->kind == NODE_TARGET)
        assign_attribute(r, target, value);
    else
        assign_items(r, target, value);
}

/* ---- loops ---- */

/* The next element that the loop's filter lets through. */
static bool pull(struct render *r, struct loop *loop, struct value *out) {
    const struct node *node = loop->node;
    if (node->c == NULL || loop->drained)
        return iter_next(r, &loop->iter, out);
    struct scope *scope = r->scope;
    bool found = false;
    r->scope = scope_create(r, loop->outer);
    while (!found && iter_next(r, &loop->iter, out)) {
        assign(r, node->a, *out);
        found = truthy(evaluate(r, node->c)) && !r->failed;
    }
    r->scope = scope;
    return found && !r->failed;
}

static bool advance(struct render *r, struct loop *loop) {
    struct value item = loop->after;
    loop->after = value_missing();
    if (is(item, KIND_MISSING) && !pull(r, loop, &item))
        return false;
    loop->index0++;
    loop->before = loop->current;
    loop->current = item;
    return true;
}

/* OK: the element after this one is in loop->after, or it is missing: this is the last. */
static void peek(struct render *r, struct loop *loop) {
    if (is(loop->after, KIND_MISSING) && !pull(r, loop, &loop->after))
        loop->after = value_missing();
}

/* What is filtered, or has no length, is read to its end for it. */
static int64_t loop_length(struct render *r, struct loop *loop) {
    if (loop->length < 0 && loop->node->c == NULL)
        loop->length = value_length(loop->iter.source);
    if (loop->length >= 0)
        return loop->length;
    struct builder rest = {0};
    struct value item;
    while (pull(r, loop, &item))
        builder_add(r, &rest, item);
    loop->length = (int64_t)rest.n + loop->index0 + 1 + !is(loop->after, KIND_MISSING);
    loop->drained = iter_begin(r, &loop->iter, builder_list(r, &rest));
    return loop->length;
}

void loop_print(struct render *r, struct buf *buf, struct loop *loop) {
    buf_printf(buf, "<LoopContext %lld/", (long long)loop->index0 + 1);
    buf_printf(buf, "%lld>", (long long)loop_length(r, loop));
}

static struct value loop_cycle(struct render *r, struct call *call) {
    if (call->args->n == 0)
        return fail(r, "no items for cycling given");
    return call->args->items[(size_t)call->self.loop->index0 % call->args->n];
}

static struct value loop_changed(struct render *r, struct call *call) {
    struct loop *loop = call->self.loop;
    const struct value now = value_tuple(r, call->args->n);
    for (size_t i = 0; i < now.seq->n; i++)
        now.seq->items[i] = call->args->items[i];
    if (!is(loop->last_changed, KIND_MISSING) && values_equal(r, loop->last_changed, now))
        return value_bool(false);
    loop->last_changed = now;
    return value_bool(true);
}

static const struct builtin loop_methods[] = {
    {.name = "changed", .run = loop_changed},
    {.name = "cycle", .run = loop_cycle},
};

static struct value loop_count(struct render *r, struct loop *loop, const struct str *name) {
    if (str_is(name, "index0"))
        return value_int(loop->index0);
    if (str_is(name, "index"))
        return value_int(loop->index0 + 1);
    if (str_is(name, "depth0"))
        return value_int(loop->depth0);
    if (str_is(name, "depth"))
        return value_int(loop->depth0 + 1);
    if (str_is(name, "length"))
        return value_int(loop_length(r, loop));
    if (str_is(name, "revindex"))
        return value_int(loop_length(r, loop) - loop->index0);
    if (str_is(name, "revindex0"))
        return value_int(loop_length(r, loop) - loop->index0 - 1);
    return value_missing();
}

struct value loop_attribute(struct render *r, struct loop *loop, const struct str *name) {
    if (str_is(name, "first"))
        return value_bool(loop->index0 == 0);
    if (str_is(name, "last")) {
        peek(r, loop);
        return value_bool(is(loop->after, KIND_MISSING));
    }
    if (str_is(name, "previtem"))
        return loop->index0 > 0 ? loop->before
                                : value_undefined_hint(r, "there is no previous item");
    if (str_is(name, "nextitem")) {
        peek(r, loop);
        return is(loop->after, KIND_MISSING) ? value_undefined_hint(r, "there is no next item")
                                             : loop->after;
    }
    const struct builtin *row =
        builtin_find(loop_methods, ARRAY_LEN(loop_methods), name->data, name->len);
    if (row == NULL)
        return loop_count(r, loop, name);
    struct function *function = render_new(r, sizeof(*function));
    *function = (struct function){.row = row, .self = {.kind = KIND_LOOP, .loop = loop}};
    return (struct value){.kind = KIND_FUNCTION, .function = function};
}

/* jinja2 runs `else` when no turn came to its end: after a break or continue in each, too. */
enum flow run_loop(struct render *r, const struct node *node, struct value items,
                   struct scope *outer, int64_t depth0) {
    struct loop *loop = render_new(r, sizeof(*loop));
    struct scope *before = r->scope;
    bool completed = false;
    *loop = (struct loop){.node = node, .outer = outer, .index0 = -1, .length = -1};
    loop->depth0 = depth0;
    if (!iter_begin(r, &loop->iter, items))
        return FLOW_ON;
    struct scope *scope = scope_create(r, outer);
    r->scope = scope;
    while (advance(r, loop)) {
        scope->n = 0;
        scope_set(r, scope, r->tmpl->loop, (struct value){.kind = KIND_LOOP, .loop = loop});
        assign(r, node->a, loop->current);
        const enum flow flow = run_block(r, node->body);
        if (flow == FLOW_BREAK || r->failed)
            break;
        completed |= flow == FLOW_ON;
    }
    enum flow flow = FLOW_ON;
    if (!completed && node->other != NULL && !r->failed) {
        r->scope = scope_create(r, outer);
        flow = run_block(r, node->other);
    }
    r->scope = before;
    return flow;
}

struct value loop_call(struct render *r, struct loop *loop, const struct args *args) {
    if (!loop->node->recursive)
        return fail(r, "The loop must have the 'recursive' marker to be called recursively.");
    if (args->n != 1 || args->n_named > 0)
        return fail(r, "loop() takes one argument, the items to go on with");
    struct capture capture;
    capture_begin(r, &capture, loop->outer);
    run_loop(r, loop->node, args->items[0], loop->outer, loop->depth0 + 1);
    return capture_end(r, &capture);
}

/* ---- the statements ---- */

static enum flow run_for(struct render *r, const struct node *node) {
    const struct value items = evaluate(r, node->b);
    return r->failed ? FLOW_ON : run_loop(r, node, items, r->scope, 0);
}

static enum flow run_if(struct render *r, const struct node *node) {
    while (node != NULL && node->kind == NODE_IF) {
        const bool holds = truthy(evaluate(r, node->a));
        if (r->failed)
            return FLOW_ON;
        if (holds)
            return run_block(r, node->body);
        node = node->other;
    }
    return run_block(r, node);
}

static void run_output(struct render *r, const struct node *node) {
    for (size_t i = 0; i < node->n; i++) {
        const struct value value = evaluate(r, node->items[i]);
        if (!r->failed)
            print_str(r, r->out, value);
    }
}

static enum flow run_set_block(struct render *r, const struct node *node) {
    enum flow flow = FLOW_ON;
    struct value text = capture_block(r, node->body, &flow);
    if (flow != FLOW_ON)
        return flow;
    /* The innermost filter of the chain has no value of its own. */
    if (node->b != NULL && !r->failed)
        text = apply_filter_chain(r, node->b, text);
    assign(r, node->a, text);
    return FLOW_ON;
}

static enum flow run_filter_block(struct render *r, const struct node *node) {
    enum flow flow = FLOW_ON;
    const struct value text = capture_block(r, node->body, &flow);
    if (flow == FLOW_ON && !r->failed)
        print_str(r, r->out, apply_filter_chain(r, node->b, text));
    return flow;
}

static enum flow run_with(struct render *r, const struct node *node) {
    struct scope *outer = r->scope;
    struct scope *scope = scope_create(r, outer);
    for (size_t i = 0; i + 1 < node->n; i += 2) {
        r->scope = outer;
        const struct value value = evaluate(r, node->items[i + 1]);
        r->scope = scope;
        assign(r, node->items[i], value);
    }
    r->scope = scope;
    const enum flow flow = run_block(r, node->body);
    r->scope = outer;
    return flow;
}

static void run_generation(struct render *r, const struct node *node) {
    struct scope *outer = r->scope;
    r->scope = scope_create(r, outer);
    run_block(r, node->body);
    r->scope = outer;
}

static void run_call_block(struct render *r, const struct node *node) {
    const struct value callee = evaluate(r, node->a->a);
    struct args *args = evaluate_args(r, node->a->args);
    if (r->failed)
        return;
    struct named *named = render_alloc(r, args->n_named + 1, sizeof(*named));
    if (named == NULL)
        return;
    for (size_t i = 0; i < args->n_named; i++)
        named[i] = args->named[i];
    named[args->n_named] =
        (struct named){.name = r->tmpl->caller, .value = macro_create(r, node, r->scope)};
    args->named = named;
    args->n_named++;
    print_str(r, r->out, call_value(r, callee, args));
}

static void run_simple(struct render *r, const struct node *node) {
    switch (node->kind) {
    case NODE_DATA:
        print_str(r, r->out, node->constant);
        break;
    case NODE_OUTPUT:
        run_output(r, node);
        break;
    case NODE_SET:
        assign(r, node->a, evaluate(r, node->b));
        break;
    case NODE_MACRO:
        scope_set(r, r->scope, node->name, macro_create(r, node, r->scope));
        break;
    case NODE_CALL_BLOCK:
        run_call_block(r, node);
        break;
    default:
        ASSERT(node->kind == NODE_GENERATION);
        run_generation(r, node);
        break;
    }
}

static enum flow run_statement(struct render *r, const struct node *node) {
    switch (node->kind) {
    case NODE_FOR:
        return run_for(r, node);
    case NODE_IF:
        return run_if(r, node);
    case NODE_SET_BLOCK:
        return run_set_block(r, node);
    case NODE_FILTER_BLOCK:
        return run_filter_block(r, node);
    case NODE_WITH:
        return run_with(r, node);
    case NODE_BREAK:
        return FLOW_BREAK;
    case NODE_CONTINUE:
        return FLOW_CONTINUE;
    default:
        run_simple(r, node);
        return FLOW_ON;
    }
}

enum flow run_block(struct render *r, const struct node *body) {
    if (body == NULL || r->failed)
        return FLOW_ON;
    if (r->depth >= LIMIT_TEMPLATE_DEPTH) {
        fail(r, "the template nests more than %d levels", LIMIT_TEMPLATE_DEPTH);
        return FLOW_ON;
    }
    enum flow flow = FLOW_ON;
    r->depth++;
    for (size_t i = 0; i < body->n && flow == FLOW_ON && step(r, 1); i++) {
        r->line = body->items[i]->line;
        flow = run_statement(r, body->items[i]);
    }
    r->depth--;
    return r->failed ? FLOW_ON : flow;
}
