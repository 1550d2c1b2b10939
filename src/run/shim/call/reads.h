/* SPDX-License-Identifier: MIT */
/*
 * reads: clock_gettime and its relatives; one implementation for the trapped calls and the vDSO.
 */
#ifndef SPLITDOM_RUN_SHIM_CALL_READS_H
#define SPLITDOM_RUN_SHIM_CALL_READS_H

#include <time.h>

/* 0 or -errno. */
long reads_clock(long clock_id, struct timespec *ts);

#endif
