/* When texts end: EOS, length, stop strings over token borders, and what comes first. Text is made
 * by a decoder of the test's own: token i is words[i]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "generate/parts.h"

static const char *const words[] = {"a", "b", "END", " st", "op", "\n\n", "x stop y", ""};

static void decode(const void *user, const int32_t *ids, uint32_t n, struct buf *out) {
    for (uint32_t i = 0; i < n; i++) {
        buf_puts(out, words[ids[i]]);
    }
}

struct row {
    const char *name;
    const char *stop[2];
    int32_t ids[8]; /* the first two are the prompt */
    uint32_t n;
    int32_t last;
    enum finish_reason wanted;
};

static const struct row rows[] = {
    {"goes on", {"END"}, {0, 1, 0}, 3, 1, FINISH_NONE},
    {"end of sequence", {"END"}, {0, 1, 0}, 3, 7, FINISH_EOS},
    {"a token is the stop string", {"END"}, {0, 1, 0}, 3, 2, FINISH_STOP},
    {"over two tokens", {"stop"}, {0, 1, 0, 3}, 4, 4, FINISH_STOP},
    {"over two tokens, the first is missing", {"stop"}, {0, 1, 0, 1}, 4, 4, FINISH_NONE},
    {"inside a token", {"stop"}, {0, 1}, 2, 6, FINISH_STOP},
    {"the second of two", {"END", "\n\n"}, {0, 1}, 2, 5, FINISH_STOP},
    {"the prompt does not count", {"ab"}, {0, 1}, 2, 3, FINISH_NONE},
    {"the first new token", {"a"}, {2, 2}, 2, 0, FINISH_STOP},
    {"length", {"END"}, {0, 1, 0, 0, 0, 0, 0}, 7, 0, FINISH_LENGTH},
    {"stop before length", {"END"}, {0, 1, 0, 0, 0, 0, 0}, 7, 2, FINISH_STOP},
    {"end of sequence before length", {"END"}, {0, 1, 0, 0, 0, 0, 0}, 7, 7, FINISH_EOS},
};

static void every_row_ends_as_it_should(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct generation_config config;
        struct stopping stopping;
        struct arena arena = {0};
        generation_config_default(&config);
        config.eos[0] = 7;
        config.n_eos = 1;
        config.stop = row->stop;
        config.n_stop = row->stop[1] ? 2 : 1;
        const struct generation_text text = {decode, NULL};
        stopping_create(&stopping, &arena, &config, &text, 2, 8);
        const enum finish_reason got = stopping_check(&stopping, row->ids, row->n, row->last);
        if (got != row->wanted) {
            fail_msg("%s: got %s, wanted %s", row->name, finish_reason_name(got),
                     finish_reason_name(row->wanted));
        }
        stopping_destroy(&stopping);
        arena_deinit(&arena);
    }
}

static void long_texts_are_seen_through_a_window(void **state) {
    struct generation_config config;
    struct stopping stopping;
    struct arena arena = {0};
    const char *const stop[] = {"aaab"};
    int32_t ids[500] = {0};
    generation_config_default(&config);
    config.stop = stop;
    config.n_stop = 1;
    const struct generation_text text = {decode, NULL};
    stopping_create(&stopping, &arena, &config, &text, 2, 1000);
    const uint64_t before = mem_alloc_count();
    for (uint32_t n = 2; n < 500; n++) {
        assert_int_equal(stopping_check(&stopping, ids, n, 0), FINISH_NONE);
    }
    assert_int_equal(stopping_check(&stopping, ids, 500, 1), FINISH_STOP);
    assert_int_equal(mem_alloc_count(), before);
    stopping_destroy(&stopping);
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_ends_as_it_should),
        cmocka_unit_test(long_texts_are_seen_through_a_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
