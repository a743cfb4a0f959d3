/* What the cache gives back is what was put under that very word, or nothing; also while other
 * threads write. */
#include "folder.h"

#include "tokenizer/word_cache.h"

static void what_was_put_is_found_and_nothing_else(void **state) {
    static const struct {
        const char *word;
        size_t len, n; /* n: tokens to put; found again when n <= WORD_CACHE_TOKENS */
        int kind;
        bool kept;
    } rows[] = {
        {"a", 1, 1, 0, true},
        {"ab", 2, 2, 0, true},
        {"abc", 3, 3, 0, true},
        {"abcd", 4, 1, 0, true},
        {"abcdefg", 7, 2, 1, true},
        {"abcdefgh", 8, 8, 0, true},
        {"abcdefghi", 9, 9, 0, true},
        {"abcdefghabcdefgh", 16, 1, 0, true},
        {"abcdefghabcdefghabcdefghi", 25, 10, 1, true},
        {"abcdefghabcdefghabcdefghabcdefghabcdefghabcdefgh", 48, WORD_CACHE_TOKENS, 0, true},
        {"abcdefghabcdefghabcdefghabcdefghabcdefghabcdefghi", 49, 1, 0, false},
        {"many", 4, WORD_CACHE_TOKENS + 1, 0, false},
        {"none", 4, 0, 0, false},
        {"a\0b", 3, 1, 0, true},
        {"", 0, 1, 0, false},
    };
    struct word_token put[WORD_CACHE_TOKENS + 1], got[WORD_CACHE_TOKENS];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct word_cache *cache = word_cache_create();
        for (size_t k = 0; k < ARRAY_LEN(put); k++)
            put[k] = (struct word_token){LIMIT_VOCAB_SIZE - 1 - (int32_t)k, (uint32_t)(k % 49)};
        assert_int_equal(word_cache_get(cache, rows[i].word, rows[i].len, rows[i].kind, got), 0);
        word_cache_put(cache, rows[i].word, rows[i].len, rows[i].kind, put, rows[i].n);
        const size_t n = word_cache_get(cache, rows[i].word, rows[i].len, rows[i].kind, got);
        if (n != (rows[i].kept ? rows[i].n : 0))
            fail_msg("row %zu: %zu tokens of %zu", i, n, rows[i].n);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(got[k].id, put[k].id);
            assert_int_equal(got[k].len, put[k].len);
        }
        assert_int_equal(word_cache_get(cache, rows[i].word, rows[i].len, !rows[i].kind, got), 0);
        for (size_t k = 0; k < ARRAY_LEN(rows); k++)
            if (k != i)
                assert_int_equal(
                    word_cache_get(cache, rows[k].word, rows[k].len, rows[i].kind, got), 0);
        word_cache_destroy(cache);
    }
    word_cache_destroy(NULL);
}

/* Words that compete for places; each one's tokens say which word they belong to. */
struct racer {
    struct word_cache *cache;
    uint32_t seed;
    size_t wrong, found;
};

static void race(void *arg) {
    struct racer *racer = arg;
    for (uint32_t i = 0; i < 200000; i++) {
        racer->seed = racer->seed * 1664525u + 1013904223u;
        const uint32_t number = (racer->seed >> 8) % 40000;
        char word[32];
        struct word_token tokens[WORD_CACHE_TOKENS];
        const int len = snprintf(word, sizeof word, "word %u of %u", number, number % 7);
        const size_t n = word_cache_get(racer->cache, word, (size_t)len, 0, tokens);
        racer->found += n > 0;
        racer->wrong += n > 0 && n != 1 + number % WORD_CACHE_TOKENS;
        for (size_t k = 0; k < n; k++)
            racer->wrong += tokens[k].id != (int32_t)(number + k);
        for (size_t k = 0; k < WORD_CACHE_TOKENS; k++)
            tokens[k] = (struct word_token){(int32_t)(number + k), 1};
        if (n == 0)
            word_cache_put(racer->cache, word, (size_t)len, 0, tokens,
                           1 + number % WORD_CACHE_TOKENS);
    }
}

static void threads_never_see_half_an_entry(void **state) {
    struct racer racers[4];
    struct thread *threads[ARRAY_LEN(racers)];
    struct error err;
    struct word_cache *cache = word_cache_create();
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        racers[i] = (struct racer){.cache = cache, .seed = (uint32_t)i};
        assert_int_equal(thread_start(&threads[i], "racer", race, &racers[i], &err), STATUS_OK);
    }
    for (size_t i = 0; i < ARRAY_LEN(racers); i++)
        thread_join(threads[i]);
    for (size_t i = 0; i < ARRAY_LEN(racers); i++) {
        assert_int_equal(racers[i].wrong, 0);
        assert_true(racers[i].found > 1000);
    }
    word_cache_destroy(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_and_nothing_else),
        cmocka_unit_test(threads_never_see_half_an_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
