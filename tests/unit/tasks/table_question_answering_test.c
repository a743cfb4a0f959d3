/* Table question answering: what a table may look like, what is refused and how, and how cells,
 * columns and aggregation become an answer. */
#include "unit/tasks/fake.h"

#define FOLDER "tests/golden/tapas/table-question-answering"
#define TASK   "table-question-answering"
#define CONFIG                                                                                     \
    "{\"num_aggregation_labels\":2,\"no_aggregation_label_index\":0,"                               \
    "\"aggregation_labels\":{\"0\":\"NONE\",\"1\":\"SUM\"}}"
#define TABLE  "\"table\":{\"a\":[\"1\",\"22\"],\"b\":[\"x\",\"y\"]}"
#define SECOND "\"coordinates\":[[1,0]],\"cells\":[\"22\"],"

/* A token's cell is the answer's where it is of the second row; the first column is the best. */
static void fill(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                 float *out, size_t n) {
    (void)fake;
    (void)index;
    assert_int_equal(n, 2);
    const int32_t *columns = item->types + item->n, *rows = columns + item->n;
    out[0] = rows[row] == 2 ? 1 : -1;
    out[1] = columns[row] == 1 ? 1 : 0;
    if (item->second) {
        item->second[0] = 0;
        item->second[1] = 1;
    }
}

static int set_up(void **state) {
    struct fake *fake = mem_zalloc(1, sizeof(*fake));
    fake_init(fake, FOLDER, HEAD_CELL, 2, CONFIG);
    struct stack_spec *stack = &fake->arch.stacks[0];
    const uint32_t more[] = {4, 6, 2, 6, 6, 10};
    stack->token_types = 3;
    memcpy(stack->more_types, more, sizeof(more));
    stack->max_positions = 48;
    fake->arch.second = (struct head_spec){.kind = HEAD_SEQUENCE, .n_steps = 1, .outputs = 2};
    fake->fill = fill;
    *state = fake;
    return 0;
}

static int tear_down(void **state) {
    fake_deinit(*state);
    mem_free(*state);
    return 0;
}

static void check_all(void **state, const struct fake_row *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        fake_check(*state, TASK, &rows[i]);
    }
}

#define ANSWER "{\"answer\":\"SUM > 22\"," SECOND "\"aggregator\":\"SUM\"}"

static void tables_of_every_form_are_answered(void **state) {
    static const struct fake_row rows[] = {
        {"{\"inputs\":{\"query\":\"q\"," TABLE "}}", ANSWER, NULL},
        {"{\"query\":\"q\"," TABLE "}", ANSWER, NULL},
        {"{\"inputs\":{\"question\":\"q\"," TABLE "}}", ANSWER, NULL},
        {"{\"inputs\":{\"query\":[\"q\"]," TABLE "}}", ANSWER, NULL},
        {"{\"inputs\":{\"query\":[\"q\",\"r\"]," TABLE "}}", "[" ANSWER "," ANSWER "]", NULL},
        {"{\"inputs\":{\"query\":[\"q\",\"r\"]," TABLE "},\"parameters\":{\"sequential\":true}}",
         "[" ANSWER "," ANSWER "]", NULL},
        {"{\"inputs\":[{\"query\":\"q\"," TABLE "}]}", "[" ANSWER "]", NULL},
        {"{\"inputs\":{\"query\":\"q\",\"table\":[{\"a\":\"1\",\"b\":\"x\"},{\"b\":\"y\",\"a\":"
         "\"22\"}]}}",
         ANSWER, NULL},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":[1,22],\"b\":[0.5,true]}}}", NULL,
         "must be a string or number"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":[1,22],\"b\":[0.5,-3]}}}", ANSWER, NULL},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{\"\":[\"\",\"22\"]}}}", ANSWER, NULL},
    };
    check_all(state, rows, ARRAY_LEN(rows));
}

static void hostile_tables_are_refused(void **state) {
    static const struct fake_row rows[] = {
        {"{\"inputs\":{\"query\":\"q\"}}", NULL, "inputs has no \"table\""},
        {"{\"inputs\":\"q\"}", NULL, "must be {\"query\": ..., \"table\": ...}"},
        {"{\"inputs\":{" TABLE "}}", NULL, "query is empty"},
        {"{\"inputs\":{\"query\":\"\"," TABLE "}}", NULL, "query is empty"},
        {"{\"inputs\":{\"query\":[]," TABLE "}}", NULL, "query is empty"},
        {"{\"inputs\":{\"query\":[\"q\",1]," TABLE "}}", NULL, "query is 1 (number), must be a string"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{}}}", NULL, "table is empty"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":[]}}", NULL, "table is empty"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":[{},{}]}}", NULL, "table is empty"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":[]}}}", NULL, "table is empty"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":\"a\"}}", NULL, "table is \"a\" (string)"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":\"b\"}}}", NULL, "must be a list of cells"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":[\"1\"],\"b\":[]}}}", NULL,
         "All rows in the table must be the same length: column \"b\" has 0 cells and \"a\" 1"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":[[\"1\"]]}}}", NULL,
         "row 0 of column \"a\" is"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":[null]}}}", NULL, "row 0 of column \"a\" is"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":[[\"1\"]]}}", NULL, "row 0 is"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":[{\"a\":\"1\"},{}]}}", NULL,
         "row 1 has 0 cells and row 0 1"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":[{\"a\":\"1\"},{\"b\":\"1\"}]}}", NULL,
         "row 1 of column \"a\" is missing"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":[\"1\"],\"b\":[\"1\"],\"c\":[\"1\"],\"d\":["
         "\"1\"]}}}",
         NULL, "more columns than the model knows, which are 3"},
        {"{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\"]}}}", NULL,
         "more rows than the model knows, which are 5"},
        {"{\"inputs\":{\"query\":\"q\"," TABLE "},\"parameters\":{\"truncation\":\"rows\"}}", NULL,
         "truncation is \"rows\""},
        {"{\"inputs\":{\"query\":\"q\"," TABLE "},\"parameters\":{\"padding\":3}}", NULL,
         "padding is 3"},
    };
    check_all(state, rows, ARRAY_LEN(rows));
}

static void too_many_cells_are_refused(void **state) {
    struct fake *fake = *state;
    struct buf body;
    buf_init(&body, LIMIT_BODY);
    buf_puts(&body, "{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":[\"\"");
    for (int i = 0; i < LIMIT_TABLE_CELLS; i++) {
        buf_puts(&body, ",\"\"");
    }
    buf_puts(&body, "]}}}");
    fake_check(fake, TASK, &(struct fake_row){body.data, NULL, "more than 262144 cells"});
    buf_deinit(&body);
}

static void long_tables_lose_rows_or_are_refused(void **state) {
    struct fake *fake = *state;
    struct buf body;
    buf_init(&body, LIMIT_BODY);
    buf_puts(&body, "{\"inputs\":{\"query\":\"q\",\"table\":{\"a\":[\"1\",\"22\"");
    for (int i = 0; i < 60; i++) {
        buf_puts(&body, ",\"a b c d e f g h\"");
    }
    buf_puts(&body, "]}},\"parameters\":{\"truncation\":");
    const char *kept = arena_printf(&fake->arena, "%sfalse}}", body.data);
    const char *dropped = arena_printf(&fake->arena, "%strue}}", body.data);
    fake->arch.stacks[0].more_types[1] = 64;
    fake_check(fake, TASK, &(struct fake_row){kept, NULL, "and the model takes 48"});
    fake_check(fake, TASK, &(struct fake_row){dropped, ANSWER, NULL});
    assert_true(fake->facts.truncated_tokens > 400);
    buf_deinit(&body);
}

static void other_models_are_refused_by_name(void **state) {
    struct fake *fake = *state;
    fake->arch.head.kind = HEAD_SPAN;
    fake_check(fake, TASK,
               &(struct fake_row){"{\"query\":\"q\"," TABLE "}", NULL, "head for cells of tables"});
    fake->arch.head.kind = HEAD_LM;
    fake_add_decoder(fake);
    fake_check(fake, TASK, &(struct fake_row){"{\"query\":\"q\"," TABLE "}", NULL, "TapexTokenizer"});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tables_of_every_form_are_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_tables_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_cells_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_tables_lose_rows_or_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_models_are_refused_by_name, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
