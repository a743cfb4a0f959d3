/* Every variant of every kernel in kernels.inc against the scalar one: odd shapes, in place, values
 * that are not finite; and that cutting rows, columns or K into calls changes no bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "unit/kernels/products.h"

/* ---- rows ---- */

typedef void dequantize_function(float *y, const void *acc, struct row_scale row,
                                 const float *scales, const float *sums, const float *bias,
                                 const float *residual, size_t n);

/* With and without bias (1) and residual, which is y (2); in place (4) or not. */
static void check_dequantize(dequantize_function *f, dequantize_function *definition,
                             float tolerance) {
    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        const size_t n = LENGTHS[i];
        for (uint32_t kind = 0; kind < 6; kind++) {
            float *scales = random_floats(n, 0, 1e-2f), *sums = random_floats(n, -5, 5);
            float *bias = random_floats(n, -1, 1), *got = random_floats(n, -1, 1);
            int32_t *acc = mem_alloc(n * 4);
            for (size_t k = 0; k < n; k++) {
                acc[k] = (int32_t)uniform(-3e6f, 3e6f);
            }
            if (kind & 4) {
                memcpy(got, acc, n * 4);
            }
            float *want = copy_of(got, n * 4);
            const struct row_scale row = {uniform(0, 1), uniform(-2, 2)};
            const float *add = kind & 1 ? bias : NULL;
            f(got, kind & 4 ? (void *)got : acc, row, scales, sums, add, kind & 2 ? got : NULL, n);
            definition(want, acc, row, scales, sums, add, kind & 2 ? want : NULL, n);
            assert_memory_equal(got, want, n * 4);
            mem_free(scales);
            mem_free(sums);
            mem_free(bias);
            mem_free(acc);
            mem_free(got);
            mem_free(want);
        }
    }
}

typedef void add_function(float *y, const float *acc, const float *bias, const float *residual,
                          size_t n);

static void check_add(add_function *f, add_function *definition, float tolerance) {
    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        const size_t n = LENGTHS[i];
        for (uint32_t kind = 0; kind < 8; kind++) {
            float *acc = random_floats(n, -1, 1), *bias = random_floats(n, -1, 1);
            float *got = random_floats(n, -1, 1), *want = copy_of(got, n * 4);
            float *in_place = kind & 4 ? got : acc;
            definition(want, kind & 4 ? want : acc, kind & 1 ? bias : NULL, kind & 2 ? want : NULL,
                       n);
            f(got, in_place, kind & 1 ? bias : NULL, kind & 2 ? got : NULL, n);
            assert_memory_equal(got, want, n * 4);
            mem_free(acc);
            mem_free(bias);
            mem_free(got);
            mem_free(want);
        }
    }
}

typedef void multiply_function(float *y, const float *x, size_t n);

static void check_multiply(multiply_function *f, multiply_function *definition, float tolerance) {
    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        const size_t n = LENGTHS[i];
        float *x = random_floats(n, -2, 2), *got = random_floats(n, -2, 2);
        float *want = copy_of(got, n * 4);
        f(got, x, n);
        definition(want, x, n);
        assert_memory_equal(got, want, n * 4);
        mem_free(x);
        mem_free(got);
        mem_free(want);
    }
}

typedef void add_scaled_function(float *y, const float *x, float by, size_t n);

static void check_add_scaled(add_scaled_function *f, add_scaled_function *definition,
                             float tolerance) {
    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        const size_t n = LENGTHS[i];
        float *x = random_floats(n, -2, 2), *got = random_floats(n, -2, 2);
        float *want = copy_of(got, n * 4);
        f(got, x, 0.37f, n);
        definition(want, x, 0.37f, n);
        assert_memory_equal(got, want, n * 4);
        mem_free(x);
        mem_free(got);
        mem_free(want);
    }
}

typedef void rotate_function(float *x, const float *angles, size_t size, bool interleaved);

static void check_rotate(rotate_function *f, rotate_function *definition, float tolerance) {
    for (size_t size = 2; size <= 132; size += 2) {
        for (uint32_t interleaved = 0; interleaved < 2; interleaved++) {
            float *angles = random_floats(size, -1, 1), *got = random_floats(size, -2, 2);
            float *x = copy_of(got, size * 4), *want = copy_of(got, size * 4);
            f(got, angles, size, interleaved);
            definition(want, angles, size, interleaved);
            assert_memory_equal(got, want, size * 4);
            for (size_t i = 0; i < size / 2; i++) { /* as written in the list */
                const size_t a = interleaved ? 2 * i : i, b = interleaved ? a + 1 : a + size / 2;
                const double cosine = angles[i], sine = angles[size / 2 + i];
                near(got[a], (float)(x[a] * cosine - x[b] * sine), 1e-6f, "rotated", a);
                near(got[b], (float)(x[b] * cosine + x[a] * sine), 1e-6f, "rotated", b);
            }
            mem_free(angles);
            mem_free(got);
            mem_free(x);
            mem_free(want);
        }
    }
}

typedef void in_place_function(float *x, size_t n);

/* Errors relative to what goes in (at most 10) and comes out; equal where not finite. */
static void compare_in_place(in_place_function *f, in_place_function *definition, const float *x,
                             size_t n, float tolerance) {
    float *got = copy_of(x, n * 4), *want = copy_of(x, n * 4);
    f(got, n);
    definition(want, n);
    for (size_t k = 0; k < n; k++) {
        const float in = fminf(fabsf(x[k]), 10);
        near(got[k], want[k], tolerance * (fabsf(want[k]) + in) + 1e-37f, "f(x)", k);
    }
    /* Alone, in the first lane, a number gives what it gives anywhere. */
    for (size_t k = 0; k < n; k++) {
        float alone = x[k];
        f(&alone, 1);
        assert_memory_equal(&alone, got + k, sizeof(alone));
    }
    mem_free(got);
    mem_free(want);
}

static void check_in_place(in_place_function *f, in_place_function *definition, float tolerance) {
    static const float LIMITS[] = {0.01f, 1, 5, 20, 1000};
    static const float SPECIAL[] = {0,  -0.0f, INFINITY, -INFINITY, NAN,   1e-40f, -1e-40f,
                                    88, -88,   104,      -104,      3.93f, -3.93f, 9,
                                    -9, 1e30f, -1e30f,   10,        -10};
    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        for (size_t l = 0; l < ARRAY_LEN(LIMITS); l++) {
            float *x = random_floats(LENGTHS[i], -LIMITS[l], LIMITS[l]);
            compare_in_place(f, definition, x, LENGTHS[i], tolerance);
            mem_free(x);
        }
    }
    compare_in_place(f, definition, SPECIAL, ARRAY_LEN(SPECIAL), tolerance);
}

#define check_relu       check_in_place
#define check_relu2      check_in_place
#define check_gelu       check_in_place
#define check_gelu_tanh  check_in_place
#define check_quick_gelu check_in_place
#define check_silu       check_in_place
#define check_tanh       check_in_place
#define check_sigmoid    check_in_place

/* Kernels with a limit are activations once it is chosen. */
typedef void limit_function(float *x, float limit, size_t n);

static limit_function *limited, *limited_definition;
static float limit;

static void at_limit(float *x, size_t n) {
    limited(x, limit, n);
}

static void at_limit_defined(float *x, size_t n) {
    limited_definition(x, limit, n);
}

static void check_limit(limit_function *f, limit_function *definition, float tolerance) {
    static const float CHOSEN[] = {0.5f, 7, 50};
    limited = f;
    limited_definition = definition;
    for (size_t i = 0; i < ARRAY_LEN(CHOSEN); i++) {
        limit = CHOSEN[i];
        check_in_place(at_limit, at_limit_defined, tolerance);
    }
}

#define check_softcap check_limit
#define check_clamp   check_limit

typedef void norm_function(float *y, const float *x, const float *weight, const float *bias,
                           float eps, size_t n);

static void check_norm(norm_function *f, norm_function *definition, float tolerance) {
    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        const size_t n = LENGTHS[i];
        float *x = random_floats(n, -2, 3), *weight = random_floats(n, -1, 2);
        float *bias = random_floats(n, -1, 1), *want = mem_alloc(n * 4), *got = copy_of(x, n * 4);
        for (uint32_t kind = 0; kind < 4; kind++) {
            const float *by = kind & 2 ? NULL : weight, *more = kind & 1 ? bias : NULL;
            memcpy(got, x, n * 4);
            definition(want, x, by, more, 1e-5f, n);
            f(got, got, by, more, 1e-5f, n);
            for (size_t k = 0; k < n; k++) {
                near(got[k], want[k], tolerance * (fabsf(want[k]) + 2), "norm", k);
            }
        }
        mem_free(x);
        mem_free(weight);
        mem_free(bias);
        mem_free(got);
        mem_free(want);
    }
}

#define check_norm_layer check_norm
#define check_norm_rms   check_norm

static void check_row(in_place_function *f, in_place_function *definition, float tolerance,
                      float floor) {
    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        const size_t n = LENGTHS[i];
        float *got = random_floats(n, -10, 10);
        got[0] = n > 1 ? -INFINITY : got[0]; /* as processors mask tokens */
        float *want = copy_of(got, n * 4);
        f(got, n);
        definition(want, n);
        for (size_t k = 0; k < n; k++) {
            near(got[k], want[k], tolerance * fmaxf(fabsf(want[k]), floor), "softmax", k);
        }
        mem_free(got);
        mem_free(want);
    }
}

#define check_softmax(f, definition, tolerance)     check_row(f, definition, tolerance, 1e-6f)
#define check_log_softmax(f, definition, tolerance) check_row(f, definition, tolerance, 1)

typedef float dot_function(const float *x, const float *y, size_t n);

static void check_dot(dot_function *f, dot_function *definition, float tolerance) {
    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        const size_t n = LENGTHS[i];
        float *x = random_floats(n, -1, 1), *y = random_floats(n, -1, 1);
        near(f(x, y, n), definition(x, y, n), tolerance * (float)n, "dot", n);
        mem_free(x);
        mem_free(y);
    }
}

typedef size_t argmax_function(const float *x, size_t n);

static void check_argmax(argmax_function *f, argmax_function *definition, float tolerance) {
    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        const size_t n = LENGTHS[i];
        float *x = random_floats(n, -1, 1);
        assert_int_equal(f(x, n), definition(x, n));
        x[n - 1] = x[n / 2] = 2; /* the first of equals */
        assert_int_equal(f(x, n), n / 2);
        x[0] = NAN;
        assert_int_equal(f(x, n), n / 2 == 0 ? (n == 1 ? 0 : n - 1) : n / 2);
        for (size_t k = 0; k < n; k++) {
            x[k] = k % 2 == 0 ? NAN : -INFINITY;
        }
        assert_int_equal(f(x, n), 0);
        mem_free(x);
    }
}

/* ---- attention ---- */

typedef void attend_function(const struct attend *attend);

enum { MAX_PAGES = 9, MAX_HEAD = 130 };

struct attend_case {
    uint32_t head_size, keys;
    bool causal;
    uint32_t window;
    float softcap;
    bool is_biased;
};

static void set_rows(struct attend *a, const struct attend_case *c, uint32_t rows) {
    a->rows = rows;
    for (uint32_t r = 0; r < rows; r++) {
        a->to[r] = c->causal && c->keys + r + 1 > rows ? c->keys + r + 1 - rows : c->keys;
        a->to[r] = a->to[r] < c->keys ? a->to[r] : c->keys;
        a->from[r] = c->window > 0 && a->to[r] > c->window ? a->to[r] - c->window : 0;
    }
}

/* Exactly the numbers of the visible keys, so that the address sanitizer sees a read beyond. */
static void set_bias(struct attend *a, const struct attend_case *c, float **bias) {
    for (uint32_t r = 0; r < a->rows && c->is_biased; r++) {
        const uint32_t n = a->to[r] - a->from[r];
        bias[r] = random_floats(n > 0 ? n : 1, -3, 3);
        a->bias[r] = bias[r] - a->from[r];
    }
}

static void check_attend_case(attend_function *f, attend_function *definition, float tolerance,
                              const struct attend_case *c) {
    const size_t page = (size_t)2 * c->head_size * PANEL;
    /* An error of the cap's tanh grows with the cap. */
    const float allowed = tolerance * (1 + c->softcap);
    float *pages[MAX_PAGES], scores[KERNEL_TILE_ROWS * MAX_PAGES * PANEL];
    for (uint32_t i = 0; i < MAX_PAGES; i++) {
        pages[i] = random_floats(page, -1, 1);
    }
    for (uint32_t rows = 1; rows <= KERNEL_TILE_ROWS; rows++) {
        const size_t n = (size_t)rows * c->head_size;
        float *q = random_floats(n, -2, 2), *got = mem_alloc(n * 4), *want = mem_alloc(n * 4);
        struct attend a = {.head_size = c->head_size,
                           .scale = 0.3f,
                           .softcap = c->softcap,
                           .q = q,
                           .y = want,
                           .pages = pages,
                           .values_at = page / 2,
                           .scores = scores};
        set_rows(&a, c, rows);
        float *bias[KERNEL_TILE_ROWS];
        set_bias(&a, c, bias);
        definition(&a);
        a.y = got;
        f(&a);
        for (size_t i = 0; i < n; i++) {
            near(got[i], want[i], allowed, "attention", i);
        }
        for (uint32_t r = 0; r < rows; r++) { /* alone: the same bits */
            struct attend one = a;
            float y[MAX_HEAD];
            one.rows = 1;
            one.from[0] = a.from[r];
            one.to[0] = a.to[r];
            one.bias[0] = a.bias[r];
            one.q = q + (size_t)r * c->head_size;
            one.y = y;
            f(&one);
            assert_memory_equal(y, got + (size_t)r * c->head_size, c->head_size * 4);
        }
        for (uint32_t r = 0; r < rows && c->is_biased; r++) {
            mem_free(bias[r]);
        }
        mem_free(q);
        mem_free(got);
        mem_free(want);
    }
    for (uint32_t i = 0; i < MAX_PAGES; i++) {
        mem_free(pages[i]);
    }
}

static void check_attend(attend_function *f, attend_function *definition, float tolerance) {
    static const uint32_t HEADS[] = {1, 8, 10, 16, 33, 40, 64, 80, 128, 130};
    static const struct attend_case CASES[] = {
        {0, 1, true, 0, 0, false},    {0, 6, true, 0, 0, false},    {0, 17, true, 0, 0, false},
        {0, 144, true, 0, 0, false},  {0, 100, false, 0, 0, false}, {0, 100, true, 5, 0, false},
        {0, 100, true, 33, 0, false}, {0, 16, false, 0, 0, false},  {0, 0, false, 0, 0, false},
        {0, 1, true, 0, 0, true},     {0, 23, true, 0, 0, true},    {0, 100, false, 0, 0, true},
        {0, 40, true, 9, 0, true},    {0, 40, true, 0, 5, false},   {0, 77, true, 33, 2, true},
        {0, 0, false, 0, 2, true},
    };
    for (size_t h = 0; h < ARRAY_LEN(HEADS); h++) {
        for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
            struct attend_case c = CASES[i];
            c.head_size = HEADS[h];
            check_attend_case(f, definition, tolerance, &c);
        }
    }
}

/* ---- the list ---- */

#define FAMILY(family, result, arguments)
#define VARIANT(family, isa, needs, tolerance)                                                     \
    static void family##_##isa##_is_as_defined(void **state) {                                     \
        if (((needs) & ~cpu_features()) != 0) {                                                    \
            skip();                                                                                \
        }                                                                                          \
        check_##family(family##_##isa, family##_scalar, tolerance);                                \
    }
#include "kernels/kernels.inc"
#undef VARIANT

/* Floats are summed in one order whatever the width of registers, so that a machine with AVX-512
 * answers as one without. */
#if defined(__x86_64__)
static void f32_avx512_has_the_bits_of_avx2(void **state) {
    if (!(cpu_features() & CPU_AVX512)) {
        skip();
    }
    check_gemm_f32(gemm_f32_avx512, gemm_f32_avx2, 0);
}

static void bf16_avx512_has_the_bits_of_avx2(void **state) {
    if (!(cpu_features() & CPU_AVX512)) {
        skip();
    }
    check_gemm_bf16(gemm_bf16_avx512, gemm_bf16_avx2, 0);
}

static void attend_avx512_has_the_bits_of_avx2(void **state) {
    if (!(cpu_features() & CPU_AVX512)) {
        skip();
    }
    check_attend(attend_avx512, attend_avx2, 0);
}
#endif

static void scalar_can_be_forced(void **state) {
    struct kernels k;
    kernels_pick(&k, CPU_ANY);
    assert_string_equal(k.isa, "scalar");
    assert_ptr_equal(k.gemm_f32, gemm_f32_scalar);
    assert_ptr_equal(k.argmax, argmax_scalar);
}

/* Where the set to be used is known, by EXPECTED_ISA, no detection that fails goes unseen. */
static void the_expected_set_is_used(void **state) {
    const char *expected = getenv("EXPECTED_ISA");
    assert_string_equal(kernels_best()->isa, expected != NULL ? expected : kernels_best()->isa);
}

static void packing_keeps_every_weight(void **state) {
    enum { IN = 37, N = 11 };
    float w[N * IN], scales[PANEL], sums[PANEL], f32[IN * PANEL];
    int8_t i8[64 + 40 * PANEL];
    for (size_t i = 0; i < ARRAY_LEN(w); i++) {
        w[i] = uniform(-1, 1);
    }
    w[3 * IN] = NAN;
    pack_f32(f32, IN, N, w);
    assert_int_equal(sizeof(i8), panel_bytes_i8(IN));
    pack_i8(i8, IN, N, w, scales, sums);
    for (uint32_t j = 0; j < PANEL; j++) {
        for (uint32_t k = 0; k < IN; k++) {
            const float want = j < N ? w[j * IN + k] : 0;
            near(f32[k * PANEL + j], want, 0, "packed", k);
            const int8_t q = i8[64 + k / 4 * 64 + j * 4 + k % 4];
            near(q * scales[j], want == want ? want : 0, scales[j] * 0.5001f, "int8", k);
        }
    }
}

/* Weights of 4 bits leave less error than rounding each group to 15 even levels; numbers that are not
 * finite become zeros, as what is beyond K and beyond the outputs is. */
static void packing_in_4_bits_is_better_than_rounding(void **state) {
    enum { IN = 197, N = 11, GROUPS = 7, HEADER = 128 };
    float w[N * IN], scales[PANEL], sums[PANEL];
    for (size_t i = 0; i < ARRAY_LEN(w); i++) {
        w[i] = powf(uniform(-1, 1), 3);
    }
    w[3 * IN] = NAN;
    w[3 * IN + 1] = -INFINITY;
    uint8_t packed[HEADER + GROUPS * 256];
    assert_int_equal(sizeof(packed), panel_bytes_i4(IN));
    pack_i4(packed, IN, N, w, scales, sums);
    double error = 0, rounded = 0;
    for (uint32_t j = 0; j < PANEL; j++) {
        int32_t sum = 0;
        for (uint32_t group = 0; group < GROUPS; group++) {
            float largest = 0;
            for (uint32_t k = group * 32; j < N && k < IN && k < group * 32 + 32; k++) {
                const float x = w[j * IN + k];
                largest = isfinite(x) && fabsf(x) > largest ? fabsf(x) : largest;
            }
            const int8_t scale = ((int8_t *)packed)[group * PANEL + j];
            for (uint32_t k = 0; k < 32; k++) {
                const uint8_t both =
                    packed[HEADER + group * 256 + k / 8 * 64 + j / 8 * 32 + j % 8 * 4 + k % 4];
                const int32_t q = ((k / 4 % 2 == 0 ? both : both >> 4) & 15) - 8;
                const uint32_t at = group * 32 + k;
                const float want = j < N && at < IN && isfinite(w[j * IN + at]) ? w[j * IN + at] : 0;
                const float got = scales[j] * (float)(q * scale);
                const float step = largest / 7;
                const float plain = step > 0 ? step * rintf(want / step) : 0;
                near(got, want, 1.7f * scales[j] * (float)abs(scale), "int4", at);
                error += (double)(got - want) * (got - want);
                rounded += (double)(plain - want) * (plain - want);
                sum += q * scale;
            }
        }
        near(sums[j], scales[j] * (float)sum, 1e-6f, "sum", j);
    }
    assert_true(error < 0.8 * rounded && error > 0.3 * rounded);
}

/* kernels_test [PATTERN]: only the tests of that name; * and ? stand for any characters. */
int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
#define VARIANT(family, isa, needs, tolerance) cmocka_unit_test(family##_##isa##_is_as_defined),
#include "kernels/kernels.inc"
#undef VARIANT
#if defined(__x86_64__)
        cmocka_unit_test(f32_avx512_has_the_bits_of_avx2),
        cmocka_unit_test(bf16_avx512_has_the_bits_of_avx2),
        cmocka_unit_test(attend_avx512_has_the_bits_of_avx2),
#endif
        cmocka_unit_test(scalar_can_be_forced),
        cmocka_unit_test(the_expected_set_is_used),
        cmocka_unit_test(packing_keeps_every_weight),
        cmocka_unit_test(packing_in_4_bits_is_better_than_rounding),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
