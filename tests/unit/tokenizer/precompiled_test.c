/* A charsmap that is cut off or points outside of itself is refused; one whose units are random
 * bytes never leads a text out of it. Equality with the library is the goldens'. */
#include "folder.h"

#define UNITS 256

struct map {
    uint32_t units[UNITS];
    const char *texts;
    size_t texts_len;
};

/* The key "a" stands for the text at `place`. */
static struct map simple_map(uint32_t place, const char *texts, size_t texts_len) {
    struct map map = {.texts = texts, .texts_len = texts_len};
    const uint32_t child = 128 ^ 'a', leaf = 7;
    map.units[0] = 128u << 10;
    map.units[child] = 'a' | 1u << 8 | (child ^ leaf) << 10;
    map.units[leaf] = 1u << 31 | place;
    return map;
}

static void put_base64(struct buf *out, const uint8_t *bytes, size_t len) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        const uint32_t group = (uint32_t)bytes[i] << 16 |
                               (i + 1 < len ? (uint32_t)bytes[i + 1] << 8 : 0) |
                               (i + 2 < len ? bytes[i + 2] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_putc(out, i + k <= len ? digits[group >> (18 - 6 * k) & 63] : '=');
    }
}

#define HEAD                                                                                       \
    "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"?\",0]],\"unk_id\":0},"                        \
    "\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\""

static enum status load_map(struct tokenizer **out, const struct map *map, size_t cut,
                            struct error *err) {
    uint8_t bytes[4 + 4 * UNITS + 64];
    const size_t len = 4 + 4 * UNITS + map->texts_len - cut;
    const uint32_t head = 4 * UNITS;
    memcpy(bytes, &head, 4);
    memcpy(bytes + 4, map->units, 4 * UNITS);
    memcpy(bytes + 4 + 4 * UNITS, map->texts, map->texts_len);
    struct buf json;
    buf_init(&json, MiB);
    buf_puts(&json, HEAD);
    put_base64(&json, bytes, len);
    buf_puts(&json, "\"}}");
    buf_putc(&json, 0);
    const enum status status = folder_load(out, json.data, NULL, err);
    buf_deinit(&json);
    return status;
}

static size_t tokens_of(const struct tokenizer *tokenizer, const char *text) {
    struct arena arena = {0};
    struct encoding encoding;
    struct error err;
    if (tokenizer_encode(tokenizer, &encoding, &arena, text, strlen(text), NULL, 0, NULL, &err) !=
        STATUS_OK)
        fail_msg("%s", err.text);
    const size_t n = encoding.n;
    arena_deinit(&arena);
    return n;
}

static void a_sound_map_replaces(void **state) {
    struct tokenizer *tokenizer = NULL;
    struct error err;
    const struct map map = simple_map(2, "x\0?y\0", 5);
    assert_int_equal(load_map(&tokenizer, &map, 0, &err), STATUS_OK);
    assert_int_equal(tokens_of(tokenizer, "?"), 1);
    assert_int_equal(tokens_of(tokenizer, ""), 0);
    tokenizer_destroy(tokenizer);
    const struct map nothing = simple_map(0, "", 0); /* every "a" goes */
    assert_int_equal(load_map(&tokenizer, &nothing, 0, &err), STATUS_OK);
    assert_int_equal(tokens_of(tokenizer, "aa"), 0);
    assert_int_equal(tokens_of(tokenizer, "aba"), 1);
    tokenizer_destroy(tokenizer);
}

static void refuses(struct map map, size_t cut, const char *reason) {
    struct tokenizer *tokenizer;
    struct error err;
    if (load_map(&tokenizer, &map, cut, &err) == STATUS_OK)
        fail_msg("accepted, though: %s", reason);
    assert_int_equal(err.code, ERROR_MODEL);
    if (!strstr(err.text, reason))
        fail_msg("wanted \"%s\" in \"%s\"", reason, err.text);
}

static void a_damaged_map_is_refused(void **state) {
    refuses(simple_map(0, "", 0), 1, "is cut off");
    refuses(simple_map(9, "x\0", 2), 0, "points outside");
    refuses(simple_map(1, "\xC3\xA9\0", 3), 0, "points outside"); /* into a character */
    refuses(simple_map(0, "\xC3", 1), 0, "not valid UTF-8");
    struct map far = simple_map(0, "x\0", 2);
    far.units[128 ^ 'a'] |= 1u << 20 << 10; /* the value would lie far behind the units */
    refuses(far, 0, "points outside");
}

static void text_that_is_no_map_is_refused(void **state) {
    static const struct refusal rows[] = {
        {HEAD "\"}}", "is cut off"},
        {HEAD "AAA\"}}", "must be base64"},
        {HEAD "A===\"}}", "must be base64"},
        {HEAD "AA=A\"}}", "must be base64"},
        {HEAD "AAAA====\"}}", "must be base64"},
        {HEAD "AAA\\u0000\"}}", "must be base64"},
        {HEAD "AAAA\"}}", "is cut off"},
        {HEAD "AAAAAA==\"}}", "is empty"},
        {HEAD "/////w==\"}}", "is cut off"},
    };
    folder_refuses(rows, ARRAY_LEN(rows));
}

/* Whatever is accepted can be run: the sanitizers watch. */
static void random_units_stay_inside(void **state) {
    struct random random = {.seed = 21};
    size_t accepted = 0;
    for (int round = 0; round < 300; round++) {
        struct map map = simple_map(0, "x\0", 2);
        for (int i = 0; i < 40; i++) {
            const uint32_t at = (uint32_t)(random_next(&random) % UNITS);
            map.units[at] = (uint32_t)random_next(&random) & 0x8003FEFF;
        }
        struct tokenizer *tokenizer;
        struct error err;
        if (load_map(&tokenizer, &map, 0, &err) != STATUS_OK)
            continue;
        accepted++;
        char text[129] = "";
        for (size_t i = 0; i < 128; i++)
            text[i] = (char)(1 + random_next(&random) % 127);
        tokens_of(tokenizer, text);
        tokenizer_destroy(tokenizer);
    }
    assert_true(accepted > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_map_replaces),
        cmocka_unit_test(a_damaged_map_is_refused),
        cmocka_unit_test(text_that_is_no_map_is_refused),
        cmocka_unit_test(random_units_stay_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
