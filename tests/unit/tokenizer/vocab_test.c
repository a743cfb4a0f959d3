/* The vocabulary's table: many tokens, tokens of any bytes, tokens that move, ids that change
 * hands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tokenizer/vocab.h"

static void every_token_is_found(void **state) {
    struct vocab vocab;
    char token[32];
    vocab_init(&vocab);
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(token, sizeof token, "t%u", i * 7919u);
        vocab_put(&vocab, token, strlen(token), i);
    }
    assert_int_equal(vocab.count, 20000);
    for (uint32_t i = 0; i < 20000; i++) {
        size_t len;
        snprintf(token, sizeof token, "t%u", i * 7919u);
        assert_int_equal(vocab_find(&vocab, token, strlen(token)), i);
        assert_string_equal(vocab_token(&vocab, (int32_t)i, &len), token);
        snprintf(token, sizeof token, "u%u", i);
        assert_int_equal(vocab_find(&vocab, token, strlen(token)), -1);
    }
    vocab_deinit(&vocab);
}

static void bytes_of_any_value_make_a_token(void **state) {
    struct vocab vocab;
    size_t len;
    vocab_init(&vocab);
    vocab_put(&vocab, "a\0b", 3, 5);
    vocab_put(&vocab, "", 0, 2);
    assert_int_equal(vocab_find(&vocab, "a\0b", 3), 5);
    assert_int_equal(vocab_find(&vocab, "a\0c", 3), -1);
    assert_int_equal(vocab_find(&vocab, "", 0), 2);
    assert_non_null(vocab_token(&vocab, 5, &len));
    assert_int_equal(len, 3);
    assert_null(vocab_token(&vocab, 3, &len)); /* a hole */
    assert_null(vocab_token(&vocab, 6, &len));
    assert_null(vocab_token(&vocab, -1, &len));
    vocab_deinit(&vocab);
}

static void a_later_entry_wins(void **state) {
    struct vocab vocab;
    size_t len;
    vocab_init(&vocab);
    vocab_put(&vocab, "one", 3, 1);
    vocab_put(&vocab, "one", 3, 4); /* the token moves */
    assert_int_equal(vocab_find(&vocab, "one", 3), 4);
    assert_null(vocab_token(&vocab, 1, &len));
    vocab_put(&vocab, "two", 3, 4); /* the id changes hands */
    assert_int_equal(vocab_find(&vocab, "two", 3), 4);
    assert_int_equal(vocab_find(&vocab, "one", 3), -1);
    assert_int_equal(vocab.count, 1);
    vocab_deinit(&vocab);
}

static void a_token_is_found_in_two_parts(void **state) {
    struct vocab vocab;
    vocab_init(&vocab);
    vocab_put(&vocab, "##ing", 5, 9);
    const uint64_t hash = vocab_hash(vocab_hash(VOCAB_HASH_START, "##", 2), "ing", 3);
    assert_int_equal(vocab_find_hashed(&vocab, hash, "##", 2, "ing", 3), 9);
    assert_int_equal(vocab_find_hashed(&vocab, hash, "##", 2, "in", 2), -1);
    vocab_deinit(&vocab);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_token_is_found),
        cmocka_unit_test(bytes_of_any_value_make_a_token),
        cmocka_unit_test(a_later_entry_wins),
        cmocka_unit_test(a_token_is_found_in_two_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
