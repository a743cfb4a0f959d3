/* A packed file: any bytes are either refused or are exactly what a writer would have written, with
 * every part inside the file. Hashes can hardly be guessed, so those of header and sums are mended
 * first when the input asks for it: what lies behind them is reached too. */
#include "formats/packed_file.h"

#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend_hashes(uint8_t *data, size_t size) {
    struct packed_header header;
    struct packed_layout layout;
    if (size < sizeof header)
        return;
    memcpy(&header, data, sizeof header);
    memcpy(header.magic, PACKED_MAGIC, sizeof header.magic);
    header.version = PACKED_VERSION;
    header.piece = PACKED_PIECE;
    header.file_bytes = size;
    const struct packed_sizes sizes = {header.streamed, header.looked_up};
    if (packed_lay_out(&layout, &sizes) && layout.file_bytes == size)
        header.sums_hash = XXH3_64bits(data + layout.sums_at, layout.n_pieces * sizeof(uint64_t));
    header.hash = packed_header_hash(&header);
    memcpy(data, &header, sizeof header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {0};
    if (size < 1)
        return 0;
    const bool mend = data[0] & 1;
    uint8_t *copy = mem_alloc(size);
    memcpy(copy, data + 1, size - 1); /* of its own, so that every read beyond is seen */
    size--;
    if (mend)
        mend_hashes(copy, size);
    if (packed_check(copy, size, &err) != STATUS_OK) {
        ASSERT(err.code == ERROR_MODEL && err.text[0] != 0);
    } else {
        struct packed_header header;
        struct packed_layout layout;
        const enum status status = packed_header_read(&header, &layout, copy, size, &err);
        ASSERT(status == STATUS_OK && layout.file_bytes == size);
        ASSERT(layout.tables_at <= size && header.looked_up <= size - layout.tables_at);
        ASSERT(layout.streamed_at <= size && header.streamed <= size - layout.streamed_at);
        (void)status;
    }
    mem_free(copy);
    return 0;
}
