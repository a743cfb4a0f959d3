/* The machine: clock, log, cores and memory (the cgroup's where it is smaller). Nothing here can
 * fail: what the machine does not tell has a sane stand-in. */
#ifndef BRISK_BASE_SYSTEM_H
#define BRISK_BASE_SYSTEM_H

#include "base/error.h"

uint64_t clock_now_ns(void); /* monotonic */
double clock_seconds_since(uint64_t start_ns);

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
void log_set_level(enum log_level level);
/* One line on stderr: time, level, text; control characters of the text are escaped. */
void log_write(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

uint32_t system_cores(void); /* usable: affinity and cgroup quota, at least 1 */
size_t system_memory(void);  /* bytes: physical or the cgroup's limit, the smaller */
size_t system_rss(void);     /* resident bytes of this process */

#endif
