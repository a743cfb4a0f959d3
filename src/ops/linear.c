/* y = epilogue(x W^T) on all lanes: how the work is cut. The arithmetic is in src/kernels.
 *
 * Lanes take panels of columns as they go, of blocks of rows one after the other; K is never cut. A
 * lane walks blocks of at most ACC_ROWS rows and ACC_PANELS panels, whose sums stay in its scratch,
 * over K in steps that keep a panel's part in the first-level cache, and finishes a block while it
 * is still there: scale, bias, activation, residual. */
#include "ops/ops_private.h"

#define KEPT_PANEL_BYTES 16384 /* of one panel per step of K: half of the first-level cache */
#define WHOLE_K_ROWS                                                                               \
    12 /* up to so many rows K is walked at once: weights are used once or                         \
          twice, and come in as one stream */

#define UNITS_A_LANE 8  /* fewer: rows are cut into more blocks, down to LEAST_ROWS */
#define LEAST_ROWS   24 /* four tiles a panel */
#define LEAST_PANELS 3  /* of what a lane takes: fewer, and reading begins anew too often */

static uint32_t ceil_div(uint32_t a, uint32_t b) {
    return (a + b - 1) / b;
}

static uint32_t min_u32(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* How a layer is cut into units that lanes take: a panel of a block of `height` rows each. */
struct cut {
    uint32_t panels, height;
    size_t units;
};

static struct cut cut_layer(const struct lane *lane, uint32_t panels, uint32_t rows) {
    uint32_t blocks = ceil_div(rows, ACC_ROWS);
    const uint32_t most = ceil_div(rows, LEAST_ROWS);
    while ((uint64_t)blocks * panels < (uint64_t)UNITS_A_LANE * lane->count && 2 * blocks <= most) {
        blocks *= 2;
    }
    const uint32_t height = ceil_div(ceil_div(rows, blocks), KERNEL_TILE_ROWS) * KERNEL_TILE_ROWS;
    return (struct cut){.panels = panels,
                        .height = height,
                        .units = (size_t)ceil_div(rows, height) * panels};
}

/* What the product reads: the activations themselves, or quantized ones with their scales. */
struct inputs {
    const void *x;
    size_t ldx, element;
    const struct row_scale *scales;
};

static struct inputs quantize(struct lane *lane, struct scratch *scratch, const float *x,
                              size_t ldx, uint32_t rows, uint32_t in) {
    const struct kernels *kernels = kernels_best();
    const bool own = rows <= OWN_ROWS;
    uint8_t *q = own ? scratch->lane[lane->index].quantized : scratch->quantized;
    struct row_scale *scales = own ? scratch->lane[lane->index].scales : scratch->scales;
    const size_t ld = quantized_row_bytes(in);
    size_t from = 0, to = rows;
    if (!own) {
        lane_range(lane, rows, 1, &from, &to);
    }
    for (size_t r = from; r < to; r++) {
        kernels->quantize_u7(q + r * ld, scales + r, x + r * ldx, in);
    }
    if (!own) {
        lane_barrier(lane);
    }
    return (struct inputs){.x = q, .ldx = ld, .element = 1, .scales = scales};
}

/* Everything a block's functions need. */
struct job {
    const struct kernels *kernels;
    const struct linear *linear;
    struct inputs inputs;
    float *y;
    size_t ldy;
    struct epilogue epilogue;
    float *acc;
};

/* y[n] = sums of one row + bias + residual; either may be NULL, y may be the sums or residual. */
static void finish_row(const struct job *job, uint32_t row, uint32_t column, float *y,
                       const float *acc, const float *residual, uint32_t n) {
    const struct kernels *k = job->kernels;
    const struct linear *linear = job->linear;
    const float *bias = linear->bias != NULL ? linear->bias + column : NULL;
    if (linear_is_quantized(linear)) {
        k->dequantize(y, acc, job->inputs.scales[row], linear->scales + column,
                      linear->column_sums + column, bias, residual, n);
    } else {
        k->add(y, acc, bias, residual, n);
    }
}

/* Sums of one block become its outputs. */
static void finish_block(const struct job *job, uint32_t row, uint32_t rows, uint32_t column,
                         uint32_t n) {
    const struct kernels *k = job->kernels;
    const enum activation activation = job->epilogue.activation;
    for (uint32_t r = 0; r < rows; r++) {
        float *acc = job->acc + (size_t)r * ACC_COLUMNS;
        const size_t at = (row + r) * job->ldy + column;
        float *y = job->y + at;
        const float *residual = job->epilogue.residual != NULL ? job->epilogue.residual + at : NULL;
        if (activation == ACTIVATION_NONE) {
            finish_row(job, row + r, column, y, acc, residual, n);
        } else if (residual == NULL) {
            finish_row(job, row + r, column, y, acc, NULL, n);
            activation_apply(k, activation, y, n);
        } else { /* y may be the residual */
            finish_row(job, row + r, column, acc, acc, NULL, n);
            activation_apply(k, activation, acc, n);
            k->add(y, acc, NULL, residual, n);
        }
    }
}

static void multiply_block(const struct job *job, struct gemm *gemm) {
    const struct kernels *k = job->kernels;
    switch (job->linear->precision) {
    case PRECISION_FP32:
        k->gemm_f32(gemm);
        break;
    case PRECISION_BF16:
        k->gemm_bf16(gemm);
        break;
    case PRECISION_INT8:
        k->gemm_i8(gemm);
        break;
    case PRECISION_INT4:
        k->gemm_i4(gemm);
        break;
    }
}

/* Steps of K, nearly equal. */
static uint32_t k_step(uint32_t in, uint32_t rows, size_t panel_bytes) {
    const uint32_t steps =
        rows <= WHOLE_K_ROWS ? 1
                             : (uint32_t)((panel_bytes + KEPT_PANEL_BYTES - 1) / KEPT_PANEL_BYTES);
    return ceil_div(ceil_div(in, steps), KERNEL_K_STEP) * KERNEL_K_STEP;
}

static void run_block(const struct job *job, uint32_t row, uint32_t rows, uint32_t panel,
                      uint32_t n_panels) {
    const struct linear *linear = job->linear;
    const size_t panel_bytes = linear_panel_bytes(linear);
    const uint32_t step = k_step(linear->in, rows, panel_bytes);
    struct gemm gemm = {
        .x = (const char *)job->inputs.x + row * job->inputs.ldx * job->inputs.element,
        .ldx = job->inputs.ldx,
        .panels = (const char *)linear->panels + panel * panel_bytes,
        .panel_bytes = panel_bytes,
        .acc = job->acc,
        .ldacc = ACC_COLUMNS,
        .in = linear->in,
        .rows = rows,
        .n_panels = n_panels,
    };
    for (uint32_t k = 0; k < linear->in; k += step) {
        gemm.k_from = k;
        gemm.k_to = min_u32(k + step, linear->in);
        multiply_block(job, &gemm);
    }
    const uint32_t column = panel * PANEL;
    finish_block(job, row, rows, column, min_u32(n_panels * PANEL, linear->out - column));
}

void cpu_linear(struct lane *lane, struct scratch *scratch, const struct linear *linear,
                const float *x, size_t ldx, float *y, size_t ldy, uint32_t rows,
                const struct epilogue *epilogue) {
    if (rows == 0) {
        return;
    }
    ASSERT(rows <= scratch->max_rows && linear->in <= scratch->max_in);
    ASSERT(lane->count <= scratch->lanes);
    struct job job = {
        .kernels = kernels_best(),
        .linear = linear,
        .inputs = {.x = x, .ldx = ldx, .element = sizeof(float)},
        .y = y,
        .ldy = ldy,
        .acc = scratch->lane[lane->index].acc,
    };
    if (epilogue != NULL) {
        job.epilogue = *epilogue;
    }
    if (linear_is_quantized(linear)) {
        job.inputs = quantize(lane, scratch, x, ldx, rows, linear->in);
    }
    const struct cut cut = cut_layer(lane, ceil_div(linear->out, PANEL), rows);
    size_t unit, end;
    while (lane_take(lane, cut.units, LEAST_PANELS, &unit, &end)) {
        while (unit < end) {
            const uint32_t row = (uint32_t)(unit / cut.panels) * cut.height;
            const uint32_t panel = (uint32_t)(unit % cut.panels);
            const uint32_t left = (uint32_t)(end - unit);
            const uint32_t n = min_u32(min_u32(ACC_PANELS, cut.panels - panel), left);
            run_block(&job, row, min_u32(cut.height, rows - row), panel, n);
            unit += n;
        }
    }
    lane_barrier(lane);
}
