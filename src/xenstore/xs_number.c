/* SPDX-License-Identifier: MIT */
#include "xenstore/xs_number.h"

#include <errno.h>

enum { DIGITS_MAX = 20 };

int xs_number_parse(const char *text, size_t len, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    int rc = 0;
    if (len == 0 || len > DIGITS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            rc = -ERANGE;
    }
    if (rc < 0 || value > max)
        return -ERANGE;
    *out = value;
    return 0;
}
