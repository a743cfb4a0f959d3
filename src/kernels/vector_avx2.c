/* Elementwise kernels for AVX2: activations and epilogues. Tails of fewer than eight go through
 * the same instructions under a mask, so that a number's place in the row changes nothing.
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
    return _mm256_mul_ps(x, phi_ps(x));
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

IN_PLACE(relu, relu_ps)
IN_PLACE(gelu, gelu_ps)
IN_PLACE(gelu_tanh, gelu_tanh_ps)
IN_PLACE(silu, silu_ps)
IN_PLACE(tanh, tanh_ps)
IN_PLACE(sigmoid, sigmoid_ps)

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

void dequantize_avx2(void *acc, struct row_scale row, const float *scales, const float *sums,
                     size_t n) {
    const __m256 step = _mm256_set1_ps(row.step), offset = _mm256_set1_ps(row.offset);
    float *at = acc;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i whole = _mm256_loadu_si256((const __m256i *)(at + i));
        _mm256_storeu_ps(at + i, dequantize_ps(whole, step, offset, _mm256_loadu_ps(scales + i),
                                               _mm256_loadu_ps(sums + i)));
    }
    if (i < n) {
        const __m256i mask = lanes_mask(n - i);
        const __m256i whole = _mm256_castps_si256(_mm256_maskload_ps(at + i, mask));
        _mm256_maskstore_ps(at + i, mask,
                            dequantize_ps(whole, step, offset, _mm256_maskload_ps(scales + i, mask),
                                          _mm256_maskload_ps(sums + i, mask)));
    }
}
