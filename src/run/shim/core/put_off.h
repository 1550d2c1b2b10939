/* SPDX-License-Identifier: MIT */
/*
 * put_off: a thread's cancellation that came while a call is answered, and waits until that has
 * returned (call/cancel.h). What would wait then has to end at once: the signal is blocked, so that
 * nothing else would end it.
 */
#ifndef SPLITDOM_RUN_SHIM_CORE_PUT_OFF_H
#define SPLITDOM_RUN_SHIM_CORE_PUT_OFF_H

#include <stdbool.h>

/* By which glibc cancels a thread. */
enum { CANCEL_SIGNAL = 32 };

/* The calling thread has put it off. */
void put_off_tell(void);

/* Has the calling thread put it off? Asked after all else, right before the call that may wait. A
 * system call in a process that ever did, else none. */
bool put_off_is_due(void);

#endif
