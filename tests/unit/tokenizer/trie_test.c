/* The trie finds what trying every string at every place finds: the leftmost match, and the longest
 * there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tokenizer/trie.h"

#define STRINGS 12

static int32_t naive(char strings[][8], size_t n, const char *text, size_t len, size_t from,
                     size_t *start, size_t *end) {
    for (size_t at = from; at < len; at++) {
        int32_t best = -1;
        size_t best_len = 0;
        for (size_t i = 0; i < n; i++) {
            const size_t size = strlen(strings[i]);
            if (size > best_len && at + size <= len && !memcmp(text + at, strings[i], size)) {
                best = (int32_t)i;
                best_len = size;
            }
        }
        if (best >= 0) {
            *start = at;
            *end = at + best_len;
            return best;
        }
    }
    return -1;
}

static void random_string(struct random *random, char *out, size_t len) {
    for (size_t i = 0; i < len; i++)
        out[i] = "ab<"[random_next(random) % 3];
    out[len] = 0;
}

static void it_finds_leftmost_and_longest(void **state) {
    struct random random = {.seed = 5};
    for (int round = 0; round < 500; round++) {
        char strings[STRINGS][8], text[64];
        struct trie *trie = trie_create();
        for (size_t i = 0; i < STRINGS; i++) {
            random_string(&random, strings[i], 1 + random_next(&random) % 6);
            trie_add(trie, strings[i], strlen(strings[i]), (int32_t)i);
        }
        const size_t len = random_next(&random) % 60;
        random_string(&random, text, len);
        for (size_t from = 0;;) {
            size_t start = 0, end = 0, naive_start = 0, naive_end = 0;
            const int32_t got = trie_find(trie, text, len, from, &start, &end);
            const int32_t want = naive(strings, STRINGS, text, len, from, &naive_start, &naive_end);
            assert_int_equal(got, want);
            if (got < 0)
                break;
            assert_int_equal(start, naive_start);
            assert_int_equal(end, naive_end);
            from = end;
        }
        trie_destroy(trie);
    }
}

static void an_empty_string_is_never_found(void **state) {
    struct trie *trie = trie_create();
    size_t start, end;
    trie_add(trie, "", 0, 3);
    assert_true(trie_is_empty(trie));
    assert_int_equal(trie_find(trie, "abc", 3, 0, &start, &end), -1);
    trie_add(trie, "c", 1, 4);
    assert_false(trie_is_empty(trie));
    assert_int_equal(trie_find(trie, "abc", 3, 0, &start, &end), 4);
    trie_destroy(trie);
    trie_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_leftmost_and_longest),
        cmocka_unit_test(an_empty_string_is_never_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
