/* Fuzzes the safetensors reader twice an input: as a whole file, and as the JSON header of a file
 * with some bytes of data (so that the fuzzer need not find out the length before it). */
#include "formats/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { DATA = 64 };
    struct error err = {0};
    (void)!safetensors_check(data, size, &err);
    uint8_t *file = mem_zalloc(1, 8 + size + DATA);
    for (size_t i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)size >> (8 * i));
    if (size > 0)
        memcpy(file + 8, data, size);
    (void)!safetensors_check(file, 8 + size + DATA, &err);
    mem_free(file);
    return 0;
}
