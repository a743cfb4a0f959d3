/* Private to base: the limits that the kernel's control groups (v1 and v2) put on this process.
 * system.h is what others ask. */
#ifndef BRISK_BASE_CGROUP_H
#define BRISK_BASE_CGROUP_H

#include <stdint.h>

/* `own` is the text of /proc/self/cgroup, `root` where the groups are mounted (/sys/fs/cgroup).
 * They answer 0 where there is no limit. */
double cgroup_cores(const char *own, const char *root);    /* CPU quota in cores, e.g. 1.5 */
uint64_t cgroup_memory(const char *own, const char *root); /* bytes */

#endif
