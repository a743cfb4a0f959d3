/* pytorch_model.bin: files that torch.save wrote give the tensors that torch reads from them, to
 * the byte; what is refused says why; no cut and no changed byte does harm. Files and expectations
 * come from tools/goldens/torch_files.py; broken values that no torch writes are made here. */
#include "unit/formats/files.h"

#include "formats/format.h"

#define GOLDENS "tests/golden/torch"

static const char *const names[] = {"the file"};

/* Lists a file from an exact copy, so that ASan sees a byte too far. */
struct listing {
    struct tensor_list list;
    uint8_t *data;
    struct error err;
    enum status status;
};

static void list_bytes(struct listing *listing, const void *data, size_t size) {
    *listing = (struct listing){.data = mem_alloc(size)};
    memcpy(listing->data, data, size);
    listing->list.may_own = LIMIT_OWNED_FREE + size * LIMIT_OWNED_RATIO;
    listing->status = format_torch.list(&listing->list, listing->data, size, &listing->err);
    if (listing->status == STATUS_OK)
        listing->status = tensor_list_finish(&listing->list, names, &listing->err);
}

static void listing_end(struct listing *listing) {
    tensor_list_deinit(&listing->list);
    mem_free(listing->data);
}

static void read_golden(struct arena *arena, const char *name, char **data, size_t *size) {
    struct error err = {0};
    if (file_read(data, size, arena, path_join(arena, GOLDENS, name), MiB, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

/* ---- files of torch ---- */

static void assert_tensor(const char *file, const struct tensor *tensor, const struct json *want) {
    static const char digits[] = "0123456789abcdef";
    const struct json *shape = json_at(want, 1), *hex = json_at(want, 2);
    if (strcmp(dtype_name(tensor->dtype), json_at(want, 0)->text) != 0)
        fail_msg("%s: %s: wanted %s, got %s", file, tensor->name, json_at(want, 0)->text,
                 dtype_name(tensor->dtype));
    if (tensor->n_dims != shape->len || 2 * tensor->bytes != hex->len)
        fail_msg("%s: %s: wanted %u dimensions and %u bytes, got %u and %zu", file, tensor->name,
                 shape->len, hex->len / 2, tensor->n_dims, tensor->bytes);
    for (uint32_t i = 0; i < shape->len; i++)
        assert_int_equal(tensor->dims[i], (int64_t)json_at(shape, i)->number);
    const uint8_t *data = tensor->data;
    for (size_t i = 0; i < tensor->bytes; i++) {
        if (digits[data[i] >> 4] != hex->text[2 * i] ||
            digits[data[i] & 15] != hex->text[2 * i + 1])
            fail_msg("%s: %s: byte %zu: wanted %.2s, got %02x", file, tensor->name, i,
                     hex->text + 2 * i, data[i]);
    }
}

static void assert_tensors(const char *file, const struct tensor_list *list,
                           const struct json *want) {
    if (list->len != want->len)
        fail_msg("%s: wanted %u tensors, got %zu", file, want->len, list->len);
    for (uint32_t i = 0; i < want->len; i++) {
        const struct json_member *member = &want->members[i];
        const struct listed *listed = tensor_list_find(list, member->key);
        if (listed == NULL)
            fail_msg("%s: no tensor \"%s\"", file, member->key);
        else
            assert_tensor(file, &listed->tensor, &member->value);
    }
}

static const struct json *expectations(struct arena *arena) {
    char *text = NULL;
    size_t len = 0;
    struct error err = {0};
    const struct json *json = NULL;
    read_golden(arena, "expected.json", &text, &len);
    if (json_parse(&json, arena, text, len, JSON_STRICT, &err) != STATUS_OK)
        fail_msg("expected.json: %s", err.text);
    return json;
}

static void reads_what_torch_reads(void **state) {
    struct arena arena = {0};
    const struct json *rows = expectations(&arena);
    size_t seen = 0;
    for (uint32_t i = 0; i < rows->len; i++) {
        const char *name = rows->members[i].key;
        const struct json *tensors = json_get(&rows->members[i].value, "tensors");
        if (tensors == NULL || strstr(name, ".bin") == NULL)
            continue;
        char *data = NULL;
        size_t size = 0;
        struct listing listing;
        read_golden(&arena, name, &data, &size);
        list_bytes(&listing, data, size);
        if (listing.status != STATUS_OK)
            fail_msg("%s: %s", name, listing.err.text);
        assert_tensors(name, &listing.list, tensors);
        listing_end(&listing);
        seen++;
    }
    assert_true(seen >= 15);
    arena_deinit(&arena);
}

static void says_what_it_refuses(void **state) {
    struct arena arena = {0};
    const struct json *rows = expectations(&arena);
    size_t seen = 0;
    for (uint32_t i = 0; i < rows->len; i++) {
        const char *name = rows->members[i].key;
        const char *wanted = json_get_string(&rows->members[i].value, "error", NULL);
        if (wanted == NULL)
            continue;
        char *data = NULL;
        size_t size = 0;
        struct listing listing;
        read_golden(&arena, name, &data, &size);
        list_bytes(&listing, data, size);
        assert_refused(listing.status, &listing.err, name, wanted);
        assert_int_equal(listing.err.code, ERROR_MODEL);
        listing_end(&listing);
        seen++;
    }
    assert_true(seen >= 15);
    arena_deinit(&arena);
}

static void reads_shards(void **state) {
    struct arena arena = {0};
    const struct json *want = json_get(json_get(expectations(&arena), "sharded"), "tensors");
    struct checkpoint *checkpoint = NULL;
    struct error err = {0};
    if (checkpoint_open(&checkpoint, GOLDENS "/sharded", &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(checkpoint_count(checkpoint), want->len);
    for (uint32_t i = 0; i < want->len; i++) {
        const struct tensor *tensor = checkpoint_find(checkpoint, want->members[i].key);
        assert_non_null(tensor);
        assert_tensor("sharded", tensor, &want->members[i].value);
    }
    checkpoint_close(checkpoint);
    arena_deinit(&arena);
}

/* Row-major tensors stay where they are in the file; tied ones share their bytes. */
static void copies_only_what_it_must(void **state) {
    struct arena arena = {0};
    char *data = NULL;
    size_t size = 0;
    struct listing listing;
    read_golden(&arena, "zip-shared.bin", &data, &size);
    list_bytes(&listing, data, size);
    assert_int_equal(listing.status, STATUS_OK);
    static const char *const views[] = {"whole", "tied", "row", "rows", "element", "one"};
    for (size_t i = 0; i < ARRAY_LEN(views); i++) {
        const uint8_t *at = tensor_list_find(&listing.list, views[i])->tensor.data;
        if (at < listing.data || at >= listing.data + size)
            fail_msg("%s was copied", views[i]);
    }
    assert_ptr_equal(tensor_list_find(&listing.list, "whole")->tensor.data,
                     tensor_list_find(&listing.list, "tied")->tensor.data);
    assert_int_equal(listing.list.n_blocks, 10);
    listing_end(&listing);
    arena_deinit(&arena);
}

/* ---- damage ---- */

static void touch_all(const struct tensor_list *list) {
    float values[64];
    for (size_t i = 0; i < list->len; i++) {
        const struct tensor *tensor = &list->items[i].tensor;
        for (size_t at = 0; at < tensor->elements; at += ARRAY_LEN(values)) {
            const size_t left = tensor->elements - at;
            tensor_to_floats(tensor, at, left < ARRAY_LEN(values) ? left : ARRAY_LEN(values),
                             values);
        }
    }
}

static const struct {
    const char *name;
    bool padded; /* a cut in the padding behind it does no harm */
} whole_files[] = {{"small.bin", false},         {"zip-32.bin", false},    {"zip-odd.bin", false},
                   {"row-odd.bin", false},       {"row-views.bin", false}, {"tar.bin", true},
                   {"zip-protocol-4.bin", false}};

static void every_truncation_is_refused(void **state) {
    struct arena arena = {0};
    for (size_t i = 0; i < ARRAY_LEN(whole_files); i++) {
        char *data = NULL;
        size_t size = 0;
        read_golden(&arena, whole_files[i].name, &data, &size);
        for (size_t cut = 0; cut < size; cut++) {
            struct listing listing;
            list_bytes(&listing, data, cut);
            if (listing.status == STATUS_OK && !whole_files[i].padded)
                fail_msg("%s cut to %zu of %zu bytes was accepted", whole_files[i].name, cut, size);
            listing_end(&listing);
        }
    }
    arena_deinit(&arena);
}

/* A changed byte may go unnoticed in a weight or in a date, but nothing reads outside the file. */
static void no_changed_byte_does_harm(void **state) {
    static const uint8_t changes[] = {0xff, 0x01, 0x80, 0x20};
    struct arena arena = {0};
    for (size_t i = 0; i < ARRAY_LEN(whole_files); i++) {
        char *data = NULL;
        size_t size = 0;
        read_golden(&arena, whole_files[i].name, &data, &size);
        for (size_t n = 0; n < size * ARRAY_LEN(changes); n++) {
            const char before = data[n / ARRAY_LEN(changes)];
            data[n / ARRAY_LEN(changes)] ^= (char)changes[n % ARRAY_LEN(changes)];
            struct listing listing;
            list_bytes(&listing, data, size);
            if (listing.status == STATUS_OK)
                touch_all(&listing.list);
            else
                assert_true(listing.err.text[0] != 0);
            listing_end(&listing);
            data[n / ARRAY_LEN(changes)] = before;
        }
    }
    arena_deinit(&arena);
}

/* ---- values that torch does not write, in the layout of a row ---- */

#define STR(bytes) bytes, sizeof(bytes) - 1
#define PROLOGUE                                                                                   \
    "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."                                        \
    "\x80\2M\xe9\3."                                                                               \
    "\x80\2}."
#define KEYS                                                                                       \
    "\x80\2]X\1\0\0\0"                                                                             \
    "aa."
#define DATA                                                                                       \
    "\4\0\0\0\0\0\0\0"                                                                             \
    "0123456789abcdef"
#define STORAGE_OF(view)                                                                           \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                             \
    "aX\3\0\0\0cpuK\4" view "tQ"
#define STORAGE          STORAGE_OF("N")
#define V2(args)         "ctorch._utils\n_rebuild_tensor_v2\n(" args "tR"
#define TENSOR(geometry) V2(STORAGE geometry "\x89}")
#define STATE(value)     STR("\x80\2}X\1\0\0\0w" value "s.")
#define HUGE             "\x8a\x8\0\0\0\0\0\0\0\x40" /* 2^62 */
#define LAST             "\x8a\x8\xff\xff\xff\xff\xff\xff\xff\x7f"

/* clang-format off */
static const struct {
    const char *name, *state;
    size_t len;
    const char *wanted; /* NULL: it is read */
} values[] = {
    {"a matrix", STATE(TENSOR("K\0K\2K\2\x86K\2K\1\x86")), NULL},
    {"a view of the storage", STATE(V2(STORAGE_OF("(X\1\0\0\0bK\1K\3t") "K\0K\3\x85K\1\x85\x89}")), NULL},
    {"an empty tensor beyond the storage", STATE(TENSOR("K\x63K\0\x85K\1\x85")), NULL},
    {"any stride of a single element", STATE(TENSOR("K\0K\1\x85" LAST "\x85")), NULL},
    {"an empty dictionary", STR("\x80\2}."), NULL},
    {"one element too far", STATE(TENSOR("K\1K\2K\2\x86K\2K\1\x86")), "tensor \"w\" reaches beyond its storage of 16 bytes"},
    {"a stride too far", STATE(TENSOR("K\0K\2K\2\x86K\3K\1\x86")), "reaches beyond its storage"},
    {"an offset of 2^63 - 1", STATE(TENSOR(LAST "K\1\x85K\1\x85")), "reaches beyond its storage"},
    {"strides that overflow", STATE(TENSOR("K\0K\5K\5\x86" LAST LAST "\x86")), "reaches beyond its storage"},
    {"a size of 2^62", STATE(TENSOR("K\0" HUGE "\x85K\0\x85")), "has more elements than memory has bytes"},
    {"sizes that overflow", STATE(TENSOR("K\0" HUGE HUGE "\x86K\0K\0\x86")), "has more elements than memory has bytes"},
    {"sizes that overflow before a zero", STATE(TENSOR("K\0" HUGE HUGE "K\0\x87K\0K\0K\0\x87")), "has more elements than memory"},
    {"10^9 elements of one", STATE(TENSOR("K\0J\0\xca\x9a\x3b\x85K\0\x85")), "unpack to more than"},
    {"2^61 elements of one", STATE(TENSOR("K\0\x8a\x8\0\0\0\0\0\0\0\x20\x85K\0\x85")), "unpack to more than"},
    {"a negative size", STATE(TENSOR("K\0J\xff\xff\xff\xff\x85K\1\x85")), "a size or stride that is not from 0"},
    {"a negative stride", STATE(TENSOR("K\0K\2\x85J\xff\xff\xff\xff\x85")), "a size or stride that is not from 0"},
    {"a negative offset", STATE(TENSOR("J\xff\xff\xff\xffK\2\x85K\1\x85")), "an offset that is no size"},
    {"a size beyond 64 bits", STATE(TENSOR("K\0\x8a\x9\0\0\0\0\0\0\0\0\1\x85K\1\x85")), "a size or stride that is not from 0"},
    {"a size of NaN", STATE(TENSOR("K\0G\x7f\xf8\0\0\0\0\0\0\x85K\1\x85")), "a size or stride that is not from 0"},
    {"a size of text", STATE(TENSOR("K\0X\1\0\0\0" "2\x85K\1\x85")), "a size or stride that is not from 0"},
    {"a size of True", STATE(TENSOR("K\0\x88\x85K\1\x85")), "a size or stride that is not from 0"},
    {"sizes in a list", STATE(TENSOR("K\0]K\2aK\1\x85")), "without as many strides as sizes"},
    {"fewer strides than sizes", STATE(TENSOR("K\0K\2K\2\x86K\1\x85")), "without as many strides as sizes"},
    {"no strides", STATE("ctorch._utils\n_rebuild_tensor\n(" STORAGE "K\0K\2\x85tR"), "calls torch._utils._rebuild_tensor with 3 values, needs 4"},
    {"no storage", STATE(V2("NK\0K\2\x85K\1\x85\x89}")), "makes a tensor of None, must be a storage"},
    {"a dtype that is none", STATE("ctorch._utils\n_rebuild_tensor_v3\n(" STORAGE "K\0K\2\x85K\1\x85\x89}NtR"), "makes a tensor without a dtype"},
    {"another dtype than the storage's", STATE("ctorch._utils\n_rebuild_tensor_v3\n(" STORAGE "K\0K\2\x85K\1\x85\x89}ctorch\nfloat64\ntR"), NULL},
    {"a wider dtype, too far", STATE("ctorch._utils\n_rebuild_tensor_v3\n(" STORAGE "K\0K\3\x85K\1\x85\x89}ctorch\nfloat64\ntR"), "reaches beyond its storage"},
    {"a view beyond its storage", STATE(V2(STORAGE_OF("(X\1\0\0\0bK\2K\3t") "K\0K\3\x85K\1\x85\x89}")), "a view of 3 elements from 2 of a storage of 4"},
    {"a view of 2^62 elements", STATE(V2(STORAGE_OF("(X\1\0\0\0bK\2" HUGE "t") "K\0K\3\x85K\1\x85\x89}")), "a view of 4611686018427387904 elements"},
    {"a view without a size", STATE(V2(STORAGE_OF("(X\1\0\0\0bK\2t") "K\0K\1\x85K\1\x85\x89}")), "without offset and size"},
    {"a module", STATE("(X\6\0\0\0modulectorch\nFloatStorage\nNNNNtQ"), "refers to a tuple outside itself, must be a storage"},
    {"a storage of a class without a type", STATE("(X\7\0\0\0storageccollections\nOrderedDict\nX\1\0\0\0" "aX\3\0\0\0cpuK\4NtQ"), "a storage without a type and a size"},
    {"a storage with a negative size", STATE("(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "aX\3\0\0\0cpuJ\xff\xff\xff\xffNtQ"), "a storage without a type and a size"},
    {"a storage named by a number", STATE("(X\7\0\0\0storagectorch\nFloatStorage\nK\1X\3\0\0\0cpuK\4NtQ"), "names a storage by an int"},
    {"another storage", STATE(V2("(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "zX\3\0\0\0cpuK\4NtQ" "K\0K\3\x85K\1\x85\x89}")), "has data of a storage that nothing refers to"},
    {"another size than the data's", STATE(V2("(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" "aX\3\0\0\0cpuK\5NtQ" "K\0K\3\x85K\1\x85\x89}")), "has 4 elements in a storage of 5"},
    {"a parameter", STATE("ctorch._utils\n_rebuild_parameter\n(" TENSOR("K\0K\4\x85K\1\x85") "\x88}tR"), NULL},
    {"a parameter of None", STATE("ctorch._utils\n_rebuild_parameter\n(N\x88}tR"), "makes a parameter of None, must be a tensor"},
    {"a tensor by a tensor's function", STATE("ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n(" STORAGE "K\0K\4\x85K\1\x85\x89}t}tR"), NULL},
    {"a call of a call", STATE("ctorch._tensor\n_rebuild_from_type_v2\nq\0(h\0ctorch\nTensor\n(h\0NN)ttR"), "must be a function of torch"},
    {"a call of a class that is only a name", STATE("ctorch\nFloatStorage\n)R"), "calls torch.FloatStorage, which is only a name"},
    {"an old tensor, set from its state", STATE("ctorch\nFloatTensor\n)\x81(" STORAGE "K\0K\4\x85K\1\x85tb"), NULL},
    {"an old tensor that is never set", STATE("ctorch\nFloatTensor\n)R"), "tensor \"w\" has no storage"},
    {"an old tensor set from less", STATE("ctorch\nFloatTensor\n)R" STORAGE "\x85" "b"), "sets a tensor from a tuple, must be a tuple of 4"},
    {"an old tensor of values", STATE("ctorch\nFloatTensor\n]K\1a\x85R"), "tensor \"w\" is made from values"},
    {"a dictionary of pairs, as of Python 2", STR("\x80\2" "ccollections\nOrderedDict\n]]U\1waa\x85R."), "makes a dictionary of a list, must be pairs"},
    {"pairs that are none", STR("\x80\2" "ccollections\nOrderedDict\n]K\1a\x85R."), "makes a dictionary of an int, must be pairs"},
    {"the same name twice", STR("\x80\2}(X\1\0\0\0w" TENSOR("K\0K\1\x85K\1\x85") "X\1\0\0\0w" TENSOR("K\0K\1\x85K\1\x85") "u."), "tensor \"w\" stands twice"},
    {"a zero in a name", STR("\x80\2}X\2\0\0\0w\0" TENSOR("K\0K\1\x85K\1\x85") "s."), "has a zero inside"},
    {"a dictionary that holds itself", STR("\x80\2}q\0X\1\0\0\0wh\0s."), "holds no tensors but a dictionary \"w\""},
    {"tensors beside a nested dictionary", STR("\x80\2}(X\1\0\0\0n}X\1\0\0\0w" TENSOR("K\0K\4\x85K\1\x85") "u."), NULL},
};
/* clang-format on */

static void list_row(struct listing *listing, const char *prologue, size_t prologue_len,
                     const char *state, size_t len, const char *rest, size_t rest_len) {
    struct buf buf;
    buf_init(&buf, 64 * MiB);
    buf_append(&buf, prologue, prologue_len);
    buf_append(&buf, state, len);
    buf_append(&buf, rest, rest_len);
    list_bytes(listing, buf.data, buf.len);
    buf_deinit(&buf);
}

static void checks_every_value(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct listing listing;
        /* Data that nothing refers to is refused, so a state without storages has none. */
        if (memmem(values[i].state, values[i].len, STR("\7\0\0\0storage")) != NULL)
            list_row(&listing, STR(PROLOGUE), values[i].state, values[i].len, STR(KEYS DATA));
        else
            list_row(&listing, STR(PROLOGUE), values[i].state, values[i].len, STR("\x80\2]."));
        if (values[i].wanted != NULL)
            assert_refused(listing.status, &listing.err, values[i].name, values[i].wanted);
        else if (listing.status != STATUS_OK)
            fail_msg("%s: %s", values[i].name, listing.err.text);
        else
            touch_all(&listing.list);
        listing_end(&listing);
    }
}

/* clang-format off */
#define WHOLE "\x80\2}X\1\0\0\0w" TENSOR("K\0K\4\x85K\1\x85") "s."
static const struct {
    const char *name, *bytes;
    size_t len;
    const char *wanted;
} rows[] = {
    {"nothing", STR(""), "is not a file of torch.save"},
    {"text", STR("hello"), "is not a file of torch.save, or damaged"},
    {"Git LFS pointer", STR("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "is a Git LFS pointer, not the weights"},
    {"web page", STR("<!DOCTYPE html>"), "is a web page, not weights"},
    {"GGUF", STR("GGUF\3\0\0\0"), "is a GGUF file under another name"},
    {"another magic number", STR("\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x18."), "is a pickle, but not one of torch.save"},
    {"another version", STR("\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe8\3.\x80\2}."), "is of a version of torch.save other than 1001"},
    {"keys in a tuple", STR(PROLOGUE WHOLE "\x80\2)." DATA), "has a tuple where the list of storages should be"},
    {"no keys", STR(PROLOGUE WHOLE "\x80\2]." DATA), "has no data of storage \"a\""},
    {"a key twice", STR(PROLOGUE WHOLE "\x80\2](X\1\0\0\0" "aX\1\0\0\0" "ae." DATA DATA), "has data of a storage twice"},
    {"a key that is a number", STR(PROLOGUE WHOLE "\x80\2]K\1a." DATA), "has data of a storage that nothing refers to"},
    {"a count that overflows", STR(PROLOGUE WHOLE KEYS "\0\0\0\0\0\0\0\x40" "0123"), "has a storage of 4611686018427387904 elements"},
    {"data that ends", STR(PROLOGUE WHOLE KEYS "\4\0\0\0\0\0\0\0" "0123"), "ends 12 bytes too early: the download is incomplete"},
};
/* clang-format on */

static void checks_the_row(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct listing listing;
        list_bytes(&listing, rows[i].bytes, rows[i].len);
        assert_refused(listing.status, &listing.err, rows[i].name, rows[i].wanted);
        assert_int_equal(listing.err.code, ERROR_MODEL);
        listing_end(&listing);
    }
}

/* Python 2 wrote dictionaries as lists of pairs and strings without an encoding. */
static void reads_what_python_2_wrote(void **state) {
    static const char file[] = PROLOGUE
        "\x80\2"
        "ccollections\nOrderedDict\n](]U\1wa" TENSOR("K\0K\4\x85K\1\x85") "ae\x85R." KEYS DATA;
    struct listing listing;
    list_bytes(&listing, STR(file));
    if (listing.status != STATUS_OK)
        fail_msg("%s", listing.err.text);
    assert_int_equal(listing.list.len, 1);
    assert_string_equal(listing.list.items[0].tensor.name, "w");
    listing_end(&listing);
}

/* Storages cost memory: the number of objects is bounded, whatever the pickle's size. */
static void holds_at_most_the_limit_of_objects(void **state) {
    struct buf buf;
    buf_init(&buf, 64 * MiB);
    buf_append(&buf, STR("\x80\2}X\1\0\0\0w]("));
    buf_append(&buf, STR("(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                         "aX\3\0\0\0cpuK\4Ntq\0Q"));
    for (size_t i = 0; i < LIMIT_TORCH_OBJECTS; i++)
        buf_append(&buf, STR("h\0Q"));
    buf_append(&buf, STR("es."));
    struct listing listing;
    list_row(&listing, STR(PROLOGUE), buf.data, buf.len, STR(KEYS DATA));
    assert_refused(listing.status, &listing.err, "objects", "holds more than 262144 tensors");
    listing_end(&listing);
    buf_deinit(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_torch_reads),
        cmocka_unit_test(says_what_it_refuses),
        cmocka_unit_test(reads_shards),
        cmocka_unit_test(copies_only_what_it_must),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(no_changed_byte_does_harm),
        cmocka_unit_test(checks_every_value),
        cmocka_unit_test(checks_the_row),
        cmocka_unit_test(reads_what_python_2_wrote),
        cmocka_unit_test(holds_at_most_the_limit_of_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
