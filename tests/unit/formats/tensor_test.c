/* Conversion to float, exactly: F16 against its definition over all 65,536 values, the other types
 * by rows, any start and any alignment. */
#include "unit/formats/files.h"

#include <math.h>

#include "formats/formats.h"

static void sizes_and_names_follow_the_list(void **state) {
    assert_int_equal(dtype_size(DTYPE_F64), 8);
    assert_int_equal(dtype_size(DTYPE_BF16), 2);
    assert_int_equal(dtype_size(DTYPE_BOOL), 1);
    assert_string_equal(dtype_name(DTYPE_F16), "F16");
    assert_string_equal(dtype_name(DTYPE_BOOL), "BOOL");
}

/* What IEEE 754 says a half is, written with ldexp. */
static float half_by_definition(uint32_t half) {
    const int exponent = (int)(half >> 10 & 31);
    const float mantissa = (float)(half & 1023);
    float value;
    if (exponent == 31)
        value = mantissa != 0 ? NAN : INFINITY;
    else if (exponent == 0)
        value = ldexpf(mantissa, -24);
    else
        value = ldexpf(1024.0f + mantissa, exponent - 25);
    return half >> 15 ? -value : value;
}

static void assert_same(float got, float wanted, const char *what, size_t i) {
    if (isnan(wanted) ? !isnan(got) : memcmp(&got, &wanted, sizeof got) != 0)
        fail_msg("%s %zu: wanted %.9g, got %.9g", what, i, (double)wanted, (double)got);
}

static void every_half_is_exact(void **state) {
    uint16_t *halves = mem_alloc(65536 * sizeof *halves);
    float *floats = mem_alloc(65536 * sizeof *floats);
    for (uint32_t i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    const struct tensor tensor = {.dtype = DTYPE_F16, .elements = 65536, .data = halves};
    tensor_to_floats(&tensor, 0, 65536, floats);
    for (uint32_t i = 0; i < 65536; i++)
        assert_same(floats[i], half_by_definition(i), "half", i);
    mem_free(halves);
    mem_free(floats);
}

static void every_bfloat_is_the_upper_half_of_a_float(void **state) {
    uint16_t *bfloats = mem_alloc(65536 * sizeof *bfloats);
    float *floats = mem_alloc(65536 * sizeof *floats);
    for (uint32_t i = 0; i < 65536; i++)
        bfloats[i] = (uint16_t)i;
    const struct tensor tensor = {.dtype = DTYPE_BF16, .elements = 65536, .data = bfloats};
    tensor_to_floats(&tensor, 0, 65536, floats);
    for (uint32_t i = 0; i < 65536; i++) {
        const uint32_t bits = i << 16;
        float wanted;
        memcpy(&wanted, &bits, sizeof wanted);
        assert_same(floats[i], wanted, "bfloat", i);
    }
    mem_free(bfloats);
    mem_free(floats);
}

#define ROW(type, dtype, ...)                                                                      \
    {                                                                                              \
        DTYPE_##dtype, (const type[4]){__VA_ARGS__}, {                                             \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
static const struct {
    enum dtype dtype;
    const void *data;
    float floats[4];
} rows[] = {
    ROW(double, F64, 0.5, -1e300 * 0, 3.0, -7.25),
    ROW(float, F32, 0.1f, -2.5f, 3e38f, 1e-45f),
    ROW(int64_t, I64, 1, -1, 1099511627776, -9007199254740992),
    ROW(int32_t, I32, 0, -2147483647 - 1, 65536, 7),
    ROW(int16_t, I16, 0, -32768, 32767, 5),
    ROW(int8_t, I8, -128, 127, 0, -1),
    ROW(uint8_t, U8, 0, 255, 128, 1),
    {DTYPE_BOOL, (const uint8_t[4]){0, 1, 255, 0}, {0, 1, 1, 0}},
    {DTYPE_F64, (const double[4]){1e300, -1e300, 1e-300, 0.1}, {INFINITY, -INFINITY, 0, 0.1f}},
    {DTYPE_I64,
     (const int64_t[4]){INT64_MAX, INT64_MIN, 16777217, -1},
     {0x1p63f, -0x1p63f, 0x1p24f, -1}},
};

static void converts_by_value_at_any_alignment(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const size_t bytes = 4 * dtype_size(rows[i].dtype);
        for (size_t shift = 0; shift < 8; shift++) {
            uint8_t *block = mem_alloc(bytes + shift);
            memcpy(block + shift, rows[i].data, bytes);
            const struct tensor tensor = {
                .dtype = rows[i].dtype, .elements = 4, .data = block + shift};
            float floats[4];
            tensor_to_floats(&tensor, 0, 4, floats);
            for (size_t j = 0; j < 4; j++)
                assert_same(floats[j], rows[i].floats[j], dtype_name(rows[i].dtype), j);
            mem_free(block);
        }
    }
}

static void converts_any_part(void **state) {
    static const int16_t values[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    const struct tensor tensor = {
        .dtype = DTYPE_I16, .elements = ARRAY_LEN(values), .data = values};
    for (size_t from = 0; from <= ARRAY_LEN(values); from++) {
        for (size_t n = 0; from + n <= ARRAY_LEN(values); n++) {
            float floats[ARRAY_LEN(values) + 1];
            floats[n] = -1;
            tensor_to_floats(&tensor, from, n, floats);
            for (size_t i = 0; i < n; i++)
                assert_same(floats[i], (float)(from + i + 1), "part", i);
            assert_same(floats[n], -1, "behind the part", n);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_names_follow_the_list),
        cmocka_unit_test(every_half_is_exact),
        cmocka_unit_test(every_bfloat_is_the_upper_half_of_a_float),
        cmocka_unit_test(converts_by_value_at_any_alignment),
        cmocka_unit_test(converts_any_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
