/* SPDX-License-Identifier: MIT */
#include "client/pace.h"

#include <sys/prctl.h>

#include "base/clock.h"

uint64_t pace_due_ns(const struct pace *pace, uint64_t index)
{
    unsigned __int128 passed_ns = (unsigned __int128)index * CLOCK_NS_PER_SEC / pace->rate;

    return passed_ns > UINT64_MAX - pace->start_ns ? UINT64_MAX
                                                   : pace->start_ns + (uint64_t)passed_ns;
}

uint64_t pace_sleep_ns(const struct pace *pace, uint64_t left_ns)
{
    unsigned __int128 real_ns = (unsigned __int128)left_ns * pace->real_num / pace->real_den;

    return real_ns < PACE_SLEEP_MAX_NS ? (uint64_t)real_ns : PACE_SLEEP_MAX_NS;
}

void pace_sharpen(void)
{
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* a matter of precision */
}

void pace_sleep(uint64_t real_ns)
{
    const struct timespec span = clock_timespec(real_ns);

    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL); /* who looks again can be woken early */
}
