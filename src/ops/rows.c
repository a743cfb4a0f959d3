/* Operations on single rows: norm, embed, gather, activate, route, whose lanes divide the
 * rows; softcap, clamp, add, scatter_add, whose lanes divide the columns. Also the vector math that
 * generation and tasks use on one row. */
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
    {"gelu_10", ACTIVATION_GELU_10},
    {"quick_gelu", ACTIVATION_QUICK_GELU},
    {"relu", ACTIVATION_RELU},
    {"relu2", ACTIVATION_RELU2},
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
    case ACTIVATION_RELU2:
        kernels->relu2(x, n);
        break;
    case ACTIVATION_GELU:
        kernels->gelu(x, n);
        break;
    case ACTIVATION_GELU_TANH:
        kernels->gelu_tanh(x, n);
        break;
    case ACTIVATION_GELU_10:
        kernels->gelu(x, n);
        kernels->clamp(x, 10, n);
        break;
    case ACTIVATION_QUICK_GELU:
        kernels->quick_gelu(x, n);
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

static void affine_row(const float *weight, const float *bias, const float *x, float *y,
                       uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        y[i] = (weight ? weight[i] * x[i] : x[i]) + (bias ? bias[i] : 0);
    }
}

void norm_row(const struct kernels *kernels, const struct norm *norm, const float *weight,
              const float *bias, const float *x, float *y) {
    switch (norm->kind) {
    case NORM_LAYER:
        kernels->norm_layer(y, x, weight, bias, norm->eps, norm->size);
        break;
    case NORM_RMS:
        kernels->norm_rms(y, x, weight, bias, norm->eps, norm->size);
        break;
    case NORM_AFFINE:
        affine_row(weight, bias, x, y, norm->size);
        break;
    }
}

void cpu_norm(struct lane *lane, const struct norm *norm, const float *x, float *y, uint32_t rows) {
    const struct kernels *kernels = kernels_best();
    size_t from, to;
    lane_range(lane, rows, 1, &from, &to);
    for (size_t r = from; r < to; r++) {
        norm_row(kernels, norm, norm->weight, norm->bias, x + r * norm->size, y + r * norm->size);
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

void cpu_softcap(struct lane *lane, float cap, float *x, size_t ldx, uint32_t rows, uint32_t size) {
    const struct kernels *kernels = kernels_best();
    size_t from, to;
    lane_range(lane, size, PANEL, &from, &to);
    for (size_t r = 0; r < rows; r++) {
        kernels->softcap(x + r * ldx + from, cap, to - from);
    }
    lane_barrier(lane);
}

void cpu_clamp(struct lane *lane, float limit, float *x, size_t ldx, uint32_t rows, uint32_t size) {
    const struct kernels *kernels = kernels_best();
    size_t from, to;
    lane_range(lane, size, PANEL, &from, &to);
    for (size_t r = 0; r < rows; r++) {
        kernels->clamp(x + r * ldx + from, limit, to - from);
    }
    lane_barrier(lane);
}

void cpu_add(struct lane *lane, const float *x, float *y, size_t n) {
    size_t from, to;
    lane_range(lane, n, PANEL, &from, &to);
    kernels_best()->add(y + from, y + from, NULL, x + from, to - from);
    lane_barrier(lane);
}

void cpu_scatter_add(struct lane *lane, const float *x, size_t ldx, const uint32_t *ids,
                     const float *weights, uint32_t n, uint32_t size, float *y, size_t ldy) {
    const struct kernels *kernels = kernels_best();
    size_t from, to;
    lane_range(lane, size, PANEL, &from, &to);
    for (size_t i = 0; i < n; i++) {
        kernels->add_scaled(y + ids[i] * ldy + from, x + i * ldx + from, weights[i], to - from);
    }
    lane_barrier(lane);
}

/* The largest of the scores that are not taken, which are never below 0; NaN may be among them. */
static uint32_t take_largest(float *scores, uint32_t n, float *largest) {
    const float taken = -1;
    uint32_t best = 0;
    while (scores[best] == taken) {
        best++;
    }
    for (uint32_t i = best + 1; i < n; i++) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    *largest = scores[best];
    scores[best] = taken;
    return best;
}

static void route_row(const struct kernels *kernels, const struct routing *routing, float *x,
                      uint32_t *ids, float *weights) {
    float scale = routing->scale != 0 ? routing->scale : 1, sum = 0;
    if (routing->sigmoid) {
        kernels->sigmoid(x, routing->experts);
    } else {
        kernels->softmax(x, routing->experts);
    }
    for (uint32_t i = 0; i < routing->per_token; i++) {
        ids[i] = take_largest(x, routing->experts, &weights[i]);
        sum += weights[i];
    }
    if (routing->normalized) {
        scale /= sum;
    }
    for (uint32_t i = 0; i < routing->per_token; i++) {
        weights[i] *= scale;
    }
}

void cpu_route(struct lane *lane, const struct routing *routing, float *x, uint32_t *ids,
               float *weights, uint32_t rows) {
    const struct kernels *kernels = kernels_best();
    const size_t k = routing->per_token;
    size_t from, to;
    lane_range(lane, rows, 1, &from, &to);
    for (size_t r = from; r < to; r++) {
        route_row(kernels, routing, x + r * routing->experts, ids + r * k, weights + r * k);
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
