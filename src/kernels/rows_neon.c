/* Kernels over single rows for NEON: norms, softmax, dot, argmax. Sums run over eight lanes in an
 * order that depends on n alone, that of rows_avx2.c. Limit: the first-level cache. */
#include <math.h>

#include "kernels/math_neon.h"

/* Sum over n of (x - mean)^2 by two accumulators. */
ALWAYS_INLINE float sum_squares(const float *x, size_t n, float mean) {
    const struct eight minus = eight_of(-mean);
    struct eight even = eight_of(0), odd = even;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const struct eight a = add_eight(load_eight(x + i, 8, 0), minus);
        const struct eight b = add_eight(load_eight(x + i + 8, 8, 0), minus);
        even = fma_eight(even, a, a);
        odd = fma_eight(odd, b, b);
    }
    for (; i < n; i += 8) {
        const struct eight a = add_eight(load_eight(x + i, n - i, mean), minus);
        even = fma_eight(even, a, a);
    }
    return sum_lanes(add_eight(even, odd));
}

ALWAYS_INLINE float sum_all(const float *x, size_t n) {
    struct eight even = eight_of(0), odd = even;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        even = add_eight(even, load_eight(x + i, 8, 0));
        odd = add_eight(odd, load_eight(x + i + 8, 8, 0));
    }
    for (; i < n; i += 8) {
        even = add_eight(even, load_eight(x + i, n - i, 0));
    }
    return sum_lanes(add_eight(even, odd));
}

ALWAYS_INLINE void normalize(float *y, const float *x, const float *weight, const float *bias,
                             float mean, float scale, size_t n) {
    const float32x4_t m = vdupq_n_f32(mean), s = vdupq_n_f32(scale);
    for (size_t i = 0; i < n; i += 4) {
        const size_t some = n - i;
        const float32x4_t v = vmulq_f32(vsubq_f32(load_or(x + i, some, 0), m), s);
        const float32x4_t w = weight != NULL ? load_or(weight + i, some, 0) : vdupq_n_f32(1);
        const float32x4_t b = bias != NULL ? load_or(bias + i, some, 0) : vdupq_n_f32(0);
        store_some(y + i, some, vfmaq_f32(b, v, w));
    }
}

void norm_layer_neon(float *y, const float *x, const float *weight, const float *bias, float eps,
                     size_t n) {
    const float mean = sum_all(x, n) / (float)n;
    const float variance = sum_squares(x, n, mean) / (float)n;
    normalize(y, x, weight, bias, mean, 1.0f / sqrtf(variance + eps), n);
}

void norm_rms_neon(float *y, const float *x, const float *weight, const float *bias, float eps,
                   size_t n) {
    const float squares = sum_squares(x, n, 0) / (float)n;
    normalize(y, x, weight, bias, 0, 1.0f / sqrtf(squares + eps), n);
}

/* fmaxnm passes over NaN. */
ALWAYS_INLINE float largest_of(const float *x, size_t n) {
    float32x4_t largest = vdupq_n_f32(-INFINITY);
    for (size_t i = 0; i < n; i += 4) {
        largest = vmaxnmq_f32(load_or(x + i, n - i, -INFINITY), largest);
    }
    return vmaxnmvq_f32(largest);
}

/* Sum of exp(x - largest), which are also written to y when it is not NULL. */
ALWAYS_INLINE float sum_exp(float *y, const float *x, size_t n, float largest) {
    const float32x4_t most = vdupq_n_f32(largest);
    struct eight sum = eight_of(0);
    for (size_t i = 0; i < n; i += 8) {
        const size_t some = n - i;
        const struct eight v = load_eight(x + i, some, -INFINITY);
        const struct eight e = {exp_negative(vsubq_f32(v.low, most)),
                                exp_negative(vsubq_f32(v.high, most))};
        if (y != NULL) {
            store_some(y + i, some, e.low);
            store_some(y + i + 4, some > 4 ? some - 4 : 0, e.high);
        }
        sum = add_eight(sum, e);
    }
    return sum_lanes(sum);
}

void softmax_neon(float *x, size_t n) {
    const float inverse = 1.0f / sum_exp(x, x, n, largest_of(x, n));
    for (size_t i = 0; i < n; i += 4) {
        store_some(x + i, n - i, vmulq_n_f32(load_or(x + i, n - i, 0), inverse));
    }
}

void log_softmax_neon(float *x, size_t n) {
    const float largest = largest_of(x, n);
    const float32x4_t most = vdupq_n_f32(largest);
    const float32x4_t log_sum = vdupq_n_f32(logf(sum_exp(NULL, x, n, largest)));
    for (size_t i = 0; i < n; i += 4) {
        const float32x4_t v = vsubq_f32(load_or(x + i, n - i, 0), most);
        store_some(x + i, n - i, vsubq_f32(v, log_sum));
    }
}

float dot_neon(const float *x, const float *y, size_t n) {
    struct eight even = eight_of(0), odd = even;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        even = fma_eight(even, load_eight(x + i, 8, 0), load_eight(y + i, 8, 0));
        odd = fma_eight(odd, load_eight(x + i + 8, 8, 0), load_eight(y + i + 8, 8, 0));
    }
    for (; i < n; i += 8) {
        even = fma_eight(even, load_eight(x + i, n - i, 0), load_eight(y + i, n - i, 0));
    }
    return sum_lanes(add_eight(even, odd));
}

size_t argmax_neon(const float *x, size_t n) {
    const float largest = largest_of(x, n);
    const float32x4_t most = vdupq_n_f32(largest);
    size_t i = 0;
    for (; i + 8 <= n && largest > -INFINITY; i += 8) {
        const uint32x4_t low = vceqq_f32(vld1q_f32(x + i), most);
        const uint32x4_t high = vceqq_f32(vld1q_f32(x + i + 4), most);
        if (vmaxvq_u32(vorrq_u32(low, high)) != 0) {
            break; /* one of the next eight */
        }
    }
    for (; i < n && largest > -INFINITY; i++) {
        if (x[i] == largest) {
            return i;
        }
    }
    return 0;
}
