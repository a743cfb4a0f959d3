/* Fuzzing the JSON reader and writer: what is read, written and read again must be the same tree,
 * and writing that must give the same bytes. The first bit of the input picks the dialect. */
#include <string.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool write_tree(struct buf *buf, const struct json *value) {
    buf_init(buf, 64 * MiB);
    struct json_out out = json_out_begin(buf);
    json_value(&out, value);
    return !buf->overflow;
}

/* Every member must be found under its own key, whether by the index or not. */
static void check_lookup(const struct json *value) {
    if (json_is(value, JSON_ARRAY))
        for (size_t i = 0; i < value->len; i++)
            check_lookup(json_at(value, i));
    if (!json_is(value, JSON_OBJECT))
        return;
    for (size_t i = 0; i < value->len; i++) {
        const struct json_member *member = &value->members[i];
        if (json_get_n(value, member->key, member->key_len) != &member->value)
            PANIC("member %zu is not found", i);
        check_lookup(&member->value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    const enum json_flags flags = data[0] & 1 ? JSON_PYTHON : JSON_STRICT;
    struct arena arena = {0};
    struct error err = {0};
    struct buf once = {0}, again = {0};
    const struct json *value, *second;
    if (json_parse(&value, &arena, (const char *)data + 1, size - 1, flags, &err) != STATUS_OK) {
        if (!utf8_valid(err.text, strlen(err.text), NULL))
            PANIC("the error is not UTF-8");
        goto out;
    }
    check_lookup(value);
    if (!write_tree(&once, value))
        goto out;
    if (json_parse(&second, &arena, once.data, once.len, JSON_STRICT, &err) != STATUS_OK)
        PANIC("what was written cannot be read: %s", err.text);
    if (!write_tree(&again, second))
        goto out;
    if (once.len != again.len || memcmp(once.data, again.data, once.len) != 0)
        PANIC("writing again gives other bytes: %s", again.data);
out:
    buf_deinit(&once);
    buf_deinit(&again);
    arena_deinit(&arena);
    return 0;
}
