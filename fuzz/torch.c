/* Fuzzes pytorch_model.bin twice an input: as a whole file (zip, row of pickles or tar), and as the
 * pickle of the state in the row layout, between the pickles and the data that such a file has.
 * Tensors that are listed are read, as loading would. */
#include "formats/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct tensor_list *list) {
    float values[64];
    for (size_t i = 0; i < list->len; i++) {
        const struct tensor *tensor = &list->items[i].tensor;
        const size_t n =
            tensor->elements < ARRAY_LEN(values) ? tensor->elements : ARRAY_LEN(values);
        tensor_to_floats(tensor, 0, n, values);
        tensor_to_floats(tensor, tensor->elements - n, n, values);
    }
}

static void list_file(const uint8_t *data, size_t size) {
    static const char *const files[] = {"the file"};
    struct tensor_list list = {.may_own = MiB};
    struct error err = {0};
    if (format_torch.list(&list, data, size, &err) == STATUS_OK) {
        read_all(&list);
        (void)!tensor_list_finish(&list, files, &err);
    }
    tensor_list_deinit(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char before[] = "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
                                 "\x80\2M\xe9\3.\x80\2}.\x80\2";
    static const char behind[] = "\x80\2]X\1\0\0\0"
                                 "aa."
                                 "\4\0\0\0\0\0\0\0"
                                 "0123456789abcdef";
    list_file(data, size);
    struct buf buf;
    buf_init(&buf, 64 * MiB);
    buf_append(&buf, before, sizeof before - 1);
    buf_append(&buf, data, size);
    buf_append(&buf, behind, sizeof behind - 1);
    if (!buf.overflow)
        list_file((const uint8_t *)buf.data, buf.len);
    buf_deinit(&buf);
    return 0;
}
