/* The limits that control groups put on this process.
 *
 * A process is in one group of the one hierarchy of v2 (line "0::/a/b" of /proc/self/cgroup), or in
 * one of each controller's hierarchy of v1 ("4:cpu,cpuacct:/a/b", mounted at ROOT/cpu). A limit of
 * any ancestor holds too. Inside a container the path may be the host's and not exist below ROOT,
 * where the container's own group is mounted: walking up to the root reads that one. */
#include "base/cgroup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define PATH_BYTES 4096
#define FILE_BYTES 256

/* v1 writes "no limit" as the largest multiple of a page; nothing real is above this. */
#define MEMORY_UNLIMITED (UINT64_C(1) << 60)

/* A limit read from the files of one group; 0 for none. */
typedef double reader(const char *group);

/* The text of group/name, "" when there is none. */
static void read_small(char *text, size_t size, const char *group, const char *name) {
    char path[PATH_BYTES + 64];
    text[0] = 0;
    snprintf(path, sizeof path, "%s/%s", group, name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    const ssize_t n = read(fd, text, size - 1);
    text[n > 0 ? n : 0] = 0;
    close(fd);
}

static double cores_v2(const char *group) {
    char text[FILE_BYTES]; /* "max 100000" or "150000 100000", microseconds */
    read_small(text, sizeof text, group, "cpu.max");
    long long quota, period;
    if (sscanf(text, "%lld %lld", &quota, &period) != 2 || quota <= 0 || period <= 0)
        return 0;
    return (double)quota / (double)period;
}

static double cores_v1(const char *group) {
    char quota_text[FILE_BYTES], period_text[FILE_BYTES]; /* quota -1: none */
    read_small(quota_text, sizeof quota_text, group, "cpu.cfs_quota_us");
    read_small(period_text, sizeof period_text, group, "cpu.cfs_period_us");
    const double quota = strtod(quota_text, NULL), period = strtod(period_text, NULL);
    return quota > 0 && period > 0 ? quota / period : 0;
}

static double memory_of(const char *group, const char *name) {
    char text[FILE_BYTES]; /* "max" or bytes */
    read_small(text, sizeof text, group, name);
    const unsigned long long bytes = strtoull(text, NULL, 10);
    return bytes > 0 && bytes < MEMORY_UNLIMITED ? (double)bytes : 0;
}

static double memory_v2(const char *group) {
    return memory_of(group, "memory.max");
}

static double memory_v1(const char *group) {
    return memory_of(group, "memory.limit_in_bytes");
}

/* The smallest limit from mount + path up to mount. */
static double smallest_upwards(const char *mount, const char *path, size_t path_len,
                               reader *read_limit) {
    char group[PATH_BYTES];
    const int n = snprintf(group, sizeof group, "%s%.*s", mount, (int)path_len, path);
    if (n < 0 || (size_t)n >= sizeof group)
        return read_limit(mount);
    double smallest = 0;
    for (;;) {
        const double limit = read_limit(group);
        if (limit > 0 && (smallest == 0 || limit < smallest))
            smallest = limit;
        char *slash = strrchr(group, '/');
        if (strlen(group) <= strlen(mount) || !slash)
            return smallest;
        *slash = 0;
    }
}

/* Whether the comma-separated list[len] holds the name. */
static bool list_has(const char *list, size_t len, const char *name) {
    const size_t name_len = strlen(name);
    const char *end = list + len;
    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        const char *stop = comma ? comma : end;
        if ((size_t)(stop - list) == name_len && memcmp(list, name, name_len) == 0)
            return true;
        list = stop + 1;
    }
    return false;
}

/* Finds this process's group of the controller, v2's or v1's, and reads the limit. Each line is
 * "number:controllers:path"; v2's controllers are empty. */
static double limit_of(const char *own, const char *root, const char *controller, reader *v1,
                       reader *v2) {
    double smallest = 0;
    for (const char *line = own; *line;) {
        const char *end = line + strcspn(line, "\n");
        const char *names = memchr(line, ':', (size_t)(end - line));
        const char *path = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;
        if (path) {
            const size_t names_len = (size_t)(path - names - 1);
            const size_t path_len = (size_t)(end - path - 1);
            double limit = 0;
            if (names_len == 0) {
                limit = smallest_upwards(root, path + 1, path_len, v2);
            } else if (list_has(names + 1, names_len, controller)) {
                char mount[PATH_BYTES];
                snprintf(mount, sizeof mount, "%s/%s", root, controller);
                limit = smallest_upwards(mount, path + 1, path_len, v1);
            }
            if (limit > 0 && (smallest == 0 || limit < smallest))
                smallest = limit;
        }
        line = *end ? end + 1 : end;
    }
    return smallest;
}

double cgroup_cores(const char *own, const char *root) {
    return limit_of(own, root, "cpu", cores_v1, cores_v2);
}

uint64_t cgroup_memory(const char *own, const char *root) {
    return (uint64_t)limit_of(own, root, "memory", memory_v1, memory_v2);
}
