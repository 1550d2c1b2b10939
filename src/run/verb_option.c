/* SPDX-License-Identifier: MIT */
#include "run/verb_option.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/decimal.h"
#include "splitdom/tdf.h"

int verb_option_take(const char *option, int argc, char **argv, int *at, const char **value,
                     struct why *why)
{
    const char *argument = argv[*at];
    const size_t length = strlen(option);

    if (strncmp(argument, option, length) != 0)
        return 0;
    if (argument[length] == '=') {
        *value = argument + length + 1;
        (*at)++;
        return 1;
    }
    if (argument[length] != '\0')
        return 0;
    if (*at + 1 == argc)
        return why_fail(why, -EINVAL, "%s needs a value", option);
    *value = argv[*at + 1];
    *at += 2;
    return 1;
}

int verb_option_number(const char *option, const char *value, uint64_t min, uint64_t max,
                       uint64_t *out, struct why *why)
{
    if (decimal_parse(value, min, max, out) < 0)
        return why_fail(why, -EINVAL, "%s %s: %" PRIu64 "..%" PRIu64, option, value, min, max);
    return 0;
}

int verb_option_tdf(const char *value, uint64_t *num, uint64_t *den, struct why *why)
{
    if (decimal_parse_ratio(value, TDF_TERM_MAX, num, den) < 0 || *num > *den * TDF_LIMIT ||
        *den > *num * TDF_LIMIT)
        return why_fail(why, -EINVAL, "--tdf %s: 1/%d to %d", value, TDF_LIMIT, TDF_LIMIT);
    return 0;
}
