/* The front matter of model cards: what is found, what is not there, and what damage looks like.
 * Folders with a README.md are in repository_test.c. */
#include "unit/formats/files.h"

#include "formats/card.h"

#define TAG "pipeline_tag: fill-mask\n"

static const struct {
    const char *name, *text, *pipeline_tag, *library_name;
} rows[] = {
    {"both", "---\n" TAG "library_name: transformers\n---\n# A\n", "fill-mask", "transformers"},
    {"at the end of the file", "---\n" TAG "---", "fill-mask", NULL},
    {"CRLF", "---\r\npipeline_tag: fill-mask\r\n---\r\ntext", "fill-mask", NULL},
    {"space before", "\n\n  ---\n" TAG "---\n", "fill-mask", NULL},
    {"byte order mark", "\xef\xbb\xbf---\n" TAG "---\n", "fill-mask", NULL},
    {"quoted", "---\n\"pipeline_tag\": 'fill-mask'\n---\n", "fill-mask", NULL},
    {"after lists and maps",
     "---\ntags:\n- pipeline_tag\n- a: {pipeline_tag: x}\nmodel-index:\n- name: b\n  "
     "pipeline_tag: y\n" TAG "---\n",
     "fill-mask", NULL},
    {"an anchor and an alias", "---\na: &x\n  b: c\nd: *x\n" TAG "---\n", "fill-mask", NULL},
    {"a key that is a list", "---\n? [pipeline_tag, b]\n: c\n" TAG "---\n", "fill-mask", NULL},
    {"as a value", "---\nlicense: pipeline_tag\nb: fill-mask\n---\n", NULL, NULL},
    {"null", "---\npipeline_tag: null\nlibrary_name: ~\n---\n", NULL, NULL},
    {"nothing", "---\npipeline_tag:\nlibrary_name: ''\n---\n", NULL, NULL},
    {"a list", "---\npipeline_tag: [fill-mask]\n---\n", NULL, NULL},
    {"no front matter", "# A model\n---\n" TAG "---\n", NULL, NULL},
    {"never closed", "---\n" TAG "# A\n", NULL, NULL},
    {"four dashes", "----\n" TAG "----\n", NULL, NULL},
    {"empty block", "---\n---\n" TAG, NULL, NULL},
    {"empty file", "", NULL, NULL},
    {"three dashes", "---", NULL, NULL},
    {"a scalar", "---\npipeline_tag\n---\n", NULL, NULL},
    {"a sequence", "---\n- pipeline_tag\n- fill-mask\n---\n", NULL, NULL},
    {"known before the damage", "---\n" TAG "library_name: x\n\"\n---\n", "fill-mask", "x"},
};

static bool same(const char *a, const char *b) {
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void finds_the_tags(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct card card;
        const size_t len = strlen(rows[i].text);
        char *exact = mem_alloc(len); /* no zero behind it, so that ASan sees a byte too far */
        memcpy(exact, rows[i].text, len);
        if (card_parse(&card, &arena, exact, len, &err) != STATUS_OK)
            fail_msg("%s: %s", rows[i].name, err.text);
        mem_free(exact);
        if (!same(card.pipeline_tag, rows[i].pipeline_tag) ||
            !same(card.library_name, rows[i].library_name))
            fail_msg("%s: wanted %s %s, got %s %s", rows[i].name,
                     rows[i].pipeline_tag ? rows[i].pipeline_tag : "NULL",
                     rows[i].library_name ? rows[i].library_name : "NULL",
                     card.pipeline_tag ? card.pipeline_tag : "NULL",
                     card.library_name ? card.library_name : "NULL");
        arena_deinit(&arena);
    }
}

static const struct {
    const char *name, *text, *wanted;
} damaged[] = {
    {"open quote", "---\na: b\nc: \"d\n---\n", "front matter is damaged at line"},
    {"a tab", "---\na:\n\tb: c\n---\n", "front matter is damaged at line 3 column 1"},
    {"not UTF-8", "---\na: \xff\xfe\n---\n", "front matter is damaged"},
    {"open bracket", "---\na: [b\n---\n", "front matter is damaged"},
};

static void says_where_it_is_damaged(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
        struct arena arena = {0};
        struct error err = {0};
        struct card card;
        const enum status status =
            card_parse(&card, &arena, damaged[i].text, strlen(damaged[i].text), &err);
        assert_refused(status, &err, damaged[i].name, damaged[i].wanted);
        assert_null(card.pipeline_tag);
        arena_deinit(&arena);
    }
}

/* Nesting is not followed to the bottom, and takes no time to speak of. */
static void deep_nesting_ends_quietly(void **state) {
    struct arena arena = {0};
    struct error err = {0};
    struct card card;
    struct buf buf;
    buf_init(&buf, 2 * MiB);
    buf_puts(&buf, "---\na: ");
    for (int i = 0; i < 1000000; i++)
        buf_putc(&buf, '[');
    buf_puts(&buf, "\n---\n");
    (void)!card_parse(&card, &arena, buf.data, buf.len, &err);
    assert_null(card.pipeline_tag);
    buf_deinit(&buf);
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_tags),
        cmocka_unit_test(says_where_it_is_damaged),
        cmocka_unit_test(deep_nesting_ends_quietly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
