/* SPDX-License-Identifier: MIT */
/* idle: when Dom0 has gone without a request for long enough to end. Pure: time is an argument. */
#ifndef SPLITDOM_SERVICE_DOM0_IDLE_H
#define SPLITDOM_SERVICE_DOM0_IDLE_H

#include <stdint.h>

/* Later than any clock can say. */
#define IDLE_NEVER UINT64_MAX

/* The instant of Dom0's clock at which it ends if no further request comes. timeout_ns 0: never, as
 * for a sum that no clock reaches. */
static inline uint64_t idle_end_ns(uint64_t last_request_ns, uint64_t timeout_ns)
{
    if (timeout_ns == 0 || timeout_ns >= IDLE_NEVER - last_request_ns)
        return IDLE_NEVER;
    return last_request_ns + timeout_ns;
}

#endif
