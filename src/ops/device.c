/* The CPU's device table, and the scratch memory of a forward pass: one block, cut up once for
 * all lanes, so that no operation allocates. */
#include "ops/ops_private.h"

static struct device cpu = {
    .name = "cpu",
    .norm = cpu_norm,
    .linear = cpu_linear,
    .embed = cpu_embed,
    .kv_write = cpu_kv_write,
    .attention = cpu_attention,
    .gather = cpu_gather,
    .activate = cpu_activate,
    .rope_angles = cpu_rope_angles,
    .rotate = cpu_rotate,
    .norm_heads = cpu_norm_heads,
    .softcap = cpu_softcap,
    .clamp = cpu_clamp,
    .add = cpu_add,
    .scatter_add = cpu_scatter_add,
    .route = cpu_route,
};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void name_isa(void) {
    cpu.isa = kernels_best()->isa;
}

const struct device *device_cpu(void) {
    pthread_once(&once, name_isa);
    return &cpu;
}

/* Hands out parts of a block, each on a cache line of its own. With base NULL it only counts. */
struct carver {
    char *base;
    size_t used;
};

static void *carve(struct carver *carver, size_t bytes) {
    void *at = carver->base != NULL ? carver->base + carver->used : NULL;
    carver->used += (bytes + 63) / 64 * 64;
    return at;
}

/* Sizes cannot overflow: each factor is below 2^32 / 64 by limits.h, products below 2^58. */
static void lay_out(struct scratch *s, struct carver *carver) {
    const size_t row = quantized_row_bytes(s->max_in);
    const size_t keys = key_stride(s);
    s->lane = carve(carver, s->lanes * sizeof(*s->lane));
    s->quantized = carve(carver, s->max_rows * row + KERNEL_SLACK);
    s->scales = carve(carver, s->max_rows * sizeof(*s->scales));
    for (uint32_t i = 0; i < s->lanes; i++) {
        const struct lane_scratch lane = {
            .acc = carve(carver, ACC_ROWS * ACC_COLUMNS * sizeof(float)),
            .quantized = carve(carver, OWN_ROWS * row + KERNEL_SLACK),
            .scales = carve(carver, OWN_ROWS * sizeof(struct row_scale)),
            .q = carve(carver, KERNEL_TILE_ROWS * (size_t)s->max_in * sizeof(float)),
            .y = carve(carver, KERNEL_TILE_ROWS * (size_t)s->max_in * sizeof(float)),
            .scores = carve(carver, KERNEL_TILE_ROWS * keys * sizeof(float)),
            .bias = carve(carver, KERNEL_TILE_ROWS * keys * sizeof(float)),
        };
        if (carver->base != NULL) {
            s->lane[i] = lane;
        }
    }
}

enum status scratch_create(struct scratch **out, const struct device *device, uint32_t lanes,
                           uint32_t max_rows, uint32_t max_in, uint32_t max_keys,
                           struct error *err) {
    (void)device;
    struct scratch made = {
        .lanes = lanes, .max_rows = max_rows, .max_in = max_in, .max_keys = max_keys};
    struct carver carver = {0};
    lay_out(&made, &carver);
    made.bytes = carver.used;
    if (mem_try_alloc(&made.block, made.bytes, err) != STATUS_OK) {
        return STATUS_ERROR;
    }
    carver = (struct carver){.base = made.block};
    lay_out(&made, &carver);
    struct scratch *scratch = mem_alloc(sizeof(*scratch));
    *scratch = made;
    *out = scratch;
    return STATUS_OK;
}

void scratch_destroy(struct scratch *scratch) {
    if (scratch == NULL) {
        return;
    }
    mem_free_large(scratch->block, scratch->bytes);
    mem_free(scratch);
}

size_t scratch_row_bytes(uint32_t max_in) {
    return quantized_row_bytes(max_in) + sizeof(struct row_scale);
}

size_t scratch_bytes(const struct scratch *scratch) {
    return scratch->bytes + sizeof(*scratch);
}
