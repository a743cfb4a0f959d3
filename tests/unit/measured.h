/* Whether this build's memory says what the program takes: sanitizers keep what was freed and
 * shadow the rest. For tests that hold a figure of it. */
#ifndef BRISK_TESTS_MEASURED_H
#define BRISK_TESTS_MEASURED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURED false
#else
#define MEASURED true
#endif

#endif
