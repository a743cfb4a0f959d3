/* Which kernels this machine runs: processor features by cpuid, or as the
 * system names them on ARM; the table picked from kernels.inc.
 *
 * No kernel is here. BRISK_ISA=scalar|avx2|neon|… in the environment limits the choice, for tests
 * and for finding out whether a kernel is at fault. */
#include "kernels/kernels.h"

static const struct isa {
    const char *name;
    uint32_t features;
} ISAS[] = {
    {"scalar", CPU_ANY},
    {"avx2", CPU_AVX2},
    {"avx512", CPU_AVX2 | CPU_AVX512},
    {"avx512_vnni", CPU_AVX2 | CPU_AVX512 | CPU_AVX512_VNNI},
    {"neon", CPU_NEON},
    {"neon_dot", CPU_NEON | CPU_NEON_DOT},
    {"neon_i8mm", CPU_NEON | CPU_NEON_DOT | CPU_NEON_I8MM},
};

#if defined(__x86_64__)
#include <cpuid.h>

/* The registers that the system saves, as bits of XCR0. */
#define SAVES_YMM 0x06 /* xmm and ymm */
#define SAVES_ZMM 0xe6 /* these, masks, the upper halves of zmm0 .. 15, zmm16 .. 31 */

static uint32_t saved_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

static bool all_of(uint32_t bits, uint32_t wanted) {
    return (bits & wanted) == wanted;
}

uint32_t cpu_features(void) {
    const uint32_t avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    uint32_t a, b, c, d, basic;
    if (!__get_cpuid(1, &a, &b, &basic, &d) || !(basic & bit_OSXSAVE)) {
        return CPU_ANY;
    }
    const uint32_t saved = saved_registers();
    if (!all_of(saved, SAVES_YMM) || !__get_cpuid_count(7, 0, &a, &b, &c, &d) ||
        !all_of(basic, bit_FMA | bit_F16C) || !all_of(b, bit_AVX2 | bit_BMI2)) {
        return CPU_ANY;
    }
    if (!all_of(saved, SAVES_ZMM) || !all_of(b, avx512)) {
        return CPU_AVX2;
    }
    return CPU_AVX2 | CPU_AVX512 | (c & bit_AVX512VNNI ? CPU_AVX512_VNNI : CPU_ANY);
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

uint32_t cpu_features(void) {
    const unsigned long first = getauxval(AT_HWCAP), second = getauxval(AT_HWCAP2);
    return (first & HWCAP_ASIMD ? CPU_NEON : CPU_ANY) |
           (first & HWCAP_ASIMDDP ? CPU_NEON_DOT : CPU_ANY) |
           (second & HWCAP2_I8MM ? CPU_NEON_I8MM : CPU_ANY);
}
#else
uint32_t cpu_features(void) {
    return CPU_ANY;
}
#endif

void kernels_pick(struct kernels *out, uint32_t features) {
#define FAMILY(family, result, arguments)
#define VARIANT(family, isa, needs, tolerance)                                                     \
    if (((needs) & ~features) == 0) {                                                              \
        out->family = family##_##isa;                                                              \
    }
#include "kernels/kernels.inc"
#undef FAMILY
#undef VARIANT
    out->isa = ISAS[0].name;
    for (size_t i = 0; i < ARRAY_LEN(ISAS); i++) {
        if ((ISAS[i].features & ~features) == 0) {
            out->isa = ISAS[i].name;
        }
    }
}

static struct kernels best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void choose(void) {
    uint32_t features = cpu_features();
    const char *wanted = getenv("BRISK_ISA");
    for (size_t i = 0; wanted != NULL && i < ARRAY_LEN(ISAS); i++) {
        if (strcmp(wanted, ISAS[i].name) == 0) {
            features &= ISAS[i].features;
        }
    }
    kernels_pick(&best, features);
}

const struct kernels *kernels_best(void) {
    pthread_once(&once, choose);
    return &best;
}
