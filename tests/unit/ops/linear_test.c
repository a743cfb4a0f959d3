/* Linear layers: against sums in double, in all precisions and with all epilogues, and that a
 * row's bits depend on nothing but the row. */
#include "unit/ops/lanes.h"

static const struct shape {
    uint32_t rows, in, out;
} SHAPES[] = {
    {1, 5, 2},     {1, 64, 300},   {3, 100, 64},  {6, 33, 17},    {9, 300, 7},
    {13, 512, 33}, {40, 1030, 48}, {200, 72, 40}, {70, 768, 150},
};

static const struct epilogue EPILOGUES[] = {
    {ACTIVATION_NONE, NULL}, {ACTIVATION_RELU, NULL}, {ACTIVATION_GELU, NULL}};

struct call {
    struct scratch *scratch;
    struct linear linear;
    struct shape shape;
    const float *x;
    float *y;
    size_t ldx, ldy;
    struct epilogue epilogue;
    float *w, *bias;
    void *memory; /* the layer's */
};

static void run_linear(struct lane *lane, void *arg) {
    const struct call *c = arg;
    device_cpu()->linear(lane, c->scratch, &c->linear, c->x, c->ldx, c->y, c->ldy, c->shape.rows,
                         &c->epilogue);
}

static struct call make_call(const struct shape *shape, enum precision precision, bool has_bias) {
    struct call c = {.shape = *shape, .ldx = shape->in + 3, .ldy = shape->out + 5};
    struct error err;
    c.w = random_floats((size_t)shape->out * shape->in, -1, 1);
    c.bias = has_bias ? random_floats(shape->out, -1, 1) : NULL;
    c.x = random_floats(shape->rows * c.ldx, -1, 2);
    c.scratch = make_scratch(shape->rows, shape->in, 16);
    assert_int_equal(linear_init(&c.linear, precision, shape->in, shape->out, has_bias, &err),
                     STATUS_OK);
    assert_int_equal(c.linear.bytes % LINEAR_ALIGN, 0);
    assert_int_equal(mem_try_alloc(&c.memory, c.linear.bytes, &err), STATUS_OK);
    linear_place(&c.linear, c.memory);
    for (uint32_t j = 0; j < shape->out; j += 32) { /* in two ranges or more */
        const uint32_t n = shape->out - j < 32 ? shape->out - j : 32;
        linear_set_weights(&c.linear, j, n, c.w + (size_t)j * shape->in);
        if (has_bias) {
            linear_set_bias(&c.linear, j, n, c.bias + j);
        }
    }
    assert_true(c.linear.bytes * 2 >= (size_t)shape->out * shape->in);
    return c;
}

static void drop_call(struct call *c) {
    mem_free_large(c->memory, c->linear.bytes);
    scratch_destroy(c->scratch);
    mem_free(c->w);
    mem_free(c->bias);
    mem_free((void *)c->x);
}

static double activate(enum activation activation, double x) {
    switch (activation) {
    case ACTIVATION_RELU:
        return x > 0 ? x : 0;
    case ACTIVATION_GELU:
        return 0.5 * x * erfc(-x * M_SQRT1_2);
    default:
        return x;
    }
}

/* Error allowed for one output: what rounding weights and activations to the precision may do. */
static double allowed(const struct call *c, enum precision precision) {
    const double root = sqrt(c->shape.in), n = c->shape.in;
    switch (precision) {
    case PRECISION_BF16:
        return 1e-5 + root * 0.004 * 6;
    case PRECISION_INT4:
        return 1e-5 + root * (0.08 * 2 + 0.012) * 6;
    case PRECISION_INT8:
        return 1e-5 + root * (0.004 * 2 + 0.012) * 6;
    default:
        return 1e-6 + 2e-7 * n;
    }
}

static void compare(const struct call *c, enum precision precision, const float *residual) {
    for (uint32_t r = 0; r < c->shape.rows; r++) {
        for (uint32_t j = 0; j < c->shape.out; j++) {
            double sum = c->bias != NULL ? c->bias[j] : 0;
            for (uint32_t k = 0; k < c->shape.in; k++) {
                sum += (double)c->x[r * c->ldx + k] * c->w[(size_t)j * c->shape.in + k];
            }
            sum = activate(c->epilogue.activation, sum);
            sum += residual != NULL ? residual[r * c->ldy + j] : 0;
            near(c->y[r * c->ldy + j], sum, allowed(c, precision), "linear", r * c->ldy + j);
        }
        for (size_t j = c->shape.out; j < c->ldy && r + 1 < c->shape.rows; j++) {
            near(c->y[r * c->ldy + j], 77, 0, "beyond the row", j);
        }
    }
}

static float *fresh_output(const struct call *c) {
    float *y = mem_alloc(c->shape.rows * c->ldy * sizeof(*y));
    for (size_t i = 0; i < c->shape.rows * c->ldy; i++) {
        y[i] = 77;
    }
    return y;
}

static void check_value(const struct shape *shape, enum precision precision, uint32_t kind) {
    struct call c = make_call(shape, precision, kind % 2 == 0);
    c.epilogue = EPILOGUES[kind % ARRAY_LEN(EPILOGUES)];
    c.y = fresh_output(&c);
    run_lanes(1 + kind % MOST_LANES, run_linear, &c);
    compare(&c, precision, NULL);
    /* The residual is the output itself. */
    float *residual = random_floats(shape->rows * c.ldy, -1, 1);
    for (uint32_t r = 0; r < shape->rows; r++) {
        memcpy(c.y + r * c.ldy, residual + r * c.ldy, shape->out * sizeof(float));
    }
    c.epilogue.residual = c.y;
    run_lanes(1 + kind % MOST_LANES, run_linear, &c);
    compare(&c, precision, residual);
    mem_free(residual);
    mem_free(c.y);
    drop_call(&c);
}

static void outputs_are_the_products(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(SHAPES); i++) {
        for (uint32_t kind = 0; kind < 3; kind++) {
            check_value(&SHAPES[i], PRECISION_FP32, kind);
            check_value(&SHAPES[i], PRECISION_BF16, kind);
            check_value(&SHAPES[i], PRECISION_INT8, kind);
            check_value(&SHAPES[i], PRECISION_INT4, kind);
        }
    }
}

/* On 1, 2 and 3 lanes, and every row alone: the same bytes. */
static void check_rows(const struct shape *shape, enum precision precision) {
    struct call c = make_call(shape, precision, true);
    c.epilogue.activation = ACTIVATION_GELU_TANH;
    float *whole = fresh_output(&c), *other = fresh_output(&c);
    c.y = whole;
    run_lanes(1, run_linear, &c);
    c.y = other;
    for (uint32_t lanes = 2; lanes <= MOST_LANES; lanes++) {
        run_lanes(lanes, run_linear, &c);
        assert_memory_equal(whole, other, shape->rows * c.ldy * sizeof(float));
    }
    const float *x = c.x;
    for (uint32_t r = 0; r < shape->rows; r++) {
        c.shape.rows = 1;
        c.x = x + r * c.ldx;
        c.y = other + r * c.ldy;
        memset(c.y, 0, shape->out * sizeof(float));
        run_lanes(1 + r % MOST_LANES, run_linear, &c);
    }
    assert_memory_equal(whole, other, shape->rows * c.ldy * sizeof(float));
    c.x = x;
    mem_free(whole);
    mem_free(other);
    drop_call(&c);
}

static void a_row_is_the_same_alone_in_a_batch_and_on_any_lanes(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(SHAPES); i++) {
        check_rows(&SHAPES[i], PRECISION_FP32);
        check_rows(&SHAPES[i], PRECISION_BF16);
        check_rows(&SHAPES[i], PRECISION_INT8);
        check_rows(&SHAPES[i], PRECISION_INT4);
    }
}

/* Outputs from 16 on alone: the same bits as in the whole. */
static void a_part_of_a_layer_is_a_layer(void **state) {
    for (int precision = PRECISION_FP32; precision <= PRECISION_INT4; precision++) {
        struct call c = make_call(&SHAPES[6], (enum precision)precision, true);
        float *whole = fresh_output(&c), *part = fresh_output(&c);
        c.y = whole;
        run_lanes(2, run_linear, &c);
        const struct linear all = c.linear;
        c.linear = linear_part(&all, 16, 20);
        c.y = part;
        run_lanes(3, run_linear, &c);
        for (uint32_t r = 0; r < c.shape.rows; r++) {
            assert_memory_equal(part + r * c.ldy, whole + r * c.ldy + 16, 20 * sizeof(float));
            near(part[r * c.ldy + 20], 77, 0, "beyond the part", r);
        }
        c.linear = all;
        mem_free(whole);
        mem_free(part);
        drop_call(&c);
    }
}

static void constant_and_infinite_rows_do_no_harm(void **state) {
    const struct shape shape = {9, 40, 20};
    struct call c = make_call(&shape, PRECISION_INT8, true);
    float *x = (float *)c.x;
    for (uint32_t k = 0; k < shape.in; k++) {
        x[k] = 0.5f;
        x[c.ldx + k] = 0;
    }
    x[2 * c.ldx] = INFINITY;
    x[3 * c.ldx + 7] = NAN;
    c.y = fresh_output(&c);
    run_lanes(2, run_linear, &c);
    c.shape.rows = 2;
    compare(&c, PRECISION_INT8, NULL);
    assert_true(isnan(c.y[2 * c.ldy]) || isinf(c.y[2 * c.ldy]));
    mem_free(c.y);
    drop_call(&c);
}

static void no_rows_are_fine(void **state) {
    struct call c = make_call(&SHAPES[2], PRECISION_INT8, true);
    c.shape.rows = 0;
    run_lanes(2, run_linear, &c);
    drop_call(&c);
}

static void impossible_layers_are_refused(void **state) {
    struct linear linear;
    struct error err;
    assert_int_equal(linear_init(&linear, PRECISION_FP32, 0, 5, false, &err), STATUS_ERROR);
    assert_int_equal(linear_init(&linear, PRECISION_INT8, 1u << 20, 5, false, &err), STATUS_ERROR);
    assert_int_equal(linear_init(&linear, PRECISION_INT4, 1u << 20, 5, false, &err), STATUS_ERROR);
    assert_int_equal(linear_init(&linear, PRECISION_FP32, UINT32_MAX, UINT32_MAX, false, &err),
                     STATUS_ERROR);
}

/* All that a layer is stands in its memory: a copy of it is the same layer, and nothing was written
 * beyond. */
static void a_layer_is_its_memory(void **state) {
    const enum precision precisions[] = {PRECISION_FP32, PRECISION_BF16, PRECISION_INT8,
                                         PRECISION_INT4};
    for (size_t i = 0; i < 2 * ARRAY_LEN(precisions); i++) {
        const bool has_bias = i % 2;
        struct error err;
        struct call c = make_call(&SHAPES[2], precisions[i / 2], has_bias);
        const size_t bytes = c.linear.bytes;
        void *copy = NULL;
        struct linear placed;
        assert_int_equal(mem_try_alloc(&copy, bytes, &err), STATUS_OK);
        memcpy(copy, c.memory, bytes);
        assert_int_equal(
            linear_init(&placed, precisions[i / 2], c.shape.in, c.shape.out, has_bias, &err),
            STATUS_OK);
        assert_int_equal(placed.bytes, bytes);
        linear_place(&placed, copy);
        const size_t n = c.shape.rows * c.ldy;
        float *first = mem_zalloc(n, sizeof(float)), *second = mem_zalloc(n, sizeof(float));
        c.y = first;
        run_lanes(1, run_linear, &c);
        memset(c.memory, 0xff, bytes);
        c.linear = placed;
        c.y = second;
        run_lanes(1, run_linear, &c);
        assert_memory_equal(first, second, n * sizeof(float));
        mem_free(first);
        mem_free(second);
        mem_free_large(copy, bytes);
        drop_call(&c);
    }
}

static void precisions_have_names(void **state) {
    enum precision got;
#define PRECISION(name, text)                                                                      \
    assert_string_equal(precision_name(PRECISION_##name), text);                                   \
    assert_true(precision_parse(text, &got) && got == PRECISION_##name);
    PRECISIONS(PRECISION)
#undef PRECISION
    assert_false(precision_parse("int3", &got));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outputs_are_the_products),
        cmocka_unit_test(a_row_is_the_same_alone_in_a_batch_and_on_any_lanes),
        cmocka_unit_test(a_part_of_a_layer_is_a_layer),
        cmocka_unit_test(constant_and_infinite_rows_do_no_harm),
        cmocka_unit_test(no_rows_are_fine),
        cmocka_unit_test(impossible_layers_are_refused),
        cmocka_unit_test(a_layer_is_its_memory),
        cmocka_unit_test(precisions_have_names),
    };
    return cmocka_run_group_tests(tests, make_teams, destroy_teams);
}
