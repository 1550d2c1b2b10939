/* SPDX-License-Identifier: MIT */
/* timers_kernel: the kernel's timer that a record is of, in real time. */
#ifndef SPLITDOM_RUN_SHIM_CALL_TIMERS_KERNEL_H
#define SPLITDOM_RUN_SHIM_CALL_TIMERS_KERNEL_H

#include "run/shim/call/timers.h"

/* flags: as timer_settime and timerfd_settime take them; an interval timer knows none. 0 or -errno.
 */
long timers_set_kernel(const struct timers_record *record, long flags,
                       const struct itimerspec *spec);

/* What is left, and the interval. 0 or -errno. */
long timers_get_kernel(const struct timers_record *record, struct itimerspec *spec);

#endif
