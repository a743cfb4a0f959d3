/* exp, Phi, tanh on four floats, and sums over eight in two registers. Private to the *_neon.c
 * files.
 *
 * The same fits and the same steps as math_avx2.h, operation by operation, so that a float comes
 * out with the same bits on both machines; what the fits are and how exact, is said there. NaN
 * stays NaN: fmax and fmin hand it on. */
#ifndef BRISK_KERNELS_MATH_NEON_H
#define BRISK_KERNELS_MATH_NEON_H

#include "kernels/tile_neon.h"

/* p * x + c */
ALWAYS_INLINE float32x4_t next_term(float32x4_t p, float32x4_t x, float c) {
    return vfmaq_f32(vdupq_n_f32(c), p, x);
}

ALWAYS_INLINE float32x4_t minus_abs(float32x4_t x) {
    return vnegq_f32(vabsq_f32(x));
}

/* exp for x <= 0 (and -inf: 0). Below -87.3 the result is 0. */
ALWAYS_INLINE float32x4_t exp_negative(float32x4_t x) {
    const float32x4_t lowest = vdupq_n_f32(-87.33f);
    const float32x4_t clamped = vmaxq_f32(lowest, x);
    const float32x4_t n = vrndnq_f32(vmulq_f32(clamped, vdupq_n_f32(1.44269504f)));
    float32x4_t r = vfmsq_f32(clamped, n, vdupq_n_f32(0.693359375f));
    r = vfmsq_f32(r, n, vdupq_n_f32(-2.12194440e-4f));
    float32x4_t p = vdupq_n_f32(0.0013814610429108143f);
    p = next_term(p, r, 0.008368710987269878f);
    p = next_term(p, r, 0.04166838899254799f);
    p = next_term(p, r, 0.1666652113199234f);
    p = next_term(p, r, 0.4999999403953552f);
    p = vfmaq_f32(r, vmulq_f32(r, r), p);
    p = vaddq_f32(p, vdupq_n_f32(1.0f));
    const int32x4_t power = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23);
    p = vmulq_f32(p, vreinterpretq_f32_s32(power));
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(p), vcltq_f32(x, lowest)));
}

/* negative where the sign of x is set, else positive. */
ALWAYS_INLINE float32x4_t by_sign(float32x4_t x, float32x4_t negative, float32x4_t positive) {
    return vbslq_f32(vcltzq_s32(vreinterpretq_s32_f32(x)), negative, positive);
}

/* 1 / (1 + exp(-x)) by exp(-|x|), which cannot overflow. */
ALWAYS_INLINE float32x4_t sigmoid_f32(float32x4_t x) {
    const float32x4_t one = vdupq_n_f32(1.0f);
    const float32x4_t e = exp_negative(minus_abs(x));
    return vdivq_f32(by_sign(x, e, one), vaddq_f32(one, e)); /* x < 0: e / (1 + e) */
}

/* The share of the normal distribution below x, from its smaller tail. */
ALWAYS_INLINE float32x4_t normal_below_f32(float32x4_t x) {
    const float32x4_t one = vdupq_n_f32(1.0f);
    float32x4_t a = vmulq_f32(vabsq_f32(x), vdupq_n_f32(0.70710678118654752f));
    a = vminq_f32(vdupq_n_f32(9.4f), a); /* exp is 0 there */
    float32x4_t p = vdupq_n_f32(0.03215738385915756f);
    p = next_term(p, a, 0.22616486251354218f);
    p = next_term(p, a, 0.7251855134963989f);
    p = next_term(p, a, 1.2322672605514526f);
    p = next_term(p, a, 1.0f);
    float32x4_t q = vdupq_n_f32(0.0569966696202755f);
    q = next_term(q, a, 0.4008963406085968f);
    q = next_term(q, a, 1.3133883476257324f);
    q = next_term(q, a, 2.3888819217681885f);
    q = next_term(q, a, 2.360646963119507f);
    q = next_term(q, a, 1.0f);
    const float32x4_t half = vmulq_f32(exp_negative(minus_abs(vmulq_f32(a, a))), vdupq_n_f32(0.5f));
    const float32x4_t tail = vdivq_f32(vmulq_f32(half, p), q);
    return by_sign(x, tail, vsubq_f32(one, tail));
}

/* (1 - e) / (1 + e) with e = exp(-2|x|); below 0.625, where that cancels, x + x^3 P(x^2). */
ALWAYS_INLINE float32x4_t tanh_f32(float32x4_t x) {
    const float32x4_t one = vdupq_n_f32(1.0f);
    const float32x4_t a = vabsq_f32(x), t = vmulq_f32(x, x);
    const float32x4_t e = exp_negative(minus_abs(vaddq_f32(a, a)));
    const float32x4_t large = vdivq_f32(vsubq_f32(one, e), vaddq_f32(one, e));
    float32x4_t p = vdupq_n_f32(-0.005666899029165506f);
    p = next_term(p, t, 0.020606108009815216f);
    p = next_term(p, t, -0.053729988634586334f);
    p = next_term(p, t, 0.13331331312656403f);
    p = next_term(p, t, -0.33333277702331543f);
    const float32x4_t small = vfmaq_f32(x, vmulq_f32(p, t), x);
    const float32x4_t is_signed = by_sign(x, vnegq_f32(large), large);
    return vbslq_f32(vcltq_f32(a, vdupq_n_f32(0.625f)), small, is_signed);
}

ALWAYS_INLINE float32x4_t softcap_f32(float32x4_t x, float32x4_t cap) {
    return vmulq_f32(cap, tanh_f32(vdivq_f32(x, cap)));
}

/* Eight numbers in two registers: reductions deal numbers out to eight lanes, as those of AVX2 do.
 */
struct eight {
    float32x4_t low, high;
};

ALWAYS_INLINE struct eight eight_of(float value) {
    return (struct eight){vdupq_n_f32(value), vdupq_n_f32(value)};
}

/* The eight numbers from x on, or the first n with `otherwise` in the remaining lanes. */
ALWAYS_INLINE struct eight load_eight(const float *x, size_t n, float otherwise) {
    if (n >= 8) {
        return (struct eight){vld1q_f32(x), vld1q_f32(x + 4)};
    }
    return (struct eight){load_or(x, n < 4 ? n : 4, otherwise),
                          n > 4 ? load_or(x + 4, n - 4, otherwise) : vdupq_n_f32(otherwise)};
}

ALWAYS_INLINE struct eight add_eight(struct eight a, struct eight b) {
    return (struct eight){vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)};
}

/* acc + a * b */
ALWAYS_INLINE struct eight fma_eight(struct eight acc, struct eight a, struct eight b) {
    return (struct eight){vfmaq_f32(acc.low, a.low, b.low), vfmaq_f32(acc.high, a.high, b.high)};
}

/* ((0 + 4) + (2 + 6)) + ((1 + 5) + (3 + 7)) */
ALWAYS_INLINE float sum_lanes(struct eight v) {
    const float32x4_t four = vaddq_f32(v.low, v.high);
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

#endif
