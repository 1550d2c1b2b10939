/* SPDX-License-Identifier: MIT */
#include "service/net/link_words.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/decimal.h"
#include "tdf/rational.h"

enum { PLACES = 9, NUMBER_SIZE = 32 };

struct unit {
    const char *name;
    uint64_t times;
    int ignores_case;
};

/* A decimal number and one of the units, times: rounded down. */
static int scaled(const char *text, const struct unit *units, size_t count, uint64_t max,
                  uint64_t *out)
{
    char number[NUMBER_SIZE];
    size_t length = strspn(text, "0123456789.");
    uint64_t value;

    if (length == 0 || length >= sizeof number)
        return -EINVAL;
    memcpy(number, text, length);
    number[length] = '\0';
    if (decimal_parse_scaled(number, PLACES, UINT64_MAX, &value) < 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        const char *unit = text + length;
        int differs = units[i].ignores_case != 0 ? strcasecmp(unit, units[i].name)
                                                 : strcmp(unit, units[i].name);

        if (differs != 0)
            continue;

        uint64_t result = muldiv_down(value, units[i].times, UINT64_C(1000000000));

        if (result > max)
            return -EINVAL;
        *out = result;
        return 0;
    }
    return -EINVAL;
}

int link_words_rate(const char *text, uint64_t *bps)
{
    static const struct unit units[] = {
        {"", 1, 0},
        {"bit", 1, 1},
        {"kbit", 1000, 1},
        {"mbit", 1000000, 1},
        {"gbit", 1000000000, 1},
        {"tbit", UINT64_C(1000000000000), 1},
        {"kibit", UINT64_C(1) << 10, 1},
        {"mibit", UINT64_C(1) << 20, 1},
        {"gibit", UINT64_C(1) << 30, 1},
        {"tibit", UINT64_C(1) << 40, 1},
        {"bps", 8, 1},
        {"kbps", 8000, 1},
        {"mbps", 8000000, 1},
        {"gbps", UINT64_C(8000000000), 1},
        {"tbps", UINT64_C(8000000000000), 1},
        {"kibps", UINT64_C(8) << 10, 1},
        {"mibps", UINT64_C(8) << 20, 1},
        {"gibps", UINT64_C(8) << 30, 1},
        {"tibps", UINT64_C(8) << 40, 1},
        {"b/s", 1, 0},
        {"Kb/s", 1000, 0},
        {"Mb/s", 1000000, 0},
        {"Gb/s", 1000000000, 0},
        {"B/s", 8, 0},
        {"KB/s", 8000, 0},
        {"MB/s", 8000000, 0},
        {"GB/s", UINT64_C(8000000000), 0},
    };
    int rc = scaled(text, units, sizeof units / sizeof *units, INT64_MAX, bps);

    return rc == 0 && *bps == 0 ? -EINVAL : rc;
}

int link_words_time(const char *text, uint64_t max_ns, uint64_t *ns)
{
    static const struct unit units[] = {
        {"", 1000, 0},           {"ns", 1, 1},         {"nsec", 1, 1},
        {"nsecs", 1, 1},         {"us", 1000, 1},      {"usec", 1000, 1},
        {"usecs", 1000, 1},      {"ms", 1000000, 1},   {"msec", 1000000, 1},
        {"msecs", 1000000, 1},   {"s", 1000000000, 1}, {"sec", 1000000000, 1},
        {"secs", 1000000000, 1},
    };

    return scaled(text, units, sizeof units / sizeof *units, max_ns, ns);
}

int link_words_bytes(const char *text, uint64_t max, uint64_t *bytes)
{
    static const struct unit units[] = {{"b", 1, 1},          {"k", 1 << 10, 1}, {"kb", 1 << 10, 1},
                                        {"kbit", 1 << 7, 1},  {"m", 1 << 20, 1}, {"mb", 1 << 20, 1},
                                        {"mbit", 1 << 17, 1}, {"g", 1 << 30, 1}, {"gb", 1 << 30, 1},
                                        {"gbit", 1 << 27, 1}};

    return scaled(text, units, sizeof units / sizeof *units, max, bytes);
}
