/* Writes the tensors of a checkpoint as torch.save does, for tests that need a pytorch_model.bin of
 * a model that they have as safetensors: as an archive, or in the older row of pickles. */
#ifndef BRISK_TESTS_RUNTIME_TORCH_FILE_H
#define BRISK_TESTS_RUNTIME_TORCH_FILE_H

#include "formats/formats.h"

static inline void torch_put(struct buf *buf, uint64_t value, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        buf_putc(buf, i < 8 ? (char)(value >> (8 * i)) : 0);
}

static inline void torch_put_text(struct buf *buf, const char *text) {
    buf_putc(buf, 'X');
    torch_put(buf, strlen(text), 4);
    buf_puts(buf, text);
}

static inline void torch_put_int(struct buf *buf, uint64_t value) {
    buf_puts(buf, "\x8a\x8"); /* LONG1 of 8 bytes */
    torch_put(buf, value, 8);
}

static inline void torch_put_key(struct buf *buf, size_t i) {
    char key[32];
    snprintf(key, sizeof(key), "%zu", i);
    torch_put_text(buf, key);
}

static inline const char *torch_class(enum dtype dtype) {
    static const char *const classes[] = {[DTYPE_F64] = "Double",
                                          [DTYPE_F32] = "Float",
                                          [DTYPE_F16] = "Half",
                                          [DTYPE_BF16] = "BFloat16",
                                          [DTYPE_I64] = "Long"};
    if (dtype >= ARRAY_LEN(classes) || classes[dtype] == NULL)
        PANIC("no storage of %s is written", dtype_name(dtype));
    return classes[dtype];
}

/* _rebuild_tensor_v2(storage i, 0, sizes, strides, False, OrderedDict()) */
static inline void torch_put_tensor(struct buf *buf, const struct tensor *tensor, size_t i,
                                    bool row) {
    buf_puts(buf, "ctorch._utils\n_rebuild_tensor_v2\n((");
    torch_put_text(buf, "storage");
    buf_printf(buf, "ctorch\n%sStorage\n", torch_class(tensor->dtype));
    torch_put_key(buf, i);
    torch_put_text(buf, "cpu");
    torch_put_int(buf, tensor->elements);
    buf_puts(buf, row ? "NtQ" : "tQ");
    torch_put_int(buf, 0);
    buf_putc(buf, '(');
    for (uint32_t d = 0; d < tensor->n_dims; d++)
        torch_put_int(buf, (uint64_t)tensor->dims[d]);
    buf_puts(buf, "t(");
    for (uint32_t d = 0; d < tensor->n_dims; d++) {
        uint64_t stride = 1;
        for (uint32_t inner = d + 1; inner < tensor->n_dims; inner++)
            stride *= (uint64_t)tensor->dims[inner];
        torch_put_int(buf, stride);
    }
    buf_puts(buf, "t\x89"
                  "ccollections\nOrderedDict\n)RtR");
}

static inline void torch_put_state(struct buf *buf, const struct checkpoint *checkpoint, bool row) {
    buf_puts(buf, "\x80\2"
                  "ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++) {
        torch_put_text(buf, checkpoint_at(checkpoint, i)->name);
        torch_put_tensor(buf, checkpoint_at(checkpoint, i), i, row);
    }
    buf_puts(buf, "u.");
}

static inline void torch_put_row(struct buf *buf, const struct checkpoint *checkpoint) {
    buf_puts(buf, "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}.");
    torch_put_state(buf, checkpoint, true);
    buf_puts(buf, "\x80\2](");
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++)
        torch_put_key(buf, i);
    buf_puts(buf, "e.");
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++) {
        const struct tensor *tensor = checkpoint_at(checkpoint, i);
        torch_put(buf, tensor->elements, 8);
        buf_append(buf, tensor->data, tensor->bytes);
    }
}

/* An entry of the archive; its directory record goes to `directory`. */
static inline void torch_put_entry(struct buf *buf, struct buf *directory, const char *name,
                                   const void *data, size_t size) {
    const size_t offset = buf->len;
    buf_puts(buf, "PK\3\4");
    buf_puts(directory, "PK\1\2");
    torch_put(buf, 0, 2 + 2 + 2 + 4 + 4); /* version, flags, method, date, checksum */
    torch_put(directory, 0, 2 + 2 + 2 + 2 + 4 + 4);
    struct buf *const both[] = {buf, directory};
    for (size_t i = 0; i < 2; i++) {
        torch_put(both[i], size, 4);
        torch_put(both[i], size, 4);
        torch_put(both[i], strlen(name), 2);
        torch_put(both[i], 0, 2);
    }
    torch_put(directory, 0, 2 + 2 + 2 + 4);
    torch_put(directory, offset, 4);
    buf_puts(directory, name);
    buf_puts(buf, name);
    buf_append(buf, data, size);
}

static inline void torch_put_zip(struct buf *buf, const struct checkpoint *checkpoint) {
    struct buf directory, state;
    buf_init(&directory, MiB);
    buf_init(&state, MiB);
    torch_put_state(&state, checkpoint, false);
    torch_put_entry(buf, &directory, "pytorch_model/data.pkl", state.data, state.len);
    torch_put_entry(buf, &directory, "pytorch_model/byteorder", "little", 6);
    const size_t n = checkpoint_count(checkpoint);
    for (size_t i = 0; i < n; i++) {
        const struct tensor *tensor = checkpoint_at(checkpoint, i);
        char name[64];
        snprintf(name, sizeof(name), "pytorch_model/data/%zu", i);
        torch_put_entry(buf, &directory, name, tensor->data, tensor->bytes);
    }
    const size_t offset = buf->len;
    buf_append(buf, directory.data, directory.len);
    buf_puts(buf, "PK\5\6");
    torch_put(buf, 0, 4);
    torch_put(buf, n + 2, 2);
    torch_put(buf, n + 2, 2);
    torch_put(buf, directory.len, 4);
    torch_put(buf, offset, 4);
    torch_put(buf, 0, 2);
    buf_deinit(&state);
    buf_deinit(&directory);
}

#endif
