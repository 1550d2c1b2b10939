/* SPDX-License-Identifier: MIT */
#include "service/dom0/vifs/vif_rate.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/decimal.h"

#define US_PER_S UINT64_C(1000000)

static int refuse(struct why *why, const char *what, const char *text)
{
    return why_fail(why, -EINVAL, "config parsing error in vif: %s in `%s'", what, text);
}

/* A number of up to 18 digits at the begin; how many digits it has, or 0. */
static size_t number(const char *text, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");

    return digits <= 18 && decimal_parse_bytes(text, digits, 0, INT64_MAX, out) == 0 ? digits : 0;
}

/* "10Mb/s": [0-9]+[GMK]?[Bb]/s, where b is a bit. Ends at '@' or the end. */
static bool bytes_per_s(const char *text, uint64_t *out)
{
    static const char prefixes[] = "KMG";
    uint64_t value, times = 1;
    size_t at = number(text, &value);

    if (at == 0)
        return false;
    if (text[at] != '\0' && strchr(prefixes, text[at]) != NULL) {
        for (const char *p = prefixes; p <= strchr(prefixes, text[at]); p++)
            times *= 1000;
        at++;
    }
    if (text[at] != 'B' && text[at] != 'b')
        return false;

    bool bits = text[at++] == 'b';

    if (strncmp(text + at, "/s", 2) != 0 || (text[at + 2] != '\0' && text[at + 2] != '@'))
        return false;
    if (__builtin_mul_overflow(value, times, &value))
        return false;
    *out = bits ? value / 8 : value;
    return *out > 0;
}

/* "20ms", "50us", "1s": [0-9]+[mu]?s. */
static bool interval(const char *text, uint64_t *us)
{
    uint64_t value;
    size_t at = number(text, &value);
    uint64_t times = US_PER_S;

    if (at == 0)
        return false;
    if (text[at] == 'm')
        times = 1000;
    else if (text[at] == 'u')
        times = 1;
    if (times != US_PER_S)
        at++;
    return strcmp(text + at, "s") == 0 && !__builtin_mul_overflow(value, times, us) && *us > 0 &&
           *us <= UINT32_MAX;
}

int vif_rate_parse(const char *text, uint64_t *bytes, uint32_t *interval_us, struct why *why)
{
    const char *at = strchr(text, '@');
    uint64_t per_s, us = VIF_RATE_INTERVAL_US, product;

    if (!bytes_per_s(text, &per_s))
        return refuse(why, "invalid rate", text);
    if (at != NULL && !interval(at + 1, &us))
        return refuse(why, "invalid replenishment interval", text);
    if (__builtin_mul_overflow(per_s, us, &product))
        return refuse(why, "rate overflow", text);
    *bytes = product / US_PER_S + (product % US_PER_S >= US_PER_S / 2);
    if (*bytes == 0)
        *bytes = 1;
    *interval_us = (uint32_t)us;
    return 0;
}
