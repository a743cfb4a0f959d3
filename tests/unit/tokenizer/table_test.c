/* Tables are encoded as TapasTokenizer does: ids and the seven types of each token, and the numbers
 * and dates of texts, as tests/golden/tapas/.../tables.json has them from it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tokenizer/table_numbers.h"
#include "tokenizer/tokenizer.h"

#define GOLDEN "tests/golden/tapas/"
#define LENGTH 96 /* of the folders' models */

static const char *const folders[] = {GOLDEN "table-question-answering", GOLDEN "trimmed"};

static const struct json *read_json(struct arena *arena, const char *path) {
    struct error err = {0};
    const struct json *out = NULL;
    char *data = NULL;
    size_t len = 0;
    if (file_read(&data, &len, arena, path, LIMIT_JSON_FILE, &err) != STATUS_OK ||
        json_parse(&out, arena, data, len, JSON_PYTHON, &err) != STATUS_OK)
        fail_msg("%s: %s", path, err.text);
    return out;
}

static struct table table_of(struct arena *arena, const struct json *rows) {
    const uint32_t columns = json_at(rows, 0)->len;
    struct table_cell *cells = arena_alloc(arena, rows->len * columns * sizeof *cells);
    for (uint32_t r = 0; r < rows->len; r++)
        for (uint32_t c = 0; c < columns; c++) {
            const struct json *cell = json_at(json_at(rows, r), c);
            cells[r * columns + c] = (struct table_cell){cell->text, cell->len};
        }
    return (struct table){rows->len - 1, columns, cells};
}

static void same_ints(const struct json *want, const int32_t *got, size_t n, const char *what,
                      const struct json *question) {
    if (want->len != n)
        fail_msg("%s: %s: %zu tokens, wanted %u", question->text, what, n, want->len);
    for (size_t i = 0; i < n; i++)
        if (json_at(want, i)->number != got[i])
            fail_msg("%s: %s[%zu] is %d, wanted %g", question->text, what, i, got[i],
                     json_at(want, i)->number);
}

static void check_table(const struct tokenizer *tokenizer, const struct json *row) {
    static const char *const types[TABLE_TYPES] = {"segment",      "column",   "row", "answer", "rank",
                                                   "inverse rank", "relation"};
    struct arena arena = {0};
    struct error err = {0};
    struct table_reading *reading = NULL;
    struct table_encoding encoding = {0};
    const struct json *question = json_get(row, "query");
    const struct table table = table_of(&arena, json_get(row, "cells"));
    const struct table_options options = {.max_length = LENGTH,
                                          .keep_rows = json_get_bool(row, "keep", false)};
    if (tokenizer_read_table(tokenizer, &reading, &arena, &table, &err) != STATUS_OK ||
        tokenizer_encode_table(tokenizer, &encoding, &arena, reading, question->text, question->len,
                               &options, &err) != STATUS_OK)
        fail_msg("%s: %s", question->text, err.text);
    same_ints(json_get(row, "ids"), encoding.ids, encoding.n, "ids", question);
    for (uint32_t t = 0; t < TABLE_TYPES; t++)
        same_ints(json_at(json_get(row, "types"), t), encoding.types + t * encoding.n, encoding.n,
                  types[t], question);
    arena_deinit(&arena);
}

static void tables_are_encoded(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct tokenizer *tokenizer = NULL;
        if (tokenizer_load(&tokenizer, folders[i], &err) != STATUS_OK)
            fail_msg("%s", err.text);
        const char *path = arena_printf(&arena, "%s/tables.json", folders[i]);
        const struct json *tables = json_get(read_json(&arena, path), "tables");
        assert_true(tables->len > 10);
        for (uint32_t t = 0; t < tables->len; t++)
            check_table(tokenizer, json_at(tables, t));
        tokenizer_destroy(tokenizer);
        arena_deinit(&arena);
    }
}

static bool same_value(const struct json *want, const struct numeric *got) {
    if (json_is(want, JSON_STRING)) /* below all that JSON can say */
        return !got->is_date && got->number == -HUGE_VAL;
    if (json_is(want, JSON_NUMBER))
        return !got->is_date && got->number == want->number;
    return got->is_date && json_at(want, 0)->number == got->date[0] &&
           json_at(want, 1)->number == got->date[1] && json_at(want, 2)->number == got->date[2];
}

static void numbers_are_found(void **state) {
    (void)state;
    struct arena arena = {0};
    const struct json *texts = json_get(read_json(&arena, GOLDEN "trimmed/tables.json"), "numbers");
    assert_true(texts->len > 20);
    for (uint32_t i = 0; i < texts->len; i++) {
        const struct json *text = json_get(json_at(texts, i), "text");
        const struct json *want = json_get(json_at(texts, i), "values");
        struct numeric *got = NULL;
        const size_t n = numerics_of(&got, &arena, text->text, text->len);
        if (n != want->len)
            fail_msg("\"%s\": %zu values, wanted %u", text->text, n, want->len);
        for (size_t v = 0; v < n; v++)
            if (!same_value(json_at(want, v), &got[v]))
                fail_msg("\"%s\": value %zu is %g (%d-%d-%d)", text->text, v, got[v].number,
                         got[v].date[0], got[v].date[1], got[v].date[2]);
    }
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_encoded),
        cmocka_unit_test(numbers_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
