/* Functions that may not be used: those without a length (snprintf, memcpy), those that hide errors
 * (strtol) or share state between threads (gmtime_r). Include it last: base.h does. */
#ifndef BRISK_BASE_BANNED_H
#define BRISK_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef alloca /* a macro of glibc; poisoning a macro is an error */
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol atof gets       \
    gmtime localtime alloca

#endif
