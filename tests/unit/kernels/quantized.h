/* What kernels_test.c checks of quantized rows: each number within half a step, outliers of all kinds
 * in their list; and the numbers that its other checks are made of, too. */
#ifndef BRISK_TESTS_KERNELS_QUANTIZED_H
#define BRISK_TESTS_KERNELS_QUANTIZED_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "kernels/kernels.h"

static uint32_t seed = 1;

static inline float uniform(float low, float high) {
    seed = seed * 1664525u + 1013904223u;
    return low + (high - low) * (float)(seed >> 8) / (float)(1 << 24);
}

/* Exactly n floats on the heap, so that the address sanitizer sees a read beyond. */
static inline float *random_floats(size_t n, float low, float high) {
    float *x = mem_alloc(n * sizeof(*x));
    for (size_t i = 0; i < n; i++) {
        x[i] = uniform(low, high);
    }
    return x;
}

static inline void *copy_of(const void *data, size_t bytes) {
    void *copy = mem_alloc(bytes);
    memcpy(copy, data, bytes);
    return copy;
}

static inline void near(float got, float want, float allowed, const char *what, size_t i) {
    const bool same = got == want || (got != got && want != want);
    if (!same && !(fabsf(got - want) <= allowed)) {
        fail_msg("%s at %zu: wanted %.9g +- %g, got %.9g", what, i, (double)want, (double)allowed,
                 (double)got);
    }
}

static const size_t LENGTHS[] = {1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 100, 128, 384, 771};

typedef void quantize_function(uint8_t *q, struct row_scale *scale, const float *x, size_t n);

/* Kinds of rows. WIDE: a few numbers far away; TOO_WIDE: so far that the rest falls together; MANY:
 * more outliers than a list takes. */
enum row_kind { EVEN, POSITIVE, EQUAL, WIDE, TOO_WIDE, MANY, WITH_INFINITY, WITH_NAN, ROW_KINDS };

static inline float *row_of_kind(enum row_kind kind, size_t n) {
    float *x = random_floats(n, kind == POSITIVE ? 1 : -3, kind == EQUAL ? -3 : 4);
    for (size_t i = 0; i < n && i < 388; i += 97) {
        x[i] = kind == WIDE ? (i % 2 == 0 ? 90.0f : -50.0f) - (float)i * 0.01f : x[i];
    }
    for (size_t i = 0; kind == MANY && i < n; i += 32) { /* all in two lanes */
        x[i] = uniform(50, 90);
        x[i + 4 < n ? i + 4 : i] = uniform(50, 90);
    }
    x[n / 2] = kind == WITH_INFINITY ? INFINITY
               : kind == WITH_NAN    ? NAN
               : kind == TOO_WIDE    ? -1e6f
                                     : x[n / 2];
    return x;
}

/* The whole number that stands for x[k]; outliers' groups are in order. */
static inline int32_t whole_of(const uint8_t *q, size_t n, size_t k) {
    const struct row_outliers *outliers = quantized_outliers(q, (uint32_t)n);
    assert_true(outliers->n <= OUTLIERS_MAX);
    int32_t whole = q[k];
    for (uint32_t i = 0; i < outliers->n; i++) {
        const struct outlier *o = &outliers->at[i];
        assert_true(o->group * 4 < n && (i == 0 || o->group > o[-1].group));
        whole += o->group == k / 4 ? (QUANTIZED_MAX + 1) * o->high[k % 4] : 0;
    }
    return whole;
}

static inline void check_quantized(quantize_function *f, quantize_function *definition, enum row_kind kind,
                      size_t n) {
    const size_t bytes = quantized_row_bytes((uint32_t)n), end = quantized_outliers_at((uint32_t)n);
    float *x = row_of_kind(kind, n);
    uint8_t *got = mem_alloc(bytes), *want = mem_alloc(bytes);
    struct row_scale a, b;
    f(got, &a, x, n);
    definition(want, &b, x, n);
    for (size_t k = 0; k < end; k++) {
        assert_true(got[k] <= QUANTIZED_MAX && (k < n || got[k] == 0));
    }
    const struct row_outliers *outliers = quantized_outliers(got, (uint32_t)n);
    if (kind < WITH_INFINITY) {
        assert_memory_equal(got, want, end);
        assert_memory_equal(&a, &b, sizeof(a));
        assert_memory_equal(outliers, quantized_outliers(want, (uint32_t)n),
                            sizeof(outliers->n) + outliers->n * sizeof(outliers->at[0]));
    } else if (kind == WITH_INFINITY) {
        assert_int_equal(outliers->n, 0);
    }
    for (size_t k = 0; k < n && kind < WITH_INFINITY; k++) {
        const float error = a.step * 0.5001f + 1e-6f * fabsf(x[k]) + 1e-6f;
        near(a.step * (float)whole_of(got, n, k) + a.offset, x[k], error, "quantized", k);
    }
    if (kind == WIDE && n >= 384) { /* the grid is as fine as the others allow */
        assert_true(outliers->n >= 4 && a.step < 7.0f / 120);
    }
    if (kind == MANY && n > 32 * OUTLIERS_MAX) {
        assert_int_equal(outliers->n, 0);
    }
    mem_free(x);
    mem_free(got);
    mem_free(want);
}

static inline void check_quantize_u7(quantize_function *f, quantize_function *definition,
                              float tolerance) {
    for (size_t i = 0; i < ARRAY_LEN(LENGTHS); i++) {
        for (enum row_kind kind = 0; kind < ROW_KINDS; kind++) {
            check_quantized(f, definition, kind, LENGTHS[i]);
        }
    }
    check_quantized(f, definition, MANY, 2500);
}

#endif
