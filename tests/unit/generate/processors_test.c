/* Processors and sampling steps against what `transformers`' own classes make of the same scores
 * (tests/golden/generate/processors.json, written by tools/goldens/generate.py). Not a test of the
 * draw itself, which is sample_test.c's. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "generate/parts.h"

#define VOCAB_MAX 64
#define TOLERANCE 2e-5f

static const struct json *load_cases(struct arena *arena) {
    struct error err;
    char *text = NULL;
    size_t len = 0;
    const struct json *cases = NULL;
    if (file_read(&text, &len, arena, "tests/golden/generate/processors.json", LIMIT_CONFIG_FILE,
                  &err) != STATUS_OK ||
        json_parse(&cases, arena, text, len, JSON_STRICT, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    return cases;
}

static uint32_t read_ids(const struct json *list, int32_t *ids) {
    for (uint32_t i = 0; i < list->len; i++) {
        ids[i] = (int32_t)json_at(list, i)->number;
    }
    return list->len;
}

static float score_at(const struct json *list, uint32_t i) {
    const struct json *value = json_at(list, i);
    return json_is_null(value) ? -INFINITY : (float)value->number;
}

static bool same(float a, float b) {
    return a == b || fabsf(a - b) <= TOLERANCE * (1 + fabsf(b));
}

/* The warpers' result as scores of the whole vocabulary. */
static void warp(const struct json *row, const struct generation_config *config, float *scores,
                 uint32_t n) {
    struct arena arena = {0};
    struct candidates candidates;
    candidates_create(&candidates, &arena, n);
    candidates_fill(&candidates, scores, n);
    candidates_warp(&candidates, config, (uint32_t)json_get_int(row, "keep", 1));
    for (uint32_t i = 0; i < n; i++) {
        scores[i] = -INFINITY;
    }
    for (uint32_t i = 0; i < candidates.n; i++) {
        scores[candidates.ids[i]] = candidates.scores[i];
    }
    arena_deinit(&arena);
}

static void run_row(const struct json *row, uint32_t index) {
    struct arena arena = {0};
    struct error err;
    struct generation_config config;
    int32_t ids[VOCAB_MAX], encoder[VOCAB_MAX], chosen[VOCAB_MAX];
    const struct json *groups = json_get(row, "chosen");
    float scores[VOCAB_MAX];
    uint8_t seen[VOCAB_MAX] = {0};
    generation_config_default(&config);
    config.top_k = 0;
    if (generation_config_update(&config, &arena, json_get(row, "settings"), "row", &err) !=
        STATUS_OK) {
        fail_msg("%s", err.text);
    }
    const struct json *before = json_get(row, "before"), *after = json_get(row, "after");
    assert_true(before->len <= VOCAB_MAX && before->len == after->len);
    for (uint32_t i = 0; i < before->len; i++) {
        scores[i] = score_at(before, i);
    }
    const struct scoring scoring = {
        .config = &config,
        .ids = ids,
        .n = read_ids(json_get(row, "ids"), ids),
        .n_prompt = (uint32_t)json_get_int(row, "n_prompt", 0),
        .max_length = (uint32_t)json_get_int(row, "max_length", 0),
        .min_length = config.min_length,
        .encoder_ids = encoder,
        .n_encoder_ids = read_ids(json_get(row, "encoder_ids"), encoder),
        .chosen = chosen,
        .n_chosen = groups ? read_ids(groups, chosen) : 0,
        .scores = scores,
        .vocab_size = before->len,
        .seen = seen,
    };
    generation_process(&scoring);
    warp(row, &config, scores, before->len);
    for (uint32_t i = 0; i < after->len; i++) {
        if (!same(scores[i], score_at(after, i))) {
            fail_msg("row %u, %s: token %u has %g, wanted %g (before: %g)", index,
                     json_get_string(row, "name", ""), i, (double)scores[i],
                     (double)score_at(after, i), (double)score_at(before, i));
        }
        assert_int_equal(seen[i], 0);
    }
    arena_deinit(&arena);
}

static void every_row_equals_transformers(void **state) {
    struct arena arena = {0};
    const struct json *cases = load_cases(&arena);
    assert_true(cases->len > 200);
    for (uint32_t i = 0; i < cases->len; i++) {
        run_row(json_at(cases, i), i);
    }
    arena_deinit(&arena);
}

/* Every processor and warper has rows that name it. */
static void every_processor_is_in_the_goldens(void **state) {
    struct arena arena = {0};
    const struct json *cases = load_cases(&arena);
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; i < generation_n_processors; i++) {
        names[n++] = generation_processors[i].name;
    }
    for (size_t i = 0; i < generation_n_warpers; i++) {
        names[n++] = generation_warpers[i].name;
    }
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (uint32_t j = 0; j < cases->len && !found; j++) {
            found = json_get(json_get(json_at(cases, j), "settings"), names[i]) != NULL;
        }
        if (!found) {
            fail_msg("%s has no golden row", names[i]);
        }
    }
    arena_deinit(&arena);
}

/* Settings that are off change nothing. */
static void defaults_change_nothing(void **state) {
    struct generation_config config;
    generation_config_default(&config);
    for (size_t i = 0; i < generation_n_processors; i++) {
        if (generation_processors[i].applies(&config)) {
            fail_msg("%s applies by default", generation_processors[i].name);
        }
    }
    for (size_t i = 0; i < generation_n_warpers; i++) {
        if (generation_warpers[i].applies(&config) &&
            strcmp(generation_warpers[i].name, "top_k") != 0) {
            fail_msg("%s applies by default", generation_warpers[i].name);
        }
    }
}

/* What JSON cannot hold: NaN and infinities. */
static void invalid_values_become_numbers(void **state) {
    float scores[] = {NAN, INFINITY, -INFINITY, 1.5f};
    struct generation_config config;
    generation_config_default(&config);
    config.remove_invalid_values = true;
    const int32_t id = 0;
    generation_process(&(struct scoring){
        .config = &config, .ids = &id, .n = 1, .scores = scores, .vocab_size = 4});
    assert_true(scores[0] == 0 && scores[1] == FLT_MAX && scores[2] == -FLT_MAX);
    assert_true(scores[3] == 1.5f);
}

/* An end that min_new_tokens forbids is not brought back by the decay. */
static void what_is_forbidden_does_not_decay(void **state) {
    float scores[] = {1, -INFINITY};
    struct generation_config config;
    generation_config_default(&config);
    config.eos[0] = 1;
    config.n_eos = 1;
    config.has_decay = true;
    config.decay_factor = 2;
    const int32_t ids[] = {0, 0, 0};
    generation_process(&(struct scoring){
        .config = &config, .ids = ids, .n = 3, .n_prompt = 1, .scores = scores, .vocab_size = 2});
    assert_true(scores[1] == -INFINITY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_equals_transformers),
        cmocka_unit_test(every_processor_is_in_the_goldens),
        cmocka_unit_test(defaults_change_nothing),
        cmocka_unit_test(invalid_values_become_numbers),
        cmocka_unit_test(what_is_forbidden_does_not_decay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
