/* Fill mask: masks found and refused, targets, several masks, what stands in the sequence. Equality
 * with the pipeline is the goldens' business. */
#include "unit/tasks/fake.h"

#define FOLDER "tests/golden/bert/fill-mask"

/* Token ids 100, 101, 102, ... get falling scores. */
static void fill(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                 float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = i >= 100 ? 20 - (float)(i - 100) : -80;
    }
}

static const struct fake_row errors[] = {
    {"\"no mask here\"", NULL, "No mask_token ([MASK]) found on the input"},
    {"\"\"", NULL, "No mask_token ([MASK]) found on the input"},
    {"{\"inputs\":\"[MASK]\",\"parameters\":{\"targets\":[]}}", NULL,
     "At least one target must be provided when passed."},
    {"{\"inputs\":\"[MASK]\",\"parameters\":{\"targets\":5}}", NULL,
     "targets is 5 (number), must be a string or a list of strings"},
    {"{\"inputs\":[\"[MASK]\",\"none\"]}", NULL, "inputs[1]: No mask_token"},
    {"{\"inputs\":[\"[MASK] [MASK]\"],\"parameters\":{\"top_k\":0}}", NULL, "top_k is 0"},
};

static const struct json *run(struct fake *fake, const char *body) {
    struct buf out;
    struct error err;
    buf_init(&out, LIMIT_RESPONSE);
    if (fake_run(fake, "fill-mask", body, &out, &err) != STATUS_OK) {
        fail_msg("%s: %s", body, err.text);
    }
    const struct json *answer = fake_json(fake, out.data);
    buf_deinit(&out);
    return answer;
}

static void masks_and_targets(void **state) {
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_LM, 0, "{}");
    fake.arch.head.outputs = tokenizer_vocab_size(fake.tokenizer);
    fake.fill = fill;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        fake_check(&fake, "fill-mask", &errors[i]);
    }
    const struct json *one = run(&fake, "\"the [MASK] light\"");
    assert_int_equal(one->len, 5);
    assert_int_equal(json_get_int(json_at(one, 0), "token", 0), 100);
    assert_true(fabs(json_get_number(json_at(one, 0), "score", 0) - 0.632121) < 1e-5);
    assert_null(strstr(json_get_string(json_at(one, 0), "sequence", ""), "["));

    const struct json *two =
        run(&fake, "{\"inputs\":\"[MASK] [MASK]\",\"parameters\":{\"top_k\":2}}");
    assert_int_equal(two->len, 2);
    assert_int_equal(json_at(two, 1)->len, 2);
    /* The other mask and the special tokens stay. */
    const char *sequence = json_get_string(json_at(json_at(two, 1), 0), "sequence", "");
    assert_true(strncmp(sequence, "[CLS] [MASK] ", 13) == 0);

    const struct json *list = run(&fake, "[\"[MASK]\"]");
    assert_int_equal(list->len, 1);
    assert_int_equal(json_at(list, 0)->len, 5);

    /* Targets: found, found by its first token, twice; top_k is more than there are. */
    const struct json *targets =
        run(&fake,
            "{\"inputs\":\"the [MASK]\",\"parameters\":{\"targets\":[\"light\",\"lighting\",\"a\""
            "],\"top_k\":9}}");
    assert_int_equal(targets->len, 2);
    for (uint32_t i = 0; i < 2; i++) {
        const int32_t id = (int32_t)json_get_int(json_at(targets, i), "token", 0);
        assert_true(id == tokenizer_find(fake.tokenizer, "light", 5) ||
                    id == tokenizer_find(fake.tokenizer, "a", 1));
    }
    fake_deinit(&fake);
}

static void a_mask_that_is_cut_off_is_said(void **state) {
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_LM, 0, "{}");
    fake.arch.head.outputs = tokenizer_vocab_size(fake.tokenizer);
    fake.arch.stacks[0].max_positions = 6;
    fake_check(&fake, "fill-mask",
               &(struct fake_row){"\"the the the the the [MASK]\"", NULL,
                                  "found on the input, which was cut to the model's limit"});
    fake_deinit(&fake);
}

/* 433 tokens for each of 300 texts are more answers than one request gets. */
static void too_many_answers_are_refused(void **state) {
    struct fake fake;
    struct buf body, out;
    struct error err = {0};
    buf_init(&body, LIMIT_BODY);
    buf_init(&out, LIMIT_RESPONSE);
    fake_init(&fake, FOLDER, HEAD_LM, 0, "{}");
    fake.arch.head.outputs = tokenizer_vocab_size(fake.tokenizer);
    fake.fill = fill;
    buf_puts(&body, "{\"parameters\":{\"top_k\":100000},\"inputs\":[\"[MASK]\"");
    for (int i = 1; i < 300; i++) {
        buf_puts(&body, ",\"[MASK]\"");
    }
    buf_puts(&body, "]}");
    assert_int_equal(fake_run(&fake, "fill-mask", body.data, &out, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_TOO_LARGE);
    assert_non_null(strstr(err.text, "lower top_k"));
    buf_deinit(&body);
    buf_deinit(&out);
    fake_deinit(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_and_targets),
        cmocka_unit_test(a_mask_that_is_cut_off_is_said),
        cmocka_unit_test(too_many_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
