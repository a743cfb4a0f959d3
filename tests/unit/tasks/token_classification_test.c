/* Token classification: each strategy on one made-up tagging, groups and what splits them, ignored
 * labels, windows. Words are the goldens' tokenizer's: "light", "apital" is "a ##pital" and so on.
 */
#include "unit/tasks/fake.h"

#define FOLDER "tests/golden/bert/token-classification"

static const char *const labels[] = {"O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC"};

/* Labels of the tokens behind [CLS], one digit each; the winner's logit is 2 (or 3 for those
 * written as letters a, b, ... for 0, 1, ...). */
static const char *tags;

static void fill(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                 float *out, size_t n) {
    const size_t at = row - 1;
    for (size_t i = 0; i < n; i++) {
        out[i] = 0;
    }
    if (row > 0 && at < strlen(tags)) {
        const bool strong = tags[at] >= 'a';
        out[tags[at] - (strong ? 'a' : '0')] = strong ? 3 : 2;
    }
}

struct row {
    const char *tags;
    struct fake_row row;
};

/* exp(2) / (exp(2) + 5) and exp(3) / (exp(3) + 5) */
#define P2 "0.5964180"
#define P3 "0.8006820"
#define G(group, score, word, start, end)                                                          \
    "{\"entity_group\":\"" group "\",\"score\":" score ",\"word\":\"" word "\",\"start\":" start   \
    ",\"end\":" end "}"
#define T(entity, score, index, word, start, end)                                                  \
    "{\"entity\":\"" entity "\",\"score\":" score ",\"index\":" index ",\"word\":\"" word          \
    "\",\"start\":" start ",\"end\":" end "}"
#define ASK(text, p) "{\"inputs\":\"" text "\",\"parameters\":{" p "}}"

static const struct row rows[] = {
    {"12000", {ASK("light light light", ""), "[" G("PER", P2, "light light", "0", "11") "]", NULL}},
    {"1120",
     {ASK("light light light", ""),
      "[" G("PER", P2, "light", "0", "5") "," G("PER", P2, "light light", "6", "17") "]", NULL}},
    {"140",
     {ASK("light light light", ""),
      "[" G("PER", P2, "light", "0", "5") "," G("LOC", P2, "light", "6", "11") "]", NULL}},
    {"55", {ASK("light light light", ""), "[" G("MISC", P2, "light light", "0", "11") "]", NULL}},
    {"022", {ASK("light light light", ""), "[" G("PER", P2, "light light", "6", "17") "]", NULL}},
    {"202",
     {ASK("light light light", ""),
      "[" G("PER", P2, "light", "0", "5") "," G("PER", P2, "light", "12", "17") "]", NULL}},
    {"2c", {ASK("light light", ""), "[" G("PER", "0.6985500", "light light", "0", "11") "]", NULL}},
    {"12",
     {ASK("light light", "\"aggregation_strategy\":\"none\""),
      "[" T("B-PER", P2, "1", "light", "0", "5") "," T("I-PER", P2, "2", "light", "6", "11") "]",
      NULL}},
    {"10",
     {ASK("light light", "\"aggregation_strategy\":\"none\",\"ignore_labels\":[\"B-PER\"]"),
      "[" T("O", P2, "2", "light", "6", "11") "]", NULL}},
    {"10",
     {ASK("light light", "\"ignore_labels\":[]"),
      "[" G("PER", P2, "light", "0", "5") "," G("O", P2, "light", "6", "11") "]", NULL}},
    {"10",
     {ASK("light light", "\"ignore_labels\":\"PER\""), "[" G("O", P2, "light", "6", "11") "]",
      NULL}},
    {"10",
     {ASK("light light", "\"grouped_entities\":false"),
      "[" T("B-PER", P2, "1", "light", "0", "5") "]", NULL}},
    {"10",
     {ASK("light light", "\"grouped_entities\":true"), "[" G("PER", P2, "light", "0", "5") "]",
      NULL}},
    {"00", {ASK("light light", ""), "[]", NULL}},
    {"", {ASK("", ""), "[]", NULL}},
    /* lighting: light ##ing. Simple gives two tokens, the others one word. */
    {"1d",
     {ASK("lighting", ""),
      "[" G("PER", P2, "light", "0", "5") "," G("LOC", P3, "##ing", "5", "8") "]", NULL}},
    {"1d",
     {ASK("lighting", "\"aggregation_strategy\":\"first\""),
      "[" G("PER", P2, "lighting", "0", "8") "]", NULL}},
    {"1d",
     {ASK("lighting", "\"aggregation_strategy\":\"max\""),
      "[" G("LOC", P3, "lighting", "0", "8") "]", NULL}},
    {"1d",
     {ASK("lighting", "\"aggregation_strategy\":\"average\""),
      "[" G("LOC", "0.4406992", "lighting", "0", "8") "]", NULL}},
    {"1d",
     {ASK("lighting", "\"grouped_entities\":true,\"ignore_subwords\":true"),
      "[" G("PER", P2, "lighting", "0", "8") "]", NULL}},
    {"",
     {ASK("a", "\"stride\":64"), NULL, "stride is 64, must be less than the model's limit of 64"}},
    {"",
     {ASK("a", "\"stride\":4,\"aggregation_strategy\":\"none\""), NULL,
      "aggregation_strategy other than none"}},
    {"",
     {ASK("a", "\"aggregation_strategy\":\"best\""), NULL,
      "must be one of: none simple first average max"}},
};

static void every_row_is_answered(void **state) {
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_TOKEN, 6, "{}");
    fake.model.labels = labels;
    fake.fill = fill;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tags = rows[i].tags;
        fake_check(&fake, "token-classification", &rows[i].row);
    }
    fake_deinit(&fake);
}

/* Windows of 8 tokens (6 of the text) that overlap by 2; every token is a LOC of its own. */
static void fill_all(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                     float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = i == 3 ? (float)(index + 2) : 0;
    }
}

static void windows_overlap_and_are_settled(void **state) {
    struct fake fake;
    struct buf out;
    struct error err;
    buf_init(&out, LIMIT_RESPONSE);
    fake_init(&fake, FOLDER, HEAD_TOKEN, 6, "{}");
    fake.model.labels = labels;
    fake.fill = fill_all;
    fake.arch.stacks[0].max_positions = 8;
    static const char text[] = "light light light light light light light light light light";
    const char *body =
        arena_printf(&fake.arena, "{\"inputs\":\"%s\",\"parameters\":{\"stride\":2}}", text);
    assert_int_equal(fake_run(&fake, "ner", body, &out, &err), STATUS_OK);
    assert_int_equal(fake.facts.truncated_tokens, 0);
    const struct json *entities = fake_json(&fake, out.data);
    assert_int_equal(entities->len, 10); /* each word once */
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(json_get_int(json_at(entities, i), "start", -1), i * 6);
    }
    /* Words of both windows have the second one's score, which is higher. */
    assert_true(json_get_number(json_at(entities, 5), "score", 0) >
                json_get_number(json_at(entities, 1), "score", 1));
    buf_reset(&out);
    body = arena_printf(&fake.arena, "{\"inputs\":\"%s\"}", text);
    assert_int_equal(fake_run(&fake, "ner", body, &out, &err), STATUS_OK);
    assert_int_equal(fake.facts.truncated_tokens, 4);
    assert_int_equal(fake_json(&fake, out.data)->len, 6);
    buf_deinit(&out);
    fake_deinit(&fake);
}

/* Windows that start one token after the other: what is found of a word in all of them is one. */
static void windows_may_overlap_nearly_whole(void **state) {
    struct fake fake;
    struct buf out, body;
    struct error err;
    enum { WORDS = 300 };
    buf_init(&out, LIMIT_RESPONSE);
    buf_init(&body, LIMIT_BODY);
    fake_init(&fake, FOLDER, HEAD_TOKEN, 6, "{}");
    fake.model.labels = labels;
    fake.fill = fill_all;
    buf_puts(&body, "{\"inputs\":\"");
    for (int i = 0; i < WORDS; i++) {
        buf_puts(&body, "light ");
    }
    buf_puts(&body, "\",\"parameters\":{\"stride\":61}}"); /* of 62 tokens of text */
    assert_int_equal(fake_run(&fake, "ner", body.data, &out, &err), STATUS_OK);
    const struct json *entities = fake_json(&fake, out.data);
    assert_int_equal(entities->len, WORDS);
    for (uint32_t i = 0; i < WORDS; i++) {
        assert_int_equal(json_get_int(json_at(entities, i), "start", -1), i * 6);
    }
    buf_deinit(&out);
    buf_deinit(&body);
    fake_deinit(&fake);
}

/* `words` words, of five tokens here, in windows that start one token after the other. */
static void check_bound(uint32_t window, uint32_t words, const char *error) {
    struct fake fake;
    struct buf body;
    buf_init(&body, LIMIT_BODY);
    fake_init(&fake, "tests/golden/tokenizer/legacy-bert", HEAD_TOKEN, 6, "{}"); /* no limit */
    fake.model.labels = labels;
    fake.fill = fill_all;
    fake.arch.stacks[0].max_positions = window;
    buf_puts(&body, "{\"inputs\":\"");
    for (uint32_t i = 0; i < words; i++) {
        buf_puts(&body, "light ");
    }
    buf_printf(&body, "\",\"parameters\":{\"stride\":%u}}", window - 3);
    fake_check(&fake, "token-classification", &(struct fake_row){body.data, NULL, error});
    assert_false(fake.asked);
    buf_deinit(&body);
    fake_deinit(&fake);
}

static void windows_are_bounded_together(void **state) {
    check_bound(64, 5000, "needs more than 16384 runs of the model");
    check_bound(1024, 2500, "the model read more than 8388608 tokens");
}

static void very_many_ignored_labels_are_refused(void **state) {
    struct fake fake;
    struct buf body;
    buf_init(&body, LIMIT_BODY);
    fake_init(&fake, FOLDER, HEAD_TOKEN, 6, "{}");
    fake.model.labels = labels;
    fake.fill = fill_all;
    buf_puts(&body, "{\"inputs\":\"light\",\"parameters\":{\"ignore_labels\":[\"\"");
    for (int i = 0; i < LIMIT_IGNORED_LABELS; i++) {
        buf_puts(&body, ",\"\"");
    }
    buf_puts(&body, "]}}");
    fake_check(&fake, "token-classification",
               &(struct fake_row){body.data, NULL, "ignore_labels has 1025 elements"});
    buf_deinit(&body);
    fake_deinit(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_answered),
        cmocka_unit_test(windows_overlap_and_are_settled),
        cmocka_unit_test(windows_may_overlap_nearly_whole),
        cmocka_unit_test(windows_are_bounded_together),
        cmocka_unit_test(very_many_ignored_labels_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
