/* Drawing: frequencies against probabilities (chi-squared with fixed seeds), the same seed the same
 * draws, and the partial orders that top-k and beams rest on. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "generate/parts.h"

#define VOCAB 12
#define DRAWS 20000

static const float scores[VOCAB] = {2.0f,  -1.0f, 0.5f, -INFINITY, 1.5f, 0.0f,
                                    -3.0f, 0.25f, 1.0f, -0.5f,     0.9f, -2.0f};

struct setting {
    const char *name;
    float temperature, top_p, min_p;
    uint32_t top_k;
};

static const struct setting settings[] = {
    {"plain", 1, 1, 0, 0},         {"cold", 0.5f, 1, 0, 0},  {"hot", 2.5f, 1, 0, 0},
    {"top_k", 1, 1, 0, 4},         {"top_p", 1, 0.7f, 0, 0}, {"min_p", 1, 1, 0.3f, 0},
    {"all", 0.8f, 0.9f, 0.05f, 8},
};

static struct generation_config config_of(const struct setting *setting) {
    struct generation_config config;
    generation_config_default(&config);
    config.temperature = setting->temperature;
    config.top_p = setting->top_p;
    config.min_p = setting->min_p;
    config.top_k = setting->top_k;
    return config;
}

static uint32_t draw(struct candidates *candidates, const struct generation_config *config,
                     struct random *random, float *logprob) {
    candidates_fill(candidates, scores, VOCAB);
    candidates_warp(candidates, config, 1);
    return (uint32_t)candidates_draw(candidates, random, logprob);
}

/* Chi-squared stays below its 99.99 % quantile for 11 degrees of freedom, 37.4. */
static void draws_follow_the_probabilities(void **state) {
    for (size_t s = 0; s < ARRAY_LEN(settings); s++) {
        struct arena arena = {0};
        struct candidates candidates;
        candidates_create(&candidates, &arena, VOCAB);
        const struct generation_config config = config_of(&settings[s]);
        struct random random = {.seed = 42 + s};
        uint32_t counts[VOCAB] = {0};
        float logprobs[VOCAB] = {0};
        for (int i = 0; i < DRAWS; i++) {
            float logprob = 0;
            const uint32_t id = draw(&candidates, &config, &random, &logprob);
            counts[id]++;
            logprobs[id] = logprob;
        }
        candidates_fill(&candidates, scores, VOCAB);
        candidates_warp(&candidates, &config, 1);
        double total = 0, chi = 0;
        for (uint32_t i = 0; i < candidates.n; i++) {
            total += exp((double)candidates.scores[i]);
        }
        uint32_t drawn = 0;
        for (uint32_t i = 0; i < candidates.n; i++) {
            const int32_t id = candidates.ids[i];
            const double p = exp((double)candidates.scores[i]) / total;
            chi += pow(counts[id] - p * DRAWS, 2) / (p * DRAWS);
            drawn += counts[id];
            if (counts[id] > 0) {
                assert_true(fabs(logprobs[id] - log(p)) < 1e-4);
            }
        }
        assert_int_equal(drawn, DRAWS); /* nothing that was removed came up */
        if (chi > 37.4) {
            fail_msg("%s: chi-squared is %g", settings[s].name, chi);
        }
        arena_deinit(&arena);
    }
}

static void same_seed_same_draws(void **state) {
    struct arena arena = {0};
    struct candidates candidates;
    candidates_create(&candidates, &arena, VOCAB);
    const struct generation_config config = config_of(&settings[0]);
    struct random a = {7, 0}, b = {7, 0}, other = {8, 0};
    uint32_t differences = 0;
    for (int i = 0; i < 200; i++) {
        float logprob = 0;
        const uint32_t x = draw(&candidates, &config, &a, &logprob);
        assert_int_equal(x, draw(&candidates, &config, &b, &logprob));
        differences += x != draw(&candidates, &config, &other, &logprob);
    }
    assert_true(differences > 50);
    arena_deinit(&arena);
}

static void nothing_allowed_still_gives_a_token(void **state) {
    struct arena arena = {0};
    struct candidates candidates;
    candidates_create(&candidates, &arena, 3);
    const float none[3] = {-INFINITY, NAN, -INFINITY};
    struct generation_config config;
    struct random random = {1, 0};
    float logprob = 0;
    generation_config_default(&config);
    candidates_fill(&candidates, none, 3);
    candidates_warp(&candidates, &config, 1);
    assert_int_equal(candidates_draw(&candidates, &random, &logprob), 0);
    assert_true(isinf(logprob));
    arena_deinit(&arena);
}

/* The heap's k best are those of a full sort, the first of equals first. */
static void ranked_keeps_the_best(void **state) {
    struct ranked heap[32];
    for (uint32_t k = 1; k <= 32; k++) {
        struct random random = {k, 0};
        float values[100];
        uint32_t n = 0;
        for (uint32_t i = 0; i < 100; i++) {
            values[i] = (float)(random_next(&random) % 20);
            n = ranked_push(heap, n, k, values[i], i);
        }
        assert_int_equal(n, k);
        ranked_sort(heap, n);
        for (uint32_t i = 0; i < n; i++) {
            uint32_t before = 0; /* values that come in front of it in a stable sort */
            for (uint32_t j = 0; j < 100; j++) {
                before +=
                    values[j] > heap[i].value || (values[j] == heap[i].value && j < heap[i].index);
            }
            assert_int_equal(before, i);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_follow_the_probabilities),
        cmocka_unit_test(same_seed_same_draws),
        cmocka_unit_test(nothing_allowed_still_gives_a_token),
        cmocka_unit_test(ranked_keeps_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
