/* SPDX-License-Identifier: MIT */
#include "base/decimal.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

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

enum { TEXT_MAX = 64 };

/* Copies text up to the first mark into part, and points *rest behind the mark, or to NULL. */
static int split(const char *text, char mark, char part[TEXT_MAX], const char **rest)
{
    const char *found = strchr(text, mark);
    const size_t length = found != NULL ? (size_t)(found - text) : strlen(text);

    if (length >= TEXT_MAX)
        return -EINVAL;
    memcpy(part, text, length);
    part[length] = '\0';
    *rest = found != NULL ? found + 1 : NULL;
    return 0;
}

int decimal_parse_scaled(const char *text, unsigned places, uint64_t max, uint64_t *out)
{
    uint64_t value, fraction = 0;
    char whole[TEXT_MAX];
    const char *digits;
    int rc;

    if (text == NULL || split(text, '.', whole, &digits) != 0)
        return -EINVAL;
    rc = decimal_parse(whole, 0, UINT64_MAX, &value);
    if (rc == 0 && digits != NULL)
        rc = decimal_parse(digits, 0, UINT64_MAX, &fraction);
    if (rc != 0)
        return rc;
    const size_t digit_count = digits != NULL ? strlen(digits) : 0;
    if (digit_count > places)
        return -ERANGE;
    for (unsigned i = 0; i < places; i++) {
        if (__builtin_mul_overflow(value, 10U, &value))
            return -ERANGE;
    }
    for (size_t i = digit_count; i < places; i++)
        fraction *= 10;
    if (__builtin_add_overflow(value, fraction, &value) || value > max)
        return -ERANGE;
    *out = value;
    return 0;
}

int decimal_parse_ratio(const char *text, uint64_t *num, uint64_t *den)
{
    const uint64_t part_max = 999999999;
    char first[TEXT_MAX];
    const char *second;
    uint64_t n, d = 1;
    int rc;

    if (text == NULL || split(text, '/', first, &second) != 0)
        return -EINVAL;
    if (second != NULL) {
        rc = decimal_parse(first, 1, part_max, &n);
        if (rc == 0)
            rc = decimal_parse(second, 1, part_max, &d);
    } else {
        const char *point = strchr(first, '.');
        const unsigned places = point != NULL ? (unsigned)strlen(point + 1) : 0;

        for (unsigned i = 0; i < places && i < 9; i++)
            d *= 10;
        rc = decimal_parse_scaled(first, places < 9 ? places : 9, part_max * d, &n);
        if (rc == 0 && n == 0)
            rc = -ERANGE;
    }
    if (rc != 0)
        return rc;
    *num = n;
    *den = d;
    return 0;
}
