/* Zero-shot classification: labels in every form, templates, which class is entailment, the two
 * forms of the answer. */
#include "unit/tasks/fake.h"

#define FOLDER "tests/golden/bert/zero-shot-classification"

/* Item i (label i): entailment logit i in class 2, contradiction 1 in class 0. */
static void fill(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                 float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = i == 0 ? 1 : i == n - 1 ? (float)index : -50;
    }
}

#define NLI    "{\"label2id\":{\"CONTRADICTION\":0,\"neutral\":1,\"Entailment\":2}}"
#define ASK(p) "{\"inputs\":\"the\",\"parameters\":{" p "}}"

static const struct fake_row rows[] = {
    {ASK("\"candidate_labels\":[\"a\",\"b\"]"),
     "{\"sequence\":\"the\",\"labels\":[\"b\",\"a\"],\"scores\":[0.7310586,0.2689414]}", NULL},
    {ASK("\"candidate_labels\":\" a , b ,, \""),
     "{\"sequence\":\"the\",\"labels\":[\"b\",\"a\"],\"scores\":[0.7310586,0.2689414]}", NULL},
    {ASK("\"candidateLabels\":[\"a\",\"b\"],\"multi_label\":true"),
     "{\"sequence\":\"the\",\"labels\":[\"b\",\"a\"],\"scores\":[0.5,0.2689414]}", NULL},
    {ASK("\"candidate_labels\":[\"a\",\"b\"],\"multi_class\":true"),
     "{\"sequence\":\"the\",\"labels\":[\"b\",\"a\"],\"scores\":[0.5,0.2689414]}", NULL},
    {ASK("\"candidate_labels\":[\"a\"]"),
     "{\"sequence\":\"the\",\"labels\":[\"a\"],\"scores\":[0.2689414]}", NULL},
    {"{\"inputs\":[\"the\",\"a\"],\"parameters\":{\"candidate_labels\":[\"x\"]}}",
     "[{\"sequence\":\"the\",\"labels\":[\"x\"],\"scores\":[0.2689414]},"
     "{\"sequence\":\"a\",\"labels\":[\"x\"],\"scores\":[0.5]}]",
     NULL},
    {"{\"inputs\":{\"text\":\"the\"},\"parameters\":{\"candidate_labels\":[\"a\"]}}",
     "{\"sequence\":\"the\",\"labels\":[\"a\"],\"scores\":[0.2689414]}", NULL},
    {"{\"inputs\":\"the\",\"parameters\":{\"candidate_labels\":[\"a\",\"b\"]},"
     "\"options\":{\"zero_shot_form\":\"list\"}}",
     "[{\"label\":\"b\",\"score\":0.7310586},{\"label\":\"a\",\"score\":0.2689414}]", NULL},
    {ASK("\"candidate_labels\":[\"a\"],\"hypothesis_template\":\"{{}} is {0}\""), NULL, NULL},

    {ASK(""), NULL, "You must include at least one label"},
    {ASK("\"candidate_labels\":[]"), NULL, "You must include at least one label"},
    {ASK("\"candidate_labels\":\" ,, \""), NULL, "You must include at least one label"},
    {ASK("\"candidate_labels\":[1]"), NULL, "candidate_labels is 1 (number), must be a list of"},
    {"{\"inputs\":\"\",\"parameters\":{\"candidate_labels\":[\"a\"]}}", NULL, "inputs is empty"},
    {ASK("\"candidate_labels\":[\"a\"],\"hypothesis_template\":\"no place\""), NULL,
     "The provided hypothesis_template \"no place\" was not able to be formatted"},
    {ASK("\"candidate_labels\":[\"a\"],\"hypothesis_template\":\"{{}}\""), NULL,
     "was not able to be formatted"},
    {ASK("\"candidate_labels\":[\"a\"],\"hypothesis_template\":\"{x}\""), NULL,
     "was not able to be formatted"},
    {ASK("\"candidate_labels\":[\"a\"],\"hypothesis_template\":\"{\""), NULL,
     "was not able to be formatted"},
};

static void every_row_is_answered(void **state) {
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_SEQUENCE, 3, NLI);
    fake.fill = fill;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fake_check(&fake, "zero-shot-classification", &rows[i]);
    }
    fake_deinit(&fake);
}

/* Config, and the score that one label gets when each class's logit is its number. */
static void number_classes(const struct fake *fake, const struct item *item, uint32_t index,
                           uint32_t row, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)i;
    }
}

static void entailment_is_found(void **state) {
    static const struct {
        const char *config, *answer;
    } configs[] = {
        /* entailment 2 against contradiction 0; 0 against the last; 1 against 0; none: the last */
        {NLI, "0.880797"},
        {"{\"label2id\":{\"entailment\":0,\"neutral\":1,\"contradiction\":2}}", "0.1192029"},
        {"{\"label2id\":{\"x\":0,\"ENTAIL\":1,\"entailment\":2}}", "0.7310586"},
        {"{\"label2id\":{\"LABEL_0\":0,\"LABEL_1\":1,\"LABEL_2\":2}}", "0.880797"},
        {"{}", "0.880797"},
    };
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        struct fake fake;
        fake_init(&fake, FOLDER, HEAD_SEQUENCE, 3, configs[i].config);
        fake.fill = number_classes;
        const char *answer =
            arena_printf(&fake.arena, "{\"sequence\":\"the\",\"labels\":[\"a\"],\"scores\":[%s]}",
                         configs[i].answer);
        fake_check(&fake, "zero-shot-classification",
                   &(struct fake_row){ASK("\"candidate_labels\":[\"a\"]"), answer, NULL});
        fake_deinit(&fake);
    }
}

/* The text is cut, the label is not; the answer says so. */
static void long_texts_are_cut_before_the_label(void **state) {
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_SEQUENCE, 3, NLI);
    fake.fill = fill;
    fake.arch.stacks[0].max_positions = 24;
    static const char body[] = "{\"inputs\":\"the the the the the the the the the the the the the "
                               "the the the the the the the\",\"parameters\":{\"candidate_labels\":"
                               "[\"a\",\"b\"]}}";
    struct buf out;
    struct error err;
    buf_init(&out, LIMIT_RESPONSE);
    assert_int_equal(fake_run(&fake, "zero-shot-classification", body, &out, &err), STATUS_OK);
    assert_true(fake.facts.truncated_tokens > 0);
    assert_non_null(strstr(out.data, "\"warnings\":[\""));
    assert_int_equal(fake.n_first, 24);
    buf_deinit(&out);
    fake.arch.stacks[0].max_positions = 6;
    fake_check(&fake, "zero-shot-classification",
               &(struct fake_row){ASK("\"candidate_labels\":[\"a a a a a a a a\"]"), NULL,
                                  "candidate_labels[0]: "});
    fake_deinit(&fake);
}

/* A long template times many labels is refused before it is written out. */
static void hypotheses_are_bounded_together(void **state) {
    struct fake fake;
    struct buf body;
    fake_init(&fake, FOLDER, HEAD_SEQUENCE, 3, NLI);
    fake.fill = fill;
    buf_init(&body, LIMIT_BODY);
    buf_puts(&body, "{\"inputs\":\"the\",\"parameters\":{\"candidate_labels\":[\"a\"");
    for (uint32_t i = 1; i < LIMIT_CANDIDATE_LABELS; i++) {
        buf_puts(&body, ",\"a\"");
    }
    buf_puts(&body, "],\"hypothesis_template\":\"{}");
    for (size_t i = 0; i < LIMIT_JOB_TEXT / LIMIT_CANDIDATE_LABELS; i++) {
        buf_putc(&body, ' ');
    }
    buf_puts(&body, "\"}}");
    assert_false(body.overflow);
    fake_check(&fake, "zero-shot-classification",
               &(struct fake_row){body.data, NULL, "hypothesis_template makes more than"});
    buf_deinit(&body);
    fake_deinit(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_answered),
        cmocka_unit_test(entailment_is_found),
        cmocka_unit_test(long_texts_are_cut_before_the_label),
        cmocka_unit_test(hypotheses_are_bounded_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
