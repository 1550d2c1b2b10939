/* SPDX-License-Identifier: MIT */
#include "service/net/chance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "tdf/rational.h"

enum { PLACES = 9, TEXT_MAX = 32 };

int net_chance_parse(const char *text, struct net_chance *out)
{
    char number[TEXT_MAX];
    uint64_t whole = UINT64_C(1000000000), value;
    size_t length = strlen(text);

    if (length == 0 || length >= sizeof number)
        return -EINVAL;
    memcpy(number, text, length + 1);
    if (number[length - 1] == '%') {
        number[length - 1] = '\0';
        whole *= 100;
    }

    int rc = decimal_parse_scaled(number, PLACES, whole, &value);

    if (rc < 0)
        return rc;
    out->part = value == whole ? UINT64_MAX : (uint64_t)(((u128)value << 64) / whole);
    return 0;
}
