/* SPDX-License-Identifier: MIT */
/* arguments: numbers on the command lines of the benchmarks. What is none ends the program with
 * status 2 and says which argument it was. */
#ifndef SPLITDOM_BENCH_ARGUMENTS_H
#define SPLITDOM_BENCH_ARGUMENTS_H

#include <err.h>
#include <stdint.h>

#include "base/decimal.h"

static inline uint32_t argument_u32(const char *name, const char *text, uint32_t min, uint32_t max)
{
    uint64_t value;

    if (decimal_parse(text, min, max, &value) < 0)
        errx(2, "%s must be a number within %u..%u, not '%s'", name, min, max, text);
    return (uint32_t)value;
}

/* A positive number. */
static inline double argument_real(const char *name, const char *text, double max)
{
    double value;

    if (decimal_parse_real(text, 0, max, &value) < 0 || !(value > 0))
        errx(2, "%s must be a positive number up to %g, not '%s'", name, max, text);
    return value;
}

static inline double argument_seconds(const char *name, const char *text)
{
    return argument_real(name, text, 1e6);
}

#endif
