/* The reader of SentencePiece files: what it reads, what it passes over, and that damage is refused
 * with its place. The messages are written here byte by byte; trained models are in the goldens. */
#include "folder.h"

#include "tokenizer/sentencepiece.h"

#define FILE_OF(bytes) bytes, sizeof bytes - 1
/* message ModelProto: piece "a" with score -1.5, of type NORMAL */
#define PIECE_A                                                                                    \
    "\x0A\x0A\x0A\x01"                                                                             \
    "a\x15\x00\x00\xC0\xBF\x18\x01"

static enum status parse(struct sentencepiece *out, struct arena *arena, const char *data,
                         size_t len, struct error *err) {
    return sentencepiece_parse(out, arena, arena_copy(arena, data, len + 1), len, err);
}

static void the_fields_are_read(void **state) {
    static const char file[] =
        PIECE_A "\x0A\x05\x0A\x01"
                "b\x18\x04" /* type 4, no score */
                "\x12\x0F\x18\x02\xC0\x01\x01\x98\x02\x01\xC0\x02\x01\xEA\x02\x01?" /* trainer */
                "\x1A\x0A\x12\x02xy\x18\x00\x20\x00\x28\x00";                       /* normalizer */
    struct sentencepiece model;
    struct arena arena = {0};
    struct error err;
    if (parse(&model, &arena, FILE_OF(file), &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(model.n, 2);
    assert_memory_equal(model.pieces[0].data, "a", 1);
    assert_true(model.pieces[0].score == -1.5f);
    assert_int_equal(model.pieces[0].type, SENTENCEPIECE_NORMAL);
    assert_int_equal(model.pieces[1].type, SENTENCEPIECE_USER_DEFINED);
    assert_int_equal(model.model_type, SENTENCEPIECE_BPE);
    assert_true(model.byte_fallback && model.treat_whitespace_as_suffix);
    assert_int_equal(model.unk_id, 1);
    assert_string_equal(model.unk_piece, "?");
    assert_int_equal(model.charsmap_len, 2);
    assert_false(model.add_dummy_prefix || model.remove_extra_whitespaces ||
                 model.escape_whitespaces);
    arena_deinit(&arena);
}

static void what_is_not_said_has_its_default(void **state) {
    struct sentencepiece model;
    struct arena arena = {0};
    struct error err;
    assert_int_equal(parse(&model, &arena, FILE_OF(PIECE_A), &err), STATUS_OK);
    assert_int_equal(model.model_type, SENTENCEPIECE_UNIGRAM);
    assert_int_equal(model.unk_id, 0);
    assert_string_equal(model.unk_piece, "<unk>");
    assert_true(model.add_dummy_prefix && model.remove_extra_whitespaces &&
                model.escape_whitespaces && !model.byte_fallback);
    arena_deinit(&arena);
}

/* Fields that are not known, of each wire type, and known ones of another wire type. */
static void unknown_fields_are_passed_over(void **state) {
    static const char file[] = PIECE_A "\xF8\x07\x80\x01\xF9\x07"
                                       "12345678\xFA\x07\x03xyz\xFD\x07"
                                       "1234\x08\x05\x12\x02\x1A\x00";
    struct sentencepiece model;
    struct arena arena = {0};
    struct error err;
    assert_int_equal(parse(&model, &arena, FILE_OF(file), &err), STATUS_OK);
    assert_int_equal(model.n, 1);
    assert_int_equal(model.model_type, SENTENCEPIECE_UNIGRAM);
    arena_deinit(&arena);
}

static void damage_is_refused(void **state) {
    static const struct {
        const char *data;
        size_t len;
        const char *reason;
    } rows[] = {
        {"", 0, "no pieces"},
        {FILE_OF("\x12\x00"), "no pieces"},
        {FILE_OF("version https://git-lfs"), "damaged at byte"},
        {FILE_OF("\x0A"), "damaged at byte 1"},
        {FILE_OF("\x0A\x05"
                 "abc"),
         "damaged"},
        {FILE_OF("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "damaged"},
        {FILE_OF("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), "damaged"},
        {FILE_OF("\x00\x00"), "damaged"},             /* field 0 */
        {FILE_OF("\x0B\x0C"), "damaged"},             /* a group */
        {FILE_OF("\x0A\x02\x0A\x05"), "damaged"},     /* a piece that ends early */
        {FILE_OF("\x0A\x03\x15\x00\x00"), "damaged"}, /* half a score */
        {FILE_OF(PIECE_A "\x12\x01\x18"), "damaged"},
        {FILE_OF(PIECE_A "\x1A\x02\x12\x7F"), "damaged"},
        {FILE_OF("\x0A\x00"), "piece 0 is empty"},
        {FILE_OF("\x0A\x03\x0A\x01\xFF"), "piece 0 is not valid UTF-8"},
        {FILE_OF("\x0A\x08\x0A\x01"
                 "a\x15\x00\x00\xC0\x7F"),
         "not a finite number"},
        {FILE_OF("\x0A\x08\x0A\x01"
                 "a\x15\x00\x00\x80\x7F"),
         "not a finite number"},
        {FILE_OF(PIECE_A "\x12\x04\xEA\x02\x01\xFF"), "unk_piece"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct sentencepiece model;
        struct arena arena = {0};
        struct error err;
        if (parse(&model, &arena, rows[i].data, rows[i].len, &err) == STATUS_OK)
            fail_msg("row %zu was accepted", i);
        assert_int_equal(err.code, ERROR_MODEL);
        if (!strstr(err.text, rows[i].reason))
            fail_msg("row %zu: wanted \"%s\" in \"%s\"", i, rows[i].reason, err.text);
        arena_deinit(&arena);
    }
}

/* A trained model cut at every byte, and with every byte changed: an error or a tokenizer. */
static void no_cut_and_no_change_does_harm(void **state) {
    struct arena arena = {0};
    struct error err;
    char *data;
    size_t len;
    assert_int_equal(file_read(&data, &len, &arena,
                               "tests/golden/tokenizer/class-llama/tokenizer.model", MiB, &err),
                     STATUS_OK);
    for (size_t i = 0; i < len; i++) {
        struct sentencepiece model;
        struct arena own = {0};
        char *copy = arena_copy(&own, data, len);
        if (sentencepiece_parse(&model, &own, copy, i, &err) == STATUS_OK)
            assert_true(model.n > 0);
        copy[i] = (char)(copy[i] ^ (1 << i % 8));
        if (sentencepiece_parse(&model, &own, copy, len, &err) == STATUS_OK)
            assert_true(model.n > 0);
        arena_deinit(&own);
    }
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fields_are_read),
        cmocka_unit_test(what_is_not_said_has_its_default),
        cmocka_unit_test(unknown_fields_are_passed_over),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(no_cut_and_no_change_does_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
