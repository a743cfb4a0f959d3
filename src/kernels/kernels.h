/* Kernels: the hot loops, each in several instruction sets behind one table of function pointers.
 * Private to kernels and ops. No threads, no allocation, no knowledge of models.
 *
 * kernels.inc lists the families (what is computed) and the variants (for which instruction set).
 * The scalar variant is the definition; the others are tested against it with the tolerance in
 * their row. Within one variant an output depends on its own row and column alone: neither the
 * number of rows of a call nor the way columns and K are cut into calls changes a bit of it.
 *
 * Packed weights of a linear layer: panels of PANEL outputs one after the other, K in order.
 *   f32   [in][16] floats
 *   bf16  [in][8][2] bf16: a 32-bit word holds outputs j (low half) and j + 8 (high half)
 *   i8    a byte for each KERNEL_K_STEP steps of K (panel_header_i8 bytes), then
 *         [ceil(in / 8) * 2][16][4] int8: K in groups of four, padded with zeros to groups of eight
 *         The byte: so many groups of four may be summed in 16 bits, whatever the activations
 *         (pack.c).
 *   i4    a signed byte of each of 16 outputs for each GROUP_I4 steps of K (panel_header_i4 bytes),
 *         then [ceil(in / 32)][4][2][8][4] bytes: K in groups of eight, outputs in halves, outputs,
 *         K; low halves of the bytes are the first four steps of K, high halves the other four.
 *         A weight is (half - 8) * the group's byte * the output's scale.
 * Each output has one accumulator that runs over K in order. */
#ifndef BRISK_KERNELS_KERNELS_H
#define BRISK_KERNELS_KERNELS_H

#include "base/base.h"

#define PANEL            16  /* outputs of a panel, keys of a page */
#define KERNEL_TILE_ROWS 6   /* rows that a matrix kernel keeps in registers */
#define KERNEL_SLACK     64  /* bytes that may be read past the end of a quantized row */
#define KERNEL_K_STEP    32  /* K may be cut at multiples of this */
#define QUANTIZED_MAX    127 /* activations use 7 bits: 0 .. 127 */
#define QUANTIZED_MAX_IN 65536 /* K: 127 * 127 * K and what outliers add must fit 31 bits */
#define GROUP_I4         32  /* steps of K that share a scale; KERNEL_K_STEP is a multiple */
#define OUTLIERS_MAX     64  /* groups of a row that may go beyond them */

/* acc[rows, panels * 16] (+)= x[rows, k_from .. k_to) * panels. Sums start at zero when k_from is 0
 * and go on from acc otherwise. k_from and, unless it is the end of the layer, k_to are multiples
 * of KERNEL_K_STEP. acc is int32 for i8 and i4, float for the others. */
struct gemm {
    const void *x; /* [rows, in] (stride ldx elements), float; i8, i4: as quantize makes them */
    size_t ldx;
    const void *panels; /* the first panel, from its begin */
    size_t panel_bytes; /* from one panel to the next */
    void *acc;          /* [rows, panels * 16], stride ldacc */
    size_t ldacc;
    uint32_t in, rows, n_panels, k_from, k_to;
};

/* Softmax attention of at most KERNEL_TILE_ROWS rows over the pages of one KV head. Row i sees
 * keys [from[i], to[i]). A page's keys are [head_size][16] at page + keys_at, its values
 * [16][head_size] at page + values_at. Rows that see nothing become zeros.
 *
 * A score is q * key * scale, then softcap * tanh(score / softcap), then + bias. */
struct attend {
    uint32_t rows, head_size;
    float scale, softcap; /* softcap 0: none */
    uint32_t from[KERNEL_TILE_ROWS], to[KERNEL_TILE_ROWS];
    const float *q;                      /* [rows][head_size] */
    float *y;                            /* [rows][head_size] */
    const float *bias[KERNEL_TILE_ROWS]; /* of key k at bias[row][k], from[row] <= k < to[row]; or
                                            NULL for all rows */
    float *const *pages;                 /* of the sequence, the first holds keys 0 .. 15 */
    size_t keys_at, values_at;
    float *scores; /* room for [rows][keys of all rows, rounded up to whole pages] */
};

/* A row of activations is whole numbers: x = step * v + offset. v = q + 128 * high: q, 7 bits, of
 * every number, in bytes with zeros up to a multiple of 32; high, of the few outliers of the row,
 * in a list behind them. All groups of four that have one stand in it, in order. */
struct row_scale {
    float step, offset;
};

struct outlier {
    uint32_t group; /* numbers 4 * group .. 4 * group + 3 */
    int8_t high[4]; /* -127 .. 127 */
};

struct row_outliers {
    uint32_t n;
    struct outlier at[OUTLIERS_MAX];
};

/* A row of kernels.inc is VARIANT(family, isa, needs, tolerance), or nothing where the compiler's
 * target cannot have the instruction set. */
#define KERNEL(family, isa, needs, tolerance) KERNEL_##isa(family, isa, needs, tolerance)
#define KERNEL_scalar                         VARIANT
#if defined(__x86_64__)
#define KERNEL_avx2        VARIANT
#define KERNEL_avx512      VARIANT
#define KERNEL_avx512_vnni VARIANT
#else
#define KERNEL_avx2(family, isa, needs, tolerance)
#define KERNEL_avx512(family, isa, needs, tolerance)
#define KERNEL_avx512_vnni(family, isa, needs, tolerance)
#endif
#if defined(__aarch64__)
#define KERNEL_neon      VARIANT
#define KERNEL_neon_dot  VARIANT
#define KERNEL_neon_i8mm VARIANT
#else
#define KERNEL_neon(family, isa, needs, tolerance)
#define KERNEL_neon_dot(family, isa, needs, tolerance)
#define KERNEL_neon_i8mm(family, isa, needs, tolerance)
#endif

/* One pointer a family: the table that ops calls. */
struct kernels {
    const char *isa; /* the best set in use */
#define FAMILY(family, result, arguments) result(*family) arguments;
#define VARIANT(family, isa, needs, tolerance)
#include "kernels/kernels.inc"
#undef FAMILY
#undef VARIANT
};

#define FAMILY(family, result, arguments)
#define VARIANT(family, isa, needs, tolerance)                                                     \
    extern __typeof__(*((struct kernels *)0)->family) family##_##isa;
#include "kernels/kernels.inc"
#undef FAMILY
#undef VARIANT

/* What a kernel may need of the processor, bits. */
enum cpu_feature {
    CPU_ANY = 0,
    CPU_AVX2 = 1 << 0,        /* AVX2, FMA and F16C, and the system saves the wide registers */
    CPU_AVX512 = 1 << 1,      /* AVX-512 F, BW, DQ and VL; the system saves those of 512 bits too */
    CPU_AVX512_VNNI = 1 << 2, /* vpdpbusd */
    CPU_NEON = 1 << 16,
    CPU_NEON_DOT = 1 << 17,  /* sdot */
    CPU_NEON_I8MM = 1 << 18, /* smmla */
};

uint32_t cpu_features(void);
/* The last row of kernels.inc whose needs are met, for every family. */
void kernels_pick(struct kernels *out, uint32_t features);
/* For this machine, or as BRISK_ISA says, a name of kernels.c; chosen once. */
const struct kernels *kernels_best(void);

/* Packing, one panel: w is [n <= 16, in] row-major; outputs beyond n become zeros. */
static inline size_t panel_header_i8(uint32_t in) {
    return ((size_t)in + KERNEL_K_STEP * 64 - 1) / (KERNEL_K_STEP * 64) * 64;
}
size_t panel_bytes_f32(uint32_t in);
size_t panel_bytes_bf16(uint32_t in);
size_t panel_bytes_i8(uint32_t in);
void pack_f32(void *panel, uint32_t in, uint32_t n, const float *w);
void pack_bf16(void *panel, uint32_t in, uint32_t n, const float *w);
/* Symmetric per output: scale = largest magnitude / 127. sums: scale times the sum of the quantized
 * weights. Both [16]. */
void pack_i8(void *panel, uint32_t in, uint32_t n, const float *w, float *scales, float *sums);
static inline uint32_t panel_groups_i4(uint32_t in) {
    return (in + GROUP_I4 - 1) / GROUP_I4;
}
static inline size_t panel_header_i4(uint32_t in) {
    return ((size_t)panel_groups_i4(in) * PANEL + 63) / 64 * 64;
}
/* Of a group's bytes the one that holds an output's weight of step k; in its high half when k / 4 is
 * odd. */
static inline size_t nibble_at_i4(uint32_t output, uint32_t k) {
    return (size_t)(k / 8 * 64 + output * 4 + k % 4);
}
/* The largest magnitude of a group's byte, so that no sum leaves 32 bits; in <= QUANTIZED_MAX_IN. */
int32_t group_scale_most_i4(uint32_t in);
size_t panel_bytes_i4(uint32_t in);
/* Scales and sums as pack_i8's. */
void pack_i4(void *panel, uint32_t in, uint32_t n, const float *w, float *scales, float *sums);

/* Where the outliers of a quantized row stand, and the bytes of all of it. */
static inline size_t quantized_outliers_at(uint32_t in) {
    return ((size_t)in + 31) / 32 * 32;
}
static inline const struct row_outliers *quantized_outliers(const uint8_t *q, uint32_t in) {
    return (const struct row_outliers *)(const void *)(q + quantized_outliers_at(in));
}
static inline size_t quantized_row_bytes(uint32_t in) {
    return quantized_outliers_at(in) + (sizeof(struct row_outliers) + 31) / 32 * 32;
}

#endif
