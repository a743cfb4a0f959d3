/* The response cache: what is put is found again by its whole key, the least recently used goes
 * first, and the bytes stay below the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "runtime/answers.h"

#define MAX_BYTES (64 * 1024)

static void put(struct answers *answers, const char *key, const char *body) {
    const struct cached_answer answer = {
        .body = (char *)body, .body_len = strlen(body), .facts = {.tokens = strlen(body)}};
    answers_put(answers, key, strlen(key), &answer);
}

/* The body of the key, or NULL; freed by the caller. */
static char *find(struct answers *answers, const char *key) {
    struct cached_answer answer = {0};
    if (!answers_find(answers, key, strlen(key), &answer))
        return NULL;
    assert_int_equal(answer.body_len, answer.facts.tokens);
    return answer.body;
}

static void check(struct answers *answers, const char *key, const char *want) {
    char *got = find(answers, key);
    if (want == NULL)
        assert_null(got);
    else
        assert_string_equal(got, want);
    mem_free(got);
}

static void found_by_the_whole_key(void **state) {
    struct answers *answers = answers_create(MAX_BYTES);
    put(answers, "key", "first");
    put(answers, "key2", "second");
    check(answers, "key", "first");
    check(answers, "key2", "second");
    check(answers, "ke", NULL);
    put(answers, "key", "third");
    check(answers, "key", "third");
    answers_destroy(answers);
}

static void least_recently_used_goes(void **state) {
    struct answers *answers = answers_create(MAX_BYTES);
    char body[1001];
    memset(body, 'x', 1000);
    body[1000] = '\0';
    put(answers, "kept", body);
    put(answers, "dropped", body);
    for (int i = 0; i < 200; i++) {
        char key[16];
        snprintf(key, sizeof(key), "k%d", i);
        put(answers, key, body);
        char *kept = find(answers, "kept"); /* used again and again */
        assert_non_null(kept);
        mem_free(kept);
        assert_true(answers_bytes(answers) <= MAX_BYTES);
    }
    check(answers, "dropped", NULL);
    check(answers, "k199", body);
    answers_destroy(answers);
}

static void too_large_is_not_kept(void **state) {
    struct answers *answers = answers_create(MAX_BYTES);
    char *body = mem_zalloc(MAX_BYTES, 1);
    memset(body, 'x', MAX_BYTES - 1);
    put(answers, "large", body);
    check(answers, "large", NULL);
    assert_int_equal(answers_bytes(answers), 0);
    mem_free(body);
    answers_destroy(answers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_by_the_whole_key),
        cmocka_unit_test(least_recently_used_goes),
        cmocka_unit_test(too_large_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
