/* SPDX-License-Identifier: MIT */
/*
 * distance: how far apart two samples of latencies are, and whether chance explains it.
 *
 *   KS      two-sample Kolmogorov-Smirnov: the largest distance between the empirical
 * distributions; its p-value by the asymptotic law with Stephens' correction (Press et al.,
 * Numerical Recipes, 3rd ed., 14.3.3). For independent, continuous samples p is uniform if both
 * come from one law. W1      Wasserstein-1, for samples of equal size: the mean distance of equal
 * ranks. TOST    two one-sided tests: two quantiles are equivalent within a margin if the
 * confidence interval of their ratio lies within it. Woodruff (1952): the interval of a quantile is
 *           read off the order statistics around it.
 *
 * Samples are sorted arrays of nanoseconds. Pure functions.
 */
#ifndef SPLITDOM_BENCH_DISTANCE_H
#define SPLITDOM_BENCH_DISTANCE_H

#include <math.h>
#include <stddef.h>
#include <stdlib.h>

static inline int distance_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline void distance_sort(double *v, size_t n)
{
    qsort(v, n, sizeof(*v), distance_order);
}

/* P(K > lambda) of Kolmogorov's law. */
static inline double distance_kolmogorov(double lambda)
{
    double sum = 0, sign = 1;
    if (lambda < 0.2)
        return 1; /* to ten digits; the series converges badly there */
    for (int k = 1; k <= 100; k++) {
        double term = sign * exp(-2.0 * k * k * lambda * lambda);
        sum += term;
        if (fabs(term) < 1e-16)
            break;
        sign = -sign;
    }
    double p = 2 * sum;
    return p < 0 ? 0 : p > 1 ? 1 : p;
}

static inline double distance_ks_p(double d, double effective_n)
{
    double root = sqrt(effective_n);
    return distance_kolmogorov((root + 0.12 + 0.11 / root) * d);
}

/* The statistic D of two sorted samples. Equal values step together. */
static inline double distance_ks(const double *a, size_t n, const double *b, size_t m)
{
    size_t i = 0, j = 0;
    double d = 0;
    while (i < n && j < m) {
        double x = a[i] < b[j] ? a[i] : b[j];
        while (i < n && a[i] <= x)
            i++;
        while (j < m && b[j] <= x)
            j++;
        double gap = fabs((double)i / (double)n - (double)j / (double)m);
        if (gap > d)
            d = gap;
    }
    return d;
}

static inline double distance_ks_two_p(const double *a, size_t n, const double *b, size_t m)
{
    double size = (double)n * (double)m / ((double)n + (double)m);
    return distance_ks_p(distance_ks(a, n, b, m), size);
}

/* p-value of: these (sorted) values are uniform on 0..1. */
static inline double distance_ks_uniform_p(const double *p, size_t n)
{
    double d = 0;
    for (size_t i = 0; i < n; i++) {
        double above = (double)(i + 1) / (double)n - p[i], below = p[i] - (double)i / (double)n;
        d = above > d ? above : d;
        d = below > d ? below : d;
    }
    return distance_ks_p(d, (double)n);
}

static inline double distance_mean(const double *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i];
    return n > 0 ? sum / (double)n : 0;
}

/* W1 of two sorted samples of n values each, as a share of a's mean. */
static inline double distance_w1(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += fabs(a[i] - b[i]);
    return sum / (double)n / distance_mean(a, n);
}

static inline double distance_at(const double *sorted, size_t n, double rank)
{
    double last = (double)(n - 1);
    rank = rank < 0 ? 0 : rank > last ? last : rank;
    return sorted[(size_t)(rank + 0.5)];
}

static inline double distance_quantile(const double *sorted, size_t n, double q)
{
    return distance_at(sorted, n, q * (double)(n - 1));
}

#define DISTANCE_Z95 1.6448536269514722 /* of the normal law: TOST at 5 % has a 90 % interval */

/* Standard error of the logarithm of a quantile. */
static inline double distance_quantile_error(const double *sorted, size_t n, double q)
{
    double middle = q * (double)(n - 1), half = DISTANCE_Z95 * sqrt((double)n * q * (1 - q));
    double low = distance_at(sorted, n, middle - half),
           high = distance_at(sorted, n, middle + half);
    return (log(high) - log(low)) / (2 * DISTANCE_Z95);
}

/* How far from 1 the ratio of the two quantiles may be, at 5 % error: equivalent within m if <= m.
 */
static inline double distance_tost(const double *a, size_t n, const double *b, size_t m, double q)
{
    double difference = log(distance_quantile(b, m, q) / distance_quantile(a, n, q));
    double ea = distance_quantile_error(a, n, q), eb = distance_quantile_error(b, m, q);
    return exp(fabs(difference) + DISTANCE_Z95 * sqrt(ea * ea + eb * eb)) - 1;
}

#endif
