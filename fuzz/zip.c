/* Fuzzes the zip reader: an input is an archive. Every entry's bytes are read, and every entry is
 * found by its name. */
#include "formats/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena arena = {0};
    struct zip zip = {0};
    struct error err = {0};
    if (zip_read(&zip, &arena, data, size, &err) == STATUS_OK) {
        volatile uint8_t sum = 0;
        for (size_t i = 0; i < zip.len; i++) {
            const struct zip_entry *entry = &zip.entries[i];
            ASSERT(zip_find(&zip, entry->name, entry->name_len) == entry);
            for (size_t n = 0; n < entry->size; n++)
                sum = (uint8_t)(sum + entry->data[n]);
        }
    }
    arena_deinit(&arena);
    return 0;
}
