/* Elementwise kernels for NEON: activations, epilogues, rotary positions. Tails of fewer than four
 * go through the same instructions, so that a number's place in the row changes nothing.
 *
 * Limit: the FMA ports for activations (about 30 instructions and a division for 4 numbers); the
 * rest is bound by loads and stores of the first-level cache, where rows of a tile lie. */
#include "kernels/math_neon.h"

/* Defines a kernel that replaces each x by expression(x). */
#define IN_PLACE(family, expression)                                                               \
    void family##_neon(float *x, size_t n) {                                                       \
        for (; n >= 4; n -= 4, x += 4) {                                                           \
            vst1q_f32(x, expression(vld1q_f32(x)));                                                \
        }                                                                                          \
        store_some(x, n, expression(load_or(x, n, 0)));                                            \
    }

/* Bits of numbers below 0 are cleared: NaN and -0 stay. */
ALWAYS_INLINE float32x4_t relu_f32(float32x4_t x) {
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(x), vcltzq_f32(x)));
}

ALWAYS_INLINE float32x4_t gelu_f32(float32x4_t x) {
    return vmulq_f32(x, normal_below_f32(x));
}

/* (1 + tanh(u)) / 2 is sigmoid(2 u), which does not cancel in the lower tail. */
ALWAYS_INLINE float32x4_t gelu_tanh_f32(float32x4_t x) {
    const float32x4_t cube = vmulq_f32(vmulq_f32(x, x), x);
    const float32x4_t inner = vfmaq_f32(x, cube, vdupq_n_f32(0.044715f));
    return vmulq_f32(x, sigmoid_f32(vmulq_f32(inner, vdupq_n_f32(1.5957691216057308f))));
}

ALWAYS_INLINE float32x4_t silu_f32(float32x4_t x) {
    return vmulq_f32(x, sigmoid_f32(x));
}

ALWAYS_INLINE float32x4_t relu2_f32(float32x4_t x) {
    const float32x4_t above = relu_f32(x);
    return vmulq_f32(above, above);
}

ALWAYS_INLINE float32x4_t quick_gelu_f32(float32x4_t x) {
    return vmulq_f32(x, sigmoid_f32(vmulq_f32(x, vdupq_n_f32(1.702f))));
}

IN_PLACE(relu, relu_f32)
IN_PLACE(relu2, relu2_f32)
IN_PLACE(quick_gelu, quick_gelu_f32)
IN_PLACE(gelu, gelu_f32)
IN_PLACE(gelu_tanh, gelu_tanh_f32)
IN_PLACE(silu, silu_f32)
IN_PLACE(tanh, tanh_f32)
IN_PLACE(sigmoid, sigmoid_f32)

void softcap_neon(float *x, float cap, size_t n) {
    const float32x4_t by = vdupq_n_f32(cap);
    for (; n >= 4; n -= 4, x += 4) {
        vst1q_f32(x, softcap_f32(vld1q_f32(x), by));
    }
    store_some(x, n, softcap_f32(load_or(x, n, 0), by));
}

/* NaN stays: fmax and fmin hand it on. */
void clamp_neon(float *x, float limit, size_t n) {
    const float32x4_t high = vdupq_n_f32(limit), low = vdupq_n_f32(-limit);
    for (; n >= 4; n -= 4, x += 4) {
        vst1q_f32(x, vminq_f32(high, vmaxq_f32(low, vld1q_f32(x))));
    }
    store_some(x, n, vminq_f32(high, vmaxq_f32(low, load_or(x, n, 0))));
}

/* A product and a sum, no FMA, as PyTorch rounds. */
void add_scaled_neon(float *y, const float *x, float by, size_t n) {
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float32x4_t product = vmulq_n_f32(vld1q_f32(x + i), by);
        vst1q_f32(y + i, vaddq_f32(vld1q_f32(y + i), product));
    }
    for (; i < n; i++) {
        y[i] += by * x[i];
    }
}

/* Pairs (i, i + size / 2). */
static void rotate_halves(float *x, const float *cosines, const float *sines, size_t half) {
    size_t i = 0;
    for (; i + 4 <= half; i += 4) {
        const float32x4_t a = vld1q_f32(x + i), b = vld1q_f32(x + half + i);
        const float32x4_t c = vld1q_f32(cosines + i), s = vld1q_f32(sines + i);
        vst1q_f32(x + i, vsubq_f32(vmulq_f32(a, c), vmulq_f32(b, s)));
        vst1q_f32(x + half + i, vaddq_f32(vmulq_f32(b, c), vmulq_f32(a, s)));
    }
    for (; i < half; i++) {
        const float a = x[i], b = x[half + i];
        x[i] = a * cosines[i] - b * sines[i];
        x[half + i] = b * cosines[i] + a * sines[i];
    }
}

/* Pairs (2i, 2i + 1): ld2 and st2 take them apart and put them together. */
static void rotate_pairs(float *x, const float *cosines, const float *sines, size_t half) {
    size_t i = 0;
    for (; i + 4 <= half; i += 4) {
        const float32x4x2_t pairs = vld2q_f32(x + 2 * i);
        const float32x4_t a = pairs.val[0], b = pairs.val[1];
        const float32x4_t c = vld1q_f32(cosines + i), s = vld1q_f32(sines + i);
        const float32x4x2_t turned = {{vsubq_f32(vmulq_f32(a, c), vmulq_f32(b, s)),
                                       vaddq_f32(vmulq_f32(b, c), vmulq_f32(a, s))}};
        vst2q_f32(x + 2 * i, turned);
    }
    for (; i < half; i++) {
        const float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosines[i] - b * sines[i];
        x[2 * i + 1] = b * cosines[i] + a * sines[i];
    }
}

void rotate_neon(float *x, const float *angles, size_t size, bool interleaved) {
    const size_t half = size / 2;
    if (interleaved) {
        rotate_pairs(x, angles, angles + half, half);
    } else {
        rotate_halves(x, angles, angles + half, half);
    }
}

void multiply_neon(float *y, const float *x, size_t n) {
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        vst1q_f32(y + i, vmulq_f32(vld1q_f32(y + i), vld1q_f32(x + i)));
    }
    for (; i < n; i++) {
        y[i] *= x[i];
    }
}

void add_neon(float *y, const float *acc, const float *bias, const float *residual, size_t n) {
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        float32x4_t v = vld1q_f32(acc + i);
        v = bias != NULL ? vaddq_f32(v, vld1q_f32(bias + i)) : v;
        v = residual != NULL ? vaddq_f32(v, vld1q_f32(residual + i)) : v;
        vst1q_f32(y + i, v);
    }
    for (; i < n; i++) {
        const float v = bias != NULL ? acc[i] + bias[i] : acc[i];
        y[i] = residual != NULL ? v + residual[i] : v;
    }
}

ALWAYS_INLINE float32x4_t dequantize_f32(int32x4_t acc, struct row_scale row, float32x4_t scales,
                                         float32x4_t sums) {
    const float32x4_t product = vmulq_n_f32(vcvtq_f32_s32(acc), row.step);
    return vaddq_f32(vmulq_f32(scales, product), vmulq_n_f32(sums, row.offset));
}

void dequantize_neon(float *y, const void *acc, struct row_scale row, const float *scales,
                     const float *sums, const float *bias, const float *residual, size_t n) {
    const float *at = acc;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const int32x4_t whole = vreinterpretq_s32_f32(vld1q_f32(at + i));
        float32x4_t v = dequantize_f32(whole, row, vld1q_f32(scales + i), vld1q_f32(sums + i));
        v = bias != NULL ? vaddq_f32(v, vld1q_f32(bias + i)) : v;
        v = residual != NULL ? vaddq_f32(v, vld1q_f32(residual + i)) : v;
        vst1q_f32(y + i, v);
    }
    if (i < n) {
        const size_t left = n - i;
        const int32x4_t whole = vreinterpretq_s32_f32(load_or(at + i, left, 0));
        float32x4_t v =
            dequantize_f32(whole, row, load_or(scales + i, left, 0), load_or(sums + i, left, 0));
        v = bias != NULL ? vaddq_f32(v, load_or(bias + i, left, 0)) : v;
        v = residual != NULL ? vaddq_f32(v, load_or(residual + i, left, 0)) : v;
        store_some(y + i, left, v);
    }
}
