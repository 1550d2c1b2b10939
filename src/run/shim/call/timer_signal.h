/* SPDX-License-Identifier: MIT */
/* timer_signal: the signal of a POSIX timer, between its being sent and its being taken. */
#ifndef SPLITDOM_RUN_SHIM_CALL_TIMER_SIGNAL_H
#define SPLITDOM_RUN_SHIM_CALL_TIMER_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

struct timer_signal {
    int32_t number; /* 0: none */
    int32_t tid;    /* who takes it; 0: any thread of the process */
};

/* Of a sigevent in the program's memory, as timer_create takes it. */
struct timer_signal timer_signal_of(long sigevent);

/* Is such a signal pending, which the kernel drops when its timer is set anew (since Linux 6.13)?
 * Of several timers with one signal it is not known whose. */
bool timer_signal_is_dropped(const struct timer_signal *timer_signal);

#endif
