/* Operations on single rows: norm, embed, gather, activate; lanes divide the rows. Also the vector
 * math that generation and tasks use on one row. */
#include "ops/ops_private.h"

static const struct {
    const char *name; /* as ACT2FN has it */
    enum activation activation;
} ACTIVATION_NAMES[] = {
    {"gelu", ACTIVATION_GELU},
    {"gelu_python", ACTIVATION_GELU},
    {"gelu_new", ACTIVATION_GELU_TANH},
    {"gelu_fast", ACTIVATION_GELU_TANH},
    {"gelu_accurate", ACTIVATION_GELU_TANH},
    {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
    {"gelu_python_tanh", ACTIVATION_GELU_TANH},
    {"relu", ACTIVATION_RELU},
    {"silu", ACTIVATION_SILU},
    {"swish", ACTIVATION_SILU},
    {"tanh", ACTIVATION_TANH},
    {"sigmoid", ACTIVATION_SIGMOID},
    {"linear", ACTIVATION_NONE},
};

bool activation_parse(const char *text, enum activation *out) {
    for (size_t i = 0; i < ARRAY_LEN(ACTIVATION_NAMES); i++) {
        if (strcmp(text, ACTIVATION_NAMES[i].name) == 0) {
            *out = ACTIVATION_NAMES[i].activation;
            return true;
        }
    }
    return false;
}

void activation_apply(const struct kernels *kernels, enum activation activation, float *x,
                      size_t n) {
    switch (activation) {
    case ACTIVATION_NONE:
        break;
    case ACTIVATION_RELU:
        kernels->relu(x, n);
        break;
    case ACTIVATION_GELU:
        kernels->gelu(x, n);
        break;
    case ACTIVATION_GELU_TANH:
        kernels->gelu_tanh(x, n);
        break;
    case ACTIVATION_SILU:
        kernels->silu(x, n);
        break;
    case ACTIVATION_TANH:
        kernels->tanh(x, n);
        break;
    case ACTIVATION_SIGMOID:
        kernels->sigmoid(x, n);
        break;
    }
}

void cpu_norm(struct lane *lane, const struct norm *norm, const float *x, float *y, uint32_t rows) {
    const struct kernels *kernels = kernels_best();
    size_t from, to;
    lane_range(lane, rows, 1, &from, &to);
    for (size_t r = from; r < to; r++) {
        const float *in = x + r * norm->size;
        float *out = y + r * norm->size;
        if (norm->kind == NORM_LAYER) {
            kernels->norm_layer(out, in, norm->weight, norm->bias, norm->eps, norm->size);
        } else {
            kernels->norm_rms(out, in, norm->weight, norm->bias, norm->eps, norm->size);
        }
    }
    lane_barrier(lane);
}

void cpu_embed(struct lane *lane, const float *const *tables, const int32_t *const *ids,
               uint32_t n_tables, float scale, float *y, uint32_t rows, uint32_t size) {
    const struct kernels *kernels = kernels_best();
    size_t from, to;
    lane_range(lane, rows, 1, &from, &to);
    for (size_t r = from; r < to; r++) {
        float *out = y + r * size;
        const float *first = tables[0] + (size_t)ids[0][r] * size;
        for (uint32_t i = 0; i < size; i++) {
            out[i] = first[i] * scale;
        }
        for (uint32_t t = 1; t < n_tables; t++) {
            kernels->add(out, out, tables[t] + (size_t)ids[t][r] * size, NULL, size);
        }
    }
    lane_barrier(lane);
}

void cpu_gather(struct lane *lane, const float *x, size_t ldx, const uint32_t *ids, uint32_t n,
                uint32_t size, float *y, size_t ldy) {
    size_t from, to;
    lane_range(lane, n, 1, &from, &to);
    for (size_t i = from; i < to; i++) {
        memcpy(y + i * ldy, x + ids[i] * ldx, size * sizeof(float));
    }
    lane_barrier(lane);
}

void cpu_activate(struct lane *lane, enum activation activation, float *x, size_t ldx,
                  const float *gate, size_t ldgate, uint32_t rows, uint32_t size) {
    const struct kernels *kernels = kernels_best();
    size_t from, to;
    lane_range(lane, rows, 1, &from, &to);
    for (size_t r = from; r < to; r++) {
        activation_apply(kernels, activation, x + r * ldx, size);
        if (gate != NULL) {
            kernels->multiply(x + r * ldx, gate + r * ldgate, size);
        }
    }
    lane_barrier(lane);
}

void ops_softmax(float *x, size_t n) {
    kernels_best()->softmax(x, n);
}

void ops_log_softmax(float *x, size_t n) {
    kernels_best()->log_softmax(x, n);
}

float ops_dot(const float *x, const float *y, size_t n) {
    return kernels_best()->dot(x, y, n);
}

size_t ops_argmax(const float *x, size_t n) {
    return kernels_best()->argmax(x, n);
}
