/* SPDX-License-Identifier: MIT */
/*
 * signals: SIGSYS is the shim's. No mask that a program sets blocks it, since a trapped system call
 * under a blocked SIGSYS ends the process; the program's own action for it is kept, shown and used
 * for the signals that are not ours.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_SIGNALS_H
#define SPLITDOM_RUN_SHIM_CALL_SIGNALS_H

#include <stdint.h>

#include "run/shim/core/trap.h"

#define SIGNALS_SIGSYS (UINT64_C(1) << 30) /* signal 31 in a mask */

enum {
    SIGNALS_MASK_BYTES = 8,
    SIGNALS_RESTORER = 0x04000000, /* a flag of the kernel's sigaction: restorer is set */
};

/* What no mask of the program's may block. */
uint64_t signals_never_blocked(void);

/* The mask at *address becomes a private copy without these. 0: no mask. -EFAULT. */
int signals_take_mask(long *address, uint64_t *copy);

/* The program's action for a signal whose action is the shim's; kept: its last handler. */
void signals_own_action(int number, const struct trap_action *kept, struct trap_action *out);

#endif
