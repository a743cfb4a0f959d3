/* Text classification: score functions by request and config, how many labels, nesting. Equality
 * with the pipelines is the goldens' business. */
#include "unit/tasks/fake.h"

/* Logits 0, 1, 2, ... for class 0, 1, 2, ...; in reverse for inputs of several items. */
static void fill(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                 float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = index == 0 ? (float)i : (float)(n - i);
    }
}

struct group {
    const char *config;
    uint32_t outputs;
    struct fake_row rows[8];
};

#define L(name, score) "{\"label\":\"" name "\",\"score\":" score "}"

static const struct group groups[] = {
    {"{}",
     2,
     {{"\"a\"", "[[" L("one", "0.7310586") "," L("zero", "0.2689414") "]]", NULL},
      {"{\"inputs\":\"a\",\"parameters\":{\"top_k\":1}}", "[[" L("one", "0.7310586") "]]", NULL},
      {"{\"inputs\":\"a\",\"parameters\":{\"function_to_apply\":\"sigmoid\"}}",
       "[[" L("one", "0.7310586") "," L("zero", "0.5") "]]", NULL},
      {"{\"inputs\":\"a\",\"parameters\":{\"function_to_apply\":\"NONE\"}}",
       "[[" L("one", "1") "," L("zero", "0") "]]", NULL},
      {"{\"inputs\":[\"a\",\"b\"],\"parameters\":{\"return_all_scores\":false}}",
       "[[" L("one", "0.7310586") "],[" L("zero", "0.7310586") "]]", NULL},
      {"{\"inputs\":\"a\",\"parameters\":{\"function_to_apply\":\"tanh\"}}", NULL,
       "function_to_apply is \"tanh\" (string), must be one of: sigmoid softmax none"}}},
    {"{\"problem_type\":\"regression\"}", 1, {{"\"a\"", "[[" L("zero", "0") "]]", NULL}}},
    {"{}", 1, {{"\"a\"", "[[" L("zero", "0.5") "]]", NULL}}},
    {"{\"problem_type\":\"multi_label_classification\"}",
     2,
     {{"\"a\"", "[[" L("one", "0.7310586") "," L("zero", "0.5") "]]", NULL},
      {"{\"inputs\":\"a\",\"parameters\":{\"function_to_apply\":\"softmax\",\"top_k\":1}}",
       "[[" L("one", "0.7310586") "]]", NULL}}},
    /* Five of seven, all with null. */
    {"{\"problem_type\":\"regression\"}",
     7,
     {{"\"a\"",
       "[[" L("six", "6") "," L("five", "5") "," L("four", "4") "," L("three", "3") "," L("two",
                                                                                          "2") "]]",
       NULL},
      {"{\"inputs\":\"a\",\"parameters\":{\"top_k\":null}}",
       "[[" L("six", "6") "," L("five", "5") "," L("four", "4") "," L("three", "3") "," L(
           "two", "2") "," L("one", "1") "," L("zero", "0") "]]",
       NULL},
      {"{\"inputs\":\"a\",\"parameters\":{\"top_k\":50,\"function_to_apply\":\"softmax\"}}", NULL,
       NULL}}},
};

static void every_row_is_answered(void **state) {
    for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
        struct fake fake;
        fake_init(&fake, "tests/golden/bert/text-classification", HEAD_SEQUENCE, groups[g].outputs,
                  groups[g].config);
        fake.fill = fill;
        for (size_t i = 0; i < 8 && groups[g].rows[i].body; i++) {
            fake_check(&fake, "text-classification", &groups[g].rows[i]);
        }
        fake_deinit(&fake);
    }
}

/* The row that is asked for: the first, the last that is not padding, the last end-of-sequence. */
static void the_head_reads_its_row(void **state) {
    struct fake fake;
    struct encoding encoding = {.n = 6, .ids = (int32_t[]){2, 9, 3, 7, 3, 0}};
    fake_init(&fake, "tests/golden/bert/text-classification", HEAD_SEQUENCE, 2, "{}");
    fake.arch.head.rows = ROWS_FIRST;
    assert_int_equal(head_row(&fake.model, &encoding), 0);
    fake.arch.head.rows = ROWS_LAST;
    assert_int_equal(head_row(&fake.model, &encoding), 5);
    fake.arch.pad = 0;
    assert_int_equal(head_row(&fake.model, &encoding), 4);
    fake.arch.head.rows = ROWS_LAST_EOS;
    fake.arch.eos = 3;
    assert_int_equal(head_row(&fake.model, &encoding), 4);
    fake.arch.eos = 7;
    assert_int_equal(head_row(&fake.model, &encoding), 3);
    fake_deinit(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_answered),
        cmocka_unit_test(the_head_reads_its_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
