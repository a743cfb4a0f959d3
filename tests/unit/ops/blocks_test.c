/* Blocks of packed weights: zeroed, aligned, apart from each other, freed in any order, by several
 * threads at once. */
#include "unit/ops/lanes.h"
#include "ops/ops_private.h"

enum { BLOCKS = 90 };

static size_t size_of(size_t i) {
    return i % 10 == 9 ? 5 * MiB : 300 * KiB + i * 7001; /* some alone, several chunks in all */
}

static void blocks_are_zeroed_and_apart(void **state) {
    struct error err;
    void *blocks[BLOCKS];
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0; i < BLOCKS; i++) {
            assert_int_equal(block_create(&blocks[i], size_of(i), &err), STATUS_OK);
            assert_int_equal((uintptr_t)blocks[i] % 64, 0);
            const char *bytes = blocks[i];
            for (size_t k = 0; k < size_of(i); k += 509) {
                assert_int_equal(bytes[k], 0);
            }
            memset(blocks[i], (int)i + 1, size_of(i));
        }
        for (size_t i = 0; i < BLOCKS; i++) {
            const size_t at = i * 37 % BLOCKS; /* every block once, in no order */
            const char *bytes = blocks[at];
            assert_int_equal(bytes[0], at + 1);
            assert_int_equal(bytes[size_of(at) - 1], at + 1);
            block_destroy(blocks[at], size_of(at));
        }
    }
}

static void take_and_give(struct lane *lane, void *arg) {
    struct error err;
    for (size_t i = 0; i < BLOCKS; i++) {
        void *block = NULL;
        if (block_create(&block, size_of(i % 9), &err) == STATUS_OK) {
            memset(block, (int)lane->index, 4096);
            block_destroy(block, size_of(i % 9));
        }
    }
}

static void threads_may_share_chunks(void **state) {
    team_run(teams[MOST_LANES - 1], take_and_give, NULL);
}

/* While a block of the same chunk lives on. */
static void freed_blocks_give_their_memory_back(void **state) {
    struct error err;
    void *kept, *blocks[16];
    assert_int_equal(block_create(&kept, 1000, &err), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        assert_int_equal(block_create(&blocks[i], 3 * MiB, &err), STATUS_OK);
        memset(blocks[i], 1, 3 * MiB);
    }
    const size_t full = system_rss();
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        block_destroy(blocks[i], 3 * MiB);
    }
    assert_true(system_rss() + 40 * MiB <= full); /* of 48 */
    block_destroy(kept, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_zeroed_and_apart),
        cmocka_unit_test(threads_may_share_chunks),
        cmocka_unit_test(freed_blocks_give_their_memory_back),
    };
    return cmocka_run_group_tests(tests, make_teams, destroy_teams);
}
