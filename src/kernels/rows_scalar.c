/* The definition of the kernels that walk single rows: epilogues, activations, norms,
 * softmax. Activations call the C library, whose functions are exact to an ulp. */
#include <math.h>

#include "kernels/kernels.h"

void dequantize_scalar(float *y, const void *acc, struct row_scale row, const float *scales,
                       const float *sums, const float *bias, const float *residual, size_t n) {
    for (size_t j = 0; j < n; j++) {
        int32_t whole;
        memcpy(&whole, (const char *)acc + j * sizeof(whole), sizeof(whole));
        float value = scales[j] * (row.step * (float)whole) + row.offset * sums[j];
        value = bias != NULL ? value + bias[j] : value;
        y[j] = residual != NULL ? value + residual[j] : value;
    }
}

void add_scalar(float *y, const float *acc, const float *bias, const float *residual, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float value = acc[i];
        value = bias != NULL ? value + bias[i] : value;
        y[i] = residual != NULL ? value + residual[i] : value;
    }
}

void multiply_scalar(float *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] *= x[i];
    }
}

void add_scaled_scalar(float *y, const float *x, float by, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] += by * x[i];
    }
}

void softcap_scalar(float *x, float cap, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = cap * tanhf(x[i] / cap);
    }
}

void clamp_scalar(float *x, float limit, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float above = x[i] < -limit ? -limit : x[i];
        x[i] = above > limit ? limit : above;
    }
}

void rotate_scalar(float *x, const float *angles, size_t size, bool interleaved) {
    const size_t half = size / 2, step = interleaved ? 2 : 1, apart = interleaved ? 1 : half;
    for (size_t i = 0; i < half; i++) {
        float *a = x + i * step, *b = a + apart;
        const float cosine = angles[i], sine = angles[half + i], first = *a;
        *a = first * cosine - *b * sine;
        *b = *b * cosine + first * sine;
    }
}

void relu_scalar(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] < 0 ? 0 : x[i];
    }
}

void relu2_scalar(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] < 0 ? 0 : x[i] * x[i];
    }
}

void gelu_scalar(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] * 0.5f * (1.0f + erff(x[i] * 0.70710678118654752f));
    }
}

void gelu_tanh_scalar(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float inner = 0.79788456080286536f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
        x[i] = 0.5f * x[i] * (1.0f + tanhf(inner));
    }
}

void quick_gelu_scalar(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] / (1.0f + expf(-1.702f * x[i]));
    }
}

void silu_scalar(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] / (1.0f + expf(-x[i]));
    }
}

void tanh_scalar(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = tanhf(x[i]);
    }
}

void sigmoid_scalar(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = 1.0f / (1.0f + expf(-x[i]));
    }
}

/* Sums are kept in double: the definition should not be the less exact of the two. */
void norm_layer_scalar(float *y, const float *x, const float *weight, const float *bias, float eps,
                       size_t n) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
    }
    const float mean = (float)(sum / (double)n);
    for (size_t i = 0; i < n; i++) {
        squares += (double)(x[i] - mean) * (x[i] - mean);
    }
    const float scale = 1.0f / sqrtf((float)(squares / (double)n) + eps);
    for (size_t i = 0; i < n; i++) {
        const float by = weight != NULL ? weight[i] : 1;
        y[i] = (x[i] - mean) * scale * by + (bias != NULL ? bias[i] : 0);
    }
}

void norm_rms_scalar(float *y, const float *x, const float *weight, const float *bias, float eps,
                     size_t n) {
    double squares = 0;
    for (size_t i = 0; i < n; i++) {
        squares += (double)x[i] * x[i];
    }
    const float scale = 1.0f / sqrtf((float)(squares / (double)n) + eps);
    for (size_t i = 0; i < n; i++) {
        const float by = weight != NULL ? weight[i] : 1;
        y[i] = x[i] * scale * by + (bias != NULL ? bias[i] : 0);
    }
}

static float largest_of(const float *x, size_t n) {
    float largest = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        largest = x[i] > largest ? x[i] : largest;
    }
    return largest;
}

void softmax_scalar(float *x, size_t n) {
    const float largest = largest_of(x, n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - largest);
        sum += x[i];
    }
    const float inverse = (float)(1.0 / sum);
    for (size_t i = 0; i < n; i++) {
        x[i] *= inverse;
    }
}

void log_softmax_scalar(float *x, size_t n) {
    const float largest = largest_of(x, n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += expf(x[i] - largest);
    }
    const float log_sum = (float)log(sum);
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] - largest - log_sum;
    }
}

float dot_scalar(const float *x, const float *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i] * y[i];
    }
    return (float)sum;
}

size_t argmax_scalar(const float *x, size_t n) {
    size_t best = 0;
    float largest = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (x[i] > largest) {
            largest = x[i];
            best = i;
        }
    }
    return best;
}
