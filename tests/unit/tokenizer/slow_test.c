/* Classes that exist in Python only: what is refused and why, languages, offsets. Their ids and
 * texts are in the goldens. */
#include "folder.h"

#include "base/banned.h"

#define GOLDENS "tests/golden/tokenizer-slow/"

struct file {
    const char *name, *content;
};

static void what_cannot_be_had_says_why(void **state) {
    static const struct {
        struct file files[3];
        const char *reason;
    } rows[] = {
        {{{"tokenizer_config.json", "{\"tokenizer_class\":\"MarianTokenizer\"}"}},
         "from source.spm target.spm vocab.json"},
        {{{"config.json", "{\"model_type\":\"bert-japanese\"}"}}, "MeCab"},
        {{{"tokenizer_config.json",
           "{\"tokenizer_class\":\"BertweetTokenizer\",\"normalization\":true}"},
          {"vocab.txt", "a 1\n"},
          {"bpe.codes", "a b 1\n"}},
         "\"normalization\": true is not supported"},
        {{{"tokenizer_config.json", "{\"tokenizer_class\":\"PhobertTokenizer\"}"},
          {"vocab.txt", "word\n"},
          {"bpe.codes", ""}},
         "a line must be a token and its count"},
        {{{"tokenizer_config.json",
           "{\"tokenizer_class\":\"SpeechT5Tokenizer\",\"normalize\":true}"},
          {"spm_char.model", "x"}},
         "write numbers out"},
        {{{"tokenizer_config.json", "{\"tokenizer_class\":\"BertGenerationTokenizer\"}"},
          {"spiece.model", "x"}},
         "spiece.model: not a SentencePiece model"},
        {{{"tokenizer_config.json", "{\"tokenizer_class\":\"LlamaTokenizer\"}"},
          {"tokenizer.model", "YQ== 0\nYg==\n"}},
         "tokenizer.model: line 2 must be a token"},
        {{{"tokenizer_config.json", "{\"tokenizer_class\":\"LlamaTokenizer\"}"},
          {"tokenizer.model", "YQ== 0\nYg== 99999999\n"}},
         "its rank below"},
        {{{"tokenizer_config.json",
           "{\"tokenizer_class\":\"Wav2Vec2CTCTokenizer\",\"target_lang\":\"deu\"}"},
          {"vocab.json", "{\"eng\":{\"a\":0}}"}},
         "vocab.json has no target_lang \"deu\""},
        {{{"tokenizer_config.json", "{\"tokenizer_class\":\"MgpstrTokenizer\"}"},
          {"vocab.json", "{\"a\":-1}"}},
         "the id of token \"a\""},
        {{{"tokenizer_config.json",
           "{\"tokenizer_class\":\"TapasTokenizer\",\"do_basic_tokenize\":false}"},
          {"vocab.txt", "a\n"}},
         "do_basic_tokenize is false"},
        {{{"tokenizer_config.json", "{\"tokenizer_class\":\"DiaTokenizer\",\"offset\":-1}"}},
         "\"offset\" is -1"},
        {{{"tokenizer_config.json", "{\"tokenizer_class\":\"MyT5Tokenizer\"}"},
          {"byte_maps.json", "{\"decompose_map\":{},\"merge_map\":{\"61\":\"61  62\"}}"}},
         "byte_maps.json: \"merge_map\" of \"61\""},
        {{{"tokenizer_config.json", "{\"tokenizer_class\":\"MyT5Tokenizer\"}"},
          {"byte_maps.json", "{\"decompose_map\":[]}"}},
         "\"decompose_map\" must be an object"},
        {{{"qwen.tiktoken", "YQ== 0\n! 1\n"}}, "qwen.tiktoken: line 2 must be a token"},
        {{{"tekken.json", "{\"config\":{},\"vocab\":[]}"}}, "tekken.json: it must have \"config\""},
        {{{"tekken.json", "{\"config\":{\"pattern\":\".\"},\"vocab\":[{\"rank\":0}]}"}},
         "tekken.json: row 0 of \"vocab\""},
        {{{"tekken.json", "{\"config\":{\"pattern\":\".\",\"default_num_special_tokens\":70000},"
                          "\"vocab\":[]}"}},
         "70000 special tokens"},
        {{{"tekken.json", "{\"config\""}}, "tekken.json: "},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct folder folder;
        folder_make(&folder);
        for (size_t k = 0; k < ARRAY_LEN(rows[i].files) && rows[i].files[k].name; k++)
            folder_write(&folder, rows[i].files[k].name, rows[i].files[k].content);
        folder_is_refused(&folder, i, rows[i].reason);
    }
}

static void m2m100_takes_the_language_of_a_request(void **state) {
    struct tokenizer *tokenizer = tokenizer_of(GOLDENS "m2m100");
    struct arena arena = {0};
    struct error err;
    struct encoding usual, asked;
    const int32_t german = tokenizer_language(tokenizer, "de");
    const struct encode_options options = {.language = german};
    assert_true(german > 0);
    assert_int_equal(tokenizer_language(tokenizer, "xx"), -1);
    assert_int_equal(tokenizer_encode(tokenizer, &usual, &arena, "fox", 3, NULL, 0, NULL, &err),
                     STATUS_OK);
    assert_int_equal(tokenizer_encode(tokenizer, &asked, &arena, "fox", 3, NULL, 0, &options, &err),
                     STATUS_OK);
    assert_int_equal(usual.ids[0], tokenizer_language(tokenizer, "fr"));
    assert_int_equal(asked.ids[0], german);
    assert_int_equal(asked.ids[asked.n - 1], tokenizer_special(tokenizer, TOKEN_EOS));
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
}

/* Every character that is no space lies in the span of a token, and spans do not go back. */
static void offsets_cover_the_text(void **state) {
    static const char *const names[] = {
        "marian",  "m2m100", "byt5", "canine", "wav2vec2-lower", "phobert", "ctrl", "tiktoken",
        "gpt-sw3", "luke",   "dia",  "myt5",   "prophetnet",     "tapas",   "qwen"};
    static const char text[] = "the QUICK fox's 12  dogs";
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct arena arena = {0};
        struct error err;
        struct encoding encoding;
        struct tokenizer *tokenizer = tokenizer_of(arena_printf(&arena, "%s%s", GOLDENS, names[i]));
        const struct encode_options options = {.no_special_tokens = true};
        assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, text, strlen(text), NULL, 0,
                                          &options, &err),
                         STATUS_OK);
        uint32_t end = 0;
        for (size_t k = 0; k < encoding.n; k++) {
            const struct span span = encoding.offsets[k];
            assert_true(span.start <= span.end && span.end <= strlen(text));
            for (uint32_t at = end; at < span.start; at++)
                if (text[at] != ' ')
                    fail_msg("%s: character %u is in no token", names[i], at);
            end = span.end > end ? span.end : end;
        }
        assert_int_equal(end, strlen(text));
        tokenizer_destroy(tokenizer);
        arena_deinit(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_had_says_why),
        cmocka_unit_test(m2m100_takes_the_language_of_a_request),
        cmocka_unit_test(offsets_cover_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
