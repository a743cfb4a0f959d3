/* Counted allocation, growth, large blocks and checked sizes.
 * That the process ends when a small block is refused is not tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/base.h"

static void allocations_are_counted(void **state) {
    const uint64_t before = mem_alloc_count();
    void *a = mem_alloc(10);
    void *b = mem_zalloc(3, 7);
    char *c = mem_strdup("text");
    a = mem_realloc(a, 100);
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(NULL);
    assert_int_equal(mem_alloc_count() - before, 4);
}

static void empty_blocks_are_valid(void **state) {
    void *a = mem_alloc(0), *b = mem_zalloc(0, 8);
    assert_non_null(a);
    assert_non_null(b);
    mem_free(mem_realloc(a, 0));
    mem_free(b);
}

static void copies_are_terminated(void **state) {
    char *whole = mem_strdup("abc"), *part = mem_strndup("abcdef", 2);
    assert_string_equal(whole, "abc");
    assert_string_equal(part, "ab");
    mem_free(whole);
    mem_free(part);
}

static void growing_keeps_content_and_is_rare(void **state) {
    const uint64_t before = mem_alloc_count();
    int *array = NULL;
    size_t cap = 0;
    for (int i = 0; i < 100000; i++) {
        array = mem_grow(array, &cap, (size_t)i + 1, sizeof *array);
        array[i] = i;
    }
    for (int i = 0; i < 100000; i++)
        assert_int_equal(array[i], i);
    assert_in_range(mem_alloc_count() - before, 2, 40);
    mem_free(array);
}

static void large_blocks_are_aligned_and_zero(void **state) {
    static const size_t sizes[] = {0,       1,           64,          1000,    4 * MiB - 1,
                                   4 * MiB, 4 * MiB + 1, 6 * MiB - 3, 32 * MiB};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct error err = {0};
        void *block = NULL;
        assert_int_equal(mem_try_alloc(&block, sizes[i], &err), STATUS_OK);
        assert_int_equal((uintptr_t)block % (sizes[i] >= 4 * MiB ? 2 * MiB : 64), 0);
        uint8_t *bytes = block;
        for (size_t j = 0; j < sizes[i]; j += 4093)
            assert_int_equal(bytes[j], 0);
        if (sizes[i] > 0) {
            assert_int_equal(bytes[sizes[i] - 1], 0);
            memset(bytes, 1, sizes[i]);
        }
        mem_free_large(block, sizes[i]);
    }
    mem_free_large(NULL, 12);
}

static void a_refused_block_is_an_error(void **state) {
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 4096, (size_t)PTRDIFF_MAX, (size_t)1 << 60};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct error err = {0};
        void *block = NULL;
        assert_int_equal(mem_try_alloc(&block, sizes[i], &err), STATUS_ERROR);
        assert_int_equal(err.code, ERROR_MEMORY);
        assert_null(block);
    }
}

static void large_blocks_go_back_to_the_system(void **state) {
    const size_t size = 64 * MiB;
    struct error err;
    const size_t before = system_rss();
    void *block = NULL;
    assert_int_equal(mem_try_alloc(&block, size, &err), STATUS_OK);
    memset(block, 1, size);
    assert_true(system_rss() >= before + size / 2);
    mem_free_large(block, size);
    assert_true(system_rss() < before + size / 2);
}

static void sizes_are_checked(void **state) {
    size_t out = 5;
    assert_true(size_mul(3, 4, &out));
    assert_int_equal(out, 12);
    assert_false(size_mul(SIZE_MAX, 2, &out));
    assert_int_equal(out, 12);
    assert_true(size_add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_false(size_add(SIZE_MAX, 1, &out));
    assert_true(size_mul(SIZE_MAX, 0, &out));
    assert_int_equal(out, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_counted),
        cmocka_unit_test(empty_blocks_are_valid),
        cmocka_unit_test(copies_are_terminated),
        cmocka_unit_test(growing_keeps_content_and_is_rare),
        cmocka_unit_test(large_blocks_are_aligned_and_zero),
        cmocka_unit_test(a_refused_block_is_an_error),
        cmocka_unit_test(large_blocks_go_back_to_the_system),
        cmocka_unit_test(sizes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
