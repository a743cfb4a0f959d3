/* What kernels_test.c checks of matrix products: the definition's sums on odd shapes, the same bits
 * however rows, columns and K are cut, and no sum that leaves its bits at the limits of all numbers. */
#ifndef BRISK_TESTS_KERNELS_PRODUCTS_H
#define BRISK_TESTS_KERNELS_PRODUCTS_H

#include "unit/kernels/quantized.h"

static const struct shape {
    uint32_t rows, in, out;
} SHAPES[] = {
    {1, 1, 1},     {1, 64, 64},  {2, 7, 16},    {3, 33, 40},  {4, 100, 17},
    {5, 64, 128},  {6, 96, 48},  {7, 129, 33},  {8, 31, 16},  {11, 40, 80},
    {12, 384, 64}, {13, 5, 100}, {19, 257, 70}, {40, 72, 32},
};

/* What differs between precisions. */
struct precision {
    void (*gemm)(const struct gemm *gemm), (*definition)(const struct gemm *gemm);
    size_t (*panel_bytes)(uint32_t in);
    size_t element; /* of x */
};

static inline char *pack(const struct precision *p, const struct shape *s, const float *w) {
    const uint32_t panels = (s->out + PANEL - 1) / PANEL;
    const size_t bytes = p->panel_bytes(s->in);
    float scales[PANEL], sums[PANEL];
    char *packed = mem_alloc(panels * bytes);
    for (uint32_t i = 0; i < panels; i++) {
        const uint32_t left = s->out - i * PANEL, n = left < PANEL ? left : PANEL;
        const float *rows = w + (size_t)i * PANEL * s->in;
        if (p->panel_bytes == panel_bytes_f32) {
            pack_f32(packed + i * bytes, s->in, n, rows);
        } else if (p->panel_bytes == panel_bytes_bf16) {
            pack_bf16(packed + i * bytes, s->in, n, rows);
        } else if (p->panel_bytes == panel_bytes_i4) {
            pack_i4(packed + i * bytes, s->in, n, rows, scales, sums);
        } else {
            pack_i8(packed + i * bytes, s->in, n, rows, scales, sums);
        }
    }
    return packed;
}

/* Up to `most` groups of a row go beyond 7 bits, far from each other and to both sides. */
static inline void add_outliers(uint8_t *q, uint32_t in, uint32_t most) {
    struct row_outliers *outliers = (void *)(q + quantized_outliers_at(in));
    outliers->n = 0;
    for (uint32_t group = 0; group * 4 < in && outliers->n < most; group += 1 + group % 3) {
        struct outlier *o = &outliers->at[outliers->n++];
        o->group = group;
        for (uint32_t k = 0; k < 4; k++) {
            o->high[k] = (int8_t)(group * 4 + k < in ? uniform(-127.99f, 127.99f) : 0);
        }
    }
}

/* x[rows, in] as floats, or as 7-bit numbers in rows padded with zeros, with outliers. */
static inline void *inputs(const struct precision *p, const struct shape *s, size_t *ld) {
    if (p->element == sizeof(float)) {
        *ld = s->in;
        return random_floats((size_t)s->rows * s->in, -1, 1);
    }
    *ld = quantized_row_bytes(s->in);
    uint8_t *q = mem_zalloc(s->rows, *ld);
    for (uint32_t r = 0; r < s->rows; r++) {
        for (uint32_t k = 0; k < s->in; k++) {
            q[r * *ld + k] = (uint8_t)uniform(0, 127.99f);
        }
        add_outliers(q + r * *ld, s->in, r % 4 == 3 ? OUTLIERS_MAX : r % 4 * 3);
    }
    return q;
}

static inline void cut_k(void (*gemm)(const struct gemm *), struct gemm g, uint32_t step) {
    const uint32_t in = g.k_to;
    for (uint32_t k = 0; k < in; k += step) {
        g.k_from = k;
        g.k_to = k + step < in ? k + step : in;
        gemm(&g);
    }
}

/* Row by row, panel by panel, K in steps: the same bits as all at once. */
static inline void check_cuts(const struct precision *p, struct gemm g, const struct shape *s) {
    const size_t n = (size_t)s->rows * g.ldacc;
    int32_t *whole = mem_zalloc(n, 4), *cut = mem_zalloc(n, 4);
    g.acc = whole;
    p->gemm(&g);
    for (uint32_t step = KERNEL_K_STEP; step <= 4 * KERNEL_K_STEP; step *= 2) {
        memset(cut, 0xff, n * 4);
        g.acc = cut;
        cut_k(p->gemm, g, step);
        assert_memory_equal(whole, cut, n * 4);
    }
    memset(cut, 0xff, n * 4);
    for (uint32_t r = 0; r < s->rows; r++) {
        for (uint32_t i = 0; i < g.n_panels; i++) {
            struct gemm one = g;
            one.rows = one.n_panels = 1;
            one.x = (const char *)g.x + r * g.ldx * p->element;
            one.panels = (const char *)g.panels + i * g.panel_bytes;
            one.acc = cut + r * g.ldacc + (size_t)i * PANEL;
            p->gemm(&one);
        }
    }
    assert_memory_equal(whole, cut, n * 4);
    mem_free(whole);
    mem_free(cut);
}

/* power: 1 spreads the weights evenly, 5 as trained ones are, most of them near zero. */
static inline void check_shape(const struct precision *p, const struct shape *s, int power,
                        float tolerance) {
    const uint32_t panels = (s->out + PANEL - 1) / PANEL;
    const size_t n = (size_t)s->rows * panels * PANEL;
    float *w = random_floats((size_t)s->out * s->in, -1, 1);
    for (size_t i = 0; i < (size_t)s->out * s->in; i++) {
        w[i] = powf(w[i], (float)power);
    }
    char *packed = pack(p, s, w);
    float *got = mem_alloc(n * 4), *want = mem_alloc(n * 4);
    struct gemm g = {.panels = packed,
                     .panel_bytes = p->panel_bytes(s->in),
                     .ldacc = (size_t)panels * PANEL,
                     .in = s->in,
                     .rows = s->rows,
                     .n_panels = panels,
                     .k_to = s->in,
                     .acc = want};
    void *x = inputs(p, s, &g.ldx);
    g.x = x;
    p->definition(&g);
    g.acc = got;
    p->gemm(&g);
    if (tolerance > 0) {
        for (size_t i = 0; i < n; i++) {
            near(got[i], want[i], tolerance * (float)s->in, "product", i);
        }
    } else {
        assert_memory_equal(got, want, n * 4);
    }
    check_cuts(p, g, s);
    mem_free(w);
    mem_free(packed);
    mem_free(got);
    mem_free(want);
    mem_free(x);
}

static inline void check_gemm(struct precision p, float tolerance) {
    for (size_t i = 0; i < ARRAY_LEN(SHAPES); i++) {
        check_shape(&p, &SHAPES[i], 1, tolerance);
        check_shape(&p, &SHAPES[i], 5, tolerance);
    }
}

typedef void gemm_function(const struct gemm *gemm);

static inline void check_gemm_f32(gemm_function *f, gemm_function *definition, float tolerance) {
    check_gemm((struct precision){f, definition, panel_bytes_f32, sizeof(float)}, tolerance);
}

static inline void check_gemm_bf16(gemm_function *f, gemm_function *definition, float tolerance) {
    check_gemm((struct precision){f, definition, panel_bytes_bf16, sizeof(float)}, tolerance);
}

/* A row of IN activations at their limits, all of them outliers: 127 + 128 * 127, or downwards. */
#define LIMIT_ABOVE (127 + 128 * 127)
#define LIMIT_BELOW (127 - 128 * 127)
static inline void fill_limits(uint8_t *q, uint32_t in, int8_t high) {
    memset(q, QUANTIZED_MAX, quantized_row_bytes(in));
    struct row_outliers *outliers = (void *)(q + quantized_outliers_at(in));
    outliers->n = high == 0 ? 0 : in / 4;
    for (uint32_t i = 0; i < outliers->n; i++) {
        outliers->at[i].group = i;
        memset(outliers->at[i].high, high, 4);
    }
}

/* All weights and activations at their limits: nothing saturates. */
static inline void check_extremes_i8(gemm_function *f, const int *four) {
    enum { IN = 64 };
    float w[PANEL * IN], scales[PANEL], sums[PANEL];
    int sum = 0;
    for (size_t i = 0; i < ARRAY_LEN(w); i++) {
        const size_t k = i % IN; /* four[] falls to one 16-bit lane: k, k + 1, k + 4, k + 5 */
        const int value = four[k / 4 % 2 * 2 + k % 2];
        w[i] = (float)(i / IN % 2 == 0 ? value : -value);
        sum += i < IN ? value : 0;
    }
    char packed[64 + PANEL * IN];
    assert_int_equal(sizeof(packed), panel_bytes_i8(IN));
    pack_i8(packed, IN, PANEL, w, scales, sums);
    const size_t ld = quantized_row_bytes(IN);
    uint8_t *x = mem_alloc(9 * ld);
    for (uint32_t rows = 1; rows <= 9; rows++) {
        int32_t acc[9 * PANEL];
        for (uint32_t r = 0; r < rows; r++) {
            fill_limits(x + r * ld, IN, r % 3 == 0 ? 0 : r % 3 == 1 ? 127 : -127);
        }
        f(&(struct gemm){.x = x,
                         .ldx = ld,
                         .panels = packed,
                         .panel_bytes = sizeof(packed),
                         .acc = acc,
                         .in = IN,
                         .ldacc = PANEL,
                         .rows = rows,
                         .n_panels = 1,
                         .k_to = IN});
        for (uint32_t i = 0; i < rows * PANEL; i++) {
            const uint32_t kind = i / PANEL % 3;
            const int x_is = kind == 0 ? QUANTIZED_MAX : kind == 1 ? LIMIT_ABOVE : LIMIT_BELOW;
            assert_int_equal(acc[i], (i % 2 == 0 ? 1 : -1) * x_is * sum);
        }
    }
    mem_free(x);
}

static inline void check_gemm_i8(gemm_function *f, gemm_function *definition, float tolerance) {
    check_gemm((struct precision){f, definition, panel_bytes_i8, 1}, tolerance);
    check_extremes_i8(f, (const int[]){127, 127, 127, 127});
    check_extremes_i8(f, (const int[]){127, 127, 4, 0}); /* just fits 16 bits */
    check_extremes_i8(f, (const int[]){127, 127, 5, 0}); /* just does not */
    check_extremes_i8(f, (const int[]){-127, 127, 60, 60});
}

/* All weights, scales and activations at their limits, in the widest layer: no sum leaves its bits. */
static inline void check_extremes_i4(gemm_function *f, float value) {
    const uint32_t in = QUANTIZED_MAX_IN, sampled = OUTLIERS_MAX * 4;
    float *w = mem_alloc((size_t)PANEL * in * sizeof(*w)), scales[PANEL], sums[PANEL];
    for (size_t i = 0; i < (size_t)PANEL * in; i++) {
        w[i] = i / in % 2 == 0 ? value : -value;
    }
    char *packed = mem_alloc(panel_bytes_i4(in));
    pack_i4(packed, in, PANEL, w, scales, sums);
    const int64_t weight = 8 * group_scale_most_i4(in);
    const size_t ld = quantized_row_bytes(in);
    uint8_t *x = mem_alloc(ld);
    for (int high = -127; high <= 127; high += 127) {
        int32_t acc[PANEL];
        memset(x, QUANTIZED_MAX, ld);
        struct row_outliers *outliers = (void *)(x + quantized_outliers_at(in));
        outliers->n = high == 0 ? 0 : OUTLIERS_MAX;
        for (uint32_t i = 0; i < outliers->n; i++) {
            outliers->at[i].group = i;
            memset(outliers->at[i].high, high, 4);
        }
        f(&(struct gemm){.x = x,
                         .ldx = ld,
                         .panels = packed,
                         .panel_bytes = panel_bytes_i4(in),
                         .acc = acc,
                         .in = in,
                         .ldacc = PANEL,
                         .rows = 1,
                         .n_panels = 1,
                         .k_to = in});
        const int64_t all = QUANTIZED_MAX * (int64_t)in + 128 * (int64_t)high * sampled;
        for (uint32_t j = 0; j < PANEL; j++) {
            const int64_t want = (j % 2 == 0 ? 1 : -1) * (value > 0 ? 1 : -1) * all * weight;
            assert_int_equal(acc[j], want);
        }
    }
    mem_free(w);
    mem_free(packed);
    mem_free(x);
}

static inline void check_gemm_i4(gemm_function *f, gemm_function *definition, float tolerance) {
    check_gemm((struct precision){f, definition, panel_bytes_i4, 1}, tolerance);
    check_extremes_i4(f, 0.25f);
    check_extremes_i4(f, -3);
}

#endif
