/* Parameter tables: every row of every task refuses the wrong types and what is outside its range,
 * naming itself; strict types; aliases; where parameters may stand; the tables as JSON. */
#include "unit/tasks/fake.h"

static enum status read_one(const struct param *param, const char *text, struct error *err) {
    struct arena arena = {0};
    struct param_sources sources;
    const struct json *object = NULL;
    struct arg args[64] = {{0}};
    struct param row = *param;
    row.offset = 0;
    char *body = arena_printf(&arena, "{\"%s\":%s}", param->name, text);
    assert_int_equal(json_parse(&object, &arena, body, strlen(body), JSON_STRICT, err), STATUS_OK);
    assert_int_equal(param_sources_find(&sources, object, NULL, err), STATUS_OK);
    const enum status status = params_read(&row, 1, &sources, args, err);
    arena_deinit(&arena);
    return status;
}

static void refused(const struct task *task, const struct param *param, const char *text) {
    struct error err = {0};
    if (read_one(param, text, &err) != STATUS_ERROR) {
        fail_msg("%s: %s takes %s", task->name, param->name, text);
    }
    assert_int_equal(err.code, ERROR_INPUT);
    if (strncmp(err.text, param->name, strlen(param->name)) != 0 || !strstr(err.text, "must be")) {
        fail_msg("%s: %s with %s says: %s", task->name, param->name, text, err.text);
    }
}

static void taken(const struct task *task, const struct param *param, const char *text) {
    struct error err = {0};
    if (read_one(param, text, &err) != STATUS_OK) {
        fail_msg("%s: %s with %s: %s", task->name, param->name, text, err.text);
    }
}

static void check_range(const struct task *task, const struct param *param) {
    char text[64];
    if (param->min == 0 && param->max == 0) {
        return;
    }
    snprintf(text, sizeof(text), "%.17g", param->min);
    taken(task, param, text);
    snprintf(text, sizeof(text), "%.17g", param->max);
    taken(task, param, param->type == PARAM_INT && param->max > 1e17 ? "9000000000000" : text);
    if (fabs(param->max) < 1e17) {
        snprintf(text, sizeof(text), "%.17g", param->max + 1);
        refused(task, param, text);
        snprintf(text, sizeof(text), "%.17g", param->min - 1);
        refused(task, param, text);
    }
}

static void check_row(const struct task *task, const struct param *param) {
    static const char *const wrong[][6] = {
        [PARAM_BOOL] = {"1", "\"true\"", "[]", "{}"},
        [PARAM_INT] = {"\"1\"", "1.5", "true", "[1]", "1e300"},
        [PARAM_NUMBER] = {"\"1\"", "true", "[]", "{}"},
        [PARAM_STRING] = {"1", "true", "[\"a\"]"},
        [PARAM_CHOICE] = {"1", "\"nonsense\"", "[]", "\"\""},
        [PARAM_STRINGS] = {"1", "[1]", "[\"a\",null]", "{}"},
        [PARAM_TRUNCATION] = {"1", "\"yes\"", "[]"},
        [PARAM_ANY] = {NULL},
    };
    assert_non_null(param->name);
    assert_non_null(param->help);
    assert_true(param->offset + sizeof(struct arg) <= task->args_size);
    for (size_t i = 0; i < 6 && wrong[param->type][i]; i++) {
        refused(task, param, wrong[param->type][i]);
    }
    taken(task, param, "null");
    check_range(task, param);
}

static void every_row_of_every_task_is_strict(void **state) {
    for (size_t t = 0; t < task_count(); t++) {
        const struct task *task = task_at(t);
        for (size_t i = 0; i < task->n_params; i++) {
            check_row(task, &task->params[i]);
            for (size_t j = 0; j < i; j++) { /* no two rows share a name or a place */
                assert_string_not_equal(task->params[i].name, task->params[j].name);
                assert_int_not_equal(task->params[i].offset, task->params[j].offset);
            }
        }
    }
}

static void messages_show_the_value(void **state) {
    static const struct {
        const char *value, *says;
    } rows[] = {
        {"\"abc\"", "top_k is \"abc\" (string), must be an integer"},
        {"2.5", "top_k is 2.5 (number), must be an integer"},
        {"true", "top_k is true (boolean), must be an integer"},
        {"[1,2]", "top_k is [1,2] (list), must be an integer"},
        {"0", "top_k is 0, must be at least 1"},
        {"100001", "top_k is 100001, must be at most 100000"},
        {"\"\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
         "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
         "\u00e9\u00e9\u00e9\u00e9\"",
         "... (string), must be an integer"},
    };
    const struct param top_k = {
        .name = "top_k", .type = PARAM_INT, .min = 1, .max = LIMIT_TOP_K_ANSWERS, .help = ""};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error err = {0};
        assert_int_equal(read_one(&top_k, rows[i].value, &err), STATUS_ERROR);
        if (!strstr(err.text, rows[i].says)) {
            fail_msg("says %s, wanted %s", err.text, rows[i].says);
        }
        assert_true(utf8_valid(err.text, strlen(err.text), NULL));
    }
}

struct two {
    struct arg top_k, labels;
};

static const struct param two_params[] = {
    {.name = "top_k",
     .aliases = "topk k",
     .type = PARAM_INT,
     .offset = offsetof(struct two, top_k)},
    {.name = "labels", .type = PARAM_STRINGS, .offset = offsetof(struct two, labels)},
};

/* parameters before what is nested in them, before the root; names before aliases. */
static void sources_are_searched_in_order(void **state) {
    static const struct {
        const char *parameters, *root;
        int64_t top_k; /* -1: not given */
    } rows[] = {
        {"{\"top_k\":1}", "{\"top_k\":2}", 1},
        {"{}", "{\"top_k\":2}", 2},
        {"{\"top_k\":null}", "{\"top_k\":2}", 2},
        {"{\"generate_kwargs\":{\"top_k\":3}}", "{\"top_k\":2}", 3},
        {"{\"generation_parameters\":{\"top_k\":4},\"generate_kwargs\":{\"top_k\":3}}", "{}", 4},
        {"{\"top_k\":1,\"generate_parameters\":{\"top_k\":3}}", "{}", 1},
        {"{\"topk\":5}", "{}", 5},
        {"{\"k\":6}", "{}", 6},
        {"{\"k\":6,\"top_k\":7}", "{}", 7},
        {"{\"other\":1}", "{}", -1},
        {"null", "{\"k\":8}", 8},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        struct error err;
        struct param_sources sources;
        struct two args = {.top_k = {0}};
        const struct json *parameters = NULL, *root = NULL;
        assert_int_equal(json_parse(&parameters, &arena, rows[i].parameters,
                                    strlen(rows[i].parameters), JSON_STRICT, &err),
                         STATUS_OK);
        assert_int_equal(
            json_parse(&root, &arena, rows[i].root, strlen(rows[i].root), JSON_STRICT, &err),
            STATUS_OK);
        assert_int_equal(param_sources_find(&sources, parameters, root, &err), STATUS_OK);
        assert_int_equal(params_read(two_params, 2, &sources, &args, &err), STATUS_OK);
        assert_int_equal(arg_int(&args.top_k, -1), rows[i].top_k);
        assert_false(args.labels.given);
        arena_deinit(&arena);
    }
}

static void tables_are_written_as_json(void **state) {
    for (size_t t = 0; t < task_count(); t++) {
        struct buf buf;
        struct arena arena = {0};
        struct error err;
        const struct json *table = NULL;
        buf_init(&buf, LIMIT_RESPONSE);
        struct json_out out = json_out_begin(&buf);
        task_write_parameters(task_at(t), &out);
        assert_int_equal(json_parse(&table, &arena, buf.data, buf.len, JSON_STRICT, &err),
                         STATUS_OK);
        assert_int_equal(table->len, task_at(t)->n_params);
        for (uint32_t i = 0; i < table->len; i++) {
            const struct json *row = json_at(table, i);
            assert_string_equal(json_get_string(row, "name", ""), task_at(t)->params[i].name);
            assert_true(strlen(json_get_string(row, "type", "")) > 0);
            assert_non_null(json_get(row, "default"));
            /* A preset that is not JSON would be null. */
            assert_int_equal(!json_is_null(json_get(row, "default")),
                             task_at(t)->params[i].preset != NULL);
        }
        buf_deinit(&buf);
        arena_deinit(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_every_task_is_strict),
        cmocka_unit_test(messages_show_the_value),
        cmocka_unit_test(sources_are_searched_in_order),
        cmocka_unit_test(tables_are_written_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
