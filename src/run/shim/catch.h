/* SPDX-License-Identifier: MIT */
/*
 * catch: the SIGSYS handler: a system call that the filter has caught, a kick, or a signal of the
 * program's own.
 */
#ifndef SPLITDOM_RUN_SHIM_CATCH_H
#define SPLITDOM_RUN_SHIM_CATCH_H

/* Catches SIGSYS and unblocks it. */
void catch_install(void);

#endif
