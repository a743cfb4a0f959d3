/* Operations on the heads of queries and keys (rope_angles, rotate, norm_heads): against sums in
 * double, numbers beside the heads untouched, any number of lanes. */
#include "unit/ops/lanes.h"

enum { ROWS = 7, HEADS = 3, HEAD = 22, LD = HEADS * HEAD + 5 };

struct call {
    struct rope rope;
    struct norm norm;
    const int32_t *positions;
    const uint32_t *lengths;
    float *angles, *x;
    uint32_t heads;
    size_t weight_stride;
};

static void run_rope_angles(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->rope_angles(lane, &c->rope, c->positions, c->lengths, c->angles, ROWS);
}

static void run_rotate(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->rotate(lane, &c->rope, c->angles, c->x, LD, ROWS, c->heads, HEAD);
}

static void run_norm_heads(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->norm_heads(lane, &c->norm, c->x, LD, ROWS, c->heads, c->weight_stride);
}

static void angles_are_exact_at_far_positions(void **state) {
    static const int32_t POSITIONS[ROWS] = {0, 1, 2, 77, 4095, 100000, 131071};
    static const float FREQUENCIES[] = {1, 0.31622776f, 0.1f, 0.01f, 1e-4f};
    enum { SIZE = 2 * ARRAY_LEN(FREQUENCIES) };
    for (uint32_t lanes = 1; lanes <= MOST_LANES; lanes++) {
        for (uint32_t scaled = 0; scaled < 2; scaled++) {
            const float scale = scaled ? 1.25f : 0;
            float angles[ROWS * SIZE];
            struct call c = {
                .rope = {.size = SIZE, .scale = scale}, .positions = POSITIONS, .angles = angles};
            memcpy(c.rope.frequencies, FREQUENCIES, sizeof FREQUENCIES);
            run_lanes(lanes, run_rope_angles, &c);
            for (uint32_t i = 0; i < ROWS * SIZE / 2; i++) {
                const uint32_t r = i / (SIZE / 2), k = i % (SIZE / 2);
                const float angle = (float)POSITIONS[r] * FREQUENCIES[k];
                const double by = scaled ? 1.25 : 1;
                near(angles[r * SIZE + k], cos(angle) * by, 2e-7, "cosine", i);
                near(angles[r * SIZE + SIZE / 2 + k], sin(angle) * by, 2e-7, "sine", i);
            }
        }
    }
}

/* Each row by the length of its own text. */
static void long_texts_have_their_own_frequencies(void **state) {
    static const int32_t POSITIONS[ROWS] = {0, 1, 2, 3, 23, 24, 5};
    static const uint32_t LENGTHS[ROWS] = {24, 25, 24, 25, 24, 25, 1000};
    enum { SIZE = 4 };
    for (uint32_t lanes = 1; lanes <= MOST_LANES; lanes++) {
        float angles[ROWS * SIZE];
        struct call c = {.rope = {.size = SIZE,
                                  .frequencies = {1, 0.25f},
                                  .border = 24,
                                  .long_frequencies = {0.5f, 0.0625f}},
                         .positions = POSITIONS,
                         .lengths = LENGTHS,
                         .angles = angles};
        run_lanes(lanes, run_rope_angles, &c);
        for (uint32_t i = 0; i < ROWS * SIZE / 2; i++) {
            const uint32_t r = i / (SIZE / 2), k = i % (SIZE / 2);
            const float *by = LENGTHS[r] > 24 ? c.rope.long_frequencies : c.rope.frequencies;
            near(angles[r * SIZE + k], cosf((float)POSITIONS[r] * by[k]), 2e-7, "cosine", i);
        }
    }
}

/* Number d of a head with `size` numbers turned. */
static double turned(const struct rope *rope, const float *angles, const float *x, uint32_t d) {
    const uint32_t half = rope->size / 2;
    if (d >= rope->size) {
        return x[d];
    }
    const uint32_t pair = rope->interleaved ? d / 2 : d % half;
    const bool is_second = rope->interleaved ? d % 2 == 1 : d >= half;
    const uint32_t apart = rope->interleaved ? 1 : half;
    const double other = is_second ? x[d - apart] : -(double)x[d + apart];
    return x[d] * (double)angles[pair] + other * angles[half + pair];
}

static void heads_are_turned_and_the_rest_passes(void **state) {
    static const struct {
        struct rope rope;
        uint32_t heads;
    } CASES[] = {
        {{.size = HEAD}, HEADS}, {{.size = HEAD, .interleaved = true}, HEADS}, {{.size = 6}, 2},
        {{.size = 18}, HEADS},   {{.size = 10, .interleaved = true}, 1},       {{.size = 2}, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        const struct rope *rope = &CASES[i].rope;
        float *angles = random_floats((size_t)ROWS * rope->size, -1, 1);
        float *x = random_floats(ROWS * LD, -2, 2), y[ROWS * LD];
        for (uint32_t lanes = 1; lanes <= MOST_LANES; lanes++) {
            struct call c = {.rope = *rope, .angles = angles, .x = y, .heads = CASES[i].heads};
            memcpy(y, x, sizeof(y));
            run_lanes(lanes, run_rotate, &c);
            for (uint32_t k = 0; k < ROWS * LD; k++) {
                const uint32_t r = k / LD, h = k % LD / HEAD, d = k % LD % HEAD;
                const bool is_turned = h < c.heads;
                const double want =
                    is_turned ? turned(rope, angles + (size_t)r * rope->size, x + k - d, d) : x[k];
                near(y[k], want, is_turned ? 1e-6 : 0, "rotate", k);
            }
        }
        mem_free(angles);
        mem_free(x);
    }
}

/* Number d of a head, normed; weight and bias are the head's own or NULL. */
static double normed(const struct norm *norm, const float *weight, const float *bias,
                     const float *x, uint32_t d) {
    double mean = 0, squares = 0;
    for (uint32_t i = 0; i < norm->size && norm->kind == NORM_LAYER; i++) {
        mean += (double)x[i] / norm->size;
    }
    for (uint32_t i = 0; i < norm->size; i++) {
        squares += (x[i] - mean) * (x[i] - mean) / norm->size;
    }
    const double y = (x[d] - mean) / sqrt(squares + (double)norm->eps);
    return y * (weight != NULL ? weight[d] : 1) + (bias != NULL ? bias[d] : 0);
}

static void each_head_is_normed_with_its_weights(void **state) {
    float *weight = random_floats(HEADS * HEAD, -1, 2), *bias = random_floats(HEADS * HEAD, -1, 1);
    float *x = random_floats(ROWS * LD, -2, 3), y[ROWS * LD];
    for (uint32_t kind = 0; kind < 16; kind++) {
        struct call c = {.norm = {kind & 1 ? NORM_RMS : NORM_LAYER, HEAD, 1e-5f,
                                  kind & 2 ? weight : NULL, kind & 4 ? bias : NULL},
                         .x = y,
                         .heads = kind & 1 ? 2 : HEADS,
                         .weight_stride = kind & 8 ? HEAD : 0};
        for (uint32_t lanes = 1; lanes <= MOST_LANES; lanes++) {
            memcpy(y, x, sizeof(y));
            run_lanes(lanes, run_norm_heads, &c);
            for (uint32_t k = 0; k < ROWS * LD; k++) {
                const uint32_t h = k % LD / HEAD, d = k % LD % HEAD;
                const bool is_normed = h < c.heads;
                const size_t own = h * c.weight_stride;
                const double want = is_normed ? normed(&c.norm, kind & 2 ? weight + own : NULL,
                                                       kind & 4 ? bias + own : NULL, x + k - d, d)
                                              : x[k];
                near(y[k], want, is_normed ? 5e-6 : 0, "norm of a head", k);
            }
        }
    }
    mem_free(weight);
    mem_free(bias);
    mem_free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(angles_are_exact_at_far_positions),
        cmocka_unit_test(long_texts_have_their_own_frequencies),
        cmocka_unit_test(heads_are_turned_and_the_rest_passes),
        cmocka_unit_test(each_head_is_normed_with_its_weights),
    };
    return cmocka_run_group_tests(tests, make_teams, destroy_teams);
}
