/* Kernels over single rows for AVX2: norms, softmax, dot, argmax. Sums run over eight
 * lanes in an order that depends on n alone. Limit: the first-level cache, 32 bytes a cycle. */
#include <math.h>

#include "kernels/math_avx2.h"

ALWAYS_INLINE void store_some(float *y, size_t n, __m256 v) {
    if (n >= 8) {
        _mm256_storeu_ps(y, v);
    } else {
        _mm256_maskstore_ps(y, lanes_mask(n), v);
    }
}

/* Sum over n of (x - mean)^2, or of x, by two accumulators. */
ALWAYS_INLINE float sum_squares(const float *x, size_t n, float mean) {
    const __m256 m = _mm256_set1_ps(mean);
    __m256 even = _mm256_setzero_ps(), odd = even;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m256 a = _mm256_sub_ps(_mm256_loadu_ps(x + i), m);
        const __m256 b = _mm256_sub_ps(_mm256_loadu_ps(x + i + 8), m);
        even = _mm256_fmadd_ps(a, a, even);
        odd = _mm256_fmadd_ps(b, b, odd);
    }
    for (; i < n; i += 8) {
        const __m256 a = _mm256_sub_ps(load_or(x + i, n - i, mean), m);
        even = _mm256_fmadd_ps(a, a, even);
    }
    return sum_lanes(_mm256_add_ps(even, odd));
}

ALWAYS_INLINE float sum_all(const float *x, size_t n) {
    __m256 even = _mm256_setzero_ps(), odd = even;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        even = _mm256_add_ps(even, _mm256_loadu_ps(x + i));
        odd = _mm256_add_ps(odd, _mm256_loadu_ps(x + i + 8));
    }
    for (; i < n; i += 8) {
        even = _mm256_add_ps(even, load_or(x + i, n - i, 0));
    }
    return sum_lanes(_mm256_add_ps(even, odd));
}

ALWAYS_INLINE void normalize(float *y, const float *x, const float *weight, const float *bias,
                             float mean, float scale, size_t n) {
    const __m256 m = _mm256_set1_ps(mean), s = _mm256_set1_ps(scale);
    for (size_t i = 0; i < n; i += 8) {
        const size_t some = n - i;
        const __m256 v = _mm256_mul_ps(_mm256_sub_ps(load_or(x + i, some, 0), m), s);
        const __m256 w = weight != NULL ? load_or(weight + i, some, 0) : _mm256_set1_ps(1);
        const __m256 b = bias != NULL ? load_or(bias + i, some, 0) : _mm256_setzero_ps();
        store_some(y + i, some, _mm256_fmadd_ps(v, w, b));
    }
}

void norm_layer_avx2(float *y, const float *x, const float *weight, const float *bias, float eps,
                     size_t n) {
    const float mean = sum_all(x, n) / (float)n;
    const float variance = sum_squares(x, n, mean) / (float)n;
    normalize(y, x, weight, bias, mean, 1.0f / sqrtf(variance + eps), n);
}

void norm_rms_avx2(float *y, const float *x, const float *weight, const float *bias, float eps,
                   size_t n) {
    const float squares = sum_squares(x, n, 0) / (float)n;
    normalize(y, x, weight, bias, 0, 1.0f / sqrtf(squares + eps), n);
}

ALWAYS_INLINE float largest_of(const float *x, size_t n) {
    __m256 largest = _mm256_set1_ps(-INFINITY);
    for (size_t i = 0; i < n; i += 8) {
        /* The number first: a NaN of it is passed over. */
        largest = _mm256_max_ps(load_or(x + i, n - i, -INFINITY), largest);
    }
    return max_lanes(largest);
}

/* Sum of exp(x - largest), which are also written to y when it is not NULL. */
ALWAYS_INLINE float sum_exp(float *y, const float *x, size_t n, float largest) {
    const __m256 most = _mm256_set1_ps(largest);
    __m256 sum = _mm256_setzero_ps();
    for (size_t i = 0; i < n; i += 8) {
        const __m256 x8 = load_or(x + i, n - i, -INFINITY);
        const __m256 e = exp_negative(_mm256_sub_ps(x8, most));
        if (y != NULL) {
            store_some(y + i, n - i, e);
        }
        sum = _mm256_add_ps(sum, e);
    }
    return sum_lanes(sum);
}

void softmax_avx2(float *x, size_t n) {
    const float sum = sum_exp(x, x, n, largest_of(x, n));
    const __m256 inverse = _mm256_set1_ps(1.0f / sum);
    for (size_t i = 0; i < n; i += 8) {
        store_some(x + i, n - i, _mm256_mul_ps(load_or(x + i, n - i, 0), inverse));
    }
}

void log_softmax_avx2(float *x, size_t n) {
    const float largest = largest_of(x, n);
    const __m256 most = _mm256_set1_ps(largest);
    const __m256 log_sum = _mm256_set1_ps(logf(sum_exp(NULL, x, n, largest)));
    for (size_t i = 0; i < n; i += 8) {
        const __m256 v = _mm256_sub_ps(load_or(x + i, n - i, 0), most);
        store_some(x + i, n - i, _mm256_sub_ps(v, log_sum));
    }
}

float dot_avx2(const float *x, const float *y, size_t n) {
    __m256 even = _mm256_setzero_ps(), odd = even;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        even = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), even);
        odd = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(y + i + 8), odd);
    }
    for (; i < n; i += 8) {
        even = _mm256_fmadd_ps(load_or(x + i, n - i, 0), load_or(y + i, n - i, 0), even);
    }
    return sum_lanes(_mm256_add_ps(even, odd));
}

size_t argmax_avx2(const float *x, size_t n) {
    const float largest = largest_of(x, n);
    const __m256 most = _mm256_set1_ps(largest);
    size_t i = 0;
    for (; i + 8 <= n && largest > -INFINITY; i += 8) {
        const int equal =
            _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x + i), most, _CMP_EQ_OQ));
        if (equal != 0) {
            return i + (size_t)__builtin_ctz((unsigned)equal);
        }
    }
    for (; i < n && largest > -INFINITY; i++) {
        if (x[i] == largest) {
            return i;
        }
    }
    return 0;
}
