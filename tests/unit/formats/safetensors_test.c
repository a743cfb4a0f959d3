/* safetensors: files that the library takes are taken, and every way of being wrong is a row with
 * the words that a person then reads. */
#include "unit/formats/files.h"

#include "formats/formats.h"

#define T(dtype, shape, offsets)                                                                   \
    "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(dtype, shape, offsets) "{\"a\":" T(dtype, shape, offsets) "}"
#define TWO(shape_a, offsets_a, shape_b, offsets_b)                                                \
    "{\"a\":" T("\"U8\"", shape_a, offsets_a) ",\"b\":" T("\"U8\"", shape_b, offsets_b) "}"

static const struct {
    const char *name, *header;
    size_t data;
} good[] = {
    {"no tensors", "{}", 0},
    {"only metadata", "{\"__metadata__\":{\"format\":\"pt\"}}", 0},
    {"metadata null", "{\"__metadata__\":null}", 0},
    {"padded header", "{}      ", 0},
    {"one F32", ONE("\"F32\"", "[2,3]", "[0,24]"), 24},
    {"a scalar", ONE("\"F64\"", "[]", "[0,8]"), 8},
    {"an empty tensor", ONE("\"F32\"", "[0,7]", "[0,0]"), 0},
    {"an empty tensor between", TWO("[0]", "[2,2]", "[2]", "[0,2]"), 2},
    {"order of the offsets, not of the names", TWO("[3]", "[2,5]", "[2]", "[0,2]"), 5},
    {"eight dimensions", ONE("\"I8\"", "[1,1,1,1,1,1,1,2]", "[0,2]"), 2},
    {"unknown keys are for others",
     "{\"a\":{\"x\":[{}],\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1},
    {"a name with quotes and no ASCII", "{\"\\\"\xc3\xa9\":" T("\"U8\"", "[1]", "[0,1]") "}", 1},
};

static void takes_what_the_library_takes(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        size_t size = 0;
        uint8_t *file = safetensors_make(good[i].header, good[i].data, &size);
        struct error err = {0};
        if (safetensors_check(file, size, &err) != STATUS_OK)
            fail_msg("%s: %s", good[i].name, err.text);
        mem_free(file);
    }
}

static const struct {
    const char *name, *header;
    size_t data;
    const char *wanted;
} bad[] = {
    {"header not JSON", "{\"a\":", 0, "header is damaged, download the file again: invalid JSON"},
    {"header empty", "", 0, "header is damaged"},
    {"header not UTF-8", "{\"\xff\":1}", 0, "header is damaged"},
    {"header an array", "[]", 0, "header is a JSON array, must be an object"},
    {"NaN in it", "{\"a\":NaN}", 0, "header is damaged"},
    {"metadata a string", "{\"__metadata__\":\"pt\"}", 0,
     "\"__metadata__\" is a JSON string, must be an object of strings"},
    {"metadata a number", "{\"__metadata__\":{\"n\":1}}", 0,
     "\"__metadata__\": \"n\" is a JSON number, must be a string"},
    {"tensor a number", "{\"a\":1}", 0, "tensor \"a\" is a JSON number, must be an object"},
    {"a zero in the name", "{\"a\\u0000b\":" T("\"U8\"", "[1]", "[0,1]") "}", 1,
     "tensor name \"a\" has a zero inside"},
    {"dtype missing", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "tensor \"a\": \"dtype\" is missing, must be a string"},
    {"dtype a number", ONE("7", "[1]", "[0,1]"), 1, "\"dtype\" is number, must be a string"},
    {"dtype unknown", ONE("\"F6_E2M3\"", "[1]", "[0,1]"), 1,
     "tensor \"a\": dtype \"F6_E2M3\" is not supported; save the model as F32, F16 or BF16"},
    {"dtype cut by a zero", ONE("\"F32\\u0000\"", "[1]", "[0,4]"), 4, "is not supported"},
    {"dtype in small letters", ONE("\"f32\"", "[1]", "[0,4]"), 4, "\"f32\" is not supported"},
    {"shape missing", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1,
     "tensor \"a\": \"shape\" is missing, must be an array of sizes"},
    {"shape a number", ONE("\"U8\"", "1", "[0,1]"), 1, "\"shape\" is number, must be an array"},
    {"shape negative", ONE("\"U8\"", "[1,-1]", "[0,1]"), 1, "\"shape\"[1] is not a size"},
    {"shape fractional", ONE("\"U8\"", "[1.5]", "[0,1]"), 1, "\"shape\"[0] is not a size"},
    {"shape written as a float", ONE("\"U8\"", "[1.0]", "[0,1]"), 1, "\"shape\"[0] is not a size"},
    {"shape NaN", ONE("\"U8\"", "[NaN]", "[0,1]"), 1, "header is damaged"},
    {"shape of 1e300", ONE("\"U8\"", "[1e300]", "[0,1]"), 1, "\"shape\"[0] is not a size"},
    {"shape of -1e300", ONE("\"U8\"", "[-1e300]", "[0,1]"), 1, "\"shape\"[0] is not a size"},
    {"shape of 1e999", ONE("\"U8\"", "[1e999]", "[0,1]"), 1, "header is damaged"},
    {"shape of null", ONE("\"U8\"", "[null]", "[0,1]"), 1, "\"shape\"[0] is not a size"},
    {"offsets of 1e300", ONE("\"U8\"", "[1]", "[0,1e300]"), 1, "must be two offsets"},
    {"shape of text", ONE("\"U8\"", "[\"1\"]", "[0,1]"), 1, "\"shape\"[0] is not a size"},
    {"shape beyond 2^63", ONE("\"U8\"", "[9223372036854775808]", "[0,1]"), 1,
     "\"shape\"[0] is not a size from 0 to 2^63-1"},
    {"nine dimensions", ONE("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1,
     "\"shape\" has 9 dimensions, at most 8 are read"},
    {"elements overflow", ONE("\"U8\"", "[4294967296,4294967296]", "[0,0]"), 0,
     "\"shape\" has more elements than memory has bytes"},
    {"elements overflow before a zero", ONE("\"U8\"", "[4294967296,4294967296,0]", "[0,0]"), 0,
     "\"shape\" has more elements than memory has bytes"},
    {"bytes overflow", ONE("\"F64\"", "[4611686018427387904]", "[0,0]"), 0,
     "\"shape\" has more elements than memory has bytes"},
    {"offsets missing", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1,
     "\"data_offsets\" is missing, must be two offsets [begin, end]"},
    {"offsets of one", ONE("\"U8\"", "[1]", "[1]"), 1, "\"data_offsets\" must be two offsets"},
    {"offsets of three", ONE("\"U8\"", "[1]", "[0,1,2]"), 1, "must be two offsets"},
    {"offsets negative", ONE("\"U8\"", "[1]", "[-1,0]"), 1, "must be two offsets"},
    {"offsets backwards", ONE("\"U8\"", "[1]", "[1,0]"), 1,
     "\"data_offsets\" end at 0, before they begin at 1"},
    {"size and shape differ", ONE("\"F32\"", "[2]", "[0,4]"), 4,
     "\"data_offsets\" span 4 bytes, its shape in F32 needs 8"},
    {"cut off", ONE("\"F32\"", "[300]", "[0,1200]"), 1000,
     "is 1067 bytes, its header promises 1267 (tensor \"a\" ends there): the download is "
     "incomplete or the file damaged; download the file again"},
    {"offsets at the end of everything",
     ONE("\"U8\"", "[1]", "[9223372036854775806,9223372036854775807]"), 1, "its header promises"},
    {"overlap", TWO("[3]", "[0,3]", "[3]", "[2,5]"), 5,
     "tensors \"a\" and \"b\" overlap at byte 2 of the data"},
    {"the same bytes", TWO("[3]", "[0,3]", "[3]", "[0,3]"), 3,
     "tensors \"a\" and \"b\" overlap at byte 0 of the data"},
    {"hole before", ONE("\"U8\"", "[1]", "[1,2]"), 2,
     "1 bytes before tensor \"a\" belong to no tensor"},
    {"hole between", TWO("[1]", "[0,1]", "[1]", "[3,4]"), 4,
     "2 bytes before tensor \"b\" belong to no tensor"},
    {"hole behind", ONE("\"U8\"", "[1]", "[0,1]"), 3,
     "2 bytes behind the last tensor belong to no tensor"},
    {"a name twice",
     "{\"a\":" T("\"U8\"", "[1]", "[0,1]") ",\"a\":" T("\"U8\"", "[1]", "[1,2]") "}", 2,
     "1 bytes before tensor \"a\" belong to no tensor"},
};

static void says_what_is_wrong(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        size_t size = 0;
        uint8_t *file = safetensors_make(bad[i].header, bad[i].data, &size);
        struct error err = {0};
        const enum status status = safetensors_check(file, size, &err);
        assert_refused(status, &err, bad[i].name, bad[i].wanted);
        assert_int_equal(err.code, ERROR_MODEL);
        mem_free(file);
    }
}

/* Files that are wrong before any header: bytes as they stand. */
#define RAW(bytes) bytes, sizeof bytes - 1
static const struct {
    const char *name, *bytes;
    size_t size;
    const char *wanted;
} raw[] = {
    {"nothing", RAW(""), "is 0 bytes, a safetensors file starts with 8 of length"},
    {"seven bytes", RAW("\2\0\0\0\0\0\0"), "is 7 bytes, a safetensors file starts with 8"},
    {"cut in the header", RAW("\xe8\3\0\0\0\0\0\0{\"a\":"),
     "is 13 bytes, its header alone promises 1008: the download is incomplete"},
    {"header one byte too long", RAW("\3\0\0\0\0\0\0\0{}"),
     "is 10 bytes, its header alone promises 11"},
    {"header beyond the limit", RAW("\1\xe1\xf5\5\0\0\0\0{}"),
     "header length is 100000001, must be at most 100000000"},
    {"header at the limit", RAW("\0\xe1\xf5\5\0\0\0\0{}"),
     "is 10 bytes, its header alone promises 100000008"},
    {"header of all ones", RAW("\xff\xff\xff\xff\xff\xff\xff\xff{}"),
     "header length is 18446744073709551615"},
    {"Git LFS pointer", RAW("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
     "is a Git LFS pointer, not the weights: run `git lfs pull`"},
    {"web page", RAW("<!DOCTYPE html><html></html>"), "is a web page, not weights"},
    {"zip", RAW("PK\003\004\0\0\010\010\0\0\0\0"), "is a PyTorch zip file under another name"},
    {"GGUF", RAW("GGUF\3\0\0\0\0\0\0\0"), "is a GGUF file under another name"},
};

static void says_what_is_no_safetensors_file(void **state) {
    for (size_t i = 0; i < ARRAY_LEN(raw); i++) {
        struct error err = {0};
        void *file = mem_alloc(raw[i].size); /* exact, so that ASan sees a byte too far */
        memcpy(file, raw[i].bytes, raw[i].size);
        const enum status status = safetensors_check(file, raw[i].size, &err);
        assert_refused(status, &err, raw[i].name, raw[i].wanted);
        assert_int_equal(err.code, ERROR_MODEL);
        mem_free(file);
    }
}

/* Cutting a good file anywhere gives an error that says so, and nothing reads past the cut. */
static void every_truncation_is_refused(void **state) {
    size_t size = 0;
    uint8_t *file = safetensors_make(TWO("[3]", "[0,3]", "[2]", "[3,5]"), 5, &size);
    for (size_t cut = 0; cut < size; cut++) {
        void *part = mem_alloc(cut);
        memcpy(part, file, cut);
        struct error err = {0};
        const enum status status = safetensors_check(part, cut, &err);
        assert_refused(status, &err, "cut", "download the file again");
        mem_free(part);
    }
    mem_free(file);
}

static char *many_tensors(size_t n) {
    struct buf buf;
    buf_init(&buf, 64 * MiB);
    for (size_t i = 0; i < n; i++)
        buf_printf(&buf, "%c\"%zu\":" T("\"U8\"", "[1]", "[%zu,%zu]"), i == 0 ? '{' : ',', i, i,
                   i + 1);
    buf_putc(&buf, '}');
    size_t len = 0;
    return buf_take(&buf, &len);
}

static void holds_at_most_the_limit_of_tensors(void **state) {
    for (size_t n = LIMIT_TENSORS; n <= LIMIT_TENSORS + 1; n++) {
        char *header = many_tensors(n);
        size_t size = 0;
        uint8_t *file = safetensors_make(header, n, &size);
        struct error err = {0};
        const enum status status = safetensors_check(file, size, &err);
        if (n == LIMIT_TENSORS)
            assert_int_equal(status, STATUS_OK);
        else
            assert_refused(status, &err, "too many", "holds more than 65536 tensors");
        mem_free(file);
        mem_free(header);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_the_library_takes),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(says_what_is_no_safetensors_file),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(holds_at_most_the_limit_of_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
