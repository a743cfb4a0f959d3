/* Regions: memory is zeroed, a file's bytes stand at their place, and moving them into memory
 * changes neither addresses nor what another thread reads meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"

#define HUGE ((size_t)(2 * MiB))

static const atomic_bool never;

static uint8_t byte_at(size_t i) {
    return (uint8_t)(i * 2654435761u >> 13);
}

/* A file without a name that holds `size` of those bytes. */
static int file_of(size_t size) {
    FILE *file = tmpfile();
    assert_non_null(file);
    for (size_t i = 0; i < size; i++)
        putc_unlocked(byte_at(i), file);
    fflush(file);
    const int fd = dup(fileno(file));
    fclose(file);
    assert_true(fd >= 0);
    return fd;
}

static void expect_bytes(const struct region *region, size_t from, size_t offset, size_t size) {
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)region->base[from + i] != byte_at(offset + i))
            fail_msg("byte %zu differs", i);
}

static void memory_is_zeroed_and_ours(void **state) {
    const size_t sizes[] = {0, 1, 100 * KiB, HUGE - 1, HUGE, 2 * HUGE + 5, 5 * HUGE};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct region region = {0};
        struct error err = {0};
        assert_int_equal(region_reserve(&region, HUGE + sizes[i], &err), STATUS_OK);
        assert_int_equal((uintptr_t)region.base % HUGE, 0);
        assert_true(region.size >= HUGE + sizes[i] && region.size % HUGE == 0);
        assert_int_equal(region_memory(&region, HUGE, sizes[i], &err), STATUS_OK);
        for (size_t k = 0; k < sizes[i]; k += 4093) {
            assert_int_equal(region.base[HUGE + k], 0);
            region.base[HUGE + k] = 1;
        }
        region_release(&region);
        assert_null(region.base);
    }
}

static void sizes_that_do_not_fit_are_refused(void **state) {
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - HUGE, (size_t)PTRDIFF_MAX, (size_t)1 << 60};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct region region = {0};
        struct error err = {0};
        assert_int_equal(region_reserve(&region, sizes[i], &err), STATUS_ERROR);
        assert_int_equal(err.code, ERROR_MEMORY);
        assert_null(region.base);
    }
}

struct reading {
    const struct region *region;
    size_t size;
    atomic_bool ready, done;
    bool same;
};

static void read_on(void *arg) {
    struct reading *r = arg;
    r->same = true;
    while (!atomic_load(&r->done)) {
        for (size_t i = 0; i < r->size; i += 511)
            r->same &= (uint8_t)r->region->base[i] == byte_at(4096 + i);
        atomic_store(&r->ready, true);
    }
}

static void readers_do_not_notice_the_move(void **state) {
    const size_t size = 21 * HUGE + 4096;
    const int fd = file_of(4096 + size);
    struct region region = {0};
    struct error err = {0};
    assert_int_equal(region_reserve(&region, size, &err), STATUS_OK);
    assert_int_equal(region_file(&region, 0, size, fd, 4096, &err), STATUS_OK);
    struct reading reading = {.region = &region, .size = size};
    struct thread *thread = NULL;
    assert_int_equal(thread_start(&thread, "reader", read_on, &reading, &err), STATUS_OK);
    while (!atomic_load(&reading.ready))
        sched_yield();
    region_collapse(&region, 0, size, &never);
    atomic_store(&reading.ready, false);
    while (!atomic_load(&reading.ready))
        sched_yield();
    atomic_store(&reading.done, true);
    thread_join(thread);
    assert_true(reading.same);
    expect_bytes(&region, 0, 4096, size);
    assert_int_equal(ftruncate(fd, 0), 0); /* nothing stands on the file any more */
    expect_bytes(&region, 0, 4096, size);
    close(fd);
    region_release(&region);
}

static void a_move_can_be_stopped(void **state) {
    const atomic_bool stop = true;
    const size_t size = 3 * HUGE;
    const int fd = file_of(size);
    struct region region = {0};
    struct error err = {0};
    assert_int_equal(region_reserve(&region, size, &err), STATUS_OK);
    assert_int_equal(region_file(&region, 0, size, fd, 0, &err), STATUS_OK);
    region_populate(&region, 0, size);
    region_collapse(&region, 0, size, &stop);
    assert_int_equal(pwrite(fd, "\xff\xff", 2, 7), 2);
    assert_int_equal((uint8_t)region.base[7], 0xff); /* still the file */
    close(fd);
    region_release(&region);
}

/* Memory may become the file's bytes: readers keep their pointers. */
static void a_file_may_take_memorys_place(void **state) {
    const size_t size = 5 * KiB;
    const int fd = file_of(size);
    struct region region = {0};
    struct error err = {0};
    assert_int_equal(region_reserve(&region, size, &err), STATUS_OK);
    assert_int_equal(region_memory(&region, 0, size, &err), STATUS_OK);
    region.base[0] = 99;
    assert_int_equal(region_file(&region, 0, size, fd, 0, &err), STATUS_OK);
    expect_bytes(&region, 0, 0, size);
    close(fd);
    region_release(&region);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_ours),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(readers_do_not_notice_the_move),
        cmocka_unit_test(a_move_can_be_stopped),
        cmocka_unit_test(a_file_may_take_memorys_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
