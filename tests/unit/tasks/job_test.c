/* Bodies in every form that clients send, with what they are taken for; limits; what a job knows of
 * itself. Shown with text classification, whose outputs here depend on the number of tokens. */
#include "unit/tasks/fake.h"

#define FOLDER "tests/golden/bert/text-classification"

/* Class 0 wins by the item's number of tokens. */
static void fill(const struct fake *fake, const struct item *item, uint32_t index, uint32_t row,
                 float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = i == 0 ? (float)item->n : (float)i;
    }
}

/* Scores without a function: the number of tokens ("rain" is one word here, and two specials). */
#define ONE  "[{\"label\":\"zero\",\"score\":%s}]"
#define NONE "\"function_to_apply\":\"none\",\"top_k\":1"

static const struct fake_row forms[] = {
    {"{\"inputs\":\"the\",\"parameters\":{" NONE "}}", "[[{\"label\":\"zero\",\"score\":3}]]",
     NULL},
    {"{\"inputs\":[\"the\",\"the the\"],\"parameters\":{" NONE "}}",
     "[[{\"label\":\"zero\",\"score\":3}],[{\"label\":\"zero\",\"score\":4}]]", NULL},
    {"{\"inputs\":[\"the\"],\"parameters\":{" NONE "}}", "[[{\"label\":\"zero\",\"score\":3}]]",
     NULL},
    {"{\"inputs\":[],\"parameters\":{}}", "[]", NULL},
    {"{\"inputs\":\"the\"," NONE "}", "[[{\"label\":\"zero\",\"score\":3}]]", NULL},
    {"{\"inputs\":\"the\",\"parameters\":null,\"options\":null," NONE ",\"model\":\"x\"}",
     "[[{\"label\":\"zero\",\"score\":3}]]", NULL},
    {"{\"inputs\":{\"text\":\"the\",\"text_pair\":\"the\"},\"parameters\":{" NONE "}}",
     "[[{\"label\":\"zero\",\"score\":5}]]", NULL},
    {"{\"text\":\"the\"," NONE "}", "[[{\"label\":\"zero\",\"score\":3}]]", NULL},
    {"{\"inputs\":\"the\",\"parameters\":{\"generate_kwargs\":{\"top_k\":1},"
     "\"function_to_apply\":\"none\",\"unknown\":[1,{}]}}",
     "[[{\"label\":\"zero\",\"score\":3}]]", NULL},
    {"\"the\"", NULL, NULL},
    {"[\"the\",\"the\"]", NULL, NULL},
    {"17", NULL, NULL},
    {"{\"inputs\":\"\",\"parameters\":{" NONE "}}", "[[{\"label\":\"zero\",\"score\":2}]]", NULL},

    {"{}", NULL, "\"inputs\" is missing"},
    {"{\"inputs\":null}", NULL, "\"inputs\" is missing"},
    {"{\"inputs\":5}", NULL, "inputs is 5 (number), must be a string"},
    {"{\"inputs\":{\"txt\":\"a\"}}", NULL, "inputs.text is missing, must be a string"},
    {"{\"inputs\":[\"a\",null]}", NULL, "inputs[1]: inputs is null (null), must be a string"},
    {"{\"inputs\":\"a\",\"parameters\":[1]}", NULL, "parameters is a list, must be an object"},
    {"{\"inputs\":\"a\",\"options\":\"x\"}", NULL, "options is a string, must be an object"},
    {"{\"inputs\":\"a\",\"parameters\":{\"tokenizer_kwargs\":3}}", NULL,
     "tokenizer_kwargs is a number, must be an object"},
    {"null", NULL, "must be a string"},
    {"true", NULL, "must be a string"},
};

static int set_up(void **state) {
    struct fake *fake = mem_zalloc(1, sizeof(*fake));
    fake_init(fake, FOLDER, HEAD_SEQUENCE, 3, "{}");
    fake->fill = fill;
    *state = fake;
    return 0;
}

static int tear_down(void **state) {
    fake_deinit(*state);
    mem_free(*state);
    return 0;
}

static void every_form_is_read(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        fake_check(*state, "text-classification", &forms[i]);
    }
}

static void facts_are_counted(void **state) {
    struct fake *fake = *state;
    struct error err;
    struct buf out;
    buf_init(&out, LIMIT_RESPONSE);
    assert_int_equal(fake_run(fake, "text-classification", "[\"the é 東\",\"the\"]", &out, &err),
                     STATUS_OK);
    assert_int_equal(fake->facts.characters, 7 + 3);
    assert_true(fake->facts.tokens >= 3 + 3);
    assert_int_equal(fake->facts.truncated_tokens, 0);
    assert_int_equal(fake->facts.generated_tokens, 0);
    assert_true(fake->facts.deterministic);
    buf_deinit(&out);
}

/* A body with `n` times "the " as its only input. */
static const char *long_body(struct fake *fake, uint32_t n, const char *parameters) {
    char *text = arena_alloc(&fake->arena, (size_t)n * 4 + 1);
    for (uint32_t i = 0; i < n; i++) {
        memcpy(text + (size_t)i * 4, "the ", 4);
    }
    text[n * 4] = 0;
    return arena_printf(&fake->arena, "{\"inputs\":\"%s\",\"parameters\":{%s}}", text, parameters);
}

static void long_inputs_are_cut_and_counted(void **state) {
    struct fake *fake = *state;
    fake->arch.stacks[0].max_positions = 20;
    fake_check(fake, "text-classification",
               &(struct fake_row){long_body(fake, 30, NONE),
                                  "[[{\"label\":\"zero\",\"score\":20}]]", NULL});
    assert_int_equal(fake->facts.truncated_tokens, 12);
    fake_check(fake, "text-classification",
               &(struct fake_row){long_body(fake, 30, NONE ",\"truncation\":true,\"max_length\":6"),
                                  "[[{\"label\":\"zero\",\"score\":6}]]", NULL});
    assert_int_equal(fake->facts.truncated_tokens, 26);
    fake_check(fake, "text-classification",
               &(struct fake_row){long_body(fake, 30, "\"truncation\":false"), NULL,
                                  "the input has 32 tokens and the model takes 20"});
    fake_check(
        fake, "text-classification",
        &(struct fake_row){long_body(fake, 18, "\"truncation\":false,\"max_length\":5," NONE),
                           "[[{\"label\":\"zero\",\"score\":20}]]", NULL});
    fake->arch.stacks[0].max_positions = 64;
}

static void too_many_inputs_are_refused(void **state) {
    struct fake *fake = *state;
    struct buf body;
    buf_init(&body, LIMIT_BODY);
    buf_putc(&body, '[');
    for (int i = 0; i <= LIMIT_INPUTS; i++) {
        buf_puts(&body, i ? ",\"a\"" : "\"a\"");
    }
    buf_putc(&body, ']');
    struct error err = {0};
    struct buf out;
    buf_init(&out, LIMIT_RESPONSE);
    assert_int_equal(fake_run(fake, "text-classification", body.data, &out, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_TOO_LARGE);
    buf_deinit(&out);
    buf_deinit(&body);
}

static void names_and_aliases_are_found(void **state) {
    static const struct {
        const char *name, *task;
    } rows[] = {
        {"text-classification", "text-classification"},
        {"sentiment-analysis", "text-classification"},
        {"ner", "token-classification"},
        {"translation", "translation"},
        {"translation_en_to_fr", "translation"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_string_equal(task_name(task_find(rows[i].name)), rows[i].task);
    }
    assert_null(task_find("translation_en"));
    assert_null(task_find("text_classification"));
    assert_null(task_find(""));
    assert_null(task_find(NULL));
    for (size_t i = 0; i < task_count(); i++) {
        assert_ptr_equal(task_find(task_name(task_at(i))), task_at(i));
    }
}

/* What a head cannot do is refused with what it can. */
static void models_say_what_they_can_do(void **state) {
    static const struct {
        enum head_kind kind;
        const char *can; /* task names with spaces around */
    } rows[] = {
        {HEAD_NONE, " feature-extraction sentence-similarity "},
        {HEAD_LM, " feature-extraction sentence-similarity fill-mask "},
        {HEAD_SEQUENCE,
         " feature-extraction sentence-similarity text-classification zero-shot-classification "},
        {HEAD_TOKEN, " feature-extraction sentence-similarity token-classification "},
        {HEAD_SPAN, " feature-extraction sentence-similarity question-answering "},
    };
    struct fake *fake = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fake->arch.head.kind = rows[i].kind;
        for (size_t t = 0; t < task_count(); t++) {
            struct error err = {0};
            char name[64];
            snprintf(name, sizeof(name), " %s ", task_name(task_at(t)));
            const bool wanted = strstr(rows[i].can, name) != NULL;
            const bool got = task_supports(task_at(t), &fake->model, &err) == STATUS_OK;
            if (got != wanted) {
                fail_msg("head %d, %s: %s", (int)rows[i].kind, name, err.text);
            }
            assert_true(got || (err.code == ERROR_INPUT && strstr(err.text, "org/fake")));
        }
    }
    fake->arch.head.kind = HEAD_SEQUENCE;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_read),
        cmocka_unit_test(facts_are_counted),
        cmocka_unit_test(long_inputs_are_cut_and_counted),
        cmocka_unit_test(too_many_inputs_are_refused),
        cmocka_unit_test(names_and_aliases_are_found),
        cmocka_unit_test(models_say_what_they_can_do),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
