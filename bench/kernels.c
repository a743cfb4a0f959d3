/* Measures every kernel and the operations built on them, and prints the share of the machine's
 * limits they reach; the limits are measured in the same run, interleaved, smallest time of many.
 *
 *   make build/release/bench-kernels && build/release/bench-kernels [--threads N] [--precision P]
 *
 * With 1 thread the times are the thread's own, so that a busy machine changes little. Limits: FMA
 * and int8 products in registers (machine_*.h), reading 256 MiB with 1 and with all threads.
 * `--peaks --json` prints what all threads can do together just now, for bench/bench.py. */
#include "kernels/kernels.h"
#include "ops/ops.h"

enum { READ_BYTES = 256 << 20, ROUNDS = 9, WARM = 6 };

static double limit_flops, limit_products, limit_read_one, limit_read_all;
static struct team *team, *one;
static uint32_t threads = 2;

/* ---- the machine ---- */

/* Seconds that this thread ran (1 thread: other processes do not disturb), or the wall's. */
static double seconds_now(void) {
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double thread_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#if defined(__aarch64__)
#include "machine_aarch64.h"
#else
#include "machine_x86_64.h"
#endif

static char *read_block;

static void read_lane(struct lane *lane, void *arg) {
    size_t from, to;
    lane_range(lane, READ_BYTES, 4096, &from, &to);
    read_bytes(read_block + from, to - from);
    lane_barrier(lane);
}

static double read_rate(struct team *on) {
    const double start = seconds_now();
    team_run(on, read_lane, NULL);
    return READ_BYTES / (seconds_now() - start);
}

static void keep_max(double *best, double rate) {
    *best = rate > *best ? rate : *best;
}

/* Operations a second of all threads at the same time, of each what its core gives just then. */
struct together {
    double flops[LIMIT_THREADS], products[LIMIT_THREADS];
};

static void rate_lane(struct lane *lane, void *arg) {
    struct together *rates = arg;
    double *flops = &rates->flops[lane->index], *products = &rates->products[lane->index];
    *flops = *products = 0;
    for (int i = 0; i < WARM; i++) { /* a core that slept is slow at first */
        keep_max(flops, 1 / fma_seconds());
    }
    lane_barrier(lane);
    for (int i = 0; i < WARM; i++) {
        keep_max(products, 1 / product_seconds());
    }
}

static double sum(const double *x, uint32_t n) {
    double total = 0;
    for (uint32_t i = 0; i < n; i++) {
        total += x[i];
    }
    return total;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n) {
    qsort(x, n, sizeof(*x), by_size);
    return x[n / 2];
}

/* What all threads can do just now, the median of ROUNDS; the read rate is the better of one and
 * all, for two may get in each other's way. */
static void print_peaks(bool json) {
    static struct together rates;
    double flops[ROUNDS], products[ROUNDS], read[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        team_run(team, rate_lane, &rates);
        flops[i] = sum(rates.flops, threads);
        products[i] = sum(rates.products, threads);
        read[i] = read_rate(one);
        keep_max(&read[i], read_rate(team));
    }
    printf(json ? "{\"isa\": \"%s\", \"threads\": %u, \"read_bytes_per_s\": %.0f, "
                  "\"fp32_flops_per_s\": %.0f, \"int8_ops_per_s\": %.0f}\n"
                : "isa %s, %u threads together: read %.4g bytes/s, fp32 %.4g FLOP/s, int8 %.4g op/s\n",
           device_cpu()->isa, threads, median(read, ROUNDS), median(flops, ROUNDS),
           median(products, ROUNDS));
}

static void measure_limits(void) {
    keep_max(&limit_flops, 1 / fma_seconds());
    keep_max(&limit_products, 1 / product_seconds());
    keep_max(&limit_read_one, read_rate(one));
    keep_max(&limit_read_all, read_rate(team));
}

/* ---- linear layers on the whole team ---- */

struct layer {
    struct linear linear[16]; /* walked round robin, so that weights come from memory */
    uint32_t n, rows;
    struct scratch *scratch;
    float *x, *y;
    struct epilogue epilogue;
};

static void run_layers(struct lane *lane, void *arg) {
    const struct layer *l = arg;
    for (uint32_t i = 0; i < l->n; i++) {
        device_cpu()->linear(lane, l->scratch, &l->linear[i], l->x, l->linear[i].in, l->y,
                             l->linear[i].out, l->rows, &l->epilogue);
    }
}

static void fill(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)((i * 2654435761u >> 8) % 2000) / 1000.0f - 1;
    }
}

/* Near a normal distribution: weights as trained or drawn ones. */
static void fill_normal(float *w, size_t n, float deviation) {
    for (size_t i = 0; i < n; i++) {
        float sum = 0;
        for (size_t j = 0; j < 8; j++) {
            sum += (float)(((i * 8 + j) * 2654435761u >> 8) % 2003) / 1001.5f - 1;
        }
        w[i] = sum * deviation * 0.6124f;
    }
}

/* Rows as they come from a norm of a trained model: a few channels stand out in all of them. */
static void fill_rows(float *x, uint32_t rows, uint32_t in) {
    fill_normal(x, (size_t)rows * in, 1);
    for (uint32_t r = 0; r < rows; r++) {
        x[(size_t)r * in + in / 4] = 18;
        x[(size_t)r * in + in / 6] = -10;
        x[(size_t)r * in + in / 6 + 1] = 9;
    }
}

static void must(enum status status) {
    if (status != STATUS_OK) {
        PANIC("out of memory");
    }
}

static void bench_layer(enum precision precision, uint32_t rows, uint32_t in, uint32_t out,
                        uint32_t n) {
    struct error err;
    struct layer l = {.n = n, .rows = rows, .epilogue = {.activation = ACTIVATION_NONE}};
    must(scratch_create(&l.scratch, device_cpu(), threads, rows, in, 16, &err));
    float *w = mem_alloc((size_t)out * in * sizeof(float));
    fill_normal(w, (size_t)out * in, 0.02f);
    must(linear_init(&l.linear[0], precision, in, out, true, &err));
    struct region region; /* as models keep them */
    must(region_reserve(&region, n * l.linear[0].bytes, &err));
    must(region_memory(&region, 0, n * l.linear[0].bytes, &err));
    for (uint32_t i = 0; i < n; i++) {
        must(linear_init(&l.linear[i], precision, in, out, true, &err));
        linear_place(&l.linear[i], region.base + i * l.linear[i].bytes);
        linear_set_weights(&l.linear[i], 0, out, w);
    }
    l.x = mem_zalloc((size_t)rows * in, sizeof(float));
    l.y = mem_zalloc((size_t)rows * out, sizeof(float));
    fill_rows(l.x, rows, in);
    double best = 1e9;
    for (int i = 0; i < ROUNDS * 3; i++) {
        if (i % ROUNDS == 0) {
            measure_limits();
        }
        const double start = seconds_now();
        team_run(team, run_layers, &l);
        const double seconds = (seconds_now() - start) / n;
        best = seconds < best ? seconds : best;
    }
    const double bytes = (double)l.linear[0].bytes, operations = 2.0 * rows * in * out;
    const double peak = (precision >= PRECISION_INT8 ? limit_products : limit_flops) * threads;
    printf("linear %-4s %4u x %4u -> %5u  %9.1f us  %6.1f GFLOP/s %5.1f %% (%.2f of fp32 peak)  "
           "%5.1f GB/s %5.1f %%\n",
           precision_name(precision), rows, in, out, best * 1e6, operations / best / 1e9,
           100 * operations / best / peak, operations / best / limit_flops / threads,
           bytes / best / 1e9, 100 * bytes / best / limit_read_all);
    region_release(&region);
    scratch_destroy(l.scratch);
    mem_free(w);
    mem_free(l.x);
    mem_free(l.y);
}

static void bench_layers(const char *only) {
    static const struct {
        uint32_t rows, in, out, n;
    } SHAPES[] = {
        {1, 768, 768, 16},   {1, 768, 3072, 16},  {1, 3072, 768, 16},  {1, 768, 50257, 1},
        {2, 768, 3072, 16},  {4, 768, 3072, 16},  {8, 768, 3072, 16},  {12, 384, 384, 16},
        {12, 384, 1536, 16}, {12, 1536, 384, 16}, {16, 768, 3072, 8},  {128, 768, 768, 4},
        {128, 768, 3072, 4}, {128, 3072, 768, 4}, {512, 768, 3072, 2},
    };
    for (enum precision p = PRECISION_FP32; p <= PRECISION_INT4; p++) {
        const bool wanted = only == NULL || strcmp(only, precision_name(p)) == 0;
        for (size_t i = 0; wanted && i < ARRAY_LEN(SHAPES); i++) {
            bench_layer(p, SHAPES[i].rows, SHAPES[i].in, SHAPES[i].out, SHAPES[i].n);
        }
    }
}

/* ---- single kernels, one thread, data in the first-level cache ---- */

enum { ROW = 768 };
static float row_x[ROW], row_y[ROW], row_z[ROW];
static _Alignas(64) uint8_t row_q[ROW + KERNEL_SLACK + sizeof(struct row_outliers)];

static double smallest(void (*run)(void), uint32_t times) {
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = thread_seconds();
        for (uint32_t i = 0; i < times; i++) {
            run();
        }
        const double seconds = (thread_seconds() - start) / times;
        best = seconds < best ? seconds : best;
    }
    return best;
}

/* How each family is called on a row of ROW numbers; those of no row are measured as layers. */
#define CALL_quantize_u7(f)                                                                        \
    struct row_scale s;                                                                            \
    f(row_q, &s, row_x, ROW)
#define CALL_dequantize(f) f(row_z, row_z, (struct row_scale){1, 1}, row_x, row_y, row_x, row_y, ROW)
#define CALL_add(f)        f(row_z, row_x, row_y, row_x, ROW)
#define CALL_multiply(f)   f(row_z, row_x, ROW)
#define CALL_in_place(f)   memcpy(row_z, row_x, sizeof(row_z)), f(row_z, ROW)
#define CALL_add_scaled(f) f(row_z, row_x, 0.5f, ROW)
#define CALL_softcap(f)    memcpy(row_z, row_x, sizeof(row_z)), f(row_z, 30, ROW)
#define CALL_clamp         CALL_softcap
#define CALL_rotate(f)     f(row_z, row_x, ROW, false)
#define CALL_relu          CALL_in_place
#define CALL_relu2         CALL_in_place
#define CALL_quick_gelu    CALL_in_place
#define CALL_gelu          CALL_in_place
#define CALL_gelu_tanh     CALL_in_place
#define CALL_silu          CALL_in_place
#define CALL_tanh          CALL_in_place
#define CALL_sigmoid       CALL_in_place
#define CALL_softmax       CALL_in_place
#define CALL_log_softmax   CALL_in_place
#define CALL_norm_layer(f) f(row_z, row_x, row_y, row_y, 1e-5f, ROW)
#define CALL_norm_rms      CALL_norm_layer
#define CALL_dot(f)        row_z[0] = f(row_x, row_y, ROW)
#define CALL_argmax(f)     row_z[0] = (float)f(row_x, ROW)
#define CALL_gemm_f32(f)   (void)f
#define CALL_gemm_bf16(f)  (void)f
#define CALL_gemm_i8(f)    (void)f
#define CALL_gemm_i4(f)    (void)f
#define CALL_attend(f)     bench_attend(f)

/* A block of attention: rows queries over 128 keys of 64. */
static uint32_t attend_rows = KERNEL_TILE_ROWS;
static void bench_attend(void (*f)(const struct attend *)) {
    enum { PAGES = 8, HEAD = 64 };
    static float pages[PAGES][2 * HEAD * PANEL], q[KERNEL_TILE_ROWS * HEAD],
        y[KERNEL_TILE_ROWS * HEAD], scores[KERNEL_TILE_ROWS * PAGES * PANEL];
    float *list[PAGES];
    for (int i = 0; i < PAGES; i++) {
        list[i] = pages[i];
    }
    struct attend a = {.rows = attend_rows,
                       .head_size = HEAD,
                       .scale = 0.125f,
                       .q = q,
                       .y = y,
                       .pages = list,
                       .values_at = (size_t)HEAD * PANEL,
                       .scores = scores};
    for (int i = 0; i < KERNEL_TILE_ROWS; i++) {
        a.to[i] = PAGES * PANEL;
    }
    f(&a);
}

#define FAMILY(family, result, arguments)
#define VARIANT(family, isa, needs, tolerance)                                                     \
    static void run_##family##_##isa(void) {                                                       \
        CALL_##family(family##_##isa);                                                             \
    }
#include "kernels/kernels.inc"
#undef VARIANT

static void run_attend(void) {
    bench_attend(kernels_best()->attend);
}

static void bench_rows(void) {
#define VARIANT(family, isa, needs, tolerance)                                                     \
    if (((needs) & ~cpu_features()) == 0 && strncmp(#family, "gemm", 4) != 0) {                    \
        const double seconds = smallest(run_##family##_##isa, 2000);                               \
        printf("%-12s %-11s %8.3f us, %6.2f FMA-times a number\n", #family, #isa, seconds * 1e6,    \
               seconds / ROW * limit_flops / 2);                                                   \
    }
#include "kernels/kernels.inc"
#undef VARIANT
#undef FAMILY
    for (attend_rows = 1; attend_rows <= KERNEL_TILE_ROWS; attend_rows += 5) {
        const double flops = 4.0 * attend_rows * 128 * 64;
        const double seconds = smallest(run_attend, 2000);
        printf("attend %s, %u rows, 128 keys of 64: %.3f us, %.1f %% of FMA\n", device_cpu()->isa,
               attend_rows, seconds * 1e6, 100 * flops / seconds / limit_flops);
    }
}

static void print_limits(void) {
    printf("isa %s, %u threads; limits of one: %.1f GFLOP/s fp32, %.1f Gop/s int8; "
           "read %.1f GB/s with 1, %.1f GB/s with %u\n",
           device_cpu()->isa, threads, limit_flops / 1e9, limit_products / 1e9, limit_read_one / 1e9,
           limit_read_all / 1e9, threads);
}

static void measure_kernels(const char *only) {
    fill(row_x, ROW);
    fill(row_y, ROW);
    bench_layers(only);
    bench_rows();
    print_limits();
}

int main(int argc, char **argv) {
    struct error err;
    bool peaks = false, json = false;
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        peaks = peaks || strcmp(argv[i], "--peaks") == 0;
        json = json || strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
            threads = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--precision") == 0 && i + 1 < argc) {
            only = argv[++i];
        }
    }
    must(team_create(&one, 1, &err));
    must(team_create(&team, threads, &err));
    team_bind(team);
    void *block;
    must(mem_try_alloc(&block, READ_BYTES, &err));
    read_block = block;
    memset(read_block, 1, READ_BYTES);
    if (peaks) {
        print_peaks(json);
    } else {
        for (int i = 0; i < ROUNDS; i++) {
            measure_limits();
        }
        measure_kernels(only);
    }
    mem_free_large(block, READ_BYTES);
    team_destroy(team);
    team_destroy(one);
    return 0;
}
