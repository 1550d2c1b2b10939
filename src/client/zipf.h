/* SPDX-License-Identifier: MIT */
/*
 * zipf: ranks 1..count, rank k with a probability proportional to k^-theta.
 *
 * Rejection-inversion: W. Hörmann and G. Derflinger, "Rejection-inversion to generate variates from
 * monotone discrete distributions", ACM TOMACS 6(3), 1996. Exact for every theta > 0, also at and
 * above 1, without a table: O(1) memory and, on average, hardly more than one attempt per rank.
 */
#ifndef SPLITDOM_CLIENT_ZIPF_H
#define SPLITDOM_CLIENT_ZIPF_H

#include "base/prng.h"

#include <stdint.h>

struct zipf {
    double theta;
    uint64_t count;
    double integral_first; /* where the area of rank 1 begins */
    double integral_last;  /* where the area of rank count ends */
    double accept_within;  /* distance to a rank at which its area covers its probability anyway */
};

/* theta > 0 and finite, 1 <= count <= 2^53. */
void zipf_init(struct zipf *zipf, double theta, uint64_t count);
uint64_t zipf_next(const struct zipf *zipf, struct prng *prng);

#endif
