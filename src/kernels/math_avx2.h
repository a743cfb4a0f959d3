/* exp, Phi, tanh on eight floats, and sums over the eight. Private to the *_avx2.c files.
 *
 * Coefficients are least-maximum fits made for this file (Lawson iteration in double); the errors
 * named are those of the fits, rounding adds about an ulp. NaN stays NaN: minps and maxps give
 * their second operand then. */
#ifndef BRISK_KERNELS_MATH_AVX2_H
#define BRISK_KERNELS_MATH_AVX2_H

#include "kernels/tile_avx2.h"

/* exp for x <= 0 (and -inf: 0): 2^n * P(r), x = n ln 2 + r, |r| <= ln 2 / 2; relative error of the
 * fit 3e-9. Below -87.3 the result is 0. */
ALWAYS_INLINE __m256 exp_negative(__m256 x) {
    const __m256 lowest = _mm256_set1_ps(-87.33f);
    const __m256 clamped = _mm256_max_ps(lowest, x);
    const __m256 n = _mm256_round_ps(_mm256_mul_ps(clamped, _mm256_set1_ps(1.44269504f)),
                                     _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), clamped);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
    __m256 p = _mm256_set1_ps(0.0013814610429108143f);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.008368710987269878f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.04166838899254799f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.1666652113199234f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.4999999403953552f));
    p = _mm256_fmadd_ps(_mm256_mul_ps(r, r), p, r);
    p = _mm256_add_ps(p, _mm256_set1_ps(1.0f));
    const __m256i power =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    p = _mm256_mul_ps(p, _mm256_castsi256_ps(power));
    return _mm256_andnot_ps(_mm256_cmp_ps(x, lowest, _CMP_LT_OQ), p);
}

/* 1 / (1 + exp(-x)) by exp(-|x|), which cannot overflow. */
ALWAYS_INLINE __m256 sigmoid_ps(__m256 x) {
    const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
    const __m256 e = exp_negative(_mm256_or_ps(x, sign));
    const __m256 top = _mm256_blendv_ps(one, e, x); /* x < 0: e / (1 + e) */
    return _mm256_div_ps(top, _mm256_add_ps(one, e));
}

/* The share of the normal distribution below x, from its smaller tail: with a = |x|/sqrt(2)
 * that is erfc(a) / 2 = exp(-a^2) * P(a) / Q(a); relative error of the fit 5e-9. */
ALWAYS_INLINE __m256 normal_below_ps(__m256 x) {
    const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
    __m256 a = _mm256_mul_ps(_mm256_andnot_ps(sign, x), _mm256_set1_ps(0.70710678118654752f));
    a = _mm256_min_ps(_mm256_set1_ps(9.4f), a); /* exp is 0 there */
    __m256 p = _mm256_set1_ps(0.03215738385915756f);
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(0.22616486251354218f));
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(0.7251855134963989f));
    p = _mm256_fmadd_ps(p, a, _mm256_set1_ps(1.2322672605514526f));
    p = _mm256_fmadd_ps(p, a, one);
    __m256 q = _mm256_set1_ps(0.0569966696202755f);
    q = _mm256_fmadd_ps(q, a, _mm256_set1_ps(0.4008963406085968f));
    q = _mm256_fmadd_ps(q, a, _mm256_set1_ps(1.3133883476257324f));
    q = _mm256_fmadd_ps(q, a, _mm256_set1_ps(2.3888819217681885f));
    q = _mm256_fmadd_ps(q, a, _mm256_set1_ps(2.360646963119507f));
    q = _mm256_fmadd_ps(q, a, one);
    const __m256 e = exp_negative(_mm256_or_ps(_mm256_mul_ps(a, a), sign));
    const __m256 half = _mm256_mul_ps(e, _mm256_set1_ps(0.5f));
    const __m256 tail = _mm256_div_ps(_mm256_mul_ps(half, p), q);
    return _mm256_blendv_ps(_mm256_sub_ps(one, tail), tail, x);
}

/* (1 - e) / (1 + e) with e = exp(-2|x|); below 0.625, where that cancels, x + x^3 P(x^2), relative
 * error of the fit 5e-9. */
ALWAYS_INLINE __m256 tanh_ps(__m256 x) {
    const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
    const __m256 a = _mm256_andnot_ps(sign, x), t = _mm256_mul_ps(x, x);
    const __m256 e = exp_negative(_mm256_or_ps(_mm256_add_ps(a, a), sign));
    const __m256 large = _mm256_div_ps(_mm256_sub_ps(one, e), _mm256_add_ps(one, e));
    __m256 p = _mm256_set1_ps(-0.005666899029165506f);
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.020606108009815216f));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(-0.053729988634586334f));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.13331331312656403f));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(-0.33333277702331543f));
    const __m256 small = _mm256_fmadd_ps(_mm256_mul_ps(p, t), x, x);
    const __m256 is_small = _mm256_cmp_ps(a, _mm256_set1_ps(0.625f), _CMP_LT_OQ);
    return _mm256_blendv_ps(_mm256_or_ps(large, _mm256_and_ps(x, sign)), small, is_small);
}

ALWAYS_INLINE __m256 softcap_ps(__m256 x, __m256 cap) {
    return _mm256_mul_ps(cap, tanh_ps(_mm256_div_ps(x, cap)));
}

ALWAYS_INLINE float sum_lanes(__m256 v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

ALWAYS_INLINE float max_lanes(__m256 v) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

#endif
