/* SPDX-License-Identifier: MIT */
/*
 * tsc: rdtsc and rdtscp at the rate of the domain's clock, where that was asked for: they trap, and
 * are carried out here. The TSC that a program sees has the frequency of the real one in the
 * domain's time.
 */
#ifndef SPLITDOM_RUN_SHIM_TSC_H
#define SPLITDOM_RUN_SHIM_TSC_H

/* Lets the shim read the TSC again: what was set before an exec holds after it. */
void tsc_begin(void);

/* Catches SIGSEGV and traps the TSC, in this thread and those that it will create. */
void tsc_trap(void);

#endif
