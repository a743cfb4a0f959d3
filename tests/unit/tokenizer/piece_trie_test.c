/* Walking the double array finds the pieces that a text starts with, with the score and the id of
 * the last of equals, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tokenizer/piece_trie.h"

#define PIECES 200

/* The last piece that is data[0, len), -1: none. */
static int32_t naive(const struct scored_piece *pieces, size_t n, const char *data, size_t len) {
    for (size_t i = n; i-- > 0;)
        if (pieces[i].len == len && memcmp(pieces[i].data, data, len) == 0)
            return (int32_t)i;
    return -1;
}

static void check_walk(const struct piece_trie *trie, const struct scored_piece *pieces, size_t n,
                       const char *text, size_t len) {
    uint32_t cell = 0;
    for (size_t end = 1; end <= len; end++) {
        if (cell != UINT32_MAX)
            cell = piece_trie_step(trie, cell, (uint8_t)text[end - 1]);
        const int32_t want = naive(pieces, n, text, end);
        const int32_t got = cell != UINT32_MAX && trie->cells[cell].is_piece ? trie->ids[cell] : -1;
        assert_int_equal(got, want);
        if (got >= 0)
            assert_true(trie->cells[cell].score == pieces[got].score);
    }
}

/* Bytes of a small alphabet, which makes equal and nested pieces, or of all 256. */
static char *random_bytes(struct random *random, struct arena *arena, size_t len, bool wide) {
    char *out = arena_alloc(arena, len + 1);
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(wide ? random_next(random) % 256 : 'a' + random_next(random) % 3);
    return out;
}

static void it_finds_what_comparing_finds(void **state) {
    struct random random = {.seed = 11};
    for (int round = 0; round < 60; round++) {
        struct arena arena = {0};
        struct scored_piece pieces[PIECES];
        const size_t n = random_next(&random) % (PIECES + 1);
        for (size_t i = 0; i < n; i++) {
            const size_t len = random_next(&random) % 6;
            pieces[i] = (struct scored_piece){random_bytes(&random, &arena, len, round % 2), len,
                                              -(double)i};
        }
        struct piece_trie trie;
        piece_trie_create(&trie, pieces, n);
        for (size_t i = 0; i < n; i++)
            check_walk(&trie, pieces, n, pieces[i].data, pieces[i].len);
        for (int i = 0; i < 100; i++)
            check_walk(&trie, pieces, n, random_bytes(&random, &arena, 8, round % 2), 8);
        piece_trie_deinit(&trie);
        arena_deinit(&arena);
    }
}

static void a_long_piece_is_one_chain(void **state) {
    struct arena arena = {0};
    const size_t len = 200000;
    char *data = arena_alloc(&arena, len);
    memset(data, 'x', len);
    const struct scored_piece pieces[] = {{data, len, -1}, {data, len - 1, -2}, {"", 0, -3}};
    struct piece_trie trie;
    piece_trie_create(&trie, pieces, ARRAY_LEN(pieces));
    uint32_t cell = 0;
    size_t found = 0;
    for (size_t i = 0; i < len; i++) {
        cell = piece_trie_step(&trie, cell, 'x');
        assert_int_not_equal(cell, UINT32_MAX);
        found += trie.cells[cell].is_piece;
    }
    assert_int_equal(found, 2);
    piece_trie_deinit(&trie);
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_what_comparing_finds),
        cmocka_unit_test(a_long_piece_is_one_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
