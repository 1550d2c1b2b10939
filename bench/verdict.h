/* SPDX-License-Identifier: MIT */
/* verdict: a measured figure beside its bound, and the exit code that sums them up. */
#ifndef SPLITDOM_BENCH_VERDICT_H
#define SPLITDOM_BENCH_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static inline int verdict_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The value that a share of the values doesn't exceed; sorts them. 0.5: the median. */
static inline double verdict_quantile(double *values, size_t count, double share)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof(*values), verdict_order);
    return values[(size_t)(share * (double)(count - 1) + 0.5)];
}

/* Prints one line; counts a failure when |value| exceeds the bound. */
static inline void verdict_print(int *failures, const char *what, double value, double bound,
                                 const char *unit)
{
    bool holds = value <= bound && -value <= bound;

    printf("%-58s %12.4f  <= %-8g %-5s %s\n", what, value, bound, unit, holds ? "ok" : "FAILED");
    fflush(stdout);
    if (!holds)
        ++*failures;
}

#endif
