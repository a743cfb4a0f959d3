/* Finding out what a file is by its first bytes. The rows that hold for every format stand here, a
 * format's own in its file. */
#include "formats/advice.h"

static const struct impostor anywhere[] = {
    {"version https://git-lfs", "is a Git LFS pointer, not the weights: run `git lfs pull` in the "
                                "repository, or " DOWNLOAD},
    {"<", "is a web page, not weights (was the download refused?): " DOWNLOAD},
};

static const char *find(const struct impostor *rows, size_t n, const uint8_t *data, size_t size) {
    for (size_t i = 0; i < n; i++) {
        const size_t len = strlen(rows[i].start);
        if (size >= len && memcmp(data, rows[i].start, len) == 0)
            return rows[i].text;
    }
    return NULL;
}

enum status refuse_impostor(const struct impostor *rows, size_t n, const uint8_t *data, size_t size,
                            struct error *err) {
    const char *text = find(anywhere, ARRAY_LEN(anywhere), data, size);
    if (text == NULL)
        text = find(rows, n, data, size);
    return text == NULL ? STATUS_OK : ERR(err, MODEL, "%s", text);
}
