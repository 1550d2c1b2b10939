/* SPDX-License-Identifier: MIT */
#include "xenstore/decimal.h"

#include <errno.h>
#include <stddef.h>

int decimal_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    int overflow = 0;

    if (text == NULL || *text == '\0')
        return -EINVAL;
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < '0' || *p > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            overflow = 1; /* go on: "99999999999999999999x" is no number rather than too large */
    }
    if (overflow || value < min || value > max)
        return -ERANGE;
    *out = value;
    return 0;
}
