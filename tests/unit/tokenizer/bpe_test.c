/* BPE equals its definition: again and again the leftmost pair of lowest rank, on words below and
 * above the length where the heap takes over; and a word of a million letters ends. */
#include "folder.h"

#define LETTERS 4
#define MERGES  60

struct definition {
    char tokens[LETTERS + MERGES][128];
    int left[MERGES], right[MERGES], result[MERGES];
    int n_tokens, n_merges;
};

static int token_find(const struct definition *d, const char *token) {
    for (int i = 0; i < d->n_tokens; i++)
        if (strcmp(d->tokens[i], token) == 0)
            return i;
    return -1;
}

/* Random merges of what there is; some give a token that another pair gives, too. */
static void define(struct definition *d, struct random *random) {
    *d = (struct definition){.n_tokens = LETTERS};
    for (int i = 0; i < LETTERS; i++)
        snprintf(d->tokens[i], sizeof d->tokens[i], "%c", 'a' + i);
    while (d->n_merges < MERGES) {
        char joined[256];
        const int left = (int)(random_next(random) % (uint32_t)d->n_tokens);
        const int right = (int)(random_next(random) % (uint32_t)d->n_tokens);
        snprintf(joined, sizeof joined, "%s%s", d->tokens[left], d->tokens[right]);
        if (strlen(joined) > 8)
            continue;
        int result = token_find(d, joined);
        if (result < 0) {
            result = d->n_tokens++;
            memcpy(d->tokens[result], joined, strlen(joined) + 1);
        }
        d->left[d->n_merges] = left;
        d->right[d->n_merges] = right;
        d->result[d->n_merges++] = result;
    }
}

static struct tokenizer *load(const struct definition *d) {
    struct buf text;
    buf_init(&text, 1 * MiB);
    buf_puts(&text, "{\"added_tokens\":[],\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int i = 0; i < d->n_tokens; i++)
        buf_printf(&text, "%s\"%s\":%d", i ? "," : "", d->tokens[i], i);
    buf_puts(&text, "},\"merges\":[");
    for (int i = 0; i < d->n_merges; i++)
        buf_printf(&text, i % 2 ? "%s[\"%s\",\"%s\"]" : "%s\"%s %s\"", i ? "," : "",
                   d->tokens[d->left[i]], d->tokens[d->right[i]]);
    buf_puts(&text, "]}}");
    struct tokenizer *tokenizer = folder_must_load(text.data);
    buf_deinit(&text);
    return tokenizer;
}

/* The rank of a pair: the last merge that names it. */
static int rank_of(const struct definition *d, int left, int right) {
    for (int i = d->n_merges - 1; i >= 0; i--)
        if (d->left[i] == left && d->right[i] == right)
            return i;
    return -1;
}

static size_t by_definition(const struct definition *d, const char *word, size_t n, int *ids) {
    for (size_t i = 0; i < n; i++)
        ids[i] = word[i] - 'a';
    for (;;) {
        int best = -1;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            const int rank = rank_of(d, ids[i], ids[i + 1]);
            if (rank >= 0 && (best < 0 || rank < best)) {
                best = rank;
                at = i;
            }
        }
        if (best < 0)
            return n;
        ids[at] = d->result[best];
        memmove(ids + at + 1, ids + at + 2, (n - at - 2) * sizeof *ids);
        n--;
    }
}

static void check_word(const struct definition *d, const struct tokenizer *tokenizer,
                       const char *word, size_t len) {
    struct arena arena = {0};
    struct error err;
    struct encoding got;
    int want[256];
    const size_t n = by_definition(d, word, len, want);
    assert_int_equal(tokenizer_encode(tokenizer, &got, &arena, word, len, NULL, 0, NULL, &err),
                     STATUS_OK);
    assert_int_equal(got.n, n);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(got.ids[i], want[i]);
        assert_int_equal(got.offsets[i].start, at);
        at += strlen(d->tokens[want[i]]);
        assert_int_equal(got.offsets[i].end, at);
    }
    arena_deinit(&arena);
}

static void words_of_every_length_equal_the_definition(void **state) {
    struct random random = {.seed = 3};
    for (int round = 0; round < 40; round++) {
        struct definition definition;
        define(&definition, &random);
        struct tokenizer *tokenizer = load(&definition);
        for (size_t len = 1; len <= 150; len += 1 + random_next(&random) % 3) {
            char word[160];
            for (size_t i = 0; i < len; i++)
                word[i] = (char)('a' + random_next(&random) % LETTERS);
            check_word(&definition, tokenizer, word, len);
        }
        tokenizer_destroy(tokenizer);
    }
}

static void a_word_of_a_million_letters_ends(void **state) {
    struct random random = {.seed = 8};
    struct definition definition;
    define(&definition, &random);
    struct tokenizer *tokenizer = load(&definition);
    const size_t len = 1000000;
    char *word = mem_alloc(len);
    for (size_t i = 0; i < len; i++)
        word[i] = (char)('a' + random_next(&random) % LETTERS);
    struct arena arena = {0};
    struct error err;
    struct encoding got;
    assert_int_equal(tokenizer_encode(tokenizer, &got, &arena, word, len, NULL, 0, NULL, &err),
                     STATUS_OK);
    assert_true(got.n > len / 8 && got.n < len);
    assert_int_equal(got.offsets[got.n - 1].end, len);
    arena_deinit(&arena);
    mem_free(word);
    tokenizer_destroy(tokenizer);
}

static void dropout_stays_off(void **state) {
    struct tokenizer *tokenizer = folder_must_load(
        "{\"model\":{\"type\":\"BPE\",\"dropout\":0.9,\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},"
        "\"merges\":[[\"a\",\"b\"]]}}");
    struct arena arena = {0};
    struct error err;
    struct encoding got;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(tokenizer_encode(tokenizer, &got, &arena, "abab", 4, NULL, 0, NULL, &err),
                         STATUS_OK);
        assert_int_equal(got.n, 2);
    }
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_every_length_equal_the_definition),
        cmocka_unit_test(a_word_of_a_million_letters_ends),
        cmocka_unit_test(dropout_stays_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
