/* Control groups: limits of v1 and v2, of ancestors, of containers; nonsense is no limit. The
 * groups are made in a temporary folder; those of the machine are not touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"
#include "base/cgroup.h"

static char root[64];

static int root_make(void **state) {
    snprintf(root, sizeof root, "/tmp/brisk-cgroup-test-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where) {
    return remove(path);
}

static int root_remove(void **state) {
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes root/path, making the folders on the way. */
static void put(const char *path, const char *text) {
    char whole[256];
    snprintf(whole, sizeof whole, "%s/%s", root, path);
    for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(whole, 0777);
        *slash = '/';
    }
    struct error err;
    if (file_write_durable(whole, text, strlen(text), &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

static void limits_of_every_layout(void **state) {
    static const struct {
        const char *about;
        struct {
            const char *path, *text;
        } files[4];
        const char *own;
        double cores;
        uint64_t memory;
    } rows[] = {
        {"nothing there", {{0}}, "0::/a\n", 0, 0},
        {"no groups at all", {{0}}, "", 0, 0},
        {"v2, own group",
         {{"a/b/cpu.max", "150000 100000\n"}, {"a/b/memory.max", "1073741824\n"}},
         "0::/a/b\n",
         1.5,
         1073741824},
        {"v2, the ancestor is tighter",
         {{"a/cpu.max", "50000 100000\n"},
          {"a/b/cpu.max", "400000 100000\n"},
          {"a/memory.max", "1000\n"},
          {"a/b/memory.max", "max\n"}},
         "0::/a/b\n",
         0.5,
         1000},
        {"v2, unlimited",
         {{"a/cpu.max", "max 100000\n"}, {"a/memory.max", "max\n"}},
         "0::/a\n",
         0,
         0},
        {"v2, a container sees its group at the root",
         {{"cpu.max", "200000 100000\n"}, {"memory.max", "5000\n"}},
         "0::/host/path/of/it\n",
         2,
         5000},
        {"v1, controllers in any place of the list",
         {{"cpu/x/cpu.cfs_quota_us", "300000\n"},
          {"cpu/x/cpu.cfs_period_us", "100000\n"},
          {"memory/y/memory.limit_in_bytes", "7000\n"}},
         "9:cpuset:/z\n4:cpuacct,cpu:/x\n3:memory:/y\n",
         3,
         7000},
        {"v1, unlimited",
         {{"cpu/x/cpu.cfs_quota_us", "-1\n"},
          {"cpu/x/cpu.cfs_period_us", "100000\n"},
          {"memory/y/memory.limit_in_bytes", "9223372036854771712\n"}},
         "4:cpu:/x\n3:memory:/y\n0::/\n",
         0,
         0},
        {"nonsense",
         {{"a/cpu.max", "x y\n"}, {"a/memory.max", "-5\n"}},
         "0::/a\nbroken\n::\n",
         0,
         0},
        {"zero and negative quotas",
         {{"a/cpu.max", "0 100000\n"}, {"cpu.max", "100000 0\n"}, {"a/memory.max", "0\n"}},
         "0::/a",
         0,
         0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        root_make(NULL);
        for (size_t j = 0; j < 4 && rows[i].files[j].path; j++)
            put(rows[i].files[j].path, rows[i].files[j].text);
        const double cores = cgroup_cores(rows[i].own, root);
        const uint64_t memory = cgroup_memory(rows[i].own, root);
        root_remove(NULL);
        if (cores != rows[i].cores || memory != rows[i].memory)
            fail_msg("%s: wanted %g cores, %ju bytes, got %g, %ju", rows[i].about, rows[i].cores,
                     (uintmax_t)rows[i].memory, cores, (uintmax_t)memory);
    }
}

static void long_paths_fall_back_to_the_root(void **state) {
    root_make(NULL);
    put("memory.max", "123456\n");
    static char own[9000] = "0::/";
    memset(own + 4, 'x', sizeof own - 5);
    assert_int_equal(cgroup_memory(own, root), 123456);
    root_remove(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_of_every_layout),
        cmocka_unit_test(long_paths_fall_back_to_the_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
