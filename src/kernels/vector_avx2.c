/* Elementwise kernels for AVX2: activations, epilogues, rotary positions. Tails of fewer than eight
 * go through the same instructions under a mask, so that a number's place in the row changes
 * nothing.
 *
 * Limit: the FMA ports for activations (about 30 instructions and a division for 8 numbers); the
 * rest is bound by loads and stores of the first-level cache, where rows of a tile lie. */
#include "kernels/math_avx2.h"

/* Defines a kernel that replaces each x by expression(x). */
#define IN_PLACE(family, expression)                                                               \
    void family##_avx2(float *x, size_t n) {                                                       \
        for (; n >= 8; n -= 8, x += 8) {                                                           \
            _mm256_storeu_ps(x, expression(_mm256_loadu_ps(x)));                                   \
        }                                                                                          \
        if (n > 0) {                                                                               \
            const __m256i mask = lanes_mask(n);                                                    \
            _mm256_maskstore_ps(x, mask, expression(_mm256_maskload_ps(x, mask)));                 \
        }                                                                                          \
    }

ALWAYS_INLINE __m256 relu_ps(__m256 x) {
    return _mm256_max_ps(_mm256_setzero_ps(), x); /* NaN stays: max gives its second operand */
}

ALWAYS_INLINE __m256 gelu_ps(__m256 x) {
    return _mm256_mul_ps(x, normal_below_ps(x));
}

/* (1 + tanh(u)) / 2 is sigmoid(2 u), which does not cancel in the lower tail. */
ALWAYS_INLINE __m256 gelu_tanh_ps(__m256 x) {
    const __m256 cube = _mm256_mul_ps(_mm256_mul_ps(x, x), x);
    const __m256 inner = _mm256_fmadd_ps(cube, _mm256_set1_ps(0.044715f), x);
    return _mm256_mul_ps(x, sigmoid_ps(_mm256_mul_ps(inner, _mm256_set1_ps(1.5957691216057308f))));
}

ALWAYS_INLINE __m256 silu_ps(__m256 x) {
    return _mm256_mul_ps(x, sigmoid_ps(x));
}

ALWAYS_INLINE __m256 relu2_ps(__m256 x) {
    const __m256 above = relu_ps(x);
    return _mm256_mul_ps(above, above);
}

ALWAYS_INLINE __m256 quick_gelu_ps(__m256 x) {
    return _mm256_mul_ps(x, sigmoid_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.702f))));
}

IN_PLACE(relu, relu_ps)
IN_PLACE(relu2, relu2_ps)
IN_PLACE(quick_gelu, quick_gelu_ps)
IN_PLACE(gelu, gelu_ps)
IN_PLACE(gelu_tanh, gelu_tanh_ps)
IN_PLACE(silu, silu_ps)
IN_PLACE(tanh, tanh_ps)
IN_PLACE(sigmoid, sigmoid_ps)

void softcap_avx2(float *x, float cap, size_t n) {
    const __m256 by = _mm256_set1_ps(cap);
    for (; n >= 8; n -= 8, x += 8) {
        _mm256_storeu_ps(x, softcap_ps(_mm256_loadu_ps(x), by));
    }
    if (n > 0) {
        const __m256i mask = lanes_mask(n);
        _mm256_maskstore_ps(x, mask, softcap_ps(_mm256_maskload_ps(x, mask), by));
    }
}

/* NaN stays: min and max give their second operand. */
void clamp_avx2(float *x, float limit, size_t n) {
    const __m256 high = _mm256_set1_ps(limit), low = _mm256_set1_ps(-limit);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 above = _mm256_max_ps(low, _mm256_loadu_ps(x + i));
        _mm256_storeu_ps(x + i, _mm256_min_ps(high, above));
    }
    for (; i < n; i++) {
        const float above = x[i] < -limit ? -limit : x[i];
        x[i] = above > limit ? limit : above;
    }
}

/* A product and a sum, no FMA, as PyTorch rounds. */
void add_scaled_avx2(float *y, const float *x, float by, size_t n) {
    const __m256 factor = _mm256_set1_ps(by);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256 product = _mm256_mul_ps(factor, _mm256_loadu_ps(x + i));
        _mm256_storeu_ps(y + i, _mm256_add_ps(_mm256_loadu_ps(y + i), product));
    }
    for (; i < n; i++) {
        y[i] += by * x[i];
    }
}

/* Pairs (i, i + size / 2). */
static void rotate_halves(float *x, const float *cosines, const float *sines, size_t half) {
    size_t i = 0;
    for (; i + 8 <= half; i += 8) {
        const __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + half + i);
        const __m256 c = _mm256_loadu_ps(cosines + i), s = _mm256_loadu_ps(sines + i);
        _mm256_storeu_ps(x + i, _mm256_sub_ps(_mm256_mul_ps(a, c), _mm256_mul_ps(b, s)));
        _mm256_storeu_ps(x + half + i, _mm256_add_ps(_mm256_mul_ps(b, c), _mm256_mul_ps(a, s)));
    }
    for (; i < half; i++) {
        const float a = x[i], b = x[half + i];
        x[i] = a * cosines[i] - b * sines[i];
        x[half + i] = b * cosines[i] + a * sines[i];
    }
}

/* Each of four numbers twice. */
ALWAYS_INLINE __m256 load_twice(const float *x) {
    const __m256 four = _mm256_castps128_ps256(_mm_loadu_ps(x));
    return _mm256_permutevar8x32_ps(four, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}

/* Pairs (2i, 2i + 1); b and a trade places for the sines. */
static void rotate_pairs(float *x, const float *cosines, const float *sines, size_t half) {
    size_t i = 0;
    for (; i + 4 <= half; i += 4) {
        const __m256 pairs = _mm256_loadu_ps(x + 2 * i);
        const __m256 traded = _mm256_permute_ps(pairs, 0xb1);
        const __m256 straight = _mm256_mul_ps(pairs, load_twice(cosines + i));
        const __m256 across = _mm256_mul_ps(traded, load_twice(sines + i));
        _mm256_storeu_ps(x + 2 * i, _mm256_addsub_ps(straight, across));
    }
    for (; i < half; i++) {
        const float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosines[i] - b * sines[i];
        x[2 * i + 1] = b * cosines[i] + a * sines[i];
    }
}

void rotate_avx2(float *x, const float *angles, size_t size, bool interleaved) {
    const size_t half = size / 2;
    if (interleaved) {
        rotate_pairs(x, angles, angles + half, half);
    } else {
        rotate_halves(x, angles, angles + half, half);
    }
}

void multiply_avx2(float *y, const float *x, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(y + i, _mm256_mul_ps(_mm256_loadu_ps(y + i), _mm256_loadu_ps(x + i)));
    }
    for (; i < n; i++) {
        y[i] *= x[i];
    }
}

void add_avx2(float *y, const float *acc, const float *bias, const float *residual, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m256 v = _mm256_loadu_ps(acc + i);
        v = bias != NULL ? _mm256_add_ps(v, _mm256_loadu_ps(bias + i)) : v;
        v = residual != NULL ? _mm256_add_ps(v, _mm256_loadu_ps(residual + i)) : v;
        _mm256_storeu_ps(y + i, v);
    }
    for (; i < n; i++) {
        const float v = bias != NULL ? acc[i] + bias[i] : acc[i];
        y[i] = residual != NULL ? v + residual[i] : v;
    }
}

ALWAYS_INLINE __m256 dequantize_ps(__m256i acc, __m256 step, __m256 offset, __m256 scales,
                                   __m256 sums) {
    const __m256 product = _mm256_mul_ps(step, _mm256_cvtepi32_ps(acc));
    return _mm256_add_ps(_mm256_mul_ps(scales, product), _mm256_mul_ps(offset, sums));
}

void dequantize_avx2(float *y, const void *acc, struct row_scale row, const float *scales,
                     const float *sums, const float *bias, const float *residual, size_t n) {
    const __m256 step = _mm256_set1_ps(row.step), offset = _mm256_set1_ps(row.offset);
    const float *at = acc;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i whole = _mm256_loadu_si256((const __m256i *)(at + i));
        __m256 v = dequantize_ps(whole, step, offset, _mm256_loadu_ps(scales + i),
                                 _mm256_loadu_ps(sums + i));
        v = bias != NULL ? _mm256_add_ps(v, _mm256_loadu_ps(bias + i)) : v;
        v = residual != NULL ? _mm256_add_ps(v, _mm256_loadu_ps(residual + i)) : v;
        _mm256_storeu_ps(y + i, v);
    }
    if (i < n) {
        const __m256i mask = lanes_mask(n - i);
        const __m256i whole = _mm256_castps_si256(_mm256_maskload_ps(at + i, mask));
        __m256 v = dequantize_ps(whole, step, offset, _mm256_maskload_ps(scales + i, mask),
                                 _mm256_maskload_ps(sums + i, mask));
        v = bias != NULL ? _mm256_add_ps(v, _mm256_maskload_ps(bias + i, mask)) : v;
        v = residual != NULL ? _mm256_add_ps(v, _mm256_maskload_ps(residual + i, mask)) : v;
        _mm256_maskstore_ps(y + i, mask, v);
    }
}
