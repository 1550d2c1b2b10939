/* SPDX-License-Identifier: MIT */
#include "base/share.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

enum { TERM_MAX = 1000000000, PERCENT = 100, TEXT_MAX = 32 };

int share_parse(const char *text, uint64_t *num, uint64_t *den)
{
    char number[TEXT_MAX];
    uint64_t n, d, percent = 1;
    size_t length = text == NULL ? 0 : strlen(text);
    if (length == 0 || length >= sizeof(number))
        return -EINVAL;
    snprintf(number, sizeof(number), "%s", text);
    if (number[length - 1] == '%') {
        number[length - 1] = '\0';
        percent = PERCENT;
    }
    int rc = decimal_parse_ratio(number, TERM_MAX / PERCENT, &n, &d);
    if (rc < 0)
        return rc;
    d *= percent;
    if (n == 0 || n > d || n * SHARE_LEAST_DEN < d)
        return -ERANGE;
    uint64_t a = n, b = d;
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    *num = n / a;
    *den = d / a;
    return 0;
}

void share_format(uint64_t num, uint64_t den, char text[SHARE_TEXT_SIZE])
{
    if (den == 1)
        snprintf(text, SHARE_TEXT_SIZE, "%" PRIu64, num);
    else
        snprintf(text, SHARE_TEXT_SIZE, "%" PRIu64 "/%" PRIu64, num, den);
}
