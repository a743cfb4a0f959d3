/* Question answering: input forms, spans and their limits, whole words, equal answers added up,
 * impossible answers, windows. Logits are made up so that the scores are known. */
#include "unit/tasks/fake.h"

#define FOLDER "tests/golden/bert/question-answering"

/* Tokens whose id is in `starts` or `ends` get 10 there, others 0. */
static const char *starts, *ends;

static void fill(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                 float *out, size_t n) {
    const char *token = tokenizer_token(fake->tokenizer, item->tokens[row]);
    out[0] = strcmp(token, starts) == 0 ? 10 : 0;
    out[1] = strcmp(token, ends) == 0 ? 10 : 0;
}

struct row {
    const char *starts, *ends;
    struct fake_row row;
};

#define ASK(q, c, p)                                                                               \
    "{\"inputs\":{\"question\":\"" q "\",\"context\":\"" c "\"},\"parameters\":{" p "}}"

static const struct row errors[] = {
    {"", "", {ASK("", "a", ""), NULL, "`question` cannot be empty"}},
    {"", "", {ASK("a", "", ""), NULL, "`context` cannot be empty"}},
    {"", "", {"{\"inputs\":{\"question\":\"a\"}}", NULL, "inputs has no \"context\""}},
    {"",
     "",
     {"{\"inputs\":{\"question\":\"a\",\"context\":null}}", NULL, "inputs has no \"context\""}},
    {"",
     "",
     {"{\"inputs\":{\"question\":1,\"context\":\"a\"}}", NULL, "question is 1 (number), must be"}},
    {"", "", {"\"text\"", NULL, "inputs has no \"question\""}},
    {"", "", {ASK("a", "a", "\"top_k\":0"), NULL, "top_k is 0, must be at least 1"}},
    {"",
     "",
     {ASK("a", "a", "\"max_answer_len\":0"), NULL, "max_answer_len is 0, must be at least 1"}},
    {"",
     "",
     {ASK("a", "a", "\"max_seq_len\":20,\"doc_stride\":21"), NULL,
      "`doc_stride` (21) is larger than `max_seq_len` (20)"}},
};

static const struct json *run(struct fake *fake, const char *body) {
    struct buf out;
    struct error err;
    buf_init(&out, LIMIT_RESPONSE);
    if (fake_run(fake, "question-answering", body, &out, &err) != STATUS_OK) {
        fail_msg("%s: %s", body, err.text);
    }
    const struct json *answer = fake_json(fake, out.data);
    buf_deinit(&out);
    return answer;
}

static void assert_answer(const struct json *answer, const char *text, int64_t start, int64_t end) {
    assert_string_equal(json_get_string(answer, "answer", ""), text);
    assert_int_equal(json_get_int(answer, "start", -1), start);
    assert_int_equal(json_get_int(answer, "end", -1), end);
}

static void set_up(struct fake *fake) {
    fake_init(fake, FOLDER, HEAD_SPAN, 2, "{}");
    fake->fill = fill;
}

static void bad_inputs_are_named(void **state) {
    struct fake fake;
    set_up(&fake);
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        starts = errors[i].starts;
        ends = errors[i].ends;
        fake_check(&fake, "question-answering", &errors[i].row);
    }
    fake_deinit(&fake);
}

static void spans_begin_and_end_where_the_scores_say(void **state) {
    struct fake fake;
    set_up(&fake);
    starts = "light";
    ends = "the";
    assert_answer(run(&fake, ASK("a", "a light in the a", "")), "light in the", 2, 14);
    assert_answer(run(&fake, "{\"question\":\"a\",\"context\":\"a light in the a\"}"),
                  "light in the", 2, 14);
    /* The question's own tokens never answer. */
    assert_answer(run(&fake, ASK("light the", "a light in the a", "")), "light in the", 2, 14);
    /* Not longer than max_answer_len: the best two tokens instead. */
    const struct json *shorter = run(&fake, ASK("a", "a light in the a", "\"max_answer_len\":2"));
    assert_true(json_get_int(shorter, "end", 0) - json_get_int(shorter, "start", 0) < 9);
    /* A list of inputs is a list of answers; top_k is a list, best first. */
    const struct json *list = run(&fake, "[{\"question\":\"a\",\"context\":\"a light in the a\"}]");
    assert_int_equal(list->type, JSON_ARRAY);
    assert_answer(json_at(list, 0), "light in the", 2, 14);
    const struct json *three = run(&fake, ASK("a", "a light in the a", "\"topk\":3"));
    assert_int_equal(three->len, 3);
    for (uint32_t i = 1; i < 3; i++) {
        assert_true(json_get_number(json_at(three, i - 1), "score", 0) >=
                    json_get_number(json_at(three, i), "score", 0));
    }
    fake_deinit(&fake);
}

static void answers_are_whole_words(void **state) {
    struct fake fake;
    set_up(&fake);
    starts = ends = "##ing"; /* lighting: light ##ing */
    assert_answer(run(&fake, ASK("a", "a lighting a", "")), "lighting", 2, 10);
    assert_answer(run(&fake, ASK("a", "a lighting a", "\"align_to_words\":false")), "ing", 7, 10);
    fake_deinit(&fake);
}

static void equal_answers_are_added_up(void **state) {
    struct fake fake;
    set_up(&fake);
    starts = ends = "light";
    const struct json *one = run(&fake, ASK("a", "a light", ""));
    const struct json *two = run(&fake, ASK("a", "a light LIGHT", ""));
    assert_answer(two, "light", 2, 7);
    /* Each is half as probable at the start and at the end: a quarter, twice. */
    assert_true(fabs(json_get_number(two, "score", 0) * 2 - json_get_number(one, "score", 0)) <
                1e-2);
    fake_deinit(&fake);
}

static void impossible_answers_are_empty(void **state) {
    struct fake fake;
    set_up(&fake);
    starts = ends = "[CLS]";
    const struct json *none = run(&fake, ASK("a", "a light", "\"handle_impossible_answer\":true"));
    assert_answer(none, "", 0, 0);
    assert_true(json_get_number(none, "score", 0) > 0.9);
    assert_string_not_equal(json_get_string(run(&fake, ASK("a", "a light", "")), "answer", ""), "");
    fake_deinit(&fake);
}

static void long_contexts_are_read_in_windows(void **state) {
    struct fake fake;
    set_up(&fake);
    starts = ends = "light";
    const struct json *far =
        run(&fake, ASK("a", "the the the the the the the the the the the the the the the the light",
                       "\"max_seq_len\":10,\"doc_stride\":2"));
    assert_answer(far, "light", 64, 69);
    assert_int_equal(fake.facts.truncated_tokens, 0);
    assert_true(fake.facts.tokens > 25);
    fake_deinit(&fake);
}

/* More spans than are wanted: the best ones, those that come first where they are equal. */
static void many_answers_are_ordered(void **state) {
    struct fake fake;
    set_up(&fake);
    starts = "light";
    ends = "the";
    const struct json *got = run(&fake, ASK("a", "the light a a a a a a the a a light a a the",
                                            "\"top_k\":4,\"align_to_words\":false"));
    static const struct {
        const char *text;
        int64_t start, end;
    } want[] = {{"light a a a a a a the", 4, 25},
                {"light a a a a a a the a a light a a the", 4, 43},
                {"light a a the", 30, 43}};
    assert_int_equal(got->len, 4);
    for (uint32_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_answer(json_at(got, i), want[i].text, want[i].start, want[i].end);
    }
    fake_deinit(&fake);
}

/* Windows times top_k: refused before the model runs. */
static void very_many_answers_are_refused(void **state) {
    struct fake fake;
    struct buf body;
    set_up(&fake);
    starts = ends = "light";
    buf_init(&body, LIMIT_BODY);
    buf_puts(&body, "{\"inputs\":{\"question\":\"a\",\"context\":\"");
    for (size_t i = 0; i < 20000; i++) {
        buf_puts(&body, "the ");
    }
    buf_puts(&body, "\"},\"parameters\":{\"top_k\":10000,\"max_answer_len\":1000}}");
    fake_check(&fake, "question-answering",
               &(struct fake_row){body.data, NULL, "top_k is 10000 in so many windows"});
    assert_false(fake.asked);
    buf_deinit(&body);
    fake_deinit(&fake);
}

static size_t question_length;

/* Types are 1 behind the question, and all tokens before are as good an answer. */
static void check_types(const struct fake *fake, const struct item *item, uint32_t index,
                        uint32_t row, float *out, size_t n) {
    if (fake->arch.stacks[0].token_types < 2 || fake->arch.question_end < 0) {
        assert_null(item->types);
    } else {
        assert_int_equal(item->types[row], row >= question_length);
    }
    out[0] = out[1] = row == 1 ? 20 : 10;
}

/* The first token after [CLS] that ends a question, in a tokenizer that gives no types. */
static void a_model_may_look_for_the_end_of_the_question(void **state) {
    static const struct {
        const char *end; /* NULL: the model does not look */
        size_t length;
        uint32_t token_types;
    } rows[] = {{NULL, 0, 2}, {"[SEP]", 4, 2}, {"[SEP]", 4, 1}, {"[MASK]", 1, 2}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fake fake;
        fake_init(&fake, "tests/golden/tokenizer/class-big-bird", HEAD_SPAN, 2, "{}");
        fake.fill = check_types;
        fake.arch.stacks[0].token_types = rows[i].token_types;
        if (rows[i].end) {
            fake.arch.question_end =
                tokenizer_find(fake.tokenizer, rows[i].end, strlen(rows[i].end));
            assert_true(fake.arch.question_end >= 0);
        }
        question_length = rows[i].length;
        /* [CLS] [CLS] fox [SEP] …: the second, which the pipeline does not mask, is likeliest. */
        const struct json *answer = run(&fake, ASK("[CLS]fox[SEP]", "the fox", ""));
        const bool masked = rows[i].length > 1;
        assert_true((json_get_number(answer, "score", 0) < 0.3) == masked);
        fake_deinit(&fake);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_inputs_are_named),
        cmocka_unit_test(spans_begin_and_end_where_the_scores_say),
        cmocka_unit_test(answers_are_whole_words),
        cmocka_unit_test(equal_answers_are_added_up),
        cmocka_unit_test(impossible_answers_are_empty),
        cmocka_unit_test(long_contexts_are_read_in_windows),
        cmocka_unit_test(many_answers_are_ordered),
        cmocka_unit_test(a_model_may_look_for_the_end_of_the_question),
        cmocka_unit_test(very_many_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
