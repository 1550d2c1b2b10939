/* SPDX-License-Identifier: MIT */
/* sleep: the plain wait of cases that are about where, or after what, a process waits. */
#ifndef SPLITDOM_TESTS_WAITS_SLEEP_H
#define SPLITDOM_TESTS_WAITS_SLEEP_H

#include <errno.h>
#include <time.h>

#include "tests/waits/waits.h"

static inline void sleep_once(void)
{
    struct timespec span = wait_timespec();
    while (nanosleep(&span, &span) < 0 && errno == EINTR)
        ;
}

/* What cases end with: a wait and a look at the clock that must agree. */
static inline void sleep_and_end(void)
{
    int64_t from = clock_ns(CLOCK_MONOTONIC);
    begin();
    sleep_once();
    int64_t took = clock_ns(CLOCK_MONOTONIC) - from;
    if (took < wait_ns || took > 3 * wait_ns + 1000000000)
        broken("the clock does not show the wait");
    end(0);
}

#endif
