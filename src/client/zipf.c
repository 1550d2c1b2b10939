/* SPDX-License-Identifier: MIT */
/*
 * Let h(x) = x^-theta and H its integral. The strip of H between k - 1/2 and k + 1/2 is at least as
 * large as h(k), because h is convex. So draw a point u uniformly below H, invert it to x, and
 * round x to the rank k. Then k is drawn with the probability of its strip, and is accepted with
 * the probability h(k) / strip. Any part of the strip of that size may be accepted. The part at the
 * right end needs only one comparison with H(k + 1/2) - h(k). The strip of rank 1 is cut to exactly
 * h(1).
 */
#include "client/zipf.h"

#include <math.h>

/* expm1(x) / x and log1p(x) / x, which are smooth at 0, where theta is near 1. */
static double expm1_over(double x)
{
    return fabs(x) > 1e-8 ? expm1(x) / x : 1 + x / 2 * (1 + x / 3);
}

static double log1p_over(double x)
{
    return fabs(x) > 1e-8 ? log1p(x) / x : 1 - x * (0.5 - x / 3);
}

static double weight(const struct zipf *zipf, double x)
{
    return exp(-zipf->theta * log(x));
}

/* H(x) = (x^(1 - theta) - 1) / (1 - theta), and log(x) at theta 1. */
static double integral(const struct zipf *zipf, double x)
{
    double log_x = log(x);

    return expm1_over((1 - zipf->theta) * log_x) * log_x;
}

static double integral_inverse(const struct zipf *zipf, double u)
{
    double t = u * (1 - zipf->theta);

    if (t < -1) /* rounding only: H stays below 1 / (theta - 1) */
        t = -1;
    return exp(log1p_over(t) * u);
}

void zipf_init(struct zipf *zipf, double theta, uint64_t count)
{
    zipf->theta = theta;
    zipf->count = count;
    zipf->integral_first = integral(zipf, 1.5) - 1;
    zipf->integral_last = integral(zipf, (double)count + 0.5);
    zipf->accept_within = 2 - integral_inverse(zipf, integral(zipf, 2.5) - weight(zipf, 2));
}

uint64_t zipf_next(const struct zipf *zipf, struct prng *prng)
{
    for (;;) {
        double u =
            zipf->integral_last + prng_unit(prng) * (zipf->integral_first - zipf->integral_last);
        double x = integral_inverse(zipf, u);
        double rank = floor(x + 0.5);

        if (!(rank < (double)zipf->count)) /* also when x is infinite */
            rank = (double)zipf->count;
        if (rank < 1)
            rank = 1;
        if (rank - x <= zipf->accept_within || u >= integral(zipf, rank + 0.5) - weight(zipf, rank))
            return (uint64_t)rank;
    }
}
