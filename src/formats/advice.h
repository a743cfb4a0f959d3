/* What all formats tell people of files that are damaged, or are something else than their names
 * say. Folders without a file that is read are foreign.c's matter. */
#ifndef BRISK_FORMATS_ADVICE_H
#define BRISK_FORMATS_ADVICE_H

#include "base/base.h"

#define DOWNLOAD "download the file again"

/* A file that starts like this is none of the format. */
struct impostor {
    const char *start, *text;
};
/* MODEL when data[size] starts as one of the rows, or as what stands in for any download. */
enum status refuse_impostor(const struct impostor *rows, size_t n, const uint8_t *data, size_t size,
                            struct error *err) MUST_CHECK;

#endif
