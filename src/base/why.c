/* SPDX-License-Identifier: MIT */
#include "base/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int why_fail(struct why *why, int rc, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why->text, sizeof(why->text), format, arguments);
    va_end(arguments);
    return rc;
}

int why_fail_errno(struct why *why, int rc, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(why->text, sizeof(why->text), format, arguments);
    va_end(arguments);
    if (length >= 0 && length < (int)sizeof(why->text))
        snprintf(why->text + length, sizeof(why->text) - (size_t)length, ": %s", strerror(-rc));
    return rc;
}
