/* Nearest: of many known names the few that are most like one that is not known. For messages that
 * say what would have been right; it neither knows the names nor decides anything by them. */
#ifndef BRISK_BASE_NEAREST_H
#define BRISK_BASE_NEAREST_H

#include <stddef.h>
#include <stdint.h>

struct arena;

#define NEAREST       5  /* so many known names a message tells */
#define NEAREST_BYTES 60 /* of a name that are compared, and worth showing */

struct nearest {
    const char *name;           /* the one that is not known; borrowed */
    const char *names[NEAREST]; /* the nearest so far, the nearest first; borrowed */
    uint32_t far[NEAREST], n;
};

void nearest_init(struct nearest *nearest, const char *name);
/* Sees one of the known names; of those equally near the first is kept. */
void nearest_see(struct nearest *nearest, const char *known);
/* "gpt2, gptj": those that were kept; "" when none was seen. */
const char *nearest_list(const struct nearest *nearest, struct arena *arena);

#endif
