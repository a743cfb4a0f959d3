/* Integer matrix products for AVX-512 with VNNI: 7-bit activations times 8-bit weights, in int32.
 *
 * vpdpbusd multiplies 64 unsigned activations by signed weights and adds fours of products to 16
 * sums, all in 32 bits: nothing saturates, and what a panel's header says is not needed. Four steps
 * of K of a panel are one register, so that an output's sum is one lane and nothing is shuffled.
 * Sums of integers are exact: every order and tile gives the same bits, those of AVX2 too.
 *
 * Limit: two vpdpbusd a cycle where ports 0 and 5 both have it (server cores from Ice Lake on, Zen
 * 5), 128 products, four times what vpmaddubsw and vpmaddwd allow on AVX2; one, 64, on cores that
 * pass 512 bits through one port or in halves (Tiger Lake, Zen 4). The unsigned operand is not the
 * one that the instruction can broadcast from memory, so each activation is a load of its own
 * (tile_avx512.h has the count of loads). Latency is 4 or 5 cycles: where a tile has fewer than
 * eight sums, K is dealt out to two or four of them for an output.
 *
 * Checked in an emulator only, which tells nothing of time: what is said of it here is arithmetic.
 */
#include "kernels/tile_avx512.h"

#define GROUP_BYTES (4 * PANEL) /* four steps of K of a panel: a register */
#define MOST_SPLITS 4

/* Sums for an output. */
ALWAYS_INLINE uint32_t splits_of(const uint32_t rows, const uint32_t panels) {
    return rows * panels >= 8 ? 1 : rows * panels >= 4 ? 2 : MOST_SPLITS;
}

/* One group of four steps of K. */
ALWAYS_INLINE void step_i8(const uint32_t rows, const uint32_t panels, __m512i sums[][PANELS],
                           const struct gemm *g, const uint8_t *x, const char *w) {
    __m512i weights[PANELS];
#pragma GCC unroll 2
    for (uint32_t p = 0; p < panels; p++) {
        weights[p] = _mm512_loadu_si512(w + p * g->panel_bytes);
    }
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
        const __m512i b = broadcast4(x + r * g->ldx);
#pragma GCC unroll 2
        for (uint32_t p = 0; p < panels; p++) {
            sums[r][p] = _mm512_dpbusd_epi32(sums[r][p], b, weights[p]);
        }
    }
}

/* Of the first panel, K from 0. */
ALWAYS_INLINE const char *weights_of(const struct tile *t) {
    return t->panel + panel_header_i8(t->g->in);
}

/* `groups` groups from step k on, the i-th to the sums i % splits. */
ALWAYS_INLINE void steps_i8(const uint32_t rows, const uint32_t panels, const uint32_t splits,
                            __m512i sums[][KERNEL_TILE_ROWS][PANELS], const struct tile *t,
                            uint32_t k, uint32_t groups) {
    const uint8_t *x = (const uint8_t *)t->x + k;
    const char *w = weights_of(t) + (size_t)k * PANEL;
#pragma GCC unroll 1
    for (uint32_t i = 0; i < groups; i += splits) {
#pragma GCC unroll 4
        for (uint32_t s = 0; s < splits; s++) {
            step_i8(rows, panels, sums[s], t->g, x + 4 * s, w + s * GROUP_BYTES);
        }
        x += 4 * splits;
        w += splits * GROUP_BYTES;
    }
}

ALWAYS_INLINE void begin_sums(const uint32_t rows, const uint32_t panels, const uint32_t splits,
                              __m512i sums[][KERNEL_TILE_ROWS][PANELS], const struct tile *t) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (uint32_t p = 0; p < panels; p++) {
            const __m512i zero = _mm512_setzero_si512();
            sums[0][r][p] = t->g->k_from == 0 ? zero : _mm512_loadu_si512(acc_i32(t, r, p));
#pragma GCC unroll 4
            for (uint32_t s = 1; s < splits; s++) {
                sums[s][r][p] = zero;
            }
        }
    }
}

ALWAYS_INLINE void end_sums(const uint32_t rows, const uint32_t panels, const uint32_t splits,
                            __m512i sums[][KERNEL_TILE_ROWS][PANELS], const struct tile *t) {
#pragma GCC unroll 6
    for (uint32_t r = 0; r < rows; r++) {
#pragma GCC unroll 2
        for (uint32_t p = 0; p < panels; p++) {
            __m512i sum = sums[0][r][p];
#pragma GCC unroll 4
            for (uint32_t s = 1; s < splits; s++) {
                sum = _mm512_add_epi32(sum, sums[s][r][p]);
            }
            _mm512_storeu_si512(acc_i32(t, r, p), sum);
        }
    }
}

/* What the outliers of one row add to one panel, 128 times their high parts, whose sign goes over
 * to the weights. */
static void outliers_i8(const struct row_outliers *outliers, const char *weights, int32_t *acc) {
    const __m512i zero = _mm512_setzero_si512();
    __m512i sum = zero;
    for (uint32_t i = 0; i < outliers->n; i++) {
        const struct outlier *o = &outliers->at[i];
        const __m512i w = _mm512_loadu_si512(weights + (size_t)o->group * GROUP_BYTES);
        const __m512i high = broadcast4(o->high);
        const __m512i with_sign = _mm512_mask_sub_epi8(w, _mm512_movepi8_mask(high), zero, w);
        sum = _mm512_dpbusd_epi32(sum, _mm512_abs_epi8(high), with_sign);
    }
    _mm512_storeu_si512(acc, _mm512_add_epi32(_mm512_loadu_si512(acc), _mm512_slli_epi32(sum, 7)));
}

/* Of all K, once the tile's sums have come to its end. */
static void tile_outliers(uint32_t rows, uint32_t panels, const struct tile *t) {
    for (uint32_t r = 0; r < rows; r++) {
        const uint8_t *x = (const uint8_t *)t->x + r * t->g->ldx;
        const struct row_outliers *outliers = quantized_outliers(x, t->g->in);
        for (uint32_t p = 0; p < panels && outliers->n > 0; p++) {
            outliers_i8(outliers, weights_of(t) + p * t->g->panel_bytes, acc_i32(t, r, p));
        }
    }
}

ALWAYS_INLINE void tile_of_i8(const uint32_t rows, const uint32_t panels, const struct tile *t) {
    const uint32_t splits = splits_of(rows, panels), end = t->g->k_to;
    __m512i sums[MOST_SPLITS][KERNEL_TILE_ROWS][PANELS];
    begin_sums(rows, panels, splits, sums, t);
    uint32_t k = t->g->k_from;
    for (; k + KERNEL_K_STEP <= end; k += KERNEL_K_STEP) {
        tile_prefetch(panels, t);
        steps_i8(rows, panels, splits, sums, t, k, KERNEL_K_STEP / 4);
    }
    steps_i8(rows, panels, 1, sums, t, k, (end - k + 3) / 4);
    end_sums(rows, panels, splits, sums, t);
    if (end == t->g->in) {
        tile_outliers(rows, panels, t);
    }
}

GEMM_AVX512(i8, avx512_vnni, uint8_t, int32_t, PANEL, panel_header_i8(g->in))
