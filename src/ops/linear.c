/* y = epilogue(x W^T) on all lanes: how the work is cut. The arithmetic is in src/kernels.
 *
 * Lanes take columns (weights are then read once in all) or a grid of columns and rows where that
 * balances better; never K. A lane walks blocks of ACC_ROWS rows and ACC_PANELS panels, whose sums
 * stay in its scratch, over K in steps that keep a panel's part in the first-level cache, and
 * finishes a block while it is still there: scale, bias, activation, residual. */
#include "ops/ops_private.h"

#define KEPT_PANEL_BYTES 16384 /* of one panel per step of K: half of the first-level cache */
#define WHOLE_K_ROWS                                                                               \
    12 /* up to so many rows K is walked at once: weights are used once or                         \
          twice, and come in as one stream */

/* A lane's share of a layer. */
struct part {
    uint32_t panel, panel_end, row, row_end;
};

static uint32_t ceil_div(uint32_t a, uint32_t b) {
    return (a + b - 1) / b;
}

static uint32_t min_u32(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* The grid with the smallest largest share; of equals the one with most column parts. */
static struct part divide(const struct lane *lane, uint32_t panels, uint32_t rows) {
    const uint32_t tiles = ceil_div(rows, KERNEL_TILE_ROWS);
    uint32_t columns = 1;
    uint64_t best = UINT64_MAX;
    for (uint32_t c = 1; c <= lane->count; c++) {
        const uint64_t share = (uint64_t)ceil_div(panels, c) * ceil_div(tiles, lane->count / c);
        if (share <= best) {
            best = share;
            columns = c;
        }
    }
    const uint32_t parts = lane->count / columns;
    const uint32_t column = lane->index % columns, part = lane->index / columns;
    if (part >= parts) {
        return (struct part){0};
    }
    const uint64_t tile = (uint64_t)tiles * part / parts,
                   end = (uint64_t)tiles * (part + 1) / parts;
    return (struct part){
        .panel = (uint32_t)((uint64_t)panels * column / columns),
        .panel_end = (uint32_t)((uint64_t)panels * (column + 1) / columns),
        .row = (uint32_t)tile * KERNEL_TILE_ROWS,
        .row_end = min_u32((uint32_t)end * KERNEL_TILE_ROWS, rows),
    };
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

/* Sums of one block become its outputs. */
static void finish_block(const struct job *job, uint32_t row, uint32_t rows, uint32_t column,
                         uint32_t n) {
    const struct kernels *k = job->kernels;
    const struct linear *linear = job->linear;
    const float *bias = linear->bias != NULL ? linear->bias + column : NULL;
    for (uint32_t r = 0; r < rows; r++) {
        float *acc = job->acc + (size_t)r * ACC_COLUMNS;
        const size_t at = (row + r) * job->ldy + column;
        const float *residual = job->epilogue.residual != NULL ? job->epilogue.residual + at : NULL;
        if (linear_is_quantized(linear)) {
            k->dequantize(acc, job->inputs.scales[row + r], linear->scales + column,
                          linear->column_sums + column, n);
        }
        if (job->epilogue.activation == ACTIVATION_NONE) {
            k->add(job->y + at, acc, bias, residual, n);
        } else {
            k->add(acc, acc, bias, NULL, n);
            activation_apply(k, job->epilogue.activation, acc, n);
            k->add(job->y + at, acc, NULL, residual, n);
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
    const struct part part = divide(lane, ceil_div(linear->out, PANEL), rows);
    const uint32_t all = part.row_end - part.row;
    const uint32_t height = all > 0 ? ceil_div(ceil_div(all, ceil_div(all, ACC_ROWS)), 6) * 6 : 1;
    for (uint32_t r = part.row; r < part.row_end; r += height) {
        for (uint32_t p = part.panel; p < part.panel_end; p += ACC_PANELS) {
            run_block(&job, r, min_u32(height, part.row_end - r), p,
                      min_u32(ACC_PANELS, part.panel_end - p));
        }
    }
    lane_barrier(lane);
}
