/* Every case under tests/golden answers as `transformers` did, at fp32 and through brisk.h: texts,
 * ids and offsets exactly, other numbers within the case's tolerance. One test a case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "runtime/runtime.h"
#include "unit/runtime/goldens.h"

static struct brisk *brisk;

struct place { /* where two answers differ */
    char path[512], want[256], got[256];
};

static void show(char *out, size_t size, const struct json *value) {
    struct buf buf;
    buf_init(&buf, LIMIT_BODY);
    struct json_out json = json_out_begin(&buf);
    if (value != NULL)
        json_value(&json, value);
    snprintf(out, size, "%s", value == NULL ? "nothing" : buf.data);
    buf_deinit(&buf);
}

static bool differ(struct place *place, const struct json *want, const struct json *got) {
    show(place->want, sizeof(place->want), want);
    show(place->got, sizeof(place->got), got);
    return false;
}

static bool same_number(const struct json *want, const struct json *got, double tolerance) {
    const bool whole = want->boolean; /* written without a fraction: an id, an offset */
    return whole ? want->number == got->number : fabs(want->number - got->number) <= tolerance;
}

static bool same(struct place *place, size_t at, const struct json *want, const struct json *got,
                 double tolerance);

static bool same_array(struct place *place, size_t at, const struct json *want,
                       const struct json *got, double tolerance) {
    if (want->len != got->len)
        return differ(place, want, got);
    for (size_t i = 0; i < want->len; i++) {
        const int n = snprintf(place->path + at, sizeof(place->path) - at, "[%zu]", i);
        if (!same(place, at + (size_t)n, json_at(want, i), json_at(got, i), tolerance))
            return false;
        place->path[at] = '\0';
    }
    return true;
}

static bool same_object(struct place *place, size_t at, const struct json *want,
                        const struct json *got, double tolerance) {
    /* `transformers` knows no warnings about what was cut off; the design wants them. */
    const bool warned = json_get(got, "warnings") != NULL && json_get(want, "warnings") == NULL;
    if (want->len + warned != got->len)
        return differ(place, want, got);
    for (size_t i = 0; i < want->len; i++) {
        const struct json_member *member = &want->members[i];
        const int n = snprintf(place->path + at, sizeof(place->path) - at, ".%s", member->key);
        if (!same(place, at + (size_t)n, &member->value,
                  json_get_n(got, member->key, member->key_len), tolerance))
            return false;
        place->path[at] = '\0';
    }
    return true;
}

/* Recursion is bounded by the parser's depth. */
static bool same(struct place *place, size_t at, const struct json *want, const struct json *got,
                 double tolerance) {
    if (got == NULL || want->type != got->type || at > sizeof(place->path) / 2)
        return differ(place, want, got);
    switch (want->type) {
    case JSON_ARRAY:
        return same_array(place, at, want, got, tolerance);
    case JSON_OBJECT:
        return same_object(place, at, want, got, tolerance);
    case JSON_NUMBER:
        return same_number(want, got, tolerance) || differ(place, want, got);
    case JSON_STRING:
        return (want->len == got->len && memcmp(want->text, got->text, want->len) == 0) ||
               differ(place, want, got);
    case JSON_BOOL:
        return want->boolean == got->boolean || differ(place, want, got);
    case JSON_NULL:
        break;
    }
    return true;
}

static void answers_as_transformers(void **state) {
    const struct golden *golden = *state;
    const struct brisk_request request = {.model = golden->model,
                                          .task = golden->task,
                                          .body = golden->body,
                                          .body_len = golden->body_len,
                                          .wait_for_model = true,
                                          .no_cache = true};
    struct brisk_answer answer = {0};
    struct arena arena = {0};
    struct error err = {0};
    struct place place = {0};
    const struct json *got = NULL;
    brisk_run(brisk, &request, &answer);
    bool equal = false;
    if (answer.status != 200)
        snprintf(place.got, sizeof(place.got), "status %d: %.200s", answer.status, answer.body);
    else if (json_parse(&got, &arena, answer.body, answer.body_len, JSON_STRICT, &err) != STATUS_OK)
        snprintf(place.got, sizeof(place.got), "%.200s", err.text);
    else
        equal = same(&place, 0, golden->answer, got, golden->tolerance);
    if (!equal)
        print_error("%s/%s (%s) %.300s\n  at     %s\n  wanted %s\n  got    %s\n", golden->model,
                    golden->name, golden->task, golden->body, place.path, place.want, place.got);
    brisk_answer_free(&answer);
    arena_deinit(&arena);
    assert_true(equal);
}

int main(void) {
    struct goldens goldens;
    char error[LIMIT_ERROR_TEXT];
    log_set_level(LOG_ERROR);
    goldens_load(&goldens);
    const char *const folders[] = {GOLDEN_FOLDER, NULL};
    const struct brisk_options options = {.model_folders = folders, .precision = "fp32"};
    if (goldens.n == 0 || brisk_create(&brisk, &options, error, sizeof(error)) != 0) {
        fprintf(stderr, "no goldens under %s, run in the project's root\n", GOLDEN_FOLDER);
        return 1;
    }
    struct CMUnitTest *tests = mem_zalloc(goldens.n, sizeof(*tests));
    for (size_t i = 0; i < goldens.n; i++)
        tests[i] = (struct CMUnitTest){.name = goldens.at[i].title,
                                       .test_func = answers_as_transformers,
                                       .initial_state = &goldens.at[i]};
    const int failed = _cmocka_run_group_tests("goldens", tests, goldens.n, NULL, NULL);
    mem_free(tests);
    brisk_destroy(brisk);
    goldens_free(&goldens);
    return failed;
}
