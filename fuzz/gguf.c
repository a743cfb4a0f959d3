/* Fuzzes the GGUF reader: the container, the tensors as a weight format, and what is written from
 * the header in place of config.json and the tokenizer's files. Every tensor that is accepted is
 * read in part, so that a block beyond the file would be seen. */
#include "formats/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_ends(const struct tensor *tensor) {
    float floats[40];
    const size_t n = tensor->elements < ARRAY_LEN(floats) ? tensor->elements : ARRAY_LEN(floats);
    tensor_to_floats(tensor, 0, n, floats);
    tensor_to_floats(tensor, tensor->elements - n, n, floats);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {0};
    struct tensor_list list = {.n_files = 1};
    if (format_gguf.list(&list, data, size, &err) == STATUS_OK) {
        for (size_t i = 0; i < list.len; i++)
            read_ends(&list.items[i].tensor);
    }
    tensor_list_deinit(&list);
    (void)!gguf_check(data, size, &err);
    return 0;
}
