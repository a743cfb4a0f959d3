/* Regions: memory is zeroed, a file's bytes stand at their place, and moving them into memory
 * changes neither addresses nor what another thread reads meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

#define HUGE ((size_t)(2 * MiB))

static const atomic_bool never;

/* ---- a kernel that fails ---- */

static struct {
    int before, times; /* calls that work, then calls that fail */
    bool lose;         /* what stood there is gone by then */
} failing;

/* Takes the place of libc's in this program. */
void *mremap(void *old, size_t old_size, size_t size, int flags, ...) {
    va_list list;
    va_start(list, flags);
    char *at = va_arg(list, char *);
    va_end(list);
    if (failing.before-- > 0 || failing.times-- <= 0)
        return (void *)syscall(SYS_mremap, old, old_size, size, flags, at);
    if (failing.lose)
        munmap(at, size);
    errno = ENOMEM;
    return MAP_FAILED;
}

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

#define MOVED (8 * HUGE) /* at once */

/* A move that fails in its second piece: the bytes are all there, whichever way it fails. */
static void a_move_that_fails_loses_nothing(void **state) {
    static const struct { bool lose, goes_on; } rows[] = {{false, false}, {true, true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const size_t size = 3 * MOVED;
        const int fd = file_of(size);
        struct region region = {0};
        struct error err = {0};
        assert_int_equal(region_reserve(&region, size, &err), STATUS_OK);
        assert_int_equal(region_file(&region, 0, size, fd, 0, &err), STATUS_OK);
        failing.before = failing.times = 1;
        failing.lose = rows[i].lose;
        region_collapse(&region, 0, size, &never);
        failing.before = failing.times = 0;
        expect_bytes(&region, 0, 0, size);
        /* Which pieces still stand on the file. */
        for (size_t piece = 0; piece < 3; piece++) {
            const size_t at = piece * MOVED;
            const uint8_t other = (uint8_t)~byte_at(at);
            assert_int_equal(pwrite(fd, &other, 1, (off_t)at), 1);
            const bool moved = (uint8_t)region.base[at] == byte_at(at);
            if (moved != (piece == 0 || rows[i].goes_on))
                fail_msg("row %zu, piece %zu: moved %d", i, piece, moved);
        }
        close(fd);
        region_release(&region);
    }
}

/* Likewise of a file that takes memory's place: refused, or it stands there. */
static void a_file_that_cannot_be_placed(void **state) {
    for (int lose = 0; lose <= 1; lose++) {
        const size_t size = 2 * HUGE;
        const int fd = file_of(size);
        struct region region = {0};
        struct error err = {0};
        assert_int_equal(region_reserve(&region, size, &err), STATUS_OK);
        assert_int_equal(region_memory(&region, 0, size, &err), STATUS_OK);
        region.base[7] = 99;
        failing.times = 1;
        failing.lose = lose;
        const enum status status = region_file(&region, 0, size, fd, 0, &err);
        failing.times = 0;
        assert_int_equal(status, lose ? STATUS_OK : STATUS_ERROR);
        if (lose)
            expect_bytes(&region, 0, 0, size);
        else
            assert_int_equal(region.base[7], 99);
        close(fd);
        region_release(&region);
    }
}

/* The weights are gone for good: the process says so rather than read whatever comes there. */
static void lost_for_good_is_told(void **state) {
    int out[2], status = 0;
    char text[256] = "";
    assert_int_equal(pipe(out), 0);
    const pid_t child = fork();
    if (child == 0) {
        struct region region = {0};
        struct error err = {0};
        dup2(out[1], STDERR_FILENO);
        failing.times = 2;
        failing.lose = true;
        if (region_reserve(&region, HUGE, &err) == STATUS_OK)
            (void)!region_file(&region, 0, HUGE, file_of(HUGE), 0, &err);
        _exit(0);
    }
    close(out[1]);
    assert_true(read(out[0], text, sizeof text - 1) > 0);
    close(out[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (strstr(text, "the system took the mapping of 2 MiB") == NULL)
        fail_msg("%s", text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_ours),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(readers_do_not_notice_the_move),
        cmocka_unit_test(a_move_can_be_stopped),
        cmocka_unit_test(a_file_may_take_memorys_place),
        cmocka_unit_test(a_move_that_fails_loses_nothing),
        cmocka_unit_test(a_file_that_cannot_be_placed),
        cmocka_unit_test(lost_for_good_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
