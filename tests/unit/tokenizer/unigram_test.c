/* Unigram takes the way of the largest sum, settles long texts without holding all of them, and
 * refuses vocabularies that it could not work with. Equality with the library is the goldens'. */
#include "folder.h"

#include <math.h>

#define UNIGRAM(rest) "{\"model\":{\"type\":\"Unigram\"," rest "}}"
#define PIECES        14
#define LETTERS       12

static void a_damaged_vocabulary_is_refused(void **state) {
    static const struct refusal rows[] = {
        {UNIGRAM("\"unk_id\":0"), "\"vocab\" must be a list"},
        {UNIGRAM("\"vocab\":{\"a\":0}"), "\"vocab\" must be a list"},
        {UNIGRAM("\"vocab\":[\"a\"]"), "piece 0 of \"vocab\""},
        {UNIGRAM("\"vocab\":[[\"a\",-1],[\"b\",\"-1\"]]"), "piece 1 of \"vocab\""},
        {UNIGRAM("\"vocab\":[[\"a\",-1,2]]"), "piece 0 of \"vocab\""},
        {UNIGRAM("\"vocab\":[[\"a\",NaN]]"), "score of piece 0"},
        {UNIGRAM("\"vocab\":[[\"a\",-Infinity]]"), "score of piece 0"},
        {UNIGRAM("\"vocab\":[[\"a\",-1e999]]"), "score of piece 0"},
        {UNIGRAM("\"vocab\":[[\"a\",-1]],\"unk_id\":1"), "\"unk_id\" must be below the 1"},
        {UNIGRAM("\"vocab\":[[\"a\",-1]],\"unk_id\":-1"), "\"unk_id\" must be below"},
        {UNIGRAM("\"vocab\":[],\"unk_id\":0"), "\"unk_id\" must be below the 0"},
    };
    folder_refuses(rows, ARRAY_LEN(rows));
}

static void a_type_can_be_told_from_the_list(void **state) {
    struct tokenizer *tokenizer =
        folder_must_load("{\"model\":{\"vocab\":[[\"<unk>\",0],[\"a\",-1]],\"unk_id\":0}}");
    assert_int_equal(tokenizer_find(tokenizer, "a", 1), 1);
    tokenizer_destroy(tokenizer);
}

static struct encoding must_encode(const struct tokenizer *tokenizer, struct arena *arena,
                                   const char *text, size_t len) {
    struct encoding encoding;
    struct error err;
    if (tokenizer_encode(tokenizer, &encoding, arena, text, len, NULL, 0, NULL, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return encoding;
}

/* ---- the largest sum ----------------------------------------------------------------------- */

struct piece_row {
    char text[8];
    double score;
};

/* The largest sum over all ways to cut the text; pieces and single unknown letters. */
static double best_sum(const struct piece_row *pieces, double unk_score, const char *text) {
    if (!*text)
        return 0;
    double best = -INFINITY;
    bool single = false;
    for (size_t i = 0; i < PIECES; i++) {
        const size_t len = strlen(pieces[i].text);
        if (strncmp(text, pieces[i].text, len) != 0)
            continue;
        single = single || len == 1;
        const double sum = pieces[i].score + best_sum(pieces, unk_score, text + len);
        best = sum > best ? sum : best;
    }
    if (!single) {
        const double sum = unk_score + best_sum(pieces, unk_score, text + 1);
        best = sum > best ? sum : best;
    }
    return best;
}

static double sum_of(const struct encoding *encoding, const struct piece_row *pieces,
                     double unk_score) {
    double sum = 0;
    for (size_t i = 0; i < encoding->n; i++) {
        const struct span at = encoding->offsets[i];
        sum += encoding->ids[i] > 0 ? pieces[encoding->ids[i] - 1].score
                                    : unk_score * (at.end - at.start);
    }
    return sum;
}

/* Distinct pieces of the letters a to c; d is unknown. Scores are multiples of 1/4: exact sums. */
static void random_pieces(struct random *random, struct piece_row *pieces, struct buf *json) {
    struct arena arena = {0};
    buf_puts(json, "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0]");
    for (size_t i = 0; i < PIECES; i++) {
        for (bool again = true; again;) {
            const size_t len = 1 + random_next(random) % 4;
            for (size_t k = 0; k < len; k++)
                pieces[i].text[k] = "abc"[random_next(random) % 3];
            pieces[i].text[len] = 0;
            again = false;
            for (size_t k = 0; k < i; k++)
                again = again || strcmp(pieces[k].text, pieces[i].text) == 0;
        }
        pieces[i].score = -0.25 * (double)(1 + random_next(random) % 40);
        buf_puts(json, arena_printf(&arena, ",[\"%s\",%.2f]", pieces[i].text, pieces[i].score));
    }
    arena_deinit(&arena);
    buf_puts(json, "]}}");
}

static void the_sum_is_the_largest(void **state) {
    struct random random = {.seed = 3};
    for (int round = 0; round < 40; round++) {
        struct piece_row pieces[PIECES];
        struct buf json;
        buf_init(&json, MiB);
        random_pieces(&random, pieces, &json);
        struct tokenizer *tokenizer = folder_must_load(json.data);
        double least = 0;
        for (size_t i = 0; i < PIECES; i++)
            least = pieces[i].score < least ? pieces[i].score : least;
        for (int k = 0; k < 50; k++) {
            struct arena arena = {0};
            char text[LETTERS + 1] = "";
            for (size_t i = 0; i < LETTERS; i++)
                text[i] = "abcabcabcd"[random_next(&random) % 10];
            const struct encoding encoding = must_encode(tokenizer, &arena, text, LETTERS);
            const double got = sum_of(&encoding, pieces, least - 10);
            const double want = best_sum(pieces, least - 10, text);
            if (got != want)
                fail_msg("%s, %s: wanted %g, got %g", json.data, text, want, got);
            arena_deinit(&arena);
        }
        tokenizer_destroy(tokenizer);
        buf_deinit(&json);
    }
}

/* ---- long texts ---------------------------------------------------------------------------- */

static void long_texts_are_cut_as_short_ones(void **state) {
    struct tokenizer *tokenizer = folder_must_load(
        UNIGRAM("\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-3],[\"aa\",-4],[\"b\",-2],"
                "[\"ab\",-3.5]]"));
    const size_t repeats = 200000;
    static const int32_t want[] = {2, 4, 0, 3};
    struct arena arena = {0};
    char *text = arena_alloc(&arena, 6 * repeats); /* "aa" "ab" "?" "b" */
    for (size_t i = 0; i < repeats; i++)
        memcpy(text + 6 * i, "aaab?b", 6);
    const struct encoding encoding = must_encode(tokenizer, &arena, text, 6 * repeats);
    assert_int_equal(encoding.n, 4 * repeats);
    for (size_t i = 0; i < encoding.n; i++)
        assert_int_equal(encoding.ids[i], want[i % 4]);
    assert_int_equal(encoding.offsets[encoding.n - 1].end, 6 * repeats);
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
}

/* Where every place is crossed by a piece the lattice is as long as the text. */
static void a_text_without_a_settled_place_is_fine(void **state) {
    struct tokenizer *tokenizer = folder_must_load(
        UNIGRAM("\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-3],[\"aa\",-4],[\"aaa\",-7.5]]"));
    const size_t len = 300001;
    struct arena arena = {0};
    char *text = arena_alloc(&arena, len);
    memset(text, 'a', len);
    const struct encoding encoding = must_encode(tokenizer, &arena, text, len);
    assert_int_equal(encoding.n, (len + 1) / 2);
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
}

static void an_unknown_letter_without_unk_is_an_error(void **state) {
    struct tokenizer *tokenizer =
        folder_must_load(UNIGRAM("\"unk_id\":null,\"vocab\":[[\"a\",-3],[\"bc\",-4]]"));
    struct arena arena = {0};
    struct encoding encoding;
    struct error err;
    assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, "abca", 4, NULL, 0, NULL, &err),
                     STATUS_ERROR); /* "b" is not taken, but the library asks for it */
    assert_int_equal(err.code, ERROR_INPUT);
    assert_int_equal(must_encode(tokenizer, &arena, "aa", 2).n, 2);
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_damaged_vocabulary_is_refused),
        cmocka_unit_test(a_type_can_be_told_from_the_list),
        cmocka_unit_test(the_sum_is_the_largest),
        cmocka_unit_test(long_texts_are_cut_as_short_ones),
        cmocka_unit_test(a_text_without_a_settled_place_is_fine),
        cmocka_unit_test(an_unknown_letter_without_unk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
