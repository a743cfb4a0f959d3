/* The tasks that generate: which settings win (model, presets, task_specific_params, request), what
 * the answer is cut to, its nesting. The generation itself is made up: it answers fixed ids. */
#include "unit/tasks/fake.h"

#define GPT2 "tests/golden/gpt2/text-generation"
#define BART "tests/golden/bart/summarization"

struct want {
    const char *generation_config, *config, *parameters;
    bool do_sample;
    float temperature;
    uint32_t max_new_tokens, max_length, num_beams;
};

static const struct want writing[] = {
    /* nothing said: the pipeline's presets */
    {NULL, "{}", "", true, 0.7f, 256, 0, 1},
    {"{}", "{}", "\"max_new_tokens\":7", true, 0.7f, 7, 0, 1},
    /* the model says */
    {"{\"max_new_tokens\":11,\"do_sample\":false}", "{}", "", false, 0.7f, 11, 0, 1},
    {"{\"max_length\":50,\"temperature\":0.4}", "{}", "", true, 0.4f, 0, 50, 1},
    {"{\"max_length\":20}", "{}", "", true, 0.7f, 256, 0, 1},
    {NULL, "{\"max_length\":40,\"num_beams\":2}", "", true, 0.7f, 0, 40, 2},
    {NULL,
     "{\"task_specific_params\":{\"text-generation\":{\"do_sample\":false,\"max_length\":60}}}", "",
     false, 0.7f, 256, 60, 1},
    /* the request says */
    {"{\"max_new_tokens\":11}", "{}", "\"max_length\":30", true, 0.7f, 0, 30, 1},
    {NULL, "{}", "\"max_length\":30", true, 0.7f, 0, 30, 1},
    {NULL, "{}", "\"temperature\":0", false, 0, 256, 0, 1},
    {NULL, "{}", "\"generate_kwargs\":{\"num_beams\":3,\"do_sample\":false}", false, 0.7f, 256, 0,
     3},
    {NULL, "{}", "\"temperature\":1.5,\"generation_parameters\":{\"temperature\":0.5}", true, 1.5f,
     256, 0, 1},
};

static const struct want summarizing[] = {
    {NULL, "{}", "", false, 1, 256, 0, 4},
    {"{\"num_beams\":2,\"max_length\":142}", "{}", "", false, 1, 0, 142, 2},
    {"{}", "{\"task_specific_params\":{\"summarization\":{\"max_length\":60,\"num_beams\":6}}}", "",
     false, 1, 256, 60, 6},
    {NULL, "{}", "\"num_beams\":1,\"max_length\":12", false, 1, 0, 12, 1},
};

static void make_bart(struct fake *fake) {
    fake_add_decoder(fake);
    fake->arch.decoder_start = 2;
    fake->arch.eos = 2;
}

/* Under the name with the languages, which a repository has settings for. */
#define T5(name, beams) "\"translation_" name "\":{\"num_beams\":" beams "}"
static const struct want translating[] = {
    {NULL, "{\"task_specific_params\":{" T5("en_to_fr", "3") "," T5("en_to_de", "5") "}}", "",
     false, 1, 256, 0, 3},
    {NULL, "{\"task_specific_params\":{" T5("en_to_fr", "3") "," T5("en_to_de", "5") "}}",
     "\"src_lang\":\"en\",\"tgt_lang\":\"de\"", false, 1, 256, 0, 5},
    {NULL, "{\"task_specific_params\":{" T5("en_to_de", "5") "}}", "", false, 1, 256, 0, 4},
};

static void check_settings(const char *task, const char *folder, const struct want *want) {
    static const int32_t ids[] = {20, 21};
    struct fake fake;
    fake_init(&fake, folder, HEAD_LM, 0, want->config);
    fake.arch.head.outputs = tokenizer_vocab_size(fake.tokenizer);
    fake.arch.stacks[0].flags |= STACK_CAUSAL;
    if (folder[strlen("tests/golden/")] == 'b') {
        make_bart(&fake);
    }
    fake.model.generation_config =
        want->generation_config ? fake_json(&fake, want->generation_config) : NULL;
    fake.generated = ids;
    fake.n_generated = 2;
    const char *body =
        arena_printf(&fake.arena, "{\"inputs\":\"Rain.\",\"parameters\":{%s}}", want->parameters);
    fake_check(&fake, task, &(struct fake_row){body, NULL, NULL});
    const struct generation_config *got = &fake.config;
    if (got->do_sample != want->do_sample || got->temperature != want->temperature ||
        got->max_new_tokens != want->max_new_tokens || got->max_length != want->max_length ||
        got->num_beams != want->num_beams) {
        fail_msg("%s %s %s %s: sample %d, temperature %g, max_new_tokens %u, max_length %u, beams "
                 "%u",
                 task, want->generation_config ? want->generation_config : "-", want->config,
                 want->parameters, got->do_sample, (double)got->temperature, got->max_new_tokens,
                 got->max_length, got->num_beams);
    }
    assert_int_equal(fake.facts.deterministic, !want->do_sample);
    assert_int_equal(fake.facts.generated_tokens, 2);
    fake_deinit(&fake);
}

static void settings_win_in_order(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(writing); i++) {
        check_settings("text-generation", GPT2, &writing[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(summarizing); i++) {
        check_settings("summarization", BART, &summarizing[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(translating); i++) {
        check_settings("translation_en_to_fr", BART, &translating[i]);
    }
}

#define ASK(p) "{\"inputs\":\"Rain.\",\"parameters\":{" p "}}"
/* Ids 34, 35, 36 of the vocabulary are B, C and D. */
static const struct fake_row answers[] = {
    {ASK(""), "[{\"generated_text\":\"Rain.BCD\"}]", NULL},
    {ASK("\"return_full_text\":false"), "[{\"generated_text\":\"BCD\"}]", NULL},
    {"[\"Rain.\",\"a\"]", "[[{\"generated_text\":\"Rain.BCD\"}],[{\"generated_text\":\"aBCD\"}]]",
     NULL},
    {ASK("\"num_return_sequences\":2,\"return_full_text\":false"),
     "[{\"generated_text\":\"BCD\"},{\"generated_text\":\"BCD\"}]", NULL},
    {ASK("\"prefix\":\"x \",\"return_full_text\":true"), "[{\"generated_text\":\"Rain.BCD\"}]",
     NULL},
    {"{\"inputs\":\"\"}", "[{\"generated_text\":\"BCD\"}]", NULL},
    {ASK("\"seed\":5,\"return_full_text\":false,\"details\":true"),
     "[{\"generated_text\":\"BCD\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":"
     "3,"
     "\"seed\":5,\"prefill\":[],\"tokens\":[{\"id\":34,\"text\":\"B\",\"logprob\":null,"
     "\"special\":false},{\"id\":35,\"text\":\"C\",\"logprob\":null,\"special\":false},"
     "{\"id\":36,\"text\":\"D\",\"logprob\":null,\"special\":false}]}}]",
     NULL},

    {"{\"inputs\":[{\"role\":\"user\",\"content\":\"hi\"}]}", NULL, "no chat template"},
    {ASK("\"max_length\":2"), NULL, "max_length is 2 and counts them"},
    {ASK("\"min_length\":9,\"max_length\":8"), NULL,
     "min_length is 9, must not be larger than max_length"},
    {ASK("\"max_new_tokens\":0"), NULL, "max_new_tokens is 0, must be at least 1"},
    {ASK("\"temperature\":\"hot\""), NULL, "temperature is \"hot\" (string), must be a number"},
    {ASK("\"temperature\":0,\"do_sample\":true"), NULL, "temperature is 0, must be above 0"},
    {ASK("\"repetition_penalty\":0"), NULL, "repetition_penalty is 0, must be above 0"},
    {ASK("\"do_sample\":false,\"num_return_sequences\":2"), NULL, "greedy decoding gives one text"},
    {ASK("\"num_beams\":2,\"num_return_sequences\":3"), NULL, "must not be above num_beams"},
    {ASK("\"num_beams\":4,\"num_beam_groups\":3"), NULL, "num_beam_groups is 3, must divide"},
    {ASK("\"num_beams\":4,\"num_beam_groups\":2,\"do_sample\":false"), NULL,
     "diversity_penalty is 0, must be above 0"},
    {ASK("\"early_stopping\":\"soon\""), NULL, "parameters: \"early_stopping\""},
    {ASK("\"eos_token_id\":[\"x\"]"), NULL, "parameters: \"eos_token_id\""},
    {"{\"inputs\":\"\",\"bos_token_id\":99999}", NULL, "bos_token_id is 99999, must be below"},
    {ASK("\"stop\":[\"\"]"), NULL, "stop[0] has 0 bytes"},
    {ASK("\"stop\":[\"a\",5]"), NULL, "stop is 5 (number), must be a list of strings only"},
    {ASK("\"stop\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\","
         "\"13\",\"14\",\"15\",\"16\",\"17\"]"),
     NULL, "stop has 17 strings, at most 16"},
};

static void texts_are_cut_and_nested(void **state) {
    static const int32_t ids[] = {34, 35, 36};
    struct fake fake;
    fake_init(&fake, GPT2, HEAD_LM, 0, "{\"bos_token_id\":0}");
    fake.arch.head.outputs = tokenizer_vocab_size(fake.tokenizer);
    fake.arch.stacks[0].flags |= STACK_CAUSAL;
    fake.arch.bos = 0;
    fake.generated = ids;
    fake.n_generated = 3;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        fake_check(&fake, "text-generation", &answers[i]);
    }
    fake.arch.bos = -1;
    fake.model.config = fake_json(&fake, "{}");
    fake_check(&fake, "text-generation",
               &(struct fake_row){"\"\"", NULL, "the prompt is empty and the model has no start"});
    fake_deinit(&fake);
}

static const struct fake_row summaries[] = {
    {"\"Rain.\"", "[{\"summary_text\":\"BCD\"}]", NULL},
    {"[\"Rain.\",\"a\"]", "[{\"summary_text\":\"BCD\"},{\"summary_text\":\"BCD\"}]", NULL},
    {"[\"a\"]", "[{\"summary_text\":\"BCD\"}]", NULL},
    {"{\"inputs\":\"a\",\"parameters\":{\"num_return_sequences\":2}}",
     "[{\"summary_text\":\"BCD\"},{\"summary_text\":\"BCD\"}]", NULL},
    {"{\"inputs\":[\"a\",\"b\"],\"parameters\":{\"num_return_sequences\":2}}",
     "[[{\"summary_text\":\"BCD\"},{\"summary_text\":\"BCD\"}],[{\"summary_text\":\"BCD\"},{"
     "\"summary_text\":\"BCD\"}]]",
     NULL},
    {"5", "[{\"summary_text\":\"BCD\"}]", NULL},
    {"{\"inputs\":5}", NULL, "inputs is 5 (number), must be a string"},
    {"{\"inputs\":\"a\",\"decoder_start_token_id\":99999}", NULL,
     "decoder_start_token_id is 99999, must be below"},
};

static void summaries_are_nested(void **state) {
    int32_t ids[3];
    struct fake fake;
    fake_init(&fake, BART, HEAD_LM, 0, "{}");
    fake.arch.head.outputs = tokenizer_vocab_size(fake.tokenizer);
    make_bart(&fake);
    for (int i = 0; i < 3; i++) {
        ids[i] = tokenizer_find(fake.tokenizer, "BCD" + i, 1);
        assert_true(ids[i] >= 0);
    }
    fake.generated = ids;
    fake.n_generated = 3;
    for (size_t i = 0; i < ARRAY_LEN(summaries); i++) {
        fake_check(&fake, "summarization", &summaries[i]);
    }
    fake_check(&fake, "translation_en_to_de",
               &(struct fake_row){"\"a\"", "[{\"translation_text\":\"BCD\"}]", NULL});
    fake_check(&fake, "text2text-generation",
               &(struct fake_row){"\"a\"", "[{\"generated_text\":\"BCD\"}]", NULL});
    /* A prefix is part of what the encoder reads. */
    const uint32_t plain = fake.n_first;
    fake.model.config = fake_json(&fake, "{\"prefix\":\"BCD \"}");
    fake_check(&fake, "summarization", &summaries[0]);
    assert_true(fake.n_first > plain);
    fake_deinit(&fake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_win_in_order),
        cmocka_unit_test(texts_are_cut_and_nested),
        cmocka_unit_test(summaries_are_nested),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
