/* SPDX-License-Identifier: MIT */
/*
 * pace: an open loop: requests are due at times that do not depend on answers, so many per second
 * of the domain's clock. A latency counts from when its request was due: requests that come late
 * because earlier ones were slow count as slow too. (A closed loop asks less while the disk is
 * slow, and so leaves out of its figures just the delays that one wants to see: Gil Tene's
 * "coordinated omission".)
 */
#ifndef SPLITDOM_CLIENT_PACE_H
#define SPLITDOM_CLIENT_PACE_H

#include <stdint.h>

enum { PACE_SLEEP_MAX_NS = 5000000 };

/* Constant while threads run. */
struct pace {
    uint64_t rate;               /* of all threads together; 0: there is none */
    uint64_t start_ns;           /* domain's clock */
    uint64_t real_num, real_den; /* real time per domain's time, as far as is known */
};

/* When request index (from 0, of all threads together) is due: domain's clock. */
uint64_t pace_due_ns(const struct pace *pace, uint64_t index);

/* How long to sleep for left_ns of the domain's clock to pass, in real time. It is
 * PACE_SLEEP_MAX_NS at most, since that clock can be stopped or changed: whoever sleeps looks at it
 * again. */
uint64_t pace_sleep_ns(const struct pace *pace, uint64_t left_ns);

/* Of the calling thread: sleeps end when they should, and not some 50 us later. */
void pace_sharpen(void);
void pace_sleep(uint64_t real_ns);

#endif
