/* Talks: the prompt that is made of the turns (with and without a template, for decoders and
 * encoder-decoders), what is cut, the answer's members, what is refused. The generation itself is
 * made up: it answers fixed ids. */
#include "unit/tasks/fake.h"

#define GPT2 "tests/golden/gpt2/text-generation"
#define BART "tests/golden/bart/summarization"

static const int32_t bcd[] = {34, 35, 36}; /* B, C and D of GPT2's vocabulary */

static void make_decoder(struct fake *fake, const char *config) {
    fake_init(fake, GPT2, HEAD_LM, 0, config);
    fake->arch.head.outputs = tokenizer_vocab_size(fake->tokenizer);
    fake->arch.stacks[0].flags |= STACK_CAUSAL;
    fake->generated = bcd;
    fake->n_generated = 3;
}

#define TALK "{\"text\":\"c\",\"past_user_inputs\":[\"a\"],\"generated_responses\":[\"b\"]}"
#define ANSWER(turns, answers, warnings)                                                           \
    "{\"generated_text\":\"BCD\",\"conversation\":{\"past_user_inputs\":[" turns                   \
    "],\"generated_responses\":[" answers "]},\"warnings\":[" warnings "]}"
#define PAD "\"Setting `pad_token_id` to `eos_token_id`:0 for open-end generation.\""
static const struct fake_row rows[] = {
    {"{\"inputs\":" TALK "}", ANSWER("\"a\",\"c\"", "\"b\",\"BCD\"", PAD), NULL},
    {TALK, ANSWER("\"a\",\"c\"", "\"b\",\"BCD\"", PAD), NULL},
    {"\"Hi.\"", ANSWER("\"Hi.\"", "\"BCD\"", PAD), NULL},
    {"{\"inputs\":{\"text\":\"c\",\"past_user_inputs\":[],\"generated_responses\":null}}",
     ANSWER("\"c\"", "\"BCD\"", PAD), NULL},
    {"{\"inputs\":[{\"text\":\"c\"},\"d\"]}",
     "[" ANSWER("\"c\"", "\"BCD\"", PAD) "," ANSWER("\"d\"", "\"BCD\"", PAD) "]", NULL},
    {"{\"inputs\":{\"text\":\"c\"},\"parameters\":{\"num_return_sequences\":2,\"do_sample\":true}}",
     ANSWER("\"c\"", "\"BCD\"", PAD), NULL},
    {"{\"inputs\":{\"text\":5}}", NULL, "inputs.text is 5 (number), must be a string"},
    {"{\"inputs\":{\"past_user_inputs\":[\"a\"]}}", NULL, "inputs.text is missing"},
    {"{\"inputs\":{\"text\":\"c\",\"past_user_inputs\":\"a\"}}", NULL,
     "inputs.past_user_inputs is \"a\" (string), must be a list of strings"},
    {"{\"inputs\":{\"text\":\"c\",\"past_user_inputs\":[\"a\"]}}", NULL,
     "past_user_inputs has 1 texts and generated_responses has 0"},
    {"{\"inputs\":{\"text\":\"c\",\"past_user_inputs\":[1],\"generated_responses\":[\"a\"]}}", NULL,
     "inputs.past_user_inputs is 1 (number)"},
    {"{\"inputs\":[{\"role\":\"user\",\"content\":\"hi\"}]}", NULL, "ask for text-generation"},
};

static void talks_are_answered(void **state) {
    struct fake fake;
    make_decoder(&fake, "{\"eos_token_id\":0}");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        fake_check(&fake, "conversational", &rows[i]);
    }
    fake_check(&fake, "conversational", &rows[0]);
    assert_int_equal(fake.config.max_new_tokens, 256);
    assert_false(fake.config.do_sample);
    fake_deinit(&fake);
}

/* Whether the prompt is these pieces; "\1" stands for the end token. */
static void check_prompt(const struct fake *fake, const char *const *pieces, size_t n) {
    const int32_t end = tokenizer_special(fake->tokenizer, TOKEN_EOS);
    struct arena arena = {0};
    struct error err;
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        struct encoding encoding = {.n = 1, .ids = (int32_t *)(uintptr_t)&end};
        const struct encode_options options = {.no_special_tokens = true};
        if (pieces[i][0] != '\1') {
            assert_int_equal(tokenizer_encode(fake->tokenizer, &encoding, &arena, pieces[i],
                                              strlen(pieces[i]), NULL, 0, &options, &err),
                             STATUS_OK);
        }
        for (size_t j = 0; j < encoding.n; j++, at++) {
            assert_true(at < fake->n_first);
            assert_int_equal(fake->first[at], encoding.ids[j]);
        }
    }
    assert_int_equal(at, fake->n_first);
    arena_deinit(&arena);
}

static void a_decoder_reads_an_end_behind_each_turn(void **state) {
    static const char *const pieces[] = {"a", "\1", "b", "\1", "c", "\1"};
    struct fake fake;
    make_decoder(&fake, "{\"eos_token_id\":0}");
    fake_check(&fake, "conversational", &rows[0]);
    check_prompt(&fake, pieces, ARRAY_LEN(pieces));
    fake_deinit(&fake);
}

static void an_encoder_reads_the_turns_in_a_line(void **state) {
    static const char *const pieces[] = {" a  b   c", "\1"};
    struct fake fake;
    make_decoder(&fake, "{\"pad_token_id\":1}");
    tokenizer_destroy(fake.tokenizer);
    struct error err;
    assert_int_equal(tokenizer_load(&fake.tokenizer, BART, &err), STATUS_OK);
    fake.model.tokenizer = fake.tokenizer;
    fake.arch.stacks[0].vocab_size = tokenizer_vocab_size(fake.tokenizer);
    fake_add_decoder(&fake);
    fake.arch.decoder_start = 2;
    fake_check(&fake, "conversational", &(struct fake_row){rows[0].body, NULL, NULL});
    check_prompt(&fake, pieces, ARRAY_LEN(pieces));
    fake_deinit(&fake);
}

static void a_template_makes_the_prompt(void **state) {
    static const char *const pieces[] = {"[a](b)[c]:"};
    struct fake fake;
    make_decoder(&fake, "{\"eos_token_id\":0}");
    const struct json *own = fake_json(
        &fake, "{\"chat_template\":\"{% for m in messages %}{{ '[' ~ m.content ~ ']' if m.role == "
               "'user' else '(' ~ m.content ~ ')' }}{% endfor %}{% if add_generation_prompt %}:{% "
               "endif %}\"}");
    struct chat *chat = chat_open(GPT2, own, NULL);
    fake.model.chat = chat;
    fake_check(&fake, "conversational", &rows[0]);
    check_prompt(&fake, pieces, ARRAY_LEN(pieces));
    chat_close(chat);
    fake_deinit(&fake);
}

/* 64 positions, of which 10 are the answer's; or max_length less 10. */
static void a_long_talk_loses_its_beginning(void **state) {
    const struct {
        const char *parameters;
        uint32_t tokens;
    } cuts[] = {{"", 54},
                {"\"max_length\":30", 20},
                {"\"minimum_tokens\":24", 40},
                {"\"max_length\":500", 54},
                {"\"max_length\":5", 1}};
    struct fake fake;
    make_decoder(&fake, "{\"eos_token_id\":0,\"pad_token_id\":0}");
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        const char *body =
            arena_printf(&fake.arena,
                         "{\"inputs\":\"aBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
                         "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBc\","
                         "\"parameters\":{%s}}",
                         cuts[i].parameters);
        fake_check(&fake, "conversational", &(struct fake_row){body, NULL, NULL});
        assert_int_equal(fake.n_first, cuts[i].tokens);
        assert_int_equal(fake.first[fake.n_first - 1],
                         tokenizer_special(fake.tokenizer, TOKEN_EOS));
        assert_true(fake.facts.truncated_tokens > 0);
    }
    fake_deinit(&fake);
}

static void other_models_do_not_talk(void **state) {
    struct fake fake;
    make_decoder(&fake, "{}");
    fake.arch.stacks[0].flags = 0;
    fake_check(&fake, "conversational", &(struct fake_row){"\"a\"", NULL, "ask for fill-mask"});
    fake.arch.head.kind = HEAD_SEQUENCE;
    fake_check(&fake, "conversational",
               &(struct fake_row){"\"a\"", NULL, "language modelling head"});
    fake_deinit(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(talks_are_answered),
        cmocka_unit_test(a_decoder_reads_an_end_behind_each_turn),
        cmocka_unit_test(an_encoder_reads_the_turns_in_a_line),
        cmocka_unit_test(a_template_makes_the_prompt),
        cmocka_unit_test(a_long_talk_loses_its_beginning),
        cmocka_unit_test(other_models_do_not_talk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
