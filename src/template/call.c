/* Calls: arguments to parameters, for functions that are ours and for macros of the template. What
 * a function does is in its own table. */
#include "template/evaluate.h"

#include <string.h>

#include "base/banned.h"

/* ---- arguments ---- */

static void add_rest(struct render *r, struct args *args, struct value rest) {
    if (!is_iterable(rest)) {
        fail(r, "argument after * must be an iterable, not %s", type_name(rest));
        return;
    }
    const struct value list = to_list(r, rest);
    const size_t n = args->n + list.seq->n;
    struct value *items = render_alloc(r, n, sizeof(*items));
    if (items == NULL || r->failed)
        return;
    if (args->n > 0)
        memcpy(items, args->items, args->n * sizeof(*items));
    if (list.seq->n > 0)
        memcpy(items + args->n, list.seq->items, list.seq->n * sizeof(*items));
    args->items = items;
    args->n = n;
}

static const struct value *named_value(const struct args *args, const struct str *name) {
    for (size_t i = 0; i < args->n_named; i++) {
        const struct str *have = args->named[i].name;
        if (have->len == name->len && memcmp(have->data, name->data, name->len) == 0)
            return &args->named[i].value;
    }
    return NULL;
}

static void add_named_rest(struct render *r, struct args *args, struct value rest) {
    if (!is(rest, KIND_DICT)) {
        fail(r, "argument after ** must be a mapping, not %s", type_name(rest));
        return;
    }
    const size_t most = args->n_named + rest.dict->n;
    struct named *named = render_alloc(r, most, sizeof(*named));
    if (named == NULL)
        return;
    for (size_t i = 0; i < args->n_named; i++)
        named[i] = args->named[i];
    args->named = named;
    for (size_t i = 0; i < rest.dict->n; i++) {
        const struct entry *entry = &rest.dict->entries[i];
        if (!is(entry->key, KIND_STRING)) {
            fail(r, "keywords must be strings");
            return;
        }
        if (named_value(args, entry->key.str) != NULL) {
            fail(r, "got multiple values for keyword argument '%s'", repr_text(r, entry->key));
            return;
        }
        named[args->n_named++] = (struct named){.name = entry->key.str, .value = entry->value};
    }
}

struct args *evaluate_args(struct render *r, const struct call_args *from) {
    struct args *args = render_new(r, sizeof(*args));
    args->items = render_alloc(r, from->n, sizeof(*args->items));
    args->named = render_alloc(r, from->n_named, sizeof(*args->named));
    for (size_t i = 0; i < from->n && !r->failed; i++)
        args->items[args->n++] = evaluate(r, from->items[i]);
    for (size_t i = 0; i < from->n_named && !r->failed; i++)
        args->named[args->n_named++] =
            (struct named){.name = from->named[i].name, .value = evaluate(r, from->named[i].value)};
    if (from->rest != NULL && !r->failed)
        add_rest(r, args, evaluate(r, from->rest));
    if (from->named_rest != NULL && !r->failed)
        add_named_rest(r, args, evaluate(r, from->named_rest));
    return args;
}

/* ---- functions that are ours ---- */

const struct builtin *builtin_find(const struct builtin *rows, size_t n, const char *name,
                                   size_t len) {
    for (size_t i = 0; i < n; i++) {
        if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
            return &rows[i];
    }
    return NULL;
}

/* Index of a parameter in "width first blank"; SIZE_MAX: there is none of that name. */
static size_t parameter_index(const char *params, const struct str *name) {
    for (size_t i = 0; *params != 0; i++) {
        const size_t len = strcspn(params, " ");
        if (len == name->len && memcmp(params, name->data, len) == 0)
            return i;
        params += len + (params[len] == ' ');
    }
    return SIZE_MAX;
}

static size_t parameter_count(const char *params) {
    size_t n = *params != 0;
    for (; *params != 0; params++)
        n += *params == ' ';
    return n;
}

static void bind_named(struct render *r, struct call *call, const char *params,
                       const struct named *named) {
    const size_t index = parameter_index(params, named->name);
    const int len = (int)(named->name->len < 64 ? named->name->len : 64);
    if (index == SIZE_MAX)
        fail(r, "%s() got an unexpected keyword argument '%.*s'", call->name, len,
             named->name->data);
    else if (!is(call->arg[index], KIND_MISSING))
        fail(r, "%s() got multiple values for argument '%.*s'", call->name, len, named->name->data);
    else
        call->arg[index] = named->value;
}

static bool bind(struct render *r, struct call *call, const struct builtin *row) {
    const bool no_keywords = row->params[0] == '/';
    const char *params = row->params + no_keywords;
    const size_t n = parameter_count(params);
    const struct args *args = call->args;
    ASSERT(n <= CALL_ARGS);
    for (size_t i = 0; i < CALL_ARGS; i++)
        call->arg[i] = i < args->n && i < n ? args->items[i] : value_missing();
    if (args->n > n)
        fail(r, "%s() takes at most %zu arguments (%zu given)", row->name, n, args->n);
    if (no_keywords && args->n_named > 0)
        fail(r, "%s() takes no keyword arguments", row->name);
    for (size_t i = 0; i < args->n_named && !r->failed; i++)
        bind_named(r, call, params, &args->named[i]);
    for (size_t i = 0; i < row->required && !r->failed; i++) {
        if (is(call->arg[i], KIND_MISSING))
            fail(r, "%s() is missing %zu required argument", row->name, (size_t)row->required - i);
    }
    return !r->failed;
}

struct value builtin_call(struct render *r, const struct builtin *row, struct value self,
                          const struct args *args) {
    struct call call = {.name = row->name, .self = self, .args = args};
    if (!step(r, 1) || (row->params != NULL && !bind(r, &call, row)))
        return value_undefined();
    struct value value = row->run(r, &call);
    if (r->failed)
        return value_undefined();
    if (row->keeps_markup && is(self, KIND_STRING) && self.str->markup && is(value, KIND_STRING) &&
        !value.str->markup) {
        value = value_string(r, value.str->data, value.str->len); /* it may be shared */
        if (r->failed)
            return value_undefined();
        value.str->markup = true;
    }
    return value;
}

bool arg_integer(struct render *r, const struct call *call, size_t i, int64_t otherwise,
                 int64_t *out) {
    const struct value arg = call->arg[i];
    *out = otherwise;
    if (is_integer(arg))
        *out = as_integer(arg);
    else if (is(arg, KIND_UNDEFINED))
        fail_undefined(r, arg);
    else if (!is(arg, KIND_MISSING))
        fail(r, "'%s' object cannot be interpreted as an integer", type_name(arg));
    return !r->failed;
}

bool arg_truth(const struct call *call, size_t i, bool otherwise) {
    return is(call->arg[i], KIND_MISSING) ? otherwise : truthy(call->arg[i]);
}

struct value call_value(struct render *r, struct value callee, const struct args *args) {
    switch (callee.kind) {
    case KIND_FUNCTION:
        return builtin_call(r, callee.function->row, callee.function->self, args);
    case KIND_MACRO:
        return macro_call(r, callee.macro, args);
    case KIND_LOOP:
        return loop_call(r, callee.loop, args);
    case KIND_JOINER:
        return joiner_call(r, callee.joiner);
    case KIND_UNDEFINED:
        return fail_undefined(r, callee);
    default:
        return fail(r, "'%s' object is not callable", type_name(callee));
    }
}

/* ---- macros ---- */

struct value macro_create(struct render *r, const struct node *node, struct scope *scope) {
    struct macro *macro = render_new(r, sizeof(*macro));
    *macro = (struct macro){.node = node, .scope = scope};
    return (struct value){.kind = KIND_MACRO, .macro = macro};
}

static const char *macro_name(const struct macro *macro) {
    return macro->node->kind == NODE_MACRO ? macro->node->name->data : "caller";
}

void macro_print(struct buf *buf, const struct macro *macro) {
    if (macro->node->kind == NODE_MACRO)
        buf_printf(buf, "<Macro '%s'>", macro_name(macro));
    else
        buf_puts(buf, "<Macro anonymous>");
}

struct value macro_attribute(struct render *r, const struct macro *macro, const struct str *name) {
    const struct signature *signature = macro->node->signature;
    if (str_is(name, "name"))
        return value_text(r, macro_name(macro));
    if (str_is(name, "caller"))
        return value_bool(signature->takes_caller);
    if (str_is(name, "catch_kwargs"))
        return value_bool(signature->takes_named);
    if (str_is(name, "catch_varargs"))
        return value_bool(signature->takes_rest);
    if (!str_is(name, "arguments"))
        return value_missing();
    const struct value names = value_tuple(r, signature->n);
    for (size_t i = 0; i < names.seq->n; i++)
        names.seq->items[i] =
            (struct value){.kind = KIND_STRING, .str = signature->parameters[i].name};
    return names;
}

static bool is_parameter(const struct signature *signature, const struct str *name) {
    for (size_t i = 0; i < signature->n; i++) {
        const struct str *have = signature->parameters[i].name;
        if (have->len == name->len && memcmp(have->data, name->data, name->len) == 0)
            return true;
    }
    return false;
}

/* The keyword arguments that are no parameters: all must have a place. */
static void bind_others(struct render *r, const struct macro *macro, const struct args *args,
                        struct scope *scope) {
    const struct signature *signature = macro->node->signature;
    const struct value others = value_dict(r, args->n_named);
    struct value caller = value_missing();
    for (size_t i = 0; i < args->n_named && !r->failed; i++) {
        const struct named *named = &args->named[i];
        if (is_parameter(signature, named->name))
            continue;
        if (signature->takes_caller && str_is(named->name, "caller"))
            caller = named->value;
        else if (signature->takes_named)
            dict_set(r, others.dict, (struct value){.kind = KIND_STRING, .str = named->name},
                     named->value);
        else if (str_is(named->name, "caller"))
            fail(r,
                 "macro '%s' was invoked with two values for the special caller argument. This is "
                 "most likely a bug.",
                 macro_name(macro));
        else
            fail(r, "macro '%s' takes no keyword argument '%.*s'", macro_name(macro),
                 (int)(named->name->len < 64 ? named->name->len : 64), named->name->data);
    }
    if (signature->takes_caller && !is_parameter(signature, r->tmpl->caller))
        scope_set(r, scope, r->tmpl->caller,
                  is(caller, KIND_MISSING) ? value_undefined_hint(r, "No caller defined") : caller);
    if (signature->takes_named)
        scope_set(r, scope, r->tmpl->kwargs, others);
}

static void bind_rest(struct render *r, const struct macro *macro, const struct args *args,
                      struct scope *scope) {
    const struct signature *signature = macro->node->signature;
    const size_t n = args->n > signature->n ? args->n - signature->n : 0;
    if (n > 0 && !signature->takes_rest) {
        fail(r, "macro '%s' takes not more than %zu argument(s)", macro_name(macro), signature->n);
        return;
    }
    const struct value rest = value_tuple(r, n);
    for (size_t i = 0; i < rest.seq->n; i++)
        rest.seq->items[i] = args->items[signature->n + i];
    if (signature->takes_rest)
        scope_set(r, scope, r->tmpl->varargs, rest);
}

/* Given arguments first, then presets, which may name other parameters. */
static void bind_parameters(struct render *r, const struct macro *macro, const struct args *args,
                            struct scope *scope) {
    const struct signature *signature = macro->node->signature;
    for (size_t i = 0; i < signature->n; i++) {
        struct str *name = signature->parameters[i].name;
        const struct value *named = named_value(args, name);
        if (i < args->n && named != NULL)
            fail(r, "macro '%s' got two values for '%s'", macro_name(macro), name->data);
        const struct value value =
            i < args->n ? args->items[i]
            : named != NULL
                ? *named
                : value_undefined_hint(
                      r, arena_printf(&r->arena, "parameter '%s' was not provided", name->data));
        scope_set(r, scope, name, value);
    }
    for (size_t i = args->n; i < signature->n && !r->failed; i++) {
        const struct parameter *parameter = &signature->parameters[i];
        if (parameter->preset != NULL && named_value(args, parameter->name) == NULL)
            scope_set(r, scope, parameter->name, evaluate(r, parameter->preset));
    }
}

struct value macro_call(struct render *r, const struct macro *macro, const struct args *args) {
    struct capture capture;
    struct scope *scope = scope_create(r, macro->scope);
    capture_begin(r, &capture, scope);
    bind_parameters(r, macro, args, scope);
    bind_others(r, macro, args, scope);
    bind_rest(r, macro, args, scope);
    if (!r->failed)
        run_block(r, macro->node->body);
    return capture_end(r, &capture);
}
