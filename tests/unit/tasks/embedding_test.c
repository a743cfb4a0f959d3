/* Feature extraction and sentence similarity: nesting, pooling modes, dense layers, normalisation,
 * prompts, dimensions, base64. Hidden states are made up: token i of item t is {t + 1, i, -i, 1}.
 */
#include "unit/tasks/fake.h"
#include "tasks/embedding.h"

#define FOLDER "tests/golden/bert/feature-extraction"

static void fill(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                 float *out, size_t n) {
    out[0] = (float)(index + 1);
    out[1] = (float)row;
    out[2] = -(float)row;
    out[3] = 1;
}

static const struct fake_row plain[] = {
    {"\"light\"", "[[1,0,0,1],[1,1,-1,1],[1,2,-2,1]]", NULL},
    {"[\"light\",\"\"]", "[[[1,0,0,1],[1,1,-1,1],[1,2,-2,1]],[[2,0,0,1],[2,1,-1,1]]]", NULL},
    {"{\"inputs\":\"light\",\"dimensions\":2}", "[[1,0],[1,1],[1,2]]", NULL},
    {"{\"inputs\":\"\",\"parameters\":{\"normalize\":true}}",
     "[[0.7071068,0,0,0.7071068],[0.5,0.5,-0.5,0.5]]", NULL},
    {"{\"inputs\":\"\",\"normalize\":true,\"dimensions\":1}", "[[1],[1]]", NULL},
    {"{\"inputs\":\"\",\"encoding_format\":\"base64\",\"dimensions\":1}",
     "[\"AACAPw==\",\"AACAPw==\"]", NULL},
    {"{\"inputs\":\"\",\"dimensions\":5}", NULL, "dimensions is 5, must be at most 4"},
    {"{\"inputs\":\"\",\"encoding_format\":\"hex\"}", NULL, "must be one of: float base64"},
    {"{\"inputs\":\"\",\"prompt_name\":\"query\"}", NULL, "but the model has no prompts"},
};

static void plain_models_give_a_vector_a_token(void **state) {
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_NONE, 0, "{}");
    fake.fill = fill;
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        fake_check(&fake, "feature-extraction", &plain[i]);
    }
    fake_deinit(&fake);
}

/* Where a long text is cut: the first item's second token is another. */
static void long_texts_are_cut_left_or_right(void **state) {
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_NONE, 0, "{}");
    fake.fill = fill;
    fake.arch.stacks[0].max_positions = 4;
    const int32_t light = tokenizer_find(fake.tokenizer, "light", 5);
    static const struct {
        const char *direction;
        bool light_first;
    } rows[] = {{"right", true}, {"Right", true}, {"left", false}, {"Left", false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *body =
            arena_printf(&fake.arena,
                         "{\"inputs\":\"light the the\",\"truncation_direction\":\"%s\","
                         "\"truncate\":true}",
                         rows[i].direction);
        fake_check(&fake, "feature-extraction", &(struct fake_row){body, NULL, NULL});
        assert_int_equal(fake.n_first, 4);
        assert_int_equal(fake.first[1] == light, rows[i].light_first);
        assert_int_equal(fake.facts.truncated_tokens, 1);
    }
    fake_check(&fake, "feature-extraction",
               &(struct fake_row){"{\"inputs\":\"light the the\",\"truncate\":false}", NULL,
                                  "the input has 5 tokens and the model takes 4"});
    fake_deinit(&fake);
}

struct pooling {
    struct sentence_modules modules;
    const char *answer; /* of "light": rows {1,0,0,1} {1,1,-1,1} {1,2,-2,1} */
};

static const float halves[2 * 4] = {0.5f, 0.5f, 0, 0, 0, 0, 1, 1};
static const float bias[2] = {-3, 0};

static const struct pooling poolings[] = {
    {{.present = true, .pool_cls = true}, "[1,0,0,1]"},
    {{.present = true, .pool_mean = true}, "[1,1,-1,1]"},
    {{.present = true, .pool_max = true}, "[1,2,0,1]"},
    {{.present = true, .pool_last = true}, "[1,2,-2,1]"},
    {{.present = true, .pool_mean_sqrt_len = true}, "[1.7320508,1.7320508,-1.7320508,1.7320508]"},
    {{.present = true, .pool_weighted_mean = true}, "[1,1.3333333,-1.3333333,1]"},
    {{.present = true, .pool_cls = true, .pool_max = true, .pool_mean = true},
     "[1,0,0,1,1,2,0,1,1,1,-1,1]"},
    {{.present = true, .pool_last = true, .pool_mean_sqrt_len = true},
     "[1.7320508,1.7320508,-1.7320508,1.7320508,1,2,-2,1]"},
    {{.present = true, .pool_mean = true, .normalize = true}, "[0.5,0.5,-0.5,0.5]"},
    {{.present = true,
      .pool_cls = true,
      .n_dense = 1,
      .dense = {{4, 2, halves, NULL, ACTIVATION_NONE}}},
     "[0.5,1]"},
    {{.present = true,
      .pool_last = true,
      .n_dense = 1,
      .dense = {{4, 2, halves, bias, ACTIVATION_RELU}}},
     "[0,0]"},
    {{.present = true,
      .pool_last = true,
      .n_dense = 1,
      .dense = {{4, 2, halves, bias, ACTIVATION_TANH}}},
     "[-0.9051483,-0.7615942]"},
};

static void sentence_folders_give_a_vector_a_text(void **state) {
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_NONE, 0, "{}");
    fake.fill = fill;
    for (size_t i = 0; i < ARRAY_LEN(poolings); i++) {
        fake.model.sentence = poolings[i].modules;
        fake_check(&fake, "feature-extraction",
                   &(struct fake_row){"\"light\"", poolings[i].answer, NULL});
        const char *list = arena_printf(&fake.arena, "[%s]", poolings[i].answer);
        fake_check(&fake, "feature-extraction", &(struct fake_row){"[\"light\"]", list, NULL});
    }
    fake.model.sentence =
        (struct sentence_modules){.present = true,
                                  .pool_cls = true,
                                  .n_dense = 1,
                                  .dense = {{3, 2, halves, NULL, ACTIVATION_NONE}}};
    fake_check(&fake, "feature-extraction",
               &(struct fake_row){"\"a\"", NULL, "dense layer 0 takes 3 numbers, but gets 4"});
    fake.model.sentence =
        (struct sentence_modules){.present = true, .pool_mean = true, .max_seq_length = 3};
    fake_check(&fake, "feature-extraction",
               &(struct fake_row){"\"light light light\"", "[1,1,-1,1]", NULL});
    assert_int_equal(fake.facts.truncated_tokens, 2);
    fake_deinit(&fake);
}

static void prompts_stand_in_front(void **state) {
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_NONE, 0, "{}");
    fake.fill = fill;
    fake.model.sentence = (struct sentence_modules){
        .present = true,
        .pool_last = true,
        .prompts = fake_json(&fake, "{\"query\":\"light light \",\"none\":\"\"}")};
    static const struct {
        const char *name, *preset;
        uint32_t tokens; /* of "light" */
    } rows[] = {{"query", NULL, 5},
                {"none", NULL, 3},
                {NULL, NULL, 3},
                {NULL, "query", 5},
                {"none", "query", 3}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fake.model.sentence.default_prompt = rows[i].preset;
        const char *body =
            rows[i].name
                ? arena_printf(&fake.arena, "{\"inputs\":\"light\",\"prompt_name\":\"%s\"}",
                               rows[i].name)
                : "\"light\"";
        fake_check(&fake, "feature-extraction", &(struct fake_row){body, NULL, NULL});
        assert_int_equal(fake.n_first, rows[i].tokens);
    }
    fake_check(&fake, "feature-extraction",
               &(struct fake_row){"{\"inputs\":\"a\",\"prompt_name\":\"passage\"}", NULL,
                                  "prompt_name is \"passage\", but the model has only the prompts "
                                  "query, none"});
    fake_deinit(&fake);
}

/* "include_prompt": false: the prompt's tokens, with the one in front of them, are not pooled. The
 * text is [CLS] light light the [SEP]: rows 0 to 4 are {1, i, -i, 1}. */
static void prompts_may_be_left_out_of_the_vector(void **state) {
    static const struct pooling rows[] = {
        {{.pool_mean = true}, "[1,3.5,-3.5,1]"},
        {{.pool_cls = true}, "[1,3,-3,1]"},
        {{.pool_max = true}, "[1,4,-3,1]"},
        {{.pool_last = true}, "[1,4,-4,1]"},
        {{.pool_weighted_mean = true}, "[1,3.5555556,-3.5555556,1]"}, /* (4 * 3 + 5 * 4) / 9 */
    };
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_NONE, 0, "{}");
    fake.fill = fill;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fake.model.sentence = rows[i].modules;
        fake.model.sentence.present = fake.model.sentence.exclude_prompt = true;
        fake.model.sentence.prompts = fake_json(&fake, "{\"query\":\"light light \"}");
        fake_check(&fake, "feature-extraction",
                   &(struct fake_row){"{\"inputs\":\"the\",\"prompt_name\":\"query\"}",
                                      rows[i].answer, NULL});
    }
    fake.model.sentence.max_seq_length = 2; /* nothing but the prompt is left: [CLS] [SEP] */
    fake_check(
        &fake, "feature-extraction",
        &(struct fake_row){"{\"inputs\":\"the\",\"prompt_name\":\"query\"}", "[1,1,-1,1]", NULL});
    fake_deinit(&fake);
}

/* "do_lower_case": this tokenizer keeps capitals, so LIGHT is other tokens than light. */
static void texts_may_be_lowered(void **state) {
    struct fake fake;
    fake_init(&fake, "tests/golden/bert/cased", HEAD_NONE, 0, "{}");
    fake.fill = fill;
    fake.model.sentence = (struct sentence_modules){.present = true, .pool_mean = true};
    int32_t lower[64], upper[64];
    for (int lowers = 0; lowers < 2; lowers++) {
        fake.model.sentence.lower_case = lowers;
        fake_check(&fake, "feature-extraction", &(struct fake_row){"\"light\"", NULL, NULL});
        memcpy(lower, fake.first, sizeof(lower));
        fake_check(&fake, "feature-extraction", &(struct fake_row){"\"LIGHT\"", NULL, NULL});
        memcpy(upper, fake.first, sizeof(upper));
        assert_int_equal(memcmp(lower, upper, 3 * sizeof(lower[0])) == 0, lowers);
    }
    fake_deinit(&fake);
}

/* By the mean: "light" is {1, 1, -1, 1}; item 1 is {2, m, -m, 1}. */
static const struct fake_row similar[] = {
    {"{\"inputs\":{\"source_sentence\":\"light\",\"sentences\":[\"light\"]}}", "[0.9449112]", NULL},
    {"{\"source_sentence\":\"light\",\"sentences\":[\"light\",\"\"]}", "[0.9449112,0.7715167]",
     NULL},
    {"{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[]}}", NULL,
     "inputs.sentences is empty"},
    {"{\"inputs\":{\"source_sentence\":\"a\"}}", NULL, "inputs must be {\"source_sentence\""},
    {"{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":\"b\"}}", NULL, "inputs must be"},
    {"{\"inputs\":{\"source_sentence\":1,\"sentences\":[\"b\"]}}", NULL,
     "inputs.source_sentence is 1 (number), must be a string"},
    {"{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[\"b\",null]}}", NULL,
     "inputs.sentences is null (null), must be a string"},
    {"\"text\"", NULL, "inputs must be"},
};

static void similarity_is_the_cosine(void **state) {
    struct fake fake;
    fake_init(&fake, FOLDER, HEAD_NONE, 0, "{}");
    fake.fill = fill;
    for (size_t i = 0; i < ARRAY_LEN(similar); i++) {
        fake_check(&fake, "sentence-similarity", &similar[i]);
    }
    fake_deinit(&fake);
}

static void very_many_sentences_are_refused(void **state) {
    struct fake fake;
    struct buf body;
    fake_init(&fake, FOLDER, HEAD_NONE, 0, "{}");
    fake.fill = fill;
    buf_init(&body, LIMIT_BODY);
    buf_putc(&body, '[');
    for (int i = 0; i < LIMIT_JOB_ITEMS / LIMIT_INPUTS; i++) {
        buf_puts(&body, i ? "," : "");
        buf_puts(&body, "{\"source_sentence\":\"\",\"sentences\":[\"\"");
        for (int j = 1; j < LIMIT_INPUTS; j++) {
            buf_puts(&body, ",\"\"");
        }
        buf_puts(&body, "]}");
    }
    buf_putc(&body, ']');
    fake_check(&fake, "sentence-similarity",
               &(struct fake_row){body.data, NULL, "needs more than 16384 runs of the model"});
    buf_deinit(&body);
    fake_deinit(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_models_give_a_vector_a_token),
        cmocka_unit_test(long_texts_are_cut_left_or_right),
        cmocka_unit_test(sentence_folders_give_a_vector_a_text),
        cmocka_unit_test(prompts_stand_in_front),
        cmocka_unit_test(prompts_may_be_left_out_of_the_vector),
        cmocka_unit_test(texts_may_be_lowered),
        cmocka_unit_test(very_many_sentences_are_refused),
        cmocka_unit_test(similarity_is_the_cosine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
