/* Parameters of requests: a table of rows a task, read into struct args with strict types (no
 * string becomes a number), ranges and choices. The same rows are written out for --help and the
 * API description. What a table does not know is ignored: clients send all sorts of things. */
#include "tasks/task.h"

#include <math.h>

/* Objects whose members are parameters, too. */
static const char *const nested_names[] = {"generation_parameters", "generate_parameters",
                                           "generate_kwargs", "tokenizer_kwargs",
                                           "tokenize_kwargs"};

const char *value_kind(const struct json *value) {
    static const char *const words[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "boolean", [JSON_NUMBER] = "number",
        [JSON_STRING] = "string", [JSON_ARRAY] = "list",   [JSON_OBJECT] = "object"};
    return words[value->type];
}

static enum status check_object(const struct json *value, const char *name, struct error *err) {
    if (json_is_null(value) || json_is(value, JSON_OBJECT)) {
        return STATUS_OK;
    }
    return ERR(err, INPUT, "%s is a %s, must be an object", name, value_kind(value));
}

enum status param_sources_find(struct param_sources *sources, const struct json *parameters,
                               const struct json *root, struct error *err) {
    enum status status = check_object(parameters, "parameters", err);
    *sources = (struct param_sources){.n = 0};
    if (json_is(parameters, JSON_OBJECT)) {
        sources->objects[sources->n++] = parameters;
    }
    for (size_t i = 0; status == STATUS_OK && i < ARRAY_LEN(nested_names); i++) {
        const struct json *nested = json_get(parameters, nested_names[i]);
        status = check_object(nested, nested_names[i], err);
        if (json_is(nested, JSON_OBJECT)) {
            sources->objects[sources->n++] = nested;
        }
    }
    if (root) {
        sources->objects[sources->n++] = root;
    }
    return status;
}

/* Calls `name` the next word of a list separated by spaces; false at the end. */
static bool next_word(const char **list, struct text *word) {
    if (!*list || !**list) {
        return false;
    }
    const char *end = strchrnul(*list, ' ');
    *word = (struct text){*list, (size_t)(end - *list)};
    *list = *end ? end + 1 : end;
    return true;
}

static const struct json *find_value(const struct param *param,
                                     const struct param_sources *sources) {
    const struct json *null = NULL;
    for (uint32_t i = 0; i < sources->n; i++) {
        const struct json *value = json_get(sources->objects[i], param->name);
        const char *aliases = param->aliases;
        struct text alias;
        while (json_is_null(value) && next_word(&aliases, &alias)) {
            null = value ? value : null;
            value = json_get_n(sources->objects[i], alias.data, alias.len);
        }
        if (!json_is_null(value)) {
            return value;
        }
        null = value ? value : null;
    }
    return null;
}

/* ---- messages ---- */

#define VALUE_SHOWN 60 /* bytes of a value in a message */

const char *describe_value(struct arena *arena, const struct json *value) {
    if (!value) {
        return "missing";
    }
    struct buf buf;
    buf_init(&buf, LIMIT_RESPONSE);
    struct json_out out = json_out_begin(&buf);
    json_value(&out, value);
    size_t shown = buf.len;
    if (shown > VALUE_SHOWN) {
        shown = VALUE_SHOWN;
        while (shown > 0 && ((unsigned char)buf.data[shown] & 0xC0) == 0x80) {
            shown--;
        }
    }
    const char *text = arena_printf(arena, "%.*s%s (%s)", (int)shown, buf.data ? buf.data : "",
                                    shown < buf.len ? "..." : "", value_kind(value));
    buf_deinit(&buf);
    return text;
}

static enum status wrong_type(const struct param *param, const struct json *value,
                              const char *wanted, struct error *err) {
    struct arena arena = {0};
    ERR(err, INPUT, "%s is %s, must be %s", param->name, describe_value(&arena, value), wanted);
    arena_deinit(&arena);
    return STATUS_ERROR;
}

static enum status check_range(const struct param *param, double value, struct error *err) {
    if (param->min == 0 && param->max == 0) {
        return STATUS_OK;
    }
    if (!(value >= param->min)) {
        return ERR(err, INPUT, "%s is %g, must be at least %g", param->name, value, param->min);
    }
    if (!(value <= param->max)) {
        return ERR(err, INPUT, "%s is %.9g, must be at most %.9g", param->name, value, param->max);
    }
    return STATUS_OK;
}

/* ---- reading ---- */

static enum status read_choice(const struct param *param, const struct json *value,
                               struct error *err) {
    const char *choices = param->choices;
    struct text choice;
    while (json_is(value, JSON_STRING) && next_word(&choices, &choice)) {
        if (choice.len == value->len && strncasecmp(choice.data, value->text, choice.len) == 0) {
            return STATUS_OK;
        }
    }
    char wanted[LIMIT_ERROR_TEXT / 2];
    snprintf(wanted, sizeof(wanted), "one of: %s", param->choices);
    return wrong_type(param, value, wanted, err);
}

static enum status read_strings(const struct param *param, const struct json *value,
                                struct error *err) {
    if (json_is(value, JSON_STRING)) {
        return STATUS_OK;
    }
    if (!json_is(value, JSON_ARRAY)) {
        return wrong_type(param, value, "a string or a list of strings", err);
    }
    for (uint32_t i = 0; i < value->len; i++) {
        if (!json_is(json_at(value, i), JSON_STRING)) {
            return wrong_type(param, json_at(value, i), "a list of strings only", err);
        }
    }
    return STATUS_OK;
}

static enum status read_truncation(const struct param *param, const struct json *value,
                                   struct arg *arg, struct error *err) {
    static const char strategies[] = "longest_first only_first only_second do_not_truncate";
    const struct param choice = {.name = param->name, .choices = strategies};
    if (json_is(value, JSON_BOOL)) {
        arg->boolean = value->boolean;
        return STATUS_OK;
    }
    arg->boolean = !json_equals(value, "do_not_truncate");
    return read_choice(&choice, value, err);
}

static enum status read_value(const struct param *param, const struct json *value, struct arg *arg,
                              struct error *err) {
    switch (param->type) {
    case PARAM_BOOL:
        arg->boolean = value->boolean;
        return json_is(value, JSON_BOOL) ? STATUS_OK
                                         : wrong_type(param, value, "true or false", err);
    case PARAM_INT:
        if (!json_is(value, JSON_NUMBER) || !json_to_int(value, &arg->integer)) {
            return wrong_type(param, value, "an integer", err);
        }
        arg->number = (double)arg->integer;
        return check_range(param, arg->number, err);
    case PARAM_NUMBER:
        if (!json_is(value, JSON_NUMBER) || !isfinite(value->number)) {
            return wrong_type(param, value, "a number", err);
        }
        arg->number = value->number;
        return check_range(param, arg->number, err);
    case PARAM_STRING:
        return json_is(value, JSON_STRING) ? STATUS_OK : wrong_type(param, value, "a string", err);
    case PARAM_CHOICE:
        return read_choice(param, value, err);
    case PARAM_STRINGS:
        return read_strings(param, value, err);
    case PARAM_TRUNCATION:
        return read_truncation(param, value, arg, err);
    case PARAM_ANY:
        return STATUS_OK;
    }
    return STATUS_OK;
}

enum status params_read(const struct param *params, size_t n, const struct param_sources *sources,
                        void *args, struct error *err) {
    for (size_t i = 0; i < n; i++) {
        const struct json *value = find_value(&params[i], sources);
        struct arg *arg = (struct arg *)((char *)args + params[i].offset);
        arg->json = value;
        if (json_is_null(value)) {
            arg->null = value != NULL;
            continue;
        }
        arg->given = true;
        if (json_is(value, JSON_STRING)) {
            arg->text = (struct text){value->text, value->len};
        }
        const enum status status = read_value(&params[i], value, arg, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* ---- documentation ---- */

static const char *const type_names[] = {
    [PARAM_BOOL] = "boolean",
    [PARAM_INT] = "integer",
    [PARAM_NUMBER] = "number",
    [PARAM_STRING] = "string",
    [PARAM_CHOICE] = "string",
    [PARAM_STRINGS] = "string or list",
    [PARAM_TRUNCATION] = "boolean or string",
    [PARAM_ANY] = "any",
};

static void write_preset(const char *preset, struct json_out *out) {
    struct arena arena = {0};
    struct error err;
    const struct json *value = NULL;
    json_key(out, "default");
    if (preset &&
        json_parse(&value, &arena, preset, strlen(preset), JSON_STRICT, &err) == STATUS_OK)
        json_value(out, value);
    else
        json_null(out);
    arena_deinit(&arena);
}

static void write_words(const char *key, const char *list, struct json_out *out) {
    struct text word;
    json_key(out, key);
    if (list == NULL) {
        json_null(out);
        return;
    }
    json_open_array(out);
    while (next_word(&list, &word)) {
        json_string_n(out, word.data, word.len);
    }
    json_close_array(out);
}

static void write_limit(const char *key, const struct param *param, double limit,
                        struct json_out *out) {
    json_key(out, key);
    if (param->min == 0 && param->max == 0)
        json_null(out);
    else if (param->type == PARAM_INT)
        json_int(out, (int64_t)limit);
    else
        json_double(out, limit);
}

/* Every row has every member, null where there is none, so that the list reads as a table. */
void params_write(const struct param *params, size_t n, struct json_out *out) {
    json_open_array(out);
    for (size_t i = 0; i < n; i++) {
        json_open_object(out);
        json_key(out, "name");
        json_string(out, params[i].name);
        json_key(out, "type");
        json_string(out, type_names[params[i].type]);
        write_preset(params[i].preset, out);
        write_limit("minimum", &params[i], params[i].min, out);
        write_limit("maximum", &params[i], params[i].max, out);
        write_words("choices", params[i].choices, out);
        write_words("aliases", params[i].aliases, out);
        json_key(out, "help");
        json_string(out, params[i].help);
        json_close_object(out);
    }
    json_close_array(out);
}
