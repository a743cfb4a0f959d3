/* The values of F8 and of quantized blocks, bit for bit as torch and the `gguf` package have them
 * (tests/golden/gguf/types.json): whole, in any part, at any alignment. */
#include "unit/formats/files.h"

#include <math.h>

#include "formats/formats.h"

static const struct {
    const char *name;
    enum dtype dtype;
} dtypes[] = {
#define DTYPE(name, block, bytes, text) {text, DTYPE_##name},
    DTYPES(DTYPE)
#undef DTYPE
};

static enum dtype dtype_named(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(dtypes); i++) {
        if (strcmp(dtypes[i].name, name) == 0)
            return dtypes[i].dtype;
    }
    fail_msg("no type %s", name);
    return DTYPE_F32;
}

static uint8_t *unhex(struct arena *arena, const char *text, size_t *len) {
    *len = strlen(text) / 2;
    uint8_t *out = arena_alloc(arena, *len + 1);
    for (size_t i = 0; i < *len; i++) {
        char digits[3] = {text[2 * i], text[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return out;
}

static void assert_floats(const char *name, size_t from, const float *got, const float *wanted,
                          size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (isnan(wanted[i]) ? !isnan(got[i]) : memcmp(&got[i], &wanted[i], sizeof *got) != 0)
            fail_msg("%s %zu: wanted %.9g, got %.9g", name, from + i, (double)wanted[i],
                     (double)got[i]);
    }
}

/* Every part of up to three elements, and longer ones that begin and end anywhere. */
static void check_parts(const char *name, const struct tensor *tensor, const float *wanted) {
    float *got = mem_alloc((tensor->elements + 1) * sizeof *got);
    for (size_t from = 0; from <= tensor->elements; from++) {
        for (size_t n = 0; from + n <= tensor->elements; n += n < 3 ? 1 : 37) {
            got[n] = -7;
            tensor_to_floats(tensor, from, n, got);
            assert_floats(name, from, got, wanted + from, n);
            assert_true(got[n] == -7);
        }
    }
    mem_free(got);
}

static void check_row(struct arena *arena, const struct json *row) {
    const char *name = json_get_string(row, "type", "?");
    size_t bytes = 0, float_bytes = 0;
    const uint8_t *data = unhex(arena, json_get_string(row, "data", ""), &bytes);
    const uint8_t *floats = unhex(arena, json_get_string(row, "floats", ""), &float_bytes);
    float *wanted = arena_copy(arena, floats, float_bytes);
    struct tensor tensor = {.dtype = dtype_named(name), .elements = float_bytes / sizeof(float)};
    assert_true(tensor.elements > 0);
    assert_int_equal(tensor.elements / dtype_block(tensor.dtype) * dtype_size(tensor.dtype), bytes);
    uint8_t *shifted = arena_alloc(arena, bytes + 8);
    for (size_t shift = 0; shift < 3; shift++) {
        memcpy(shifted + shift, data, bytes);
        tensor.data = shifted + shift;
        float *got = arena_alloc(arena, float_bytes);
        tensor_to_floats(&tensor, 0, tensor.elements, got);
        assert_floats(name, 0, got, wanted, tensor.elements);
    }
    check_parts(name, &tensor, wanted);
}

static void every_type_has_the_reference_values(void **state) {
    struct arena arena = {0};
    struct error err = {0};
    char *text = NULL;
    size_t len = 0;
    const struct json *rows = NULL;
    if (file_read(&text, &len, &arena, "tests/golden/gguf/types.json", MiB, &err) != STATUS_OK ||
        json_parse(&rows, &arena, text, len, JSON_STRICT, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(rows->len, 13);
    for (uint32_t i = 0; i < rows->len; i++)
        check_row(&arena, json_at(rows, i));
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_the_reference_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
