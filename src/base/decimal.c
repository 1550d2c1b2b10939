/* SPDX-License-Identifier: MIT */
#include "base/decimal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"

int decimal_parse_bytes(const char *bytes, size_t length, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    int rc = 0;

    if (length == 0)
        return -EINVAL;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] < '0' || bytes[i] > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(bytes[i] - '0'), &value))
            rc = -ERANGE; /* go on: "99999999999999999999x" is no number rather than too large */
    }
    if (rc < 0 || value < min || value > max)
        return -ERANGE;
    *out = value;
    return 0;
}

int decimal_scan_bytes(const char *bytes, size_t length, uint64_t min, uint64_t max, uint64_t *out)
{
    size_t start = 0, end;

    while (start < length && isspace((unsigned char)bytes[start]))
        start++;
    for (end = start; end < length && bytes[end] >= '0' && bytes[end] <= '9'; end++)
        continue;
    return decimal_parse_bytes(bytes + start, end - start, min, max, out);
}

int decimal_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    return text == NULL ? -EINVAL : decimal_parse_bytes(text, strlen(text), min, max, out);
}

/* value = value * 10^count + add. False: too large. */
static bool shift_and_add(uint64_t *value, size_t count, uint64_t add)
{
    for (size_t i = 0; i<count && * value> 0; i++) {
        if (__builtin_mul_overflow(*value, 10U, value))
            return false;
    }
    return !__builtin_add_overflow(*value, add, value);
}

/* Reads "WHOLE" or "WHOLE.FRACTION" without its point, and counts the digits behind the point. */
static int parse_point(const char *text, uint64_t *out, size_t *places)
{
    const char *point = strchr(text, '.');
    uint64_t value = 0, fraction = 0;

    *places = 0;
    if (point == NULL)
        return decimal_parse(text, 0, UINT64_MAX, out);
    int whole_rc = decimal_parse_bytes(text, (size_t)(point - text), 0, UINT64_MAX, &value);
    int rc = decimal_parse(point + 1, 0, UINT64_MAX, &fraction);
    if (whole_rc == -EINVAL || rc == 0)
        rc = whole_rc;
    if (rc < 0)
        return rc;
    *places = strlen(point + 1);
    if (!shift_and_add(&value, *places, fraction))
        return -ERANGE;
    *out = value;
    return 0;
}

int decimal_parse_scaled(const char *text, unsigned places, uint64_t max, uint64_t *out)
{
    uint64_t value;
    size_t given;
    int rc = text == NULL ? -EINVAL : parse_point(text, &value, &given);

    if (rc < 0)
        return rc;
    if (given > places || !shift_and_add(&value, places - given, 0) || value > max)
        return -ERANGE;
    *out = value;
    return 0;
}

/* Reads "NUM/DEN", or a number with a point as a fraction with a power of ten. */
static int parse_fraction(const char *text, uint64_t *num, uint64_t *den)
{
    const char *slash = strchr(text, '/');
    size_t places;

    if (slash != NULL) {
        int num_rc = decimal_parse_bytes(text, (size_t)(slash - text), 0, UINT64_MAX, num);
        int rc = decimal_parse(slash + 1, 0, UINT64_MAX, den);
        if (num_rc == -EINVAL || rc == 0)
            rc = num_rc;
        return rc == 0 && *den == 0 ? -EINVAL : rc;
    }
    int rc = parse_point(text, num, &places);
    *den = 1;
    if (rc == 0 && !shift_and_add(den, places, 0))
        rc = -ERANGE;
    return rc;
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int decimal_parse_ratio(const char *text, uint64_t max, uint64_t *num, uint64_t *den)
{
    uint64_t n, d;
    int rc = text == NULL ? -EINVAL : parse_fraction(text, &n, &d);

    if (rc < 0)
        return rc;
    uint64_t divisor = common_divisor(n, d);
    if (n / divisor > max || d / divisor > max)
        return -ERANGE;
    *num = n / divisor;
    *den = d / divisor;
    return 0;
}

/* Length of the number at text, by the rules of the header; 0: there is none. */
static size_t real_length(const char *text)
{
    size_t length = strspn(text, DIGITS);

    if (length == 0)
        return 0;
    if (text[length] == '.') {
        size_t fraction = strspn(text + length + 1, DIGITS);
        if (fraction == 0)
            return 0;
        length += 1 + fraction;
    }
    if (text[length] == 'e' || text[length] == 'E') {
        size_t sign = text[length + 1] == '+' || text[length + 1] == '-';
        size_t exponent = strspn(text + length + 1 + sign, DIGITS);
        if (exponent > 0)
            length += 1 + sign + exponent;
    }
    return length;
}

int decimal_scan_real(const char *text, double *out, const char **end)
{
    size_t length = text == NULL ? 0 : real_length(text);
    char *stop;

    if (length == 0)
        return -EINVAL;
    double value = strtod(text, &stop);
    if (stop != text + length) /* 0x1p3: strtod knows more forms than we do */
        return -EINVAL;
    if (!isfinite(value))
        return -ERANGE;
    *out = value;
    *end = stop;
    return 0;
}

int decimal_parse_real(const char *text, double min, double max, double *out)
{
    const char *end;
    double value;
    int rc = decimal_scan_real(text, &value, &end);

    if (rc == 0 && *end != '\0')
        rc = -EINVAL;
    if (rc == 0 && (value < min || value > max))
        rc = -ERANGE;
    if (rc == 0)
        *out = value;
    return rc;
}
