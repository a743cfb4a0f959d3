/* Private to template: what the evaluator's files share. Reading order: struct template, struct
 * scope, then evaluating (evaluate.c), statements (statements.c) and calls (call.c). */
#ifndef BRISK_TEMPLATE_EVALUATE_H
#define BRISK_TEMPLATE_EVALUATE_H

#include "template/syntax.h"
#include "template/builtin.h"

struct template {
    struct arena arena; /* the tree and its constants; nothing changes after parsing */
    const struct node *body;
    struct str *loop, *caller, *varargs, *kwargs; /* interned */
};

/* Names set in a block. Blocks are few and small, so they are looked through one by one; names are
 * interned by the parser, so that addresses compare. */
struct scope {
    struct scope *outer;
    struct binding {
        const struct str *name;
        struct value value;
    } * bindings;
    size_t n, cap;
};
struct scope *scope_create(struct render *r, struct scope *outer);
void scope_set(struct render *r, struct scope *scope, const struct str *name, struct value value);

enum flow { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE };

struct value evaluate(struct render *r, const struct node *node);
enum flow run_block(struct render *r, const struct node *body); /* NODE_BLOCK, or NULL */
/* Assigns to a name, a tuple of targets or an attribute of a namespace. */
void assign(struct render *r, const struct node *target, struct value value);
/* A filter with `value` in front of its arguments. */
struct value apply_filter(struct render *r, const struct node *filter, struct value value);
/* The same for a|b|c whose innermost filter has no value of its own. */
struct value apply_filter_chain(struct render *r, const struct node *filter, struct value value);
/* Arguments of a call, evaluated. */
struct args *evaluate_args(struct render *r, const struct call_args *args);

/* Text of a body that is run in a scope of its own: the caller's buffer is put aside meanwhile. */
struct capture {
    struct buf buf, *outer;
    struct scope *scope;
};
void capture_begin(struct render *r, struct capture *capture, struct scope *scope);
struct value capture_end(struct render *r, struct capture *capture);

/* ---- macros and loops ---- */
struct macro {
    const struct node *node; /* MACRO or CALL_BLOCK: signature and body */
    struct scope *scope;     /* where it was defined */
};
struct value macro_create(struct render *r, const struct node *node, struct scope *scope);
struct value macro_call(struct render *r, const struct macro *macro, const struct args *args);
void macro_print(struct buf *buf, const struct macro *macro); /* repr() */
struct value macro_attribute(struct render *r, const struct macro *macro, const struct str *name);

struct loop {
    const struct node *node;
    struct scope *outer;
    struct iter iter;
    struct value before, current, after, last_changed; /* MISSING: none */
    int64_t index0, length;                            /* length -1: not asked for */
    int64_t depth0;
    bool drained; /* iter goes over what is left, which the filter has seen */
};
/* Runs the loop's body for each element; `depth0` counts recursions. */
enum flow run_loop(struct render *r, const struct node *node, struct value items,
                   struct scope *outer, int64_t depth0);
struct value loop_attribute(struct render *r, struct loop *loop, const struct str *name);
void loop_print(struct render *r, struct buf *buf, struct loop *loop); /* repr() */
/* loop(items) of a recursive loop. */
struct value loop_call(struct render *r, struct loop *loop, const struct args *args);

/* ---- cycler and joiner (globals.c) ---- */
struct value helper_attribute(struct render *r, struct value object, const struct str *name);
struct value joiner_call(struct render *r, struct joiner *joiner);

#endif
