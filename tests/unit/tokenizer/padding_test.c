/* What the goldens of padding cannot say: the limit, an empty batch, and what the tokenizer's files
 * say of padding. */
#include "folder.h"

#define WORDS                                                                                      \
    "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0,\"[UNK]\":1,\"[PAD]\":2},"              \
    "\"unk_token\":\"[UNK]\"}}"

static void too_long_a_padding_is_refused(void **state) {
    struct arena arena = {0};
    struct error err;
    struct encoding encoding = {0};
    const struct padding padding = {.length = UINT32_MAX, .multiple_of = 2};
    assert_int_equal(tokenizer_pad(&encoding, 1, &arena, &padding, &err), STATUS_ERROR);
    assert_int_equal(err.code, ERROR_INPUT);
    assert_int_equal(encoding.n, 0);
}

static void nothing_is_padded_to_nothing(void **state) {
    struct arena arena = {0};
    struct error err;
    const struct padding padding = {.multiple_of = 8};
    assert_int_equal(tokenizer_pad(NULL, 0, &arena, &padding, &err), STATUS_OK);
    struct encoding encoding = {0};
    assert_int_equal(tokenizer_pad(&encoding, 1, &arena, &padding, &err), STATUS_OK);
    assert_int_equal(encoding.n, 0); /* 0 is a multiple of 8 */
    assert_null(encoding.attention);
}

static void padding_is_that_of_the_files(void **state) {
    struct tokenizer *tokenizer;
    struct error err;
    assert_int_equal(folder_load(&tokenizer, WORDS,
                                 "{\"tokenizer_class\":\"PreTrainedTokenizerFast\","
                                 "\"pad_token\":\"[PAD]\",\"padding_side\":\"left\"}",
                                 &err),
                     STATUS_OK);
    struct padding padding = tokenizer_padding(tokenizer);
    assert_int_equal(padding.id, 2);
    assert_true(padding.left);
    tokenizer_destroy(tokenizer);
    tokenizer = folder_must_load(WORDS);
    padding = tokenizer_padding(tokenizer);
    assert_int_equal(padding.id, 0);
    assert_false(padding.left);
    tokenizer_destroy(tokenizer);
}

/* Padding twice keeps what was padded first. */
static void padding_can_be_padded(void **state) {
    struct arena arena = {0};
    struct error err;
    struct tokenizer *tokenizer = folder_must_load(WORDS);
    struct encoding encoding;
    assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, "a", 1, NULL, 0, NULL, &err),
                     STATUS_OK);
    const struct padding first = {.length = 2, .id = 2}, second = {.length = 3, .left = true};
    assert_int_equal(tokenizer_pad(&encoding, 1, &arena, &first, &err), STATUS_OK);
    assert_int_equal(tokenizer_pad(&encoding, 1, &arena, &second, &err), STATUS_OK);
    static const int32_t ids[] = {0, 0, 2};
    static const uint8_t attention[] = {0, 1, 0};
    assert_int_equal(encoding.n, 3);
    assert_memory_equal(encoding.ids, ids, sizeof ids);
    assert_memory_equal(encoding.attention, attention, sizeof attention);
    tokenizer_destroy(tokenizer);
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_long_a_padding_is_refused),
        cmocka_unit_test(nothing_is_padded_to_nothing),
        cmocka_unit_test(padding_is_that_of_the_files),
        cmocka_unit_test(padding_can_be_padded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
