/* Arena: blocks are distinct, aligned and kept until reset, few chunks are made, and a reset arena
 * serves the same small use again without allocating. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/base.h"

static void blocks_are_aligned_and_do_not_overlap(void **state) {
    enum { N = 3000 };
    static uint8_t *blocks[N];
    static size_t sizes[N];
    struct arena arena = {0};
    uint32_t seed = 1;
    for (size_t i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        sizes[i] = i % 500 == 0 ? 300000 : (seed >> 16) % 700;
        blocks[i] = arena_alloc(&arena, sizes[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)(i % 251), sizes[i]);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            if (blocks[i][j] != i % 251)
                fail_msg("block %zu, byte %zu: wanted %zu, got %u", i, j, i % 251, blocks[i][j]);
    arena_deinit(&arena);
    assert_null(arena.chunks);
    assert_int_equal(arena.total, 0);
}

static void huge_blocks_work_and_leave_room_in_use(void **state) {
    struct arena arena = {0};
    char *small = arena_alloc(&arena, 16);
    char *huge = arena_alloc(&arena, 9 * MiB);
    memset(huge, 1, 9 * MiB);
    char *next = arena_alloc(&arena, 16);
    assert_ptr_equal(next, small + 16);
    arena_deinit(&arena);
}

static void many_small_blocks_need_few_allocations(void **state) {
    struct arena arena = {0};
    const uint64_t before = mem_alloc_count();
    for (int i = 0; i < 1000000; i++)
        arena_alloc(&arena, 20);
    assert_in_range(mem_alloc_count() - before, 1, 20);
    assert_true(arena.total < 96 * MiB);
    arena_deinit(&arena);
}

static void a_reset_arena_allocates_nothing_for_the_same_small_use(void **state) {
    struct arena arena = {0};
    arena_alloc(&arena, 1000);
    const uint64_t before = mem_alloc_count();
    for (int i = 0; i < 100; i++) {
        arena_reset(&arena);
        arena_alloc(&arena, 1000);
    }
    assert_int_equal(mem_alloc_count() - before, 0);
    for (int i = 0; i < 100; i++)
        arena_alloc(&arena, 100000);
    arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_true(arena.total < 100000);
    arena_deinit(&arena);
    arena_reset(&arena); /* an empty one too */
    arena_deinit(&arena);
}

static void texts_and_copies(void **state) {
    struct arena arena = {0};
    assert_string_equal(arena_strndup(&arena, "abcdef", 3), "abc");
    assert_string_equal(arena_strndup(&arena, NULL, 0), "");
    assert_string_equal(arena_printf(&arena, "%s-%d", "x", 12), "x-12");
    assert_string_equal(arena_printf(&arena, "%s", ""), "");
    char *long_text = arena_printf(&arena, "%10000d", 5);
    assert_int_equal(strlen(long_text), 10000);
    const int numbers[] = {1, 2, 3};
    assert_memory_equal(arena_copy(&arena, numbers, sizeof numbers), numbers, sizeof numbers);
    assert_non_null(arena_copy(&arena, NULL, 0));
    const uint8_t *zeros = arena_zalloc(&arena, 100, 10);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(zeros[i], 0);
    arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_do_not_overlap),
        cmocka_unit_test(huge_blocks_work_and_leave_room_in_use),
        cmocka_unit_test(many_small_blocks_need_few_allocations),
        cmocka_unit_test(a_reset_arena_allocates_nothing_for_the_same_small_use),
        cmocka_unit_test(texts_and_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
