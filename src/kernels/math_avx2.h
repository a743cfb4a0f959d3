/* exp, erf, tanh on eight floats, and sums over the eight. Private to the *_avx2.c files.
 *
 * Coefficients are least-maximum fits made for this file (Lawson iteration in double); the errors
 * named are those of the fits, rounding adds about an ulp. */
#ifndef BRISK_KERNELS_MATH_AVX2_H
#define BRISK_KERNELS_MATH_AVX2_H

#include "kernels/tile_avx2.h"

/* exp for x <= 0 (and -inf: 0): 2^n * P(r), x = n ln 2 + r, |r| <= ln 2 / 2; relative error of the
 * fit 3e-9. Below -87.3 the result is 0. */
ALWAYS_INLINE __m256 exp_negative(__m256 x) {
    const __m256 lowest = _mm256_set1_ps(-87.33f);
    const __m256 clamped = _mm256_max_ps(x, lowest);
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

/* x * P(x^2) / Q(x^2) on |x| <= 3.93, where erf rounds to 1; relative error of the fit 2e-8. */
ALWAYS_INLINE __m256 erf_ps(__m256 x) {
    const __m256 limit = _mm256_set1_ps(3.93f), one = _mm256_set1_ps(1.0f);
    x = _mm256_max_ps(_mm256_min_ps(limit, x), _mm256_sub_ps(_mm256_setzero_ps(), limit));
    const __m256 t = _mm256_mul_ps(x, x);
    __m256 p = _mm256_set1_ps(2.0418963231350062e-06f);
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.0002848041767720133f));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.0037796299438923597f));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.0527903214097023f));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.1907849907875061f));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(1.1283791065216064f));
    __m256 q = _mm256_set1_ps(3.800307240453549e-05f);
    q = _mm256_fmadd_ps(q, t, _mm256_set1_ps(0.0011652088724076748f));
    q = _mm256_fmadd_ps(q, t, _mm256_set1_ps(0.014997478574514389f));
    q = _mm256_fmadd_ps(q, t, _mm256_set1_ps(0.11425789445638657f));
    q = _mm256_fmadd_ps(q, t, _mm256_set1_ps(0.5024115443229675f));
    q = _mm256_fmadd_ps(q, t, one);
    const __m256 y = _mm256_div_ps(_mm256_mul_ps(x, p), q);
    return _mm256_max_ps(_mm256_min_ps(one, y), _mm256_set1_ps(-1.0f));
}

/* x * P(x^2) / Q(x^2) on |x| <= 9, where tanh rounds to 1; relative error of the fit 2e-9. */
ALWAYS_INLINE __m256 tanh_ps(__m256 x) {
    const __m256 limit = _mm256_set1_ps(9.0f), one = _mm256_set1_ps(1.0f);
    x = _mm256_max_ps(_mm256_min_ps(limit, x), _mm256_sub_ps(_mm256_setzero_ps(), limit));
    const __m256 t = _mm256_mul_ps(x, x);
    __m256 p = _mm256_set1_ps(-1.2245661082377346e-11f);
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(3.0641729154012864e-08f));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(2.8030977773596533e-05f));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.003869491396471858f));
    p = _mm256_fmadd_ps(p, t, _mm256_set1_ps(0.13680844008922577f));
    p = _mm256_fmadd_ps(p, t, one);
    __m256 q = _mm256_set1_ps(1.289011834160192e-06f);
    q = _mm256_fmadd_ps(q, t, _mm256_set1_ps(0.00039406842552125454f));
    q = _mm256_fmadd_ps(q, t, _mm256_set1_ps(0.027250096201896667f));
    q = _mm256_fmadd_ps(q, t, _mm256_set1_ps(0.47014176845550537f));
    q = _mm256_fmadd_ps(q, t, one);
    const __m256 y = _mm256_div_ps(_mm256_mul_ps(x, p), q);
    return _mm256_max_ps(_mm256_min_ps(one, y), _mm256_set1_ps(-1.0f));
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
