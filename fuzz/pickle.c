/* Fuzzes the pickle machine with the classes of torch: an input is a row of pickles, read one after
 * the other until one is refused. Persistent ids are refused; fuzz/torch.c has them. */
#include "formats/torch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct torch_reader reader = {
        .rules = {.globals = torch_globals, .n_globals = torch_n_globals, .build = torch_build}};
    reader.pickle.rules = &reader.rules;
    reader.pickle.context = &reader;
    reader.pickle.arena = &reader.arena;
    struct error err = {0};
    struct pickle_value *value = NULL;
    size_t used = 0;
    while (size > 0 && pickle_read(&reader.pickle, data, size, &used, &value, &err) == STATUS_OK) {
        ASSERT(used > 0 && used <= size && value != NULL);
        data += used;
        size -= used;
    }
    pickle_deinit(&reader.pickle);
    arena_deinit(&reader.arena);
    return 0;
}
