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
    size_t most_held = 0;
    buf_init(&out, 1 * MiB);
    decode_stream_init(&stream, tokenizer, (struct decode_options){0});
    const int32_t id = tokenizer_find(tokenizer, "\xC3\xBF", 2); /* byte 0xFF */
    for (int i = 0; i < 1000; i++) {
        decode_stream_push(&stream, id, &out);
        if (stream.n - stream.read > most_held)
            most_held = stream.n - stream.read;
    }
    assert_true(most_held < 16);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_character_waits_for_its_last_byte),
        cmocka_unit_test(what_stays_broken_comes_at_the_end),
        cmocka_unit_test(a_long_broken_run_is_not_held_back),
        cmocka_unit_test(cleaned_up_spaces_are_never_given_out),
        cmocka_unit_test(special_tokens_are_left_out_unless_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
