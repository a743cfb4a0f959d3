/* What tests/diff/weights.py compares with torch: prints the tensors of folders, read as Brisk
 * reads them. For each folder a line "folder N", or "refused WHY"; for each tensor a line of its
 * name as JSON, its dtype, its sizes and its bytes, then the bytes. */
#include "formats/formats.h"

static void print_tensor(const struct tensor *tensor) {
    struct buf buf;
    buf_init(&buf, MiB);
    struct json_out json = json_out_begin(&buf);
    json_string(&json, tensor->name);
    printf("%s\t%s\t", buf.data, dtype_name(tensor->dtype));
    for (uint32_t i = 0; i < tensor->n_dims; i++)
        printf("%s%lld", i == 0 ? "" : ",", (long long)tensor->dims[i]);
    printf("\t%zu\n", tensor->bytes);
    fwrite(tensor->data, 1, tensor->bytes, stdout);
    buf_deinit(&buf);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        struct checkpoint *checkpoint = NULL;
        struct error err = {0};
        if (checkpoint_open(&checkpoint, argv[i], &err) != STATUS_OK) {
            printf("refused %s\n", err.text);
            continue;
        }
        printf("folder %zu\n", checkpoint_count(checkpoint));
        for (size_t n = 0; n < checkpoint_count(checkpoint); n++)
            print_tensor(checkpoint_at(checkpoint, n));
        checkpoint_close(checkpoint);
    }
    return 0;
}
