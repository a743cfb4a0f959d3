/* What bench/kernels.c measures of the machine itself, for ARM with NEON: FMA (24 independent
 * chains of 4 floats), int8 (smmla, sdot, or ten instructions for 64 products, by what the
 * processor has), reading. */
#include <arm_neon.h>

enum { STEPS = 1 << 18, N_CHAINS = 24 };
#define CHAINS(X)                                                                                  \
    X(0)                                                                                           \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17)   \
        X(18) X(19) X(20) X(21) X(22) X(23)
#define FMA(n)    "fmla v" #n ".4s, v30.4s, v31.4s\n"
#define SQUARE(n) "smmla v" #n ".4s, v30.16b, v31.16b\n"
#define DOT(n)    "sdot v" #n ".4s, v30.16b, v31.16b\n"
#define HALF(to)                                                                                   \
    "smull v" #to ".8h, v30.8b, v31.8b\n"                                                          \
    "smlal v" #to ".8h, v30.8b, v31.8b\n"                                                          \
    "smlal2 v" #to ".8h, v30.16b, v31.16b\n"                                                       \
    "smlal2 v" #to ".8h, v30.16b, v31.16b\n"
#define PLAIN(n) HALF(28) HALF(29) "addp v28.8h, v28.8h, v29.8h\nsadalp v" #n ".4s, v28.8h\n"
#define REGISTERS                                                                                  \
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", \
        "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v28", "v29", "v30", "v31"
#define ZEROS "movi v30.2d, #0\nmovi v31.2d, #0\n"

/* Seconds of one step of all chains. */
#define STEP_SECONDS(name, attribute, instruction)                                                 \
    attribute static double name(void) {                                                           \
        const double start = thread_seconds();                                                     \
        for (int s = 0; s < STEPS; s++) {                                                          \
            __asm__ volatile(ZEROS CHAINS(instruction)::: REGISTERS);                              \
        }                                                                                          \
        return (thread_seconds() - start) / STEPS / N_CHAINS;                                      \
    }
STEP_SECONDS(fma_step, , FMA)
STEP_SECONDS(plain_step, , PLAIN)
STEP_SECONDS(dot_step, __attribute__((target("arch=armv8.2-a+dotprod"))), DOT)
STEP_SECONDS(square_step, __attribute__((target("arch=armv8.2-a+i8mm"))), SQUARE)

/* Seconds of one floating point operation. */
static double fma_seconds(void) {
    return fma_step() / 8;
}

/* Seconds of one integer operation, two of which are a product. */
static double product_seconds(void) {
    return cpu_features() & CPU_NEON_I8MM  ? square_step() / 64
           : cpu_features() & CPU_NEON_DOT ? dot_step() / 32
                                           : plain_step() / 128;
}

static void read_bytes(const char *from, size_t n) {
    uint64x2_t sum[4] = {vdupq_n_u64(0)};
    for (size_t i = 0; i + 64 <= n; i += 64) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            const uint8x16_t v = vld1q_u8((const uint8_t *)from + i + j * 16);
            sum[j] = vaddq_u64(sum[j], vreinterpretq_u64_u8(v));
        }
    }
    __asm__ volatile("" ::"w"(sum[0]), "w"(sum[1]), "w"(sum[2]), "w"(sum[3]));
}
