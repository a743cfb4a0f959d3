/* Integer matrix products for AVX2 with weights of 4 bits: 7-bit activations times -8 .. 7 times a
 * whole-numbered scale of a group of 32 steps of K, summed in int32.
 *
 * A 16-bit lane takes two products of each of a group's eight vpmaddubsw, 16 * 127 * 8 = 16256 at
 * most, so a group is summed in 16 bits, and the vpmaddwd that widens it multiplies by the scales
 * for nothing. Unpacking costs 5 operations for 64 weights, which the rows of a tile share. One
 * row takes some 25 cycles a group of a panel (Zen 3), in which a core could read about as many
 * bytes from the second-level cache as the group has, but only a third of them from memory: with
 * one row the memory is the limit, with six the multiplications, which are fewer than gemm_i8's.
 * Sums of integers are exact, so every order and tile gives the same bits. */
#include "kernels/tile_i8_avx2.h"

#define GROUP_BYTES  (GROUP_I4 * PANEL / 2)
#define GROUPS_AHEAD (LINES * LINE / GROUP_BYTES) /* between two rounds of prefetching */

/* 32 bytes: four steps of K of eight outputs, and the next four. */
struct unpacked {
    __m256i first, second;
};

ALWAYS_INLINE struct unpacked unpack(const char *at) {
    const __m256i both = _mm256_loadu_si256((const __m256i *)at);
    const __m256i mask = _mm256_set1_epi8(15), eight = _mm256_set1_epi8(8);
    const __m256i high = _mm256_and_si256(_mm256_srli_epi16(both, 4), mask);
    return (struct unpacked){.first = _mm256_sub_epi8(_mm256_and_si256(both, mask), eight),
                             .second = _mm256_sub_epi8(high, eight)};
}

/* Scales of the 16 outputs, each for both of its lanes. */
ALWAYS_INLINE void widen_scales(__m256i *wide, const char *scales) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)scales);
    wide[0] = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(bytes, bytes));
    wide[1] = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(bytes, bytes));
}

/* One or two rows leave registers free for a tree of sums, whose chains are shorter. */
ALWAYS_INLINE __m256i add_16(const uint32_t rows, __m256i a, __m256i b) {
    return rows > 2 ? add_in_order(a, b) : _mm256_add_epi16(a, b);
}

/* One group of a panel. Sums of half a panel in 16 bits stay in registers, so do those in 32 bits
 * where rows are few. */
ALWAYS_INLINE void group_i4(const uint32_t rows, __m256i sums[][2], const uint8_t *x, size_t ldx,
                            const char *w, const char *scales) {
    __m256i wide[2];
    widen_scales(wide, scales);
#pragma GCC unroll 2
    for (uint32_t half = 0; half < 2; half++) {
        __m256i part[KERNEL_TILE_ROWS];
#pragma GCC unroll 4
        for (uint32_t k = 0; k < GROUP_I4; k += 8) {
            const struct unpacked u = unpack(w + (size_t)k * PANEL / 2 + half * 32);
#pragma GCC unroll 6
            for (uint32_t r = 0; r < rows; r++) {
                const uint8_t *at = x + r * ldx + k;
                const __m256i a = _mm256_maddubs_epi16(broadcast4(at), u.first);
                const __m256i b = _mm256_maddubs_epi16(broadcast4(at + 4), u.second);
                part[r] = k == 0 ? a : add_16(rows, part[r], a);
                part[r] = add_16(rows, part[r], b);
            }
        }
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            sums[r][half] = _mm256_add_epi32(sums[r][half], _mm256_madd_epi16(part[r], wide[half]));
        }
    }
}

/* What the outliers of one row add. */
static void outliers_i4(const struct row_outliers *outliers, const struct gemm *g,
                        const char *panel, int32_t *acc) {
    __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, wide[2];
    for (uint32_t i = 0; i < outliers->n; i++) {
        const uint32_t k = outliers->at[i].group * 4, group = k / GROUP_I4;
        const char *w = panel + panel_header_i4(g->in) + (size_t)group * GROUP_BYTES +
                        (size_t)(k % GROUP_I4 / 8) * 64;
        const __m256i high = broadcast4(outliers->at[i].high);
        widen_scales(wide, panel + (size_t)group * PANEL);
        for (uint32_t half = 0; half < 2; half++) {
            const struct unpacked u = unpack(w + half * 32);
            const __m256i p = outlier_products(high, k / 4 % 2 == 0 ? u.first : u.second);
            sums[half] = _mm256_add_epi32(sums[half], _mm256_madd_epi16(p, wide[half]));
        }
    }
    add_outliers(acc, sums[0], sums[1]);
}

TILE_OUTLIERS(i4)

ALWAYS_INLINE void tile_of_i4(const uint32_t rows, const struct gemm *g, const uint8_t *x,
                              const char *panel, int32_t *acc, struct prefetch *ahead) {
    const char *w = panel + panel_header_i4(g->in);
    const uint32_t to = panel_groups_i4(g->k_to);
    __m256i sums[KERNEL_TILE_ROWS][2];
    sums_begin(rows, sums, g, acc);
    for (uint32_t i = g->k_from / GROUP_I4; i < to; i++) {
        if (i % GROUPS_AHEAD == 0) {
            prefetch_some(ahead);
        }
        group_i4(rows, sums, x + (size_t)i * GROUP_I4, g->ldx, w + (size_t)i * GROUP_BYTES,
                 panel + (size_t)i * PANEL);
    }
    sums_end(rows, sums, g, acc);
    tile_outliers_i4(rows, g, x, panel, acc);
}

GEMM_AVX2(i4, uint8_t, int32_t, PANEL / 2, panel_header_i4(g->in))
