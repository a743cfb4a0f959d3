/* What a tokenizer.json may make of a text: nested Sequences of Replace that double it are stopped
 * by one limit for the whole normalization, with an error that says so. */
#include "folder.h"

#include "base/banned.h"

#define DOUBLE  "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"aa\"}"
#define FOUR    DOUBLE "," DOUBLE "," DOUBLE "," DOUBLE
#define SEQ(x)  "{\"type\":\"Sequence\",\"normalizers\":[" x "]}"
#define LARGE   FOUR "," FOUR "," FOUR "," FOUR "," FOUR
#define EMPTIES "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(?:)\"},\"content\":\"aaaaaaa\"}"

static void put_tokenizer(struct folder *folder, const char *normalizer) {
    struct arena arena = {0};
    folder_write(
        folder, "tokenizer.json",
        arena_printf(&arena,
                     "{\"added_tokens\":[{\"id\":1,\"content\":\"<s>\",\"special\":true,"
                     "\"normalized\":false}],\"normalizer\":%s,\"model\":{\"type\":\"WordLevel\","
                     "\"vocab\":{\"?\":0,\"<s>\":1,\"a\":2},\"unk_token\":\"?\"}}",
                     normalizer));
    arena_deinit(&arena);
}

static enum status encode(const char *normalizer, const char *text, struct error *err) {
    struct folder folder;
    struct tokenizer *tokenizer;
    struct arena arena = {0};
    struct encoding encoding;
    folder_make(&folder);
    put_tokenizer(&folder, normalizer);
    enum status status = tokenizer_load(&tokenizer, folder.path, err);
    if (status != STATUS_OK)
        fail_msg("not loaded: %s", err->text);
    status = tokenizer_encode(tokenizer, &encoding, &arena, text, strlen(text), NULL, 0, NULL, err);
    arena_deinit(&arena);
    tokenizer_destroy(tokenizer);
    folder_destroy(&folder);
    return status;
}

static void a_text_that_multiplies_is_stopped(void **state) {
    static const struct {
        const char *normalizer, *text;
        bool fits;
    } rows[] = {
        {SEQ(FOUR), "a", true},
        {SEQ(SEQ(FOUR) "," SEQ(SEQ(FOUR) "," FOUR)), "a", true},
        {SEQ(LARGE "," LARGE), "a", false},
        {SEQ(SEQ(LARGE) "," SEQ(LARGE) "," SEQ(SEQ(LARGE))), "a", false},
        {SEQ(SEQ(SEQ(SEQ(LARGE "," FOUR)))), "a", false},
        /* each of them adds what is allowed to one, together it is too much */
        {SEQ(LARGE ",{\"type\":\"Lowercase\"}"
                   ",{\"type\":\"Lowercase\"}"),
         "aaaaaa", false},
        {SEQ(EMPTIES "," EMPTIES "," EMPTIES "," EMPTIES "," EMPTIES "," EMPTIES "," EMPTIES
                     "," EMPTIES "," EMPTIES),
         "b", false},
        /* parts between added tokens share it, too */
        {SEQ(LARGE), "aaaa<s>aaaa<s>aaaa", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error err = {0};
        const enum status status = encode(rows[i].normalizer, rows[i].text, &err);
        if ((status == STATUS_OK) != rows[i].fits)
            fail_msg("row %zu: %s", i, status == STATUS_OK ? "was encoded" : err.text);
        if (!rows[i].fits && !strstr(err.text, "makes more than 8 MiB of a text"))
            fail_msg("row %zu: \"%s\"", i, err.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_text_that_multiplies_is_stopped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
