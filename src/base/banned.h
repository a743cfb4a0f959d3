/* Functions that may not be used, and what to use instead. Included last by base.h. */
#ifndef BRISK_BASE_BANNED_H
#define BRISK_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef alloca /* a macro of glibc; poisoning a macro is an error */
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol atof gets gmtime \
    localtime alloca

#endif
