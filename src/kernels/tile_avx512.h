/* The walk over panels and rows that the AVX-512 matrix kernels share. Private to *_avx512*.c
 * files.
 *
 * A register holds the 16 outputs of a panel, so a row of one panel is one sum. Tiles have 6 rows x
 * 2 panels: 12 sums, 2 registers of weights, one activation, of 32; 12 multiply-adds, which take 6
 * cycles where two ports of 512 bits do them and 12 where there is one, for 2 + 6 loads, of which
 * two fit a cycle. One panel alone would need 7 loads for 6 multiply-adds, and would have too few
 * sums to hide a latency of 4 or 5 cycles. */
#ifndef BRISK_KERNELS_TILE_AVX512_H
#define BRISK_KERNELS_TILE_AVX512_H

#include "kernels/tile_avx2.h"

#define PANELS 2 /* of a tile, at most */

/* What a tile works on, beside the number of its rows and panels, which are constants. */
struct tile {
    const struct gemm *g;
    const void *x;          /* its first row, K from 0 */
    const char *panel;      /* its first */
    void *acc;              /* [rows, panels * 16], stride g->ldacc */
    struct prefetch *ahead; /* [panels] */
};

ALWAYS_INLINE void tile_prefetch(const uint32_t panels, const struct tile *t) {
#pragma GCC unroll 2
    for (uint32_t p = 0; p < panels; p++) {
        prefetch_some(t->ahead + p);
    }
}

/* Four activations of 7 bits, for all outputs. */
ALWAYS_INLINE __m512i broadcast4(const void *x) {
    int32_t four;
    memcpy(&four, x, sizeof(four));
    return _mm512_set1_epi32(four);
}

/* Where row r of panel p of a tile has its sums. */
ALWAYS_INLINE int32_t *acc_i32(const struct tile *t, uint32_t r, uint32_t p) {
    return (int32_t *)t->acc + r * t->g->ldacc + (size_t)p * PANEL;
}

/* gemm_<suffix>_<isa>: all rows of two panels in tiles, and all panels, on tile_of_<suffix>. Tiles
 * that share panels ask for the two that come next (prefetch_begin). */
#define GEMM_AVX512(suffix, isa, x_type, acc_type, bytes_a_k, header)                              \
    ALWAYS_INLINE void panels_of_##suffix(const struct gemm *g, const char *panel,                 \
                                          const uint32_t panels, acc_type *acc) {                  \
        const uint32_t tiles = (g->rows + KERNEL_TILE_ROWS - 1) / KERNEL_TILE_ROWS;                \
        struct prefetch ahead[PANELS];                                                             \
        for (uint32_t p = 0; p < panels; p++) {                                                    \
            const char *from = panel + (tiles > 1 ? panels - 1 + p : p) * g->panel_bytes;          \
            ahead[p] = prefetch_begin(g, from, bytes_a_k, header, tiles);                          \
        }                                                                                          \
        const x_type *x = g->x;                                                                    \
        for (uint32_t left = g->rows, rows; left > 0; left -= rows) {                              \
            const struct tile tile = {.g = g, .x = x, .panel = panel, .acc = acc, .ahead = ahead}; \
            rows = tile_rows(left);                                                                \
            switch (rows) {                                                                        \
            case 6:                                                                                \
                tile_of_##suffix(6, panels, &tile);                                                \
                break;                                                                             \
            case 5:                                                                                \
                tile_of_##suffix(5, panels, &tile);                                                \
                break;                                                                             \
            case 4:                                                                                \
                tile_of_##suffix(4, panels, &tile);                                                \
                break;                                                                             \
            case 3:                                                                                \
                tile_of_##suffix(3, panels, &tile);                                                \
                break;                                                                             \
            case 2:                                                                                \
                tile_of_##suffix(2, panels, &tile);                                                \
                break;                                                                             \
            default:                                                                               \
                tile_of_##suffix(1, panels, &tile);                                                \
                break;                                                                             \
            }                                                                                      \
            x += rows * g->ldx;                                                                    \
            acc += rows * g->ldacc;                                                                \
        }                                                                                          \
    }                                                                                              \
    void gemm_##suffix##_##isa(const struct gemm *g) {                                             \
        const char *panel = g->panels;                                                             \
        acc_type *acc = g->acc;                                                                    \
        uint32_t left = g->n_panels;                                                               \
        for (; left >= PANELS; left -= PANELS) {                                                   \
            panels_of_##suffix(g, panel, PANELS, acc);                                             \
            panel += PANELS * g->panel_bytes;                                                      \
            acc += PANELS * PANEL;                                                                 \
        }                                                                                          \
        if (left > 0) {                                                                            \
            panels_of_##suffix(g, panel, 1, acc);                                                  \
        }                                                                                          \
    }

#endif
