/* Integer matrix products for AVX-512 with VNNI, weights of 4 bits: 7-bit activations times -8 .. 7
 * times a whole-numbered scale of a group of 32 steps of K, summed in int32.
 *
 * A block of 64 bytes holds eight steps of K of a panel: unpacked, the low halves are a register of
 * four steps, the high ones the next. Eight vpdpbusd sum a group, to 32 * 127 * 8 = 32512 at most,
 * which fits 16 bits: vpdpwssd multiplies it by the scale, whose upper 16 bits are zero, and adds
 * it to the output's sum. A group of a tile of 6 rows x 2 panels: 96 vpdpbusd, 12 vpdpwssd and 40
 * operations to unpack, which rows share, against 96 + 12 of gemm_i8 for twice the bytes.
 * Sums of integers are exact: every order and tile gives the same bits, those of AVX2 too.
 *
 * Checked in an emulator only, which tells nothing of time: what is said of it here is arithmetic.
 */
#include "kernels/tile_avx512.h"

#define BLOCK_BYTES  64 /* eight steps of K of a panel */
#define GROUP_BYTES  (GROUP_I4 * PANEL / 2)
#define GROUPS_AHEAD (LINES * LINE / GROUP_BYTES) /* between two rounds of prefetching */

/* Four steps of K of 16 outputs, and the next four. */
struct unpacked {
    __m512i first, second;
};

ALWAYS_INLINE struct unpacked unpack(const char *at) {
    const __m512i both = _mm512_loadu_si512(at);
    const __m512i mask = _mm512_set1_epi8(15), eight = _mm512_set1_epi8(8);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
    return (struct unpacked){.first = _mm512_sub_epi8(_mm512_and_si512(both, mask), eight),
                             .second = _mm512_sub_epi8(high, eight)};
}

/* Scales of the 16 outputs, in the lower halves of 32 bits. */
ALWAYS_INLINE __m512i scales_at(const char *at) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)at);
    return _mm512_cvtepu16_epi32(_mm256_cvtepi8_epi16(bytes));
}

/* One group of a tile: x, weights and scales are the group's. */
ALWAYS_INLINE void group_i4(const uint32_t rows, const uint32_t panels, __m512i sums[][PANELS],
                            const struct gemm *g, const uint8_t *x, const char *w,
                            const char *scales) {
    __m512i part[KERNEL_TILE_ROWS][PANELS];
#pragma GCC unroll 4
    for (uint32_t k = 0; k < GROUP_I4; k += 8) {
        struct unpacked u[PANELS];
#pragma GCC unroll 2
        for (uint32_t p = 0; p < panels; p++) {
            u[p] = unpack(w + (size_t)k * PANEL / 2 + p * g->panel_bytes);
        }
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            const __m512i first = broadcast4(x + r * g->ldx + k);
            const __m512i second = broadcast4(x + r * g->ldx + k + 4);
#pragma GCC unroll 2
            for (uint32_t p = 0; p < panels; p++) {
                const __m512i before = k == 0 ? _mm512_setzero_si512() : part[r][p];
                part[r][p] = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(before, first, u[p].first),
                                                 second, u[p].second);
            }
        }
    }
#pragma GCC unroll 2
    for (uint32_t p = 0; p < panels; p++) {
        const __m512i scale = scales_at(scales + p * g->panel_bytes);
#pragma GCC unroll 6
        for (uint32_t r = 0; r < rows; r++) {
            sums[r][p] = _mm512_dpwssd_epi32(sums[r][p], part[r][p], scale);
        }
    }
}

/* What the outliers of one row add to one panel, 128 times their high parts, whose signs the
 * weights take over. */
static void outliers_i4(const struct row_outliers *outliers, const char *panel, size_t header,
                        int32_t *acc) {
    const __m512i zero = _mm512_setzero_si512();
    __m512i sum = zero;
    for (uint32_t i = 0; i < outliers->n; i++) {
        const uint32_t k = outliers->at[i].group * 4;
        const struct unpacked u = unpack(panel + header + (size_t)(k / 8) * BLOCK_BYTES);
        const __m512i w = k / 4 % 2 == 0 ? u.first : u.second;
        const __m512i high = broadcast4(outliers->at[i].high);
        const __m512i with_sign = _mm512_mask_sub_epi8(w, _mm512_movepi8_mask(high), zero, w);
        const __m512i part = _mm512_dpbusd_epi32(zero, _mm512_abs_epi8(high), with_sign);
        sum = _mm512_dpwssd_epi32(sum, part, scales_at(panel + (size_t)(k / GROUP_I4) * PANEL));
    }
    _mm512_storeu_si512(acc, _mm512_add_epi32(_mm512_loadu_si512(acc), _mm512_slli_epi32(sum, 7)));
}

/* Of all K, once the tile's sums have come to its end. */
static void tile_outliers(uint32_t rows, uint32_t panels, const struct tile *t) {
    for (uint32_t r = 0; r < rows; r++) {
        const uint8_t *x = (const uint8_t *)t->x + r * t->g->ldx;
        const struct row_outliers *outliers = quantized_outliers(x, t->g->in);
        for (uint32_t p = 0; p < panels && outliers->n > 0; p++) {
            outliers_i4(outliers, t->panel + p * t->g->panel_bytes, panel_header_i4(t->g->in),
                        acc_i32(t, r, p));
        }
    }
}

ALWAYS_INLINE void tile_of_i4(const uint32_t rows, const uint32_t panels, const struct tile *t) {
    const char *w = t->panel + panel_header_i4(t->g->in);
    const uint32_t to = panel_groups_i4(t->g->k_to);
    __m512i sums[KERNEL_TILE_ROWS][PANELS];
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (uint32_t p = 0; p < panels; p++) {
            const __m512i zero = _mm512_setzero_si512();
            sums[r][p] = t->g->k_from == 0 ? zero : _mm512_loadu_si512(acc_i32(t, r, p));
        }
    }
    for (uint32_t i = t->g->k_from / GROUP_I4; i < to; i++) {
        if (i % GROUPS_AHEAD == 0) {
            tile_prefetch(panels, t);
        }
        group_i4(rows, panels, sums, t->g, (const uint8_t *)t->x + (size_t)i * GROUP_I4,
                 w + (size_t)i * GROUP_BYTES, t->panel + (size_t)i * PANEL);
    }
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (uint32_t p = 0; p < panels; p++) {
            _mm512_storeu_si512(acc_i32(t, r, p), sums[r][p]);
        }
    }
    if (t->g->k_to == t->g->in) {
        tile_outliers(rows, panels, t);
    }
}

GEMM_AVX512(i4, avx512_vnni, uint8_t, int32_t, PANEL / 2, panel_header_i4(g->in))
