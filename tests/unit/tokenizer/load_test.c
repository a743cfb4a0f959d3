/* Damaged and unsupported files are refused with the reason; settings are read as transformers
 * reads them. */
#include "folder.h"

#define WORDS                                                                                      \
    "\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"[UNK]\":1},\"unk_token\":\"[UNK]\"}"

static void a_damaged_file_is_refused_with_the_reason(void **state) {
    static const struct refusal rows[] = {
        {"", "tokenizer.json"},
        {"{\"model\":", "invalid JSON"},
        {"[]", "must be an object"},
        {"{}", "\"model\" is missing"},
        {"{\"model\":{\"type\":\"Unknown\"}}", "model \"Unknown\" is not supported"},
        {"{\"model\":{\"type\":\"BPE\"}}", "\"vocab\" is missing"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{}}}", "\"merges\" is missing"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "id of token \"a\""},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1e12},\"merges\":[]}}", "id of token"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":\"1\"},\"merges\":[]}}", "id of token"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1},\"merges\":[\"a b\"]}}",
         "is not of tokens in the vocabulary"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1},\"merges\":[\"ab\"]}}",
         "must be two tokens"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1},\"merges\":[7]}}", "a pair of strings"},
        {"{" WORDS ",\"normalizer\":{\"type\":\"Shout\"}}",
         "normalizer \"Shout\" is not supported"},
        {"{" WORDS ",\"normalizer\":{}}", "has no \"type\""},
        {"{" WORDS ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{},\"content\":\"\"}}",
         "\"pattern\" must be"},
        {"{" WORDS ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},"
         "\"content\":\"\"}}",
         "regular expression"},
        {"{" WORDS ",\"normalizer\":{\"type\":\"Sequence\"}}", "list of stages is missing"},
        {"{" WORDS ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},"
         "\"behavior\":\"Sideways\"}}",
         "behavior \"Sideways\""},
        {"{" WORDS ",\"pre_tokenizer\":{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"}}",
         "one character"},
        {"{" WORDS ",\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":0}}", "at least 1"},
        {"{" WORDS ",\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",0]}}",
         "\"sep\""},
        {"{" WORDS ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
         "{\"SpecialToken\":{\"id\":\"x\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{}}}",
         "not in \"special_tokens\""},
        {"{" WORDS ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":["
         "{\"Sequence\":{\"id\":\"B\",\"type_id\":0}}],\"pair\":[],\"special_tokens\":{}}}",
         "asks for a second"},
        {"{" WORDS ",\"decoder\":{\"type\":\"CTC2\"}}", "decoder \"CTC2\" is not supported"},
        {"{" WORDS ",\"decoder\":{\"type\":\"Strip\",\"content\":\"\",\"start\":1,\"stop\":0}}",
         "one character"},
        {"{" WORDS ",\"added_tokens\":[{\"id\":3}]}", "has no \"content\""},
    };
    folder_refuses(rows, ARRAY_LEN(rows));
}

static void without_files_it_is_not_found(void **state) {
    struct folder folder;
    struct tokenizer *tokenizer;
    struct error err;
    folder_make(&folder);
    assert_int_equal(tokenizer_load(&tokenizer, folder.path, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    folder_write(&folder, "vocab.json", "{}"); /* without merges.txt it says nothing */
    assert_int_equal(tokenizer_load(&tokenizer, folder.path, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_NOT_FOUND);
    folder_destroy(&folder);
}

static void legacy_files_are_checked_too(void **state) {
    static const struct {
        const char *vocab, *merges, *reason;
    } rows[] = {
        {"[1]", "#version\n", "must be an object"},
        {"{\"a\":", "#version\n", "vocab.json: invalid JSON"},
        {"{\"a\":0}", "#version\na b\n", "merges.txt: merge 0"},
        {"{\"a\":0,\"aa\":1}", "#version\na a a\n", "must be two tokens"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        struct tokenizer *tokenizer;
        struct error err;
        folder_make(&folder);
        folder_write(&folder, "vocab.json", rows[i].vocab);
        folder_write(&folder, "merges.txt", rows[i].merges);
        assert_int_equal(tokenizer_load(&tokenizer, folder.path, &err), STATUS_ERROR);
        assert_int_equal(err.code, ERROR_MODEL);
        if (!strstr(err.text, rows[i].reason))
            fail_msg("wanted \"%s\" in \"%s\"", rows[i].reason, err.text);
        folder_destroy(&folder);
    }
}

static void settings_have_their_say(void **state) {
    static const struct {
        const char *config;
        uint32_t max_length;
        bool left;
        int32_t unk, pad;
    } rows[] = {
        {"{}", 0, false, -1, -1},
        {"{\"model_max_length\":512,\"padding_side\":\"left\"}", 512, true, -1, -1},
        {"{\"max_len\":128}", 128, false, -1, -1},
        {"{\"model_max_length\":1000000000000000019884624838656}", 0, false, -1, -1},
        {"{\"unk_token\":\"[UNK]\"}", 0, false, 1, -1},
        {"{\"unk_token\":{\"content\":\"[UNK]\"},\"pad_token\":\"absent\"}", 0, false, 1, -1},
        /* A class adds what the vocabulary lacks. */
        {"{\"tokenizer_class\":\"PreTrainedTokenizerFast\",\"pad_token\":\"[PAD]\"}", 0, false, -1,
         2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tokenizer *tokenizer = NULL;
        struct error err;
        if (folder_load(&tokenizer, "{" WORDS "}", rows[i].config, &err) != STATUS_OK)
            fail_msg("%s", err.text);
        assert_int_equal(tokenizer_max_length(tokenizer), rows[i].max_length);
        assert_int_equal(tokenizer_pads_left(tokenizer), rows[i].left);
        assert_int_equal(tokenizer_special(tokenizer, TOKEN_UNK), rows[i].unk);
        assert_int_equal(tokenizer_special(tokenizer, TOKEN_PAD), rows[i].pad);
        if (rows[i].pad >= 0) {
            assert_true(tokenizer_is_special(tokenizer, rows[i].pad));
            assert_string_equal(tokenizer_token(tokenizer, rows[i].pad), "[PAD]");
        }
        assert_int_equal(tokenizer_find(tokenizer, "a", 1), 0);
        assert_int_equal(tokenizer_find(tokenizer, "b", 1), -1);
        assert_null(tokenizer_token(tokenizer, 77));
        tokenizer_destroy(tokenizer);
    }
    tokenizer_destroy(NULL);
}

static void token_types_are_given_where_the_config_or_the_class_says(void **state) {
    static const struct {
        const char *config;
        bool typed;
    } rows[] = {
        {"{}", true},
        {"{\"tokenizer_class\":\"BertTokenizer\"}", true},
        {"{\"tokenizer_class\":\"BigBirdTokenizerFast\"}", false},
        {"{\"tokenizer_class\":\"BigBirdTokenizer\",\"model_input_names\":[\"token_type_ids\",7]}",
         true},
        {"{\"model_input_names\":[\"input_ids\",\"attention_mask\"]}", false},
        {"{\"model_input_names\":[]}", false},
        {"{\"model_input_names\":7}", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct tokenizer *tokenizer = NULL;
        struct error err;
        if (folder_load(&tokenizer, "{" WORDS "}", rows[i].config, &err) != STATUS_OK)
            fail_msg("%s", err.text);
        assert_int_equal(tokenizer_gives_types(tokenizer), rows[i].typed);
        tokenizer_destroy(tokenizer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_file_is_refused_with_the_reason),
        cmocka_unit_test(without_files_it_is_not_found),
        cmocka_unit_test(legacy_files_are_checked_too),
        cmocka_unit_test(settings_have_their_say),
        cmocka_unit_test(token_types_are_given_where_the_config_or_the_class_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
