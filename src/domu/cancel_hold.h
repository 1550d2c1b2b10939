/* SPDX-License-Identifier: MIT */
/*
 * cancel_hold: puts off the end of a thread that is cancelled (pthread_cancel).
 *
 * A thread that ended in the middle of a call of the library would leave a lock locked, or have
 * others wake and answer what was on its stack. So no call of the library is a cancellation point,
 * whatever it calls itself.
 */
#ifndef SPLITDOM_DOMU_CANCEL_HOLD_H
#define SPLITDOM_DOMU_CANCEL_HOLD_H

#include <pthread.h>

/* Returns what cancel_hold_end takes. Calls may nest. */
static inline int cancel_hold_begin(void)
{
    int before;
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void cancel_hold_end(const int *before)
{
    int unused;
    (void)pthread_setcancelstate(*before, &unused);
}

/* From here to the end of the block the thread does not end; then its next cancellation point is
 * where it does. */
#define CANCEL_HOLD()                                                                              \
    __attribute__((cleanup(cancel_hold_end), unused)) const int cancel_held = cancel_hold_begin()

#endif
