/* Nearest names, by letters to change, add or take away to make one of the other (Levenshtein 1966).
 * Meant for errors: each name costs a comparison of all letters with all. */
#include "base/nearest.h"

#include <string.h>

#include "base/mem.h"

static uint32_t distance(const char *a, const char *b) {
    uint32_t row[NEAREST_BYTES + 1];
    const size_t n = strnlen(b, NEAREST_BYTES);
    for (uint32_t j = 0; j <= n; j++)
        row[j] = j;
    for (uint32_t i = 0; i < NEAREST_BYTES && a[i]; i++) {
        uint32_t diagonal = row[0];
        row[0] = i + 1;
        for (uint32_t j = 0; j < n; j++) {
            const uint32_t changed = diagonal + (a[i] != b[j]);
            const uint32_t other = 1 + (row[j] < row[j + 1] ? row[j] : row[j + 1]);
            diagonal = row[j + 1];
            row[j + 1] = changed < other ? changed : other;
        }
    }
    return row[n];
}

void nearest_init(struct nearest *nearest, const char *name) {
    *nearest = (struct nearest){.name = name};
}

void nearest_see(struct nearest *nearest, const char *known) {
    const uint32_t d = distance(nearest->name, known);
    uint32_t at = nearest->n < NEAREST ? nearest->n++ : NEAREST;
    for (; at > 0 && d < nearest->far[at - 1]; at--)
        if (at < NEAREST) {
            nearest->far[at] = nearest->far[at - 1];
            nearest->names[at] = nearest->names[at - 1];
        }
    if (at < NEAREST) {
        nearest->far[at] = d;
        nearest->names[at] = known;
    }
}

const char *nearest_list(const struct nearest *nearest, struct arena *arena) {
    const char *list = "";
    for (uint32_t i = 0; i < nearest->n; i++)
        list = arena_printf(arena, "%s%s%s", list, i > 0 ? ", " : "", nearest->names[i]);
    return list;
}
