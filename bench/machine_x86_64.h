/* What bench/kernels.c measures of the machine itself, for x86-64 with AVX2: FMA (12 independent
 * chains of 8 floats), int8 (four vpmaddubsw, three vpaddw, vpmaddwd, vpaddd for 128 products),
 * reading. With AVX-512 also chains of 16 floats, with VNNI chains of vpdpbusd; the faster counts. */
#include <immintrin.h>

enum { STEPS = 1 << 18 };
#define CHAINS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define FMA(n)    "vfmadd231ps %%ymm14, %%ymm15, %%ymm" #n "\n"
#define PRODUCTS(n)                                                                                \
    "vpmaddubsw %%ymm14, %%ymm15, %%ymm12\n"                                                       \
    "vpmaddubsw %%ymm14, %%ymm15, %%ymm13\n"                                                       \
    "vpaddw %%ymm13, %%ymm12, %%ymm12\n"                                                           \
    "vpmaddubsw %%ymm14, %%ymm15, %%ymm13\n"                                                       \
    "vpaddw %%ymm13, %%ymm12, %%ymm12\n"                                                           \
    "vpmaddubsw %%ymm14, %%ymm15, %%ymm13\n"                                                       \
    "vpaddw %%ymm13, %%ymm12, %%ymm12\n"                                                           \
    "vpmaddwd %%ymm14, %%ymm12, %%ymm12\n"                                                         \
    "vpaddd %%ymm12, %%ymm" #n ", %%ymm" #n "\n"
#define WIDE_REGISTERS                                                                             \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",       \
        "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* Seconds of one floating point operation: 12 chains of 8 FMA. */
static double fma_256_seconds(void) {
    const double start = thread_seconds();
    __asm__ volatile("vzeroall" ::: WIDE_REGISTERS);
    for (int s = 0; s < STEPS; s++) {
        __asm__ volatile(CHAINS(FMA)::: WIDE_REGISTERS);
    }
    return (thread_seconds() - start) / STEPS / 12 / 16;
}

/* Seconds of one integer operation, two of which are a product. */
static double product_256_seconds(void) {
    const double start = thread_seconds();
    __asm__ volatile("vzeroall" ::: WIDE_REGISTERS);
    for (int s = 0; s < STEPS; s++) {
        __asm__ volatile(CHAINS(PRODUCTS)::: WIDE_REGISTERS);
    }
    return (thread_seconds() - start) / STEPS / 12 / 256;
}

#define FMA_512(n)      "vfmadd231ps %%zmm14, %%zmm15, %%zmm" #n "\n"
#define PRODUCTS_512(n) "vpdpbusd %%zmm14, %%zmm15, %%zmm" #n "\n"

static double fma_512_seconds(void) {
    const double start = thread_seconds();
    __asm__ volatile("vzeroall" ::: WIDE_REGISTERS);
    for (int s = 0; s < STEPS; s++) {
        __asm__ volatile(CHAINS(FMA_512)::: WIDE_REGISTERS);
    }
    return (thread_seconds() - start) / STEPS / 12 / 32;
}

static double product_512_seconds(void) {
    const double start = thread_seconds();
    __asm__ volatile("vzeroall" ::: WIDE_REGISTERS);
    for (int s = 0; s < STEPS; s++) {
        __asm__ volatile(CHAINS(PRODUCTS_512)::: WIDE_REGISTERS);
    }
    return (thread_seconds() - start) / STEPS / 12 / 128;
}

static double fma_seconds(void) {
    const double narrow = fma_256_seconds();
    const double wide = cpu_features() & CPU_AVX512 ? fma_512_seconds() : narrow;
    return wide < narrow ? wide : narrow;
}

static double product_seconds(void) {
    const double narrow = product_256_seconds();
    const double wide = cpu_features() & CPU_AVX512_VNNI ? product_512_seconds() : narrow;
    return wide < narrow ? wide : narrow;
}

__attribute__((target("avx2"))) static void read_bytes(const char *from, size_t n) {
    __m256i sum[4] = {_mm256_setzero_si256()};
    for (size_t i = 0; i + 128 <= n; i += 128) {
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            const __m256i v = _mm256_load_si256((const __m256i *)(from + i + j * 32));
            sum[j] = _mm256_add_epi64(sum[j], v);
        }
    }
    __asm__ volatile("" ::"x"(sum[0]), "x"(sum[1]), "x"(sum[2]), "x"(sum[3]));
}
