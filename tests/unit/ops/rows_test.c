/* Operations on single rows (norm, embed, gather, activate, softcap, clamp, scatter_add, route,
 * vector math): values, strides, in place, any number of lanes. */
#include "unit/ops/lanes.h"

enum { ROWS = 11, SIZE = 37, LD = 40 };

struct call {
    struct norm norm;
    const float *x, *gate, *tables[2];
    const int32_t *ids[2];
    const uint32_t *rows;
    enum activation activation;
    float limit;
    float *y;
    const struct routing *routing;
    uint32_t *chosen;
};

static void run_norm(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->norm(lane, &c->norm, c->x, c->y, ROWS);
}

static void run_embed(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->embed(lane, c->tables, c->ids, 2, 0.5f, c->y, ROWS, SIZE);
}

static void run_gather(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->gather(lane, c->x, SIZE, c->rows, 4, SIZE, c->y, LD);
}

static void run_activate(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->activate(lane, c->activation, c->y, LD, c->gate, SIZE, ROWS, SIZE);
}

static void run_softcap(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->softcap(lane, c->limit, c->y, LD, ROWS, SIZE);
}

static void run_clamp(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->clamp(lane, c->limit, c->y, LD, ROWS, SIZE);
}

static void run_scatter_add(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->scatter_add(lane, c->x, SIZE, c->rows, c->gate, ROWS, SIZE, c->y, LD);
}

static void run_route(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->route(lane, c->routing, c->y, c->chosen, (float *)c->gate, ROWS);
}

static void norm_has_mean_0_and_variance_1(void **state) {
    for (uint32_t lanes = 1; lanes <= MOST_LANES; lanes++) {
        for (enum norm_kind kind = NORM_LAYER; kind <= NORM_RMS; kind++) {
            float *x = random_floats(ROWS * SIZE, -1, 4);
            struct call c = {.norm = {kind, SIZE, 1e-12f, NULL, NULL}, .x = x, .y = x};
            run_lanes(lanes, run_norm, &c);
            for (uint32_t r = 0; r < ROWS; r++) {
                double sum = 0, squares = 0;
                for (uint32_t i = 0; i < SIZE; i++) {
                    sum += x[r * SIZE + i];
                    squares += (double)x[r * SIZE + i] * x[r * SIZE + i];
                }
                near(squares / SIZE, 1, 1e-5, "squares", r);
                near(sum / SIZE, 0, kind == NORM_LAYER ? 1e-6 : 10, "mean", r);
            }
            mem_free(x);
        }
    }
}

static void an_affine_norm_only_scales_and_shifts(void **state) {
    float *x = random_floats(ROWS * SIZE, -1, 4), y[ROWS * SIZE];
    float *weight = random_floats(SIZE, -2, 2), *bias = random_floats(SIZE, -1, 1);
    for (uint32_t i = 0; i < 4; i++) {
        const bool scales = i & 1, shifts = i & 2;
        struct call c = {.x = x, .y = y};
        c.norm =
            (struct norm){NORM_AFFINE, SIZE, 0.5f, scales ? weight : NULL, shifts ? bias : NULL};
        run_lanes(2, run_norm, &c);
        for (uint32_t r = 0; r < ROWS * SIZE; r++) {
            const double scaled = (double)x[r] * (scales ? weight[r % SIZE] : 1);
            near(y[r], scaled + (shifts ? bias[r % SIZE] : 0), 1e-6, "affine", r);
        }
    }
    mem_free(x);
    mem_free(weight);
    mem_free(bias);
}

static void embed_sums_rows_of_tables(void **state) {
    float *a = random_floats(5 * SIZE, -1, 1), *b = random_floats(3 * SIZE, -1, 1);
    int32_t ids[2][ROWS];
    for (uint32_t r = 0; r < ROWS; r++) {
        ids[0][r] = (int32_t)(r * 7 % 5);
        ids[1][r] = (int32_t)(r % 3);
    }
    float y[ROWS * SIZE];
    struct call c = {.tables = {a, b}, .ids = {ids[0], ids[1]}, .y = y};
    run_lanes(2, run_embed, &c);
    for (uint32_t r = 0; r < ROWS; r++) {
        for (uint32_t i = 0; i < SIZE; i++) {
            const float want = a[ids[0][r] * SIZE + (int32_t)i] * 0.5f;
            near(y[r * SIZE + i], want + b[ids[1][r] * SIZE + (int32_t)i], 0, "embed", i);
        }
    }
    mem_free(a);
    mem_free(b);
}

static void gather_copies_rows(void **state) {
    static const uint32_t WANTED[] = {3, 0, 10, 3};
    float *x = random_floats(ROWS * SIZE, -1, 1), y[4 * LD];
    struct call c = {.x = x, .rows = WANTED, .y = y};
    run_lanes(3, run_gather, &c);
    for (uint32_t i = 0; i < 4; i++) {
        assert_memory_equal(y + i * LD, x + WANTED[i] * SIZE, SIZE * sizeof(float));
    }
    mem_free(x);
}

static double by_definition(enum activation activation, double x) {
    switch (activation) {
    case ACTIVATION_NONE:
        return x;
    case ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case ACTIVATION_RELU2:
        return x > 0 ? x * x : 0;
    case ACTIVATION_GELU_10:
        return fmin(fmax(0.5 * x * erfc(-x * M_SQRT1_2), -10), 10);
    case ACTIVATION_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case ACTIVATION_GELU:
        return 0.5 * x * erfc(-x * M_SQRT1_2);
    case ACTIVATION_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case ACTIVATION_SILU:
        return x / (1 + exp(-x));
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_SIGMOID:
        return 1 / (1 + exp(-x));
    }
    return 0;
}

static void activations_are_as_named_and_gated(void **state) {
    float *x = random_floats(ROWS * LD, -12, 12), *gate = random_floats(ROWS * SIZE, -1, 1);
    float y[ROWS * LD];
#define ACTIVATION(name, text)                                                                     \
    for (uint32_t gated = 0; gated < 2; gated++) {                                                 \
        struct call c = {.activation = ACTIVATION_##name, .y = y, .gate = gated ? gate : NULL};    \
        memcpy(y, x, sizeof(y));                                                                   \
        run_lanes(1 + gated, run_activate, &c);                                                    \
        for (uint32_t i = 0; i < ROWS * LD; i++) {                                                 \
            const uint32_t r = i / LD, j = i % LD;                                                 \
            const double by = gated && j < SIZE ? gate[r * SIZE + j] : 1;                          \
            const double want = j < SIZE ? by_definition(ACTIVATION_##name, x[i]) * by : x[i];     \
            near(y[i], want, 5e-7 * (1 + fabs(want)), text, i);                                    \
        }                                                                                          \
    }
    ACTIVATIONS(ACTIVATION)
#undef ACTIVATION
    mem_free(x);
    mem_free(gate);
}

static void activations_are_found_by_their_names(void **state) {
    static const struct {
        const char *name;
        enum activation want;
    } NAMES[] = {{"gelu", ACTIVATION_GELU},
                 {"gelu_new", ACTIVATION_GELU_TANH},
                 {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
                 {"gelu_10", ACTIVATION_GELU_10},
                 {"quick_gelu", ACTIVATION_QUICK_GELU},
                 {"relu", ACTIVATION_RELU},
                 {"relu2", ACTIVATION_RELU2},
                 {"swish", ACTIVATION_SILU},
                 {"silu", ACTIVATION_SILU},
                 {"tanh", ACTIVATION_TANH}};
    enum activation got;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        assert_true(activation_parse(NAMES[i].name, &got));
        assert_int_equal(got, NAMES[i].want);
    }
    assert_false(activation_parse("quick", &got));
}

static void limits_are_kept_in_every_column(void **state) {
    float *x = random_floats(ROWS * LD, -9, 9), y[ROWS * LD];
    for (uint32_t lanes = 1; lanes <= MOST_LANES; lanes++) {
        for (uint32_t clamped = 0; clamped < 2; clamped++) {
            struct call c = {.limit = 2.5f, .y = y};
            memcpy(y, x, sizeof(y));
            run_lanes(lanes, clamped ? run_clamp : run_softcap, &c);
            for (uint32_t i = 0; i < ROWS * LD; i++) {
                const double capped = 2.5 * tanh(x[i] / 2.5), cut = fmin(fmax(x[i], -2.5), 2.5);
                const double want = i % LD >= SIZE ? x[i] : clamped ? cut : capped;
                near(y[i], want, clamped ? 0 : 2e-6, clamped ? "clamp" : "softcap", i);
            }
        }
    }
    mem_free(x);
}

static void scatter_add_sums_in_order(void **state) {
    static const uint32_t IDS[ROWS] = {3, 0, 3, 1, 3, 0, 4, 4, 3, 1, 0};
    enum { OUT = 6 };
    float *x = random_floats(ROWS * SIZE, -1, 1), *weights = random_floats(ROWS, 0, 1);
    float *before = random_floats(OUT * LD, -1, 1), y[OUT * LD], want[OUT * LD];
    memcpy(want, before, sizeof(want));
    for (uint32_t i = 0; i < ROWS; i++) {
        for (uint32_t j = 0; j < SIZE; j++) {
            want[IDS[i] * LD + j] += weights[i] * x[i * SIZE + j];
        }
    }
    for (uint32_t lanes = 1; lanes <= MOST_LANES; lanes++) {
        struct call c = {.x = x, .rows = IDS, .gate = weights, .y = y};
        memcpy(y, before, sizeof(y));
        run_lanes(lanes, run_scatter_add, &c);
        assert_memory_equal(y, want, sizeof(y));
    }
    mem_free(x);
    mem_free(weights);
    mem_free(before);
}

/* Row r's scores by their definition, then the largest one after the other. */
static void check_route(const struct routing *routing, const float *x, const uint32_t *ids,
                        const float *weights, uint32_t r) {
    enum { MOST = 8 };
    double scores[MOST], sum = 0, chosen = 0;
    const uint32_t n = routing->experts, k = routing->per_token;
    bool taken[MOST] = {false};
    for (uint32_t i = 0; i < n; i++) {
        sum += exp(x[i]);
    }
    for (uint32_t i = 0; i < n; i++) {
        scores[i] = routing->sigmoid ? 1 / (1 + exp(-x[i])) : exp(x[i]) / sum;
    }
    for (uint32_t i = 0; i < k; i++) {
        uint32_t best = 0;
        while (taken[best]) {
            best++;
        }
        for (uint32_t j = best; j < n; j++) {
            best = !taken[j] && x[j] > x[best] ? j : best;
        }
        taken[best] = true;
        chosen += scores[best];
        assert_int_equal(ids[i], best);
    }
    const double scale = routing->scale != 0 ? routing->scale : 1;
    for (uint32_t i = 0; i < k; i++) {
        near(weights[i], scores[ids[i]] * scale / (routing->normalized ? chosen : 1), 1e-6,
             "weight", r);
    }
}

static void rows_are_routed_to_their_best_experts(void **state) {
    static const struct routing ROUTINGS[] = {
        {.experts = 8, .per_token = 2, .normalized = true},
        {.experts = 7, .per_token = 3},
        {.experts = 5, .per_token = 5, .scale = 2.5f},
        {.experts = 6, .per_token = 1, .sigmoid = true},
        {.experts = 8, .per_token = 4, .sigmoid = true, .normalized = true, .scale = 1.5f},
    };
    uint32_t chosen[ROWS * 8];
    float weights[ROWS * 8], y[ROWS * 8];
    for (size_t i = 0; i < ARRAY_LEN(ROUTINGS); i++) {
        const uint32_t n = ROUTINGS[i].experts, k = ROUTINGS[i].per_token;
        float *x = random_floats((size_t)ROWS * n, -3, 3);
        x[2] = x[1]; /* of equals the first */
        for (uint32_t lanes = 1; lanes <= MOST_LANES; lanes++) {
            struct call c = {.routing = &ROUTINGS[i], .y = y, .chosen = chosen, .gate = weights};
            memcpy(y, x, (size_t)ROWS * n * sizeof(float));
            run_lanes(lanes, run_route, &c);
            for (uint32_t r = 0; r < ROWS; r++) {
                check_route(&ROUTINGS[i], x + r * n, chosen + r * k, weights + r * k, r);
            }
        }
        mem_free(x);
    }
}

/* Damaged weights give such scores: a row's experts are different ones all the same. */
static void scores_that_are_no_numbers_choose_different_experts(void **state) {
    const struct routing routing = {.experts = 4, .per_token = 3};
    uint32_t chosen[ROWS * 3];
    float weights[ROWS * 3], y[ROWS * 4];
    for (uint32_t i = 0; i < ROWS * 4; i++) {
        y[i] = i % 3 == 0 ? NAN : i % 5 == 0 ? INFINITY : -INFINITY;
    }
    struct call c = {.routing = &routing, .y = y, .chosen = chosen, .gate = weights};
    run_lanes(1, run_route, &c);
    for (uint32_t r = 0; r < ROWS; r++) {
        const uint32_t *ids = chosen + r * 3;
        assert_true(ids[0] < 4 && ids[1] < 4 && ids[2] < 4);
        assert_true(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
    }
}

static void vector_math_of_one_row(void **state) {
    float x[] = {1, 3, 2, 3}, y[] = {1, 3, 2, 3};
    assert_int_equal(ops_argmax(x, 4), 1);
    near(ops_dot(x, x, 4), 23, 1e-5, "dot", 0);
    ops_softmax(x, 4);
    ops_log_softmax(y, 4);
    const double sum = exp(-2) + 1 + exp(-1) + 1;
    near(x[0], exp(-2) / sum, 1e-7, "softmax", 0);
    near(y[2], -1 - log(sum), 1e-6, "log_softmax", 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norm_has_mean_0_and_variance_1),
        cmocka_unit_test(an_affine_norm_only_scales_and_shifts),
        cmocka_unit_test(embed_sums_rows_of_tables),
        cmocka_unit_test(gather_copies_rows),
        cmocka_unit_test(activations_are_as_named_and_gated),
        cmocka_unit_test(activations_are_found_by_their_names),
        cmocka_unit_test(limits_are_kept_in_every_column),
        cmocka_unit_test(scatter_add_sums_in_order),
        cmocka_unit_test(rows_are_routed_to_their_best_experts),
        cmocka_unit_test(scores_that_are_no_numbers_choose_different_experts),
        cmocka_unit_test(vector_math_of_one_row),
    };
    return cmocka_run_group_tests(tests, make_teams, destroy_teams);
}
