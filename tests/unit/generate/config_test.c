/* Generation settings: defaults, what files say and where they are wrong, and combinations that
 * cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "generate/generate.h"

static const struct json *parse(struct arena *arena, const char *text) {
    struct error err;
    const struct json *value = NULL;
    if (text && json_parse(&value, arena, text, strlen(text), JSON_PYTHON, &err) != STATUS_OK) {
        fail_msg("%s: %s", text, err.text);
    }
    return value;
}

static void reads_generation_config(void **state) {
    struct arena arena = {0};
    struct error err;
    struct generation_config config;
    generation_config_default(&config);
    const struct json *file = parse(
        &arena,
        "{\"do_sample\": true, \"temperature\": 0.6, \"top_p\": 0.9, \"top_k\": 0, \"num_beams\": "
        "4,"
        " \"eos_token_id\": [128001, 128008], \"bos_token_id\": 1, \"pad_token_id\": null,"
        " \"early_stopping\": \"never\", \"length_penalty\": -2.5, \"max_length\": 142,"
        " \"forced_bos_token_id\": 0, \"suppress_tokens\": [5, -1], \"bad_words_ids\": [[1, 2], "
        "[3]],"
        " \"stop_strings\": \"\\n\\n\", \"max_time\": 1.5, \"seed\": \"unknown keys are left\"}");
    const struct json *model = parse(&arena, "{\"num_beams\": 9, \"min_length\": 7}");
    assert_int_equal(generation_config_read(&config, &arena, file, model, NULL, &err), STATUS_OK);
    assert_true(config.do_sample);
    assert_true(config.temperature == 0.6f && config.top_p == 0.9f);
    assert_int_equal(config.top_k, 0);
    assert_int_equal(config.num_beams, 4); /* config.json does not count beside the file */
    assert_int_equal(config.min_length, 0);
    assert_int_equal(config.n_eos, 2);
    assert_int_equal(config.eos[1], 128008);
    assert_int_equal(config.bos, 1);
    assert_int_equal(config.pad, -1);
    assert_int_equal(config.early_stopping, EARLY_STOPPING_NEVER);
    assert_int_equal(config.max_length, 142);
    assert_int_equal(config.forced_bos, 0);
    assert_int_equal(config.n_suppress, 2);
    assert_int_equal(config.n_bad_words, 2);
    assert_int_equal(config.bad_words_len[0], 2);
    assert_int_equal(config.bad_words[1][0], 3);
    assert_string_equal(config.stop[0], "\n\n");
    arena_deinit(&arena);
}

static void reads_legacy_keys_and_task_params(void **state) {
    struct arena arena = {0};
    struct error err;
    struct generation_config config;
    generation_config_default(&config);
    const struct json *model = parse(
        &arena,
        "{\"eos_token_id\": 2, \"num_beams\": 4, \"max_length\": 20, \"min_length\": 3,"
        " \"task_specific_params\": {\"summarization\": {\"max_length\": 60, \"prefix\": \"x\"}}}");
    assert_int_equal(generation_config_read(&config, &arena, NULL, model, NULL, &err), STATUS_OK);
    assert_int_equal(config.max_length, 0); /* 20 is the default and counts new tokens */
    assert_int_equal(config.num_beams, 4);
    assert_int_equal(config.min_length, 3);
    assert_int_equal(config.eos[0], 2);
    assert_int_equal(generation_config_read(&config, &arena, NULL, model, "summarization", &err),
                     STATUS_OK);
    assert_int_equal(config.max_length, 60);
    assert_int_equal(generation_config_read(&config, &arena, NULL, NULL, "absent", &err),
                     STATUS_OK);
    arena_deinit(&arena);
}

struct bad_file {
    const char *text, *says;
};

static const struct bad_file bad_files[] = {
    {"{\"top_k\": \"many\"}", "\"top_k\" is not right (string), must be an integer of 0 or more"},
    {"{\"top_k\": -1}", "\"top_k\" is -1"},
    {"{\"top_k\": 1.5}", "\"top_k\" is 1.5"},
    {"{\"do_sample\": 1}", "\"do_sample\" is 1, must be true or false"},
    {"{\"temperature\": true}", "\"temperature\""},
    {"{\"temperature\": NaN}", "\"temperature\""},
    {"{\"eos_token_id\": [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "short list"},
    {"{\"eos_token_id\": [\"a\"]}", "\"eos_token_id\""},
    {"{\"bad_words_ids\": [1]}", "list of lists"},
    {"{\"suppress_tokens\": [1.5]}", "list of token ids"},
    {"{\"stop_strings\": [1]}", "string"},
    {"{\"early_stopping\": \"sometimes\"}", "never"},
    {"{\"bos_token_id\": 1e30}", "token id"},
    {"{\"sequence_bias\": [[[1, 2], true]]}", "\"sequence_bias\" is not right (array)"},
    {"{\"sequence_bias\": [[[], 1.5]]}", "[list of token ids, number]"},
    {"{\"sequence_bias\": [[[1]]]}", "[list of token ids, number]"},
    {"{\"sequence_bias\": 3}", "\"sequence_bias\" is 3"},
    {"{\"exponential_decay_length_penalty\": [1]}", "[start, factor]"},
    {"{\"exponential_decay_length_penalty\": [-1, 1.1]}", "[start, factor]"},
    {"{\"exponential_decay_length_penalty\": [1, \"x\"]}", "[start, factor]"},
    {"{\"remove_invalid_values\": 1}", "true or false"},
};

static void names_what_is_wrong(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(bad_files); i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct generation_config config;
        generation_config_default(&config);
        assert_int_equal(generation_config_read(&config, &arena, parse(&arena, bad_files[i].text),
                                                NULL, NULL, &err),
                         STATUS_ERROR);
        assert_int_equal(err.code, ERROR_MODEL);
        if (!strstr(err.text, bad_files[i].says) || !strstr(err.text, "generation_config.json")) {
            fail_msg("%s: says \"%s\", wanted \"%s\"", bad_files[i].text, err.text,
                     bad_files[i].says);
        }
        arena_deinit(&arena);
    }
}

/* What `transformers` takes to be off, and what changes no text. */
static const char *const harmless_settings[] = {
    "{\"guidance_scale\": 1.0, \"num_beam_groups\": 1, \"diversity_penalty\": 0.0}",
    "{\"num_beam_groups\": 3, \"diversity_penalty\": 0.5, \"do_sample\": true}",
    "{\"penalty_alpha\": 0.6, \"top_k\": 1}",
    "{\"penalty_alpha\": 0.6, \"do_sample\": true}",
    "{\"penalty_alpha\": 0.6, \"num_beams\": 2}",
    "{\"token_healing\": false, \"force_words_ids\": null, \"constraints\": []}",
    "{\"prompt_lookup_num_tokens\": 3, \"use_cache\": false, \"output_scores\": true}",
};

static void takes_what_is_off(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(harmless_settings); i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct generation_config config;
        generation_config_default(&config);
        if (generation_config_update(&config, &arena, parse(&arena, harmless_settings[i]), "x",
                                     &err) != STATUS_OK ||
            generation_config_check(&config, &err) != STATUS_OK) {
            fail_msg("%s: %s", harmless_settings[i], err.text);
        }
        arena_deinit(&arena);
    }
}

/* As the keys of Python's dict: one of a kind, the last value. */
static void a_sequence_has_one_bias(void **state) {
    struct arena arena = {0};
    struct error err = {0};
    struct generation_config config;
    generation_config_default(&config);
    const struct json *value =
        parse(&arena, "{\"sequence_bias\": [[[1, 2], 4], [[2], -1.5], [[1, 2], 3]]}");
    assert_int_equal(generation_config_update(&config, &arena, value, "x", &err), STATUS_OK);
    assert_int_equal(config.n_biases, 2);
    assert_int_equal(config.biases[0].n, 2);
    assert_true(config.biases[0].bias == 3);
    assert_true(config.biases[1].bias == -1.5f);
    arena_deinit(&arena);
}

struct bad_setting {
    const char *text, *says;
};

static const struct bad_setting bad_settings[] = {
    {"{\"do_sample\": true, \"temperature\": 0}", "temperature is 0"},
    {"{\"top_p\": 1.01}", "top_p is 1.01"},
    {"{\"min_p\": -0.5}", "min_p is -0.5"},
    {"{\"typical_p\": 0}", "typical_p is 0"},
    {"{\"repetition_penalty\": 0}", "repetition_penalty is 0"},
    {"{\"num_beams\": 0}", "num_beams is 0"},
    {"{\"num_beams\": 1000}", "num_beams is 1000"},
    {"{\"num_beams\": 2, \"num_return_sequences\": 3}", "must not be above num_beams, which is 2"},
    {"{\"num_return_sequences\": 2}", "greedy decoding gives one text only"},
    {"{\"num_return_sequences\": 0, \"do_sample\": true}", "num_return_sequences is 0"},
    {"{\"max_time\": -1}", "max_time is -1"},
    {"{\"num_beams\": 4, \"num_beam_groups\": 2}", "diversity_penalty is 0, must be above 0"},
    {"{\"num_beams\": 4, \"num_beam_groups\": 3, \"diversity_penalty\": 1}",
     "num_beam_groups is 3, must divide num_beams, which is 4"},
    {"{\"num_beams\": 4, \"num_beam_groups\": 8, \"diversity_penalty\": 1}",
     "must divide num_beams"},
    {"{\"num_beams\": 4, \"num_beam_groups\": 0, \"diversity_penalty\": 1}",
     "must divide num_beams"},
    {"{\"num_beams\": 4, \"num_beam_groups\": 2, \"diversity_penalty\": 1, \"do_sample\": true}",
     "groups of beams draw no tokens"},
    {"{\"force_words_ids\": [[5]]}", "force_words_ids asks for beam search under constraints"},
    {"{\"constraints\": [{}]}", "constraints asks for"},
    {"{\"guidance_scale\": 1.5}", "guidance_scale asks for classifier-free guidance"},
    {"{\"dola_layers\": \"high\"}", "dola_layers asks for"},
    {"{\"token_healing\": true}", "token_healing asks for"},
    {"{\"watermarking_config\": {\"bias\": 2.5}}", "watermarking_config asks for"},
    {"{\"penalty_alpha\": 0.6, \"top_k\": 4}", "penalty_alpha asks for contrastive search"},
};

static void refuses_impossible_settings(void **state) {
    struct arena arena = {0};
    struct error err = {0};
    struct generation_config config;
    generation_config_default(&config);
    assert_int_equal(generation_config_check(&config, &err), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(bad_settings); i++) {
        generation_config_default(&config);
        assert_int_equal(generation_config_update(&config, &arena,
                                                  parse(&arena, bad_settings[i].text), "x", &err),
                         STATUS_OK);
        assert_int_equal(generation_config_check(&config, &err), STATUS_ERROR);
        assert_int_equal(err.code, ERROR_INPUT);
        if (!strstr(err.text, bad_settings[i].says)) {
            fail_msg("%s: says \"%s\", wanted \"%s\"", bad_settings[i].text, err.text,
                     bad_settings[i].says);
        }
    }
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_generation_config),
        cmocka_unit_test(reads_legacy_keys_and_task_params),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(refuses_impossible_settings),
        cmocka_unit_test(takes_what_is_off),
        cmocka_unit_test(a_sequence_has_one_bias),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
