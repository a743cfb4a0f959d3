/* The machine: clock, log, cores and memory. What a control group allows is read in cgroup.c;
 * starting threads on the cores is thread.c's and team.c's business. */
#include "base/system.h"

#include <ctype.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/banned.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

/* ---- clock ---------------------------------------------------------------------------------- */

uint64_t clock_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double clock_seconds_since(uint64_t start_ns) {
    return (double)(clock_now_ns() - start_ns) * 1e-9;
}

/* ---- log ------------------------------------------------------------------------------------ */

static atomic_int log_threshold = LOG_INFO; /* publishes nothing but itself */

void log_set_level(enum log_level level) {
    atomic_store_explicit(&log_threshold, (int)level, memory_order_relaxed);
}

/* "2024-05-01T12:00:00.123Z" and a space. */
static size_t put_time(char *out, size_t size) {
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    const size_t n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &parts);
    const int more = snprintf(out + n, size - n, ".%03ldZ ", now.tv_nsec / 1000000);
    return n + (size_t)more;
}

/* Copies text with control characters (C0, DEL, and C1 as UTF-8) as \n, \t or \xHH, so that nobody
 * can forge a line or steer a terminal. Stops where room for an escape and the newline ends. */
static size_t put_escaped(char *out, size_t size, const char *text) {
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    for (const unsigned char *s = (const unsigned char *)text; *s && n + 5 < size; s++) {
        const bool c1 = s[0] == 0xC2 && s[1] >= 0x80 && s[1] < 0xA0;
        if (*s >= 0x20 && *s != 0x7F && !c1) {
            out[n++] = (char)*s;
            continue;
        }
        out[n++] = '\\';
        if (*s == '\n' || *s == '\t') {
            out[n++] = *s == '\n' ? 'n' : 't';
            continue;
        }
        s += c1;
        out[n++] = 'x';
        out[n++] = hex[*s >> 4];
        out[n++] = hex[*s & 15];
    }
    return n;
}

void log_write(enum log_level level, const char *format, ...) {
    static const char *const names[] = {"debug ", "info  ", "warn  ", "error "};
    if ((int)level < atomic_load_explicit(&log_threshold, memory_order_relaxed))
        return;
    char text[LIMIT_LOG_LINE], line[LIMIT_LOG_LINE];
    va_list args;
    va_start(args, format);
    const int wanted = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (wanted < 0)
        return;
    size_t n = put_time(line, sizeof line);
    memcpy(line + n, names[level], 6);
    n += 6;
    n += put_escaped(line + n, sizeof line - n, text);
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0) {
        /* Nowhere is left to say so. */
    }
}

/* ---- cores and memory ----------------------------------------------------------------------- */

/* The first bytes of a file of /proc, zero-terminated; "" when unreadable. */
static void read_proc(char *text, size_t size, const char *path) {
    text[0] = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    const ssize_t n = read(fd, text, size - 1);
    text[n > 0 ? n : 0] = 0;
    close(fd);
}

static uint32_t affinity_cores(void) {
    unsigned long mask[128] = {0}; /* 8192 cores; the kernel refuses too small a mask */
    if (sched_getaffinity(0, sizeof mask, (cpu_set_t *)mask) == 0) {
        const int count = CPU_COUNT_S(sizeof mask, (cpu_set_t *)mask);
        if (count > 0)
            return (uint32_t)count;
    }
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

uint32_t system_cores(void) {
    char own[4096];
    read_proc(own, sizeof own, "/proc/self/cgroup");
    const uint32_t cores = affinity_cores();
    const double quota = cgroup_cores(own, CGROUP_ROOT);
    if (quota <= 0 || quota >= cores)
        return cores;
    return (uint32_t)ceil(quota); /* half a core is still a thread's worth */
}

size_t system_memory(void) {
    char own[4096];
    read_proc(own, sizeof own, "/proc/self/cgroup");
    const size_t physical = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    const uint64_t limit = cgroup_memory(own, CGROUP_ROOT);
    return limit > 0 && limit < physical ? (size_t)limit : physical;
}

size_t system_rss(void) {
    char text[256]; /* pages: size, resident, shared, ... */
    read_proc(text, sizeof text, "/proc/self/statm");
    unsigned long long size, resident;
    if (sscanf(text, "%llu %llu", &size, &resident) != 2)
        return 0;
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}
