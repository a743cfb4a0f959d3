/* Streaming gives out whole characters, as early as they are known, and in the end all of them.
 * golden_test.c streams every golden text, too. */
#include "folder.h"

static struct tokenizer *load(void) {
    struct tokenizer *tokenizer = NULL;
    struct error err;
    if (tokenizer_load(&tokenizer, "tests/golden/tokenizer/legacy-gpt2", &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return tokenizer;
}

/* The emoji is four tokens here: nothing for three, the whole for the fourth. */
static void a_character_waits_for_its_last_byte(void **state) {
    struct tokenizer *tokenizer = load();
    struct arena arena = {0};
    struct error err;
    struct encoding encoding;
    static const char emoji[] = "\xF0\x9F\x98\x80";
    assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, emoji, 4, NULL, 0, NULL, &err),
                     STATUS_OK);
    assert_int_equal(encoding.n, 4);
    struct decode_stream stream;
    struct buf out;
    buf_init(&out, 1000);
    decode_stream_init(&stream, tokenizer, (struct decode_options){0});
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(out.len, 0);
        decode_stream_push(&stream, encoding.ids[i], &out);
    }
    assert_string_equal(out.data, emoji);
    decode_stream_push(&stream, tokenizer_find(tokenizer, "a", 1), &out);
    assert_int_equal(out.len, 5);
    decode_stream_deinit(&stream);
    buf_deinit(&out);
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
}

static void what_stays_broken_comes_at_the_end(void **state) {
    struct tokenizer *tokenizer = load();
    struct decode_stream stream;
    struct buf out;
    buf_init(&out, 1000);
    decode_stream_init(&stream, tokenizer, (struct decode_options){0});
    decode_stream_push(&stream, tokenizer_find(tokenizer, "x", 1), &out);
    decode_stream_push(&stream, tokenizer_find(tokenizer, "\xC3\xB0", 2), &out); /* byte 0xF0 */
    assert_string_equal(out.data, "x");
    decode_stream_finish(&stream, &out);
    assert_string_equal(out.data, "x\xEF\xBF\xBD");
    decode_stream_finish(&stream, &out); /* nothing more */
    assert_int_equal(out.len, 4);
    decode_stream_deinit(&stream);
    buf_deinit(&out);
    tokenizer_destroy(tokenizer);
}

/* A thousand bytes that never make a character: given out on the way, and one sign a byte. */
static void a_long_broken_run_is_not_held_back(void **state) {
    struct tokenizer *tokenizer = load();
    struct decode_stream stream;
    struct buf out;
    buf_init(&out, 1 * MiB);
    decode_stream_init(&stream, tokenizer, (struct decode_options){0});
    const int32_t id = tokenizer_find(tokenizer, "\xC3\xBF", 2); /* byte 0xFF */
    for (int i = 0; i < 1000; i++) {
        decode_stream_push(&stream, id, &out);
        assert_true(out.len + 3 * DECODE_STREAM_HELD >= 3 * (size_t)i);
    }
    decode_stream_finish(&stream, &out);
    assert_int_equal(out.len, 3000);
    decode_stream_deinit(&stream);
    buf_deinit(&out);
    tokenizer_destroy(tokenizer);
}

static void cleaned_up_spaces_are_never_given_out(void **state) {
    static const char *const texts[] = {
        "a . b , c ! d ?", "it 's they 're we 've I 'm do n't", "x ' y ' ' z", "end '", "  . . .",
        " n' nn't 'ss",
    };
    struct tokenizer *tokenizer = load();
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena arena = {0};
        struct encoding encoding;
        struct error err;
        struct buf whole, streamed;
        struct decode_stream stream;
        const struct decode_options options = {.clean_up = 1};
        buf_init(&whole, 1000);
        buf_init(&streamed, 1000);
        assert_int_equal(tokenizer_encode(tokenizer, &encoding, &arena, texts[i], strlen(texts[i]),
                                          NULL, 0, NULL, &err),
                         STATUS_OK);
        tokenizer_decode(tokenizer, &whole, encoding.ids, encoding.n, options);
        decode_stream_init(&stream, tokenizer, options);
        for (size_t k = 0; k < encoding.n; k++)
            decode_stream_push(&stream, encoding.ids[k], &streamed);
        decode_stream_finish(&stream, &streamed);
        assert_string_equal(streamed.data, whole.data);
        decode_stream_deinit(&stream);
        buf_deinit(&whole);
        buf_deinit(&streamed);
        arena_deinit(&arena);
    }
    tokenizer_destroy(tokenizer);
}

static void special_tokens_are_left_out_unless_kept(void **state) {
    struct tokenizer *tokenizer = load();
    const int32_t end = tokenizer_special(tokenizer, TOKEN_EOS);
    for (int keep = 0; keep < 2; keep++) {
        struct decode_stream stream;
        struct buf out;
        buf_init(&out, 1000);
        decode_stream_init(&stream, tokenizer, (struct decode_options){.keep_special = keep});
        decode_stream_push(&stream, end, &out);
        decode_stream_push(&stream, 1 << 30, &out); /* no token: skipped */
        decode_stream_finish(&stream, &out);
        assert_string_equal(out.data ? out.data : "", keep ? "<|endoftext|>" : "");
        decode_stream_deinit(&stream);
        buf_deinit(&out);
    }
    tokenizer_destroy(tokenizer);
}

/* ---- any ids, any tokenizer ---------------------------------------------------------------- */

#define LONGEST_RUN 8
#ifndef TIMES
#define TIMES 100 /* sequences for each tokenizer */
#endif

static uint32_t draw(uint32_t *seed, uint32_t below) {
    *seed = *seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(*seed >> 4) * below >> 28);
}

static bool is_fallback(const char *token) {
    return token && strlen(token) == 6 && memcmp(token, "<0x", 3) == 0;
}

/* Ids from everywhere, and bytes and short tokens more often than chance would have them. */
static int32_t draw_id(const struct tokenizer *tokenizer, uint32_t *seed) {
    const uint32_t size = tokenizer_vocab_size(tokenizer);
    static const char *const often[] = {
        "<0xE2>",   "<0x96>",       "<0x81>", "<0xFF>",   "<0x41>", "\xC4\xA0",  "\xC3\xB0",
        "\xC4\x81", "\xE2\x96\x81", ".",      "'",        "s",      "\xC4\xA0'", "\xC4\xA0n",
        " ",        "##s",          "n't",    "\xC3\xA2",
    };
    const uint32_t kind = draw(seed, 4);
    if (kind == 0)
        return (int32_t)draw(seed, size < 300 ? size : 300);
    if (kind == 1) {
        const char *token = often[draw(seed, ARRAY_LEN(often))];
        return tokenizer_find(tokenizer, token, strlen(token));
    }
    return (int32_t)draw(seed, size + 1); /* one beyond the end */
}

static void stream_all(const struct tokenizer *tokenizer, const int32_t *ids, size_t n,
                       struct decode_options options, struct buf *out) {
    struct decode_stream stream;
    buf_init(out, 1 * MiB);
    decode_stream_init(&stream, tokenizer, options);
    for (size_t i = 0; i <= n; i++) {
        const size_t before = out->len;
        if (i < n)
            decode_stream_push(&stream, ids[i], out);
        else
            decode_stream_finish(&stream, out);
        if (out->len > before && !utf8_valid(out->data + before, out->len - before, NULL))
            fail_msg("id %zu gave out half a character", i);
    }
    decode_stream_deinit(&stream);
}

static void print_ids(const struct tokenizer *tokenizer, const int32_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *token = tokenizer_token(tokenizer, ids[i]);
        print_message("%d \"%s\" ", ids[i], token ? token : "(none)");
    }
    print_message("\n");
}

/* Runs of bytes are kept shorter than what a stream holds back: a bad byte behind a longer one
 * changes what was given out already. */
static size_t draw_ids(const struct tokenizer *tokenizer, uint32_t *seed, int32_t *ids,
                       size_t cap) {
    const size_t n = 1 + draw(seed, (uint32_t)cap);
    size_t run = 0;
    for (size_t i = 0; i < n; i++) {
        ids[i] = draw_id(tokenizer, seed);
        const char *token = tokenizer_token(tokenizer, ids[i]);
        if (!token || tokenizer_is_special(tokenizer, ids[i]))
            continue; /* decoding may skip it */
        run = is_fallback(token) ? run + 1 : 0;
        if (run > LONGEST_RUN)
            ids[i] = -1;
    }
    return n;
}

static void check_streams(const char *name, const struct tokenizer *tokenizer, size_t times) {
    uint32_t seed = 1;
    int32_t ids[60];
    for (size_t i = 0; i < times; i++) {
        const size_t n = draw_ids(tokenizer, &seed, ids, ARRAY_LEN(ids));
        const struct decode_options options = {.keep_special = i % 2,
                                               .clean_up = (int)(i / 2 % 3) - 1};
        struct buf whole, streamed;
        buf_init(&whole, 1 * MiB);
        tokenizer_decode(tokenizer, &whole, ids, n, options);
        stream_all(tokenizer, ids, n, options, &streamed);
        if (streamed.len != whole.len ||
            (whole.len > 0 && memcmp(streamed.data, whole.data, whole.len) != 0)) {
            print_ids(tokenizer, ids, n);
            fail_msg("%s, sequence %zu, clean_up %d: \"%s\" in pieces, \"%s\" at once", name, i,
                     options.clean_up, streamed.data ? streamed.data : "",
                     whole.data ? whole.data : "");
        }
        buf_deinit(&whole);
        buf_deinit(&streamed);
    }
}

static void check_folders(const char *place, size_t times) {
    struct arena arena = {0};
    char **names = folder_list(&arena, place);
    if (!names) {
        print_message("%s is not here\n", place);
        return;
    }
    for (size_t i = 0; names[i]; i++) {
        struct tokenizer *tokenizer = NULL;
        struct error err;
        const char *path = path_join(&arena, place, names[i]);
        if (!folder_exists(path) || tokenizer_load(&tokenizer, path, &err) != STATUS_OK)
            continue;
        check_streams(names[i], tokenizer, times);
        tokenizer_destroy(tokenizer);
    }
    arena_deinit(&arena);
}

static void pieces_make_the_whole_for_any_ids(void **state) {
    check_folders("tests/golden/tokenizer", TIMES);
}

static void pieces_make_the_whole_with_real_vocabularies(void **state) {
    struct arena arena = {0};
    const char *shared = getenv("BRISK_SHARED");
    check_folders(path_join(&arena, shared ? shared : "../shared", "tokenizers"), TIMES);
    arena_deinit(&arena);
}

/* Runs of any length, thousands of ids, spaces without end: whole characters, whatever comes. */
static void long_streams_stay_bounded(void **state) {
    static const char *const names[] = {"llama2", "legacy-gpt2", "metaspace"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct arena arena = {0};
        struct tokenizer *tokenizer = NULL;
        struct error err;
        int32_t ids[3000];
        uint32_t seed = 7;
        if (tokenizer_load(&tokenizer, path_join(&arena, "tests/golden/tokenizer", names[i]),
                           &err) != STATUS_OK)
            fail_msg("%s", err.text);
        for (size_t round = 0; round < 12; round++) {
            const uint32_t span = 1 + draw(&seed, 12);
            const int32_t first = (int32_t)draw(&seed, 260);
            struct buf out;
            for (size_t k = 0; k < ARRAY_LEN(ids); k++)
                ids[k] =
                    round % 3 == 0 ? first + (int32_t)draw(&seed, span) : draw_id(tokenizer, &seed);
            stream_all(tokenizer, ids, ARRAY_LEN(ids),
                       (struct decode_options){.clean_up = (int)(round % 2)}, &out);
            buf_deinit(&out);
        }
        tokenizer_destroy(tokenizer);
        arena_deinit(&arena);
    }
}

/* A run of good bytes is given out while it goes on; what it ends with decides over the rest. */
static void long_runs_of_bytes_come_by_characters(void **state) {
    static const struct {
        const char *bytes, *end, *rest; /* `rest`: the text behind twenty characters */
    } rows[] = {
        {"\xE4\xBD\xA0", "\xE2\x96\x81", "\xE2\x96\x81"}, /* another character */
        {"\xE4\xBD\xA0", "\xE2\x96", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xE4\xBD\xA0",
         "\xFF"
         "A",
         "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"A", "B", "B"},
        {"\xF0\x9F\x98\x80",
         "\xF0\x9F"
         "A",
         "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {" ", ".", "."},
    };
    struct tokenizer *tokenizer = NULL;
    struct error err;
    if (tokenizer_load(&tokenizer, "tests/golden/tokenizer/llama2", &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct decode_stream stream;
        struct buf out, want;
        buf_init(&out, 1000);
        buf_init(&want, 1000);
        decode_stream_init(&stream, tokenizer, (struct decode_options){.clean_up = -1});
        const char *parts[2] = {rows[i].bytes, rows[i].end};
        for (size_t k = 0; k < 21; k++) {
            buf_puts(&want, k < 20 ? rows[i].bytes : rows[i].rest);
            for (const char *c = parts[k == 20]; *c; c++) {
                char name[8];
                snprintf(name, sizeof name, "<0x%02X>", (uint8_t)*c);
                const int32_t id = tokenizer_find(tokenizer, name, 6);
                assert_true(id >= 0);
                decode_stream_push(&stream, id, &out);
            }
            if (k == 19)
                assert_true(out.len + DECODE_STREAM_HELD + 4 >= want.len);
        }
        decode_stream_finish(&stream, &out);
        const size_t strip = rows[i].bytes[0] == ' '; /* the decoder takes a first space away */
        assert_string_equal(out.data, want.data + strip);
        decode_stream_deinit(&stream);
        buf_deinit(&out);
        buf_deinit(&want);
    }
    tokenizer_destroy(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_character_waits_for_its_last_byte),
        cmocka_unit_test(what_stays_broken_comes_at_the_end),
        cmocka_unit_test(a_long_broken_run_is_not_held_back),
        cmocka_unit_test(cleaned_up_spaces_are_never_given_out),
        cmocka_unit_test(special_tokens_are_left_out_unless_kept),
        cmocka_unit_test(pieces_make_the_whole_for_any_ids),
        cmocka_unit_test(long_streams_stay_bounded),
        cmocka_unit_test(long_runs_of_bytes_come_by_characters),
        cmocka_unit_test(pieces_make_the_whole_with_real_vocabularies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
